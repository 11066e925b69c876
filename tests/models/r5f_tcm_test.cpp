#include "models/interconnect/r5f_tcm.h"

#include "models/interconnect/router.h"
#include "models/memory/memory.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

constexpr std::uint32_t RSTBASE = 1u << 11, BTCM_EN = 1u << 12, ATCM_EN = 1u << 13, SINGLE_CORE = 1u << 15;
constexpr std::uint64_t A0 = 0x78000000, B0 = 0x78100000, A1 = 0x78200000, B1 = 0x78300000;

/// Four memories that begin with their own address, behind one core's view.
struct r5f_memories : testing::Test {
  r5f_memories() {
    core.socket.bind(tcm.upstream());
    tcm.initiator()->bind(bus.view(bus.add_view("core")));
    tcm.config().bind(config);
    for (ddr* m : {&a0, &b0, &a1, &b1}) {
      const std::uint64_t base = m->node().reg()[0].base;
      bus.map(base, 0x8000, *m->target(0), 0, m->label());
      const auto word = static_cast<std::uint32_t>(base);
      m->debug_write(0, &word, sizeof word);
    }
  }
  void configure(std::uint32_t value) {
    config.write(value);
    sc_core::wait(test::ns(1));
  }
  std::uint32_t at(std::uint32_t address) { return core.read32(address); }

  sim_context context;
  test::node_source node;
  sc_core::sc_signal<std::uint32_t> config{"config", BTCM_EN | RSTBASE};
  r5f_tcm tcm{"tcm", context,
              node("tcm",
                   "rpsim,atcm = <0 0x78000000 0x8000>, <0 0x78200000 0x8000>;"
                   "rpsim,btcm = <0 0x78100000 0x8000>, <0 0x78300000 0x8000>;")};
  ddr a0{"a0", context, node("a0", "reg = <0 0x78000000 0 0x8000>;")};
  ddr b0{"b0", context, node("b0", "reg = <0 0x78100000 0 0x8000>;")};
  ddr a1{"a1", context, node("a1", "reg = <0 0x78200000 0 0x8000>;")};
  ddr b1{"b1", context, node("b1", "reg = <0 0x78300000 0 0x8000>;")};
  router bus{"bus", context};
  test::bus_master core{"core"};
};

TEST_F(r5f_memories, loczrama_says_which_one_is_at_zero) {
  test::simulate([&] {
    configure(ATCM_EN | BTCM_EN | RSTBASE);
    EXPECT_EQ(at(0), A0);
    EXPECT_EQ(at(r5f_tcm::HIGH), B0);
    configure(ATCM_EN | BTCM_EN);
    EXPECT_EQ(at(0), B0);
    EXPECT_EQ(at(r5f_tcm::HIGH), A0);
  });
}

TEST_F(r5f_memories, one_that_is_not_enabled_is_not_there_but_at_its_system_address) {
  test::simulate([&] {
    configure(BTCM_EN | RSTBASE);
    EXPECT_NE(core.try_read32(0), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(at(r5f_tcm::HIGH), B0);
    EXPECT_EQ(at(A0), A0);
  });
}

TEST_F(r5f_memories, core_1s_follow_where_two_cores_act_as_one) {
  test::simulate([&] {
    configure(ATCM_EN | BTCM_EN | RSTBASE);
    EXPECT_NE(core.try_read32(0x8000), tlm::TLM_OK_RESPONSE);
    configure(ATCM_EN | BTCM_EN | RSTBASE | SINGLE_CORE);
    EXPECT_EQ(at(0x8000), A1);
    EXPECT_EQ(at(r5f_tcm::HIGH + 0x8000), B1);
  });
}

TEST_F(r5f_memories, direct_access_and_debug_end_with_the_memory_and_move_with_the_configuration) {
  test::simulate([&] {
    configure(ATCM_EN | BTCM_EN | RSTBASE);
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(core.direct(0x100, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0u);
    EXPECT_EQ(dmi.get_end_address(), 0x7FFFu);
    ASSERT_TRUE(core.direct(A0 + 0x100, dmi));
    EXPECT_EQ(dmi.get_start_address(), A0);
    EXPECT_EQ(core.debug32(0), A0);
    core.invalidated.clear();
    configure(ATCM_EN | BTCM_EN);
    EXPECT_FALSE(core.invalidated.empty());
    EXPECT_EQ(core.debug32(0), B0);
  });
}

TEST_F(r5f_memories, a_loader_learns_where_the_bytes_belong) {
  const std::uint32_t both = ATCM_EN | BTCM_EN | RSTBASE;
  EXPECT_EQ(tcm.system_address(0x200, both), A0 + 0x200);
  EXPECT_EQ(tcm.system_address(r5f_tcm::HIGH + 4, both), B0 + 4);
  EXPECT_EQ(tcm.system_address(0x8000, both), 0u);
  EXPECT_EQ(tcm.system_address(0xA0000000, both), 0u);
}

}  // namespace
}  // namespace rpsim
