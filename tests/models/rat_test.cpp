#include "models/interconnect/rat.h"

#include <array>

#include "models/interconnect/router.h"
#include "models/memory/memory.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::ns;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr std::uint32_t REGS = 0x44200000;

/// A core behind a RAT; RAM at 0x8000_0000 and, above what 32 bits reach, at 0x8_8000_0000.
struct translated_core : testing::Test {
  translated_core() {
    core.socket.bind(translator.upstream());
    translator.initiator()->bind(bus.view(bus.add_view("core")));
    bus.map(0x80000000, 0x100000, *low.target(0), 0, "low");
    bus.map(0x880000000, 0x100000, *high.target(0), 0, "high");
    translator.power()->bind(power);
  }
  void set_region(unsigned i, std::uint32_t base, unsigned log2_size, std::uint64_t to) {
    core.write32(REGS + rat::BASE + 0x10 * i, base);
    core.write32(REGS + rat::TRANS_L + 0x10 * i, static_cast<std::uint32_t>(to));
    core.write32(REGS + rat::TRANS_U + 0x10 * i, static_cast<std::uint32_t>(to >> 32));
    core.write32(REGS + rat::CTRL + 0x10 * i, 0x80000000 | log2_size);
  }
  void power_to(module_state s) {
    power.write(s);
    sc_core::wait(ns(1));
  }

  sim_context context;
  test::node_source node;
  sc_core::sc_signal<module_state> power{"power", module_state::enable};
  rat translator{"m4f_rat", context, node("m4f_rat", "reg = <0 0x44200000 0 0x1000>; rpsim,regions = <16>;")};
  ddr low{"low", context, node("low", "reg = <0 0x80000000 0 0x100000>;")};
  ddr high{"high", context, node("high", "reg = <8 0x80000000 0 0x100000>;")};
  router bus{"bus", context};
  test::bus_master core{"core"};
};

TEST_F(translated_core, without_an_enabled_region_everything_passes_unchanged) {
  test::simulate([&] {
    core.write32(0x80000004, 0x11);
    std::uint32_t word = 0;
    low.debug_read(4, &word, 4);
    EXPECT_EQ(word, 0x11u);
    core.write32(REGS + rat::BASE, 0x80000000);
    core.write32(REGS + rat::TRANS_U, 8);
    core.write32(REGS + rat::CTRL, 16);  // set up, not enabled
    EXPECT_EQ(core.read32(0x80000004), 0x11u);
  });
}

TEST_F(translated_core, an_enabled_region_reaches_48_bit_addresses) {
  test::simulate([&] {
    set_region(3, 0xC0000000, 16, 0x880000000);
    core.write32(0xC0001230, 0xABCD);
    EXPECT_EQ(core.payload.get_address(), 0xC0001230u);
    EXPECT_EQ(core.delay, ns(10 + 100)) << "the RAT itself takes no time";
    std::uint32_t word = 0;
    high.debug_read(0x1230, &word, 4);
    EXPECT_EQ(word, 0xABCDu);
    EXPECT_EQ(core.debug32(0xC0001230), 0xABCDu);
    EXPECT_EQ(core.try_read32(0xC0010000), tlm::TLM_ADDRESS_ERROR_RESPONSE) << "past the region";
  });
}

TEST_F(translated_core, the_lowest_numbered_region_wins) {
  test::simulate([&] {
    set_region(5, 0x80000000, 20, 0x880000000);
    set_region(2, 0x80000000, 12, 0x80001000);
    core.write32(0x80000000, 1);
    core.write32(0x80001000, 2);
    std::uint32_t in_low = 0, in_high = 0;
    low.debug_read(0x1000, &in_low, 4);
    high.debug_read(0x1000, &in_high, 4);
    EXPECT_EQ(in_low, 1u);
    EXPECT_EQ(in_high, 2u);
  });
}

TEST_F(translated_core, an_access_across_a_regions_edge_is_annulled_and_logged_once) {
  test::recorder trace(context);
  test::simulate([&] {
    set_region(0, 0x80001000, 12, 0x880000000);
    EXPECT_EQ(core.try_write32(0x80001FFE, 1), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    std::array<std::uint8_t, 8> burst{};
    EXPECT_EQ(core.read(0x80000FFC, burst), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(core.read32(REGS + rat::PEND_SET), 1u);
    EXPECT_EQ(core.read32(REGS + rat::LOGGING_DATA0), 0x80001FFEu) << "the first one stays until it is cleared";
    EXPECT_EQ(core.read32(REGS + rat::LOGGING_DATA2), 1u << 13);
    EXPECT_EQ(core.read32(REGS + rat::LOGGING_DATA3), 4u);
    EXPECT_EQ(core.read32(REGS + rat::PEND_SET), 0u);
    core.read(0x80000FFC, burst);
    EXPECT_EQ(core.read32(REGS + rat::LOGGING_DATA0), 0x80000FFCu);
    EXPECT_EQ(core.read32(REGS + rat::LOGGING_DATA2), 1u << 12);
    core.write32(REGS + rat::PEND_CLEAR, 1);
    core.write32(REGS + rat::LOGGING_CONTROL, 1);
    core.try_read32(0x80001FFE);
    EXPECT_EQ(core.read32(REGS + rat::PEND_SET), 0u);
  });
  EXPECT_EQ(
      trace.lines.front(),
      "m4f_rat bus.error initiator=core address=0x80001ffe kind=write size=4 reason=crosses the edge of region 0");
  EXPECT_EQ(trace.lines.size(), 4u);
}

TEST_F(translated_core, registers_read_back_what_exists_of_what_was_written) {
  test::simulate([&] {
    EXPECT_EQ(core.read32(REGS + rat::CONFIG), 16u | 48u << 16);
    core.write32(REGS + rat::CTRL + 0xF0, 0xFFFFFFFF);
    EXPECT_EQ(core.read32(REGS + rat::CTRL + 0xF0), 0x8000003Fu);
    core.write32(REGS + rat::TRANS_U + 0xF0, 0xFFFFFFFF);
    EXPECT_EQ(core.read32(REGS + rat::TRANS_U + 0xF0), 0xFFFFu);
    EXPECT_EQ(core.debug32(REGS + rat::TRANS_U + 0xF0), 0xFFFFu);
    EXPECT_EQ(core.try_read32(REGS + rat::CTRL + 0x100), tlm::TLM_ADDRESS_ERROR_RESPONSE) << "a seventeenth region";
    EXPECT_EQ(core.try_read32(REGS + 2), tlm::TLM_BURST_ERROR_RESPONSE);
  });
}

TEST_F(translated_core, the_registers_win_over_a_region_that_covers_everything) {
  test::simulate([&] {
    set_region(0, 0, 32, 0x800000000);
    core.write32(0x80000000, 7);
    std::uint32_t word = 0;
    high.debug_read(0, &word, 4);
    EXPECT_EQ(word, 7u);
    core.write32(REGS + rat::CTRL, 0);
    EXPECT_EQ(core.read32(0x80000000), 0u);
  });
}

TEST_F(translated_core, direct_access_is_clipped_to_the_region_and_taken_back_when_a_region_changes) {
  test::simulate([&] {
    tlm::tlm_dmi dmi;
    set_region(0, 0x80010000, 16, 0x880020000);
    core.invalidated.clear();
    ASSERT_TRUE(core.direct(0x80018000, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0x80010000u);
    EXPECT_EQ(dmi.get_end_address(), 0x8001FFFFu);
    dmi.get_dmi_ptr()[0] = 0x42;
    EXPECT_EQ(core.read32(0x80010000), 0x42u);
    ASSERT_TRUE(core.direct(0x80000000, dmi)) << "before the region";
    EXPECT_EQ(dmi.get_end_address(), 0x8000FFFFu);
    ASSERT_TRUE(core.direct(0x80020000, dmi)) << "behind it";
    EXPECT_EQ(dmi.get_start_address(), 0x80020000u);
    EXPECT_FALSE(core.direct(REGS, dmi));
    EXPECT_TRUE(core.invalidated.empty());
    core.write32(REGS + rat::CTRL, 0);
    EXPECT_THAT(core.invalidated, ElementsAre(Pair(0u, ~std::uint64_t{0})));
  });
}

TEST_F(translated_core, what_the_memory_takes_back_reaches_the_core_at_the_cores_address) {
  test::simulate([&] {
    tlm::tlm_dmi dmi;
    set_region(0, 0xC0000000, 16, 0x880000000);
    ASSERT_TRUE(core.direct(0xC0000000, dmi));
    core.invalidated.clear();
    high.add_watch(0x2000, 4, "vring");
    EXPECT_THAT(core.invalidated, Contains(Pair(0xC0002000u, 0xC0002FFFu)));
  });
}

TEST_F(translated_core, a_module_reset_disables_every_region_and_a_gated_clock_does_not) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(core.read32(0x80000000), 0u);
      set_region(0, 0x80000000, 16, 0x880000000);
      core.write32(0x80000000, 9);
      power_to(module_state::disable);
      EXPECT_EQ(core.try_read32(REGS + rat::CTRL), tlm::TLM_GENERIC_ERROR_RESPONSE);
      power_to(module_state::enable);
      EXPECT_EQ(core.read32(0x80000000), 9u);
      power_to(module_state::sync_reset);
      power_to(module_state::enable);
      EXPECT_EQ(core.read32(REGS + rat::CTRL), 0u);
      EXPECT_EQ(core.read32(REGS + rat::TRANS_U), 0u);
    }
  });
}

TEST(rat, a_node_that_cannot_be_is_refused_with_its_place) {
  sim_context context;
  test::node_source node;
  const auto message = [&](const char* properties) -> std::string {
    try {
      rat r("r", context, node("r", properties));
    } catch (const dt::error& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message("reg = <0 0 0 0x1000>; rpsim,regions = <200>;"), HasSubstr("must be 1 to 126"));
  EXPECT_THAT(message("reg = <0 0 0 0x800>;"), HasSubstr("one window of 0x1000 bytes"));
}

}  // namespace
}  // namespace rpsim
