#include "models/core/gic.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::ns;
using test::simulate;

constexpr std::uint32_t CTLR = 0, TYPER = 4, ISENABLER = 0x100, ICENABLER = 0x180, ISPENDR = 0x200, ISACTIVER = 0x300,
                        IPRIORITYR = 0x400, ITARGETSR = 0x800;

struct distributor : testing::Test {
  distributor() : unit("gic", context, node("gic", "reg = <0 0x1800000 0 0x10000>;")) {
    bus.socket.bind(*unit.target(0));
    unit.input("irq", 76 + 32)->bind(mailbox);
    unit.input("irq", 34 + 32)->bind(proxy);
  }
  void enable(unsigned intid) { bus.write32(ISENABLER + intid / 32 * 4, 1u << (intid % 32)); }
  void disable(unsigned intid) { bus.write32(ICENABLER + intid / 32 * 4, 1u << (intid % 32)); }
  void drive(sc_core::sc_signal<bool>& line, bool level) {
    line.write(level);
    sc_core::wait(ns(1));
  }

  sim_context context;
  test::node_source node;
  test::bus_master bus{"a53"};
  sc_core::sc_signal<bool> mailbox{"mailbox"}, proxy{"proxy"};
  gic unit;
};

TEST_F(distributor, a_host_reset_forgets_what_was_enabled_and_active) {
  simulate([&] {
    for (int round = 0; round < 2; ++round) {
      enable(108);
      drive(mailbox, true);
      EXPECT_EQ(unit.acknowledge(), 108u);
      unit.host_reset(host_reset_kind::reset);
      EXPECT_FALSE(unit.pending());
      EXPECT_EQ(bus.read32(ISENABLER + 12), 0u);
      EXPECT_EQ(bus.read32(ISACTIVER + 12), 0u);
      enable(108);
      EXPECT_TRUE(unit.pending()) << "its line is still high";
      unit.host_reset(host_reset_kind::standby);
      drive(mailbox, false);
    }
  });
}

TEST_F(distributor, has_the_spi_inputs_that_its_type_register_tells) {
  EXPECT_EQ(unit.input("irq", 31), nullptr) << "private interrupts have no line";
  EXPECT_EQ(unit.input("irq", gic::LINES), nullptr);
  EXPECT_EQ(unit.input("fiq", 40), nullptr);
  simulate([&] {
    EXPECT_EQ(32 * ((bus.read32(TYPER) & 0x1F) + 1), gic::LINES);
    sc_core::wait(ns(1));
  });
}

TEST_F(distributor, a_line_reaches_the_core_when_enabled_and_says_so_a_delta_later) {
  simulate([&] {
    drive(mailbox, true);
    EXPECT_FALSE(unit.pending());
    EXPECT_EQ(bus.read32(ISPENDR + 12), 1u << 12) << "pending, though not enabled";
    const auto before = test::now();
    enable(108);
    EXPECT_TRUE(unit.pending());
    sc_core::wait(unit.pending_event());
    EXPECT_EQ(test::now(), before);
    EXPECT_EQ(unit.acknowledge(), 108u);
    EXPECT_EQ(unit.acknowledge(), unsigned{gic::SPURIOUS});
  });
}

TEST_F(distributor, an_active_interrupt_comes_back_only_after_its_end_and_only_while_the_line_is_high) {
  simulate([&] {
    enable(108);
    drive(mailbox, true);
    EXPECT_EQ(unit.acknowledge(), 108u);
    EXPECT_EQ(bus.read32(ISACTIVER + 12), 1u << 12);
    drive(mailbox, false);
    drive(mailbox, true);
    EXPECT_FALSE(unit.pending());
    unit.end_of_interrupt(108);
    EXPECT_TRUE(unit.pending());
    EXPECT_EQ(unit.acknowledge(), 108u);
    drive(mailbox, false);
    unit.end_of_interrupt(108);
    EXPECT_FALSE(unit.pending());
    unit.end_of_interrupt(5000);
  });
}

TEST_F(distributor, a_line_that_falls_before_the_acknowledge_is_spurious) {
  simulate([&] {
    enable(108);
    drive(mailbox, true);
    drive(mailbox, false);
    EXPECT_EQ(unit.acknowledge(), unsigned{gic::SPURIOUS});
  });
}

TEST_F(distributor, priority_decides_and_then_the_number) {
  simulate([&] {
    enable(108);
    enable(66);
    drive(mailbox, true);
    drive(proxy, true);
    EXPECT_EQ(unit.acknowledge(), 66u);
    unit.end_of_interrupt(66);
    bus.write32(IPRIORITYR + 108, 0x80);
    EXPECT_EQ(bus.read32(IPRIORITYR + 108), 0x80u);
    EXPECT_EQ(unit.acknowledge(), 108u);
    EXPECT_EQ(unit.acknowledge(), 66u) << "another CPU can take it meanwhile";
  });
}

TEST_F(distributor, masking_takes_a_pending_line_away) {
  simulate([&] {
    enable(108);
    drive(mailbox, true);
    disable(108);
    EXPECT_FALSE(unit.pending());
    enable(108);
    EXPECT_TRUE(unit.pending());
    bus.write32(CTLR, 0);
    EXPECT_FALSE(unit.pending());
  });
}

TEST_F(distributor, targets_are_stored_and_pending_bits_are_not_writable) {
  simulate([&] {
    bus.write32(ITARGETSR + 108, 0x04040404);
    EXPECT_EQ(bus.read32(ITARGETSR + 108), 0x04040404u);
    bus.write32(ISPENDR + 12, 1u << 12);
    EXPECT_EQ(bus.read32(ISPENDR + 12), 0u);
    EXPECT_FALSE(unit.pending());
    sc_core::wait(ns(1));
  });
}

TEST_F(distributor, a_line_that_is_high_from_the_start_counts) {
  mailbox.write(true);
  simulate([&] {
    enable(108);
    sc_core::wait(ns(1));
    EXPECT_EQ(unit.acknowledge(), 108u);
  });
}

}  // namespace
}  // namespace rpsim
