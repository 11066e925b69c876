#include "models/stm32/stm32_pwr.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

struct pwr_fixture : testing::Test {
  pwr_fixture() { host.socket.bind(*pwr.target(0)); }
  std::uint32_t mcucr() { return host.read32(stm32_pwr::MCUCR); }

  sim_context context;
  test::node_source node;
  stm32_pwr pwr{"pwr", context, node("pwr", "")};
  test::bus_master host{"host"};
};

TEST_F(pwr_fixture, software_sets_what_is_its_own_and_no_flag) {
  test::simulate([&] {
    EXPECT_EQ(mcucr(), 0u);
    for (int round = 0; round < 2; ++round) {
      host.write32(stm32_pwr::MCUCR, 0xFFFFFFFF);
      EXPECT_EQ(mcucr(), stm32_pwr::PDDS);
      host.write32(stm32_pwr::MPUCR, 0xFFFFFFFF);
      EXPECT_EQ(host.read32(stm32_pwr::MPUCR), stm32_pwr::PDDS | stm32_pwr::CSTBYDIS);
      host.write32(stm32_pwr::MCUCR, 0);
      EXPECT_EQ(mcucr(), 0u);
      EXPECT_NE(host.read32(stm32_pwr::MPUCR), 0u) << "one does not touch the other";
    }
    EXPECT_EQ(host.read32(0x0), 0u) << "not modelled";
  });
}

TEST_F(pwr_fixture, standby_leaves_its_flag_until_software_clears_it) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      host.write32(stm32_pwr::MCUCR, stm32_pwr::PDDS);
      pwr.host_reset(host_reset_kind::reset);
      EXPECT_EQ(mcucr(), stm32_pwr::PDDS) << "a plain reset is no standby";
      pwr.host_reset(host_reset_kind::standby);
      EXPECT_EQ(mcucr(), stm32_pwr::PDDS | stm32_pwr::SBF);
      EXPECT_NE(host.read32(stm32_pwr::MPUCR) & stm32_pwr::SBF, 0u);
      host.write32(stm32_pwr::MCUCR, 0);
      EXPECT_EQ(mcucr(), stm32_pwr::SBF);
      pwr.host_reset(host_reset_kind::reset);
      EXPECT_EQ(mcucr(), stm32_pwr::SBF);
      host.write32(stm32_pwr::MCUCR, stm32_pwr::CSSF | stm32_pwr::PDDS);
      EXPECT_EQ(mcucr(), stm32_pwr::PDDS) << "and CSSF reads 0";
      EXPECT_NE(host.read32(stm32_pwr::MPUCR) & stm32_pwr::SBF, 0u) << "each side clears its own";
    }
  });
}

TEST_F(pwr_fixture, a_loss_of_power_clears_everything) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      host.write32(stm32_pwr::MCUCR, stm32_pwr::PDDS);
      pwr.host_reset(host_reset_kind::standby);
      pwr.host_reset(host_reset_kind::power_loss);
      EXPECT_EQ(mcucr(), 0u);
      EXPECT_EQ(host.read32(stm32_pwr::MPUCR), 0u);
    }
  });
}

}  // namespace
}  // namespace rpsim
