#include "models/stm32/stm32_tamp.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

struct tamp_fixture : testing::Test {
  tamp_fixture() { host.socket.bind(*tamp.target(0)); }
  void expect_all(std::uint32_t base) {
    for (unsigned n = 0; n < stm32_tamp::BACKUP_REGISTERS; ++n) {
      EXPECT_EQ(host.read32(stm32_tamp::bkp(n)), base == 0 ? 0 : base + n) << "BKP" << n << "R";
    }
  }
  void write_all(std::uint32_t base) {
    for (unsigned n = 0; n < stm32_tamp::BACKUP_REGISTERS; ++n) host.write32(stm32_tamp::bkp(n), base + n);
  }

  sim_context context;
  test::node_source node;
  stm32_tamp tamp{"tamp", context, node("tamp", "")};
  test::bus_master host{"host"};
};

TEST_F(tamp_fixture, the_registers_are_where_boot_loader_and_linux_look) {
  EXPECT_EQ(stm32_tamp::bkp(17), 0x144u);
  EXPECT_EQ(stm32_tamp::bkp(18), 0x148u);
  test::simulate([&] {
    expect_all(0);
    write_all(0xA5A50000);
    expect_all(0xA5A50000);
    EXPECT_EQ(host.read32(0x180), 0u) << "after the last one: not modelled";
  });
}

TEST_F(tamp_fixture, backup_registers_survive_every_host_reset_and_no_loss_of_power) {
  test::simulate([&] {
    for (std::uint32_t round = 1; round <= 2; ++round) {
      write_all(round << 16);
      tamp.host_reset(host_reset_kind::reset);
      expect_all(round << 16);
      tamp.host_reset(host_reset_kind::standby);
      expect_all(round << 16);
      tamp.host_reset(host_reset_kind::power_loss);
      expect_all(0);
    }
  });
}

}  // namespace
}  // namespace rpsim
