#include "models/stm32/stm32_wwdg.h"

#include "models/stm32/stm32_exti.h"
#include "models/stm32/stm32_rcc.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::us;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint32_t CR = stm32_wwdg::CR, CFR = stm32_wwdg::CFR, SR = stm32_wwdg::SR;
constexpr std::uint32_t WDGA = stm32_wwdg::WDGA, EWI = stm32_wwdg::EWI, EWIF = stm32_wwdg::EWIF;
constexpr std::uint32_t prescaler(unsigned n) { return n << stm32_wwdg::WDGTB_SHIFT; }
sc_core::sc_time ms(double v) { return {v, sc_core::SC_MS}; }

struct wwdg_fixture : testing::Test {
  wwdg_fixture() {
    host.socket.bind(*wwdg.target(0));
    wwdg.output("irq", 0)->bind(early);
    wwdg.output("wwdg-reset", 0)->bind(reset);
    wwdg.input("local-reset", 0)->bind(held);
  }
  void settle() {
    for (int i = 0; i < 4; ++i) sc_core::wait(sc_core::SC_ZERO_TIME);
  }

  sim_context context;
  test::node_source node;
  /// 4096 clocks are a millisecond: the counter falls by one each, times 2^WDGTB.
  stm32_wwdg wwdg{"wwdg1", context, node("wwdg1", "clock-frequency = <4096000>;")};
  sc_core::sc_signal<bool> early{"early"}, reset{"reset"}, held{"held"};
  test::bus_master host{"host"};
};

TEST_F(wwdg_fixture, reset_values) {
  test::simulate([&] {
    EXPECT_EQ(host.read32(CR), 0x7Fu);
    EXPECT_EQ(host.read32(CFR), 0x7Fu);
    EXPECT_EQ(host.read32(SR), 0u);
    EXPECT_FALSE(early.read());
    EXPECT_FALSE(reset.read());
    sc_core::wait(ms(200));
    EXPECT_EQ(host.read32(CR), 0x7Fu) << "nobody activated it";
    host.write32(CR, 0x55);
    EXPECT_EQ(host.read32(CR), 0x55u);
  });
}

TEST_F(wwdg_fixture, it_resets_the_m4_64_counts_after_a_full_load_and_can_be_used_again) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      const sc_core::sc_time t0 = now();
      host.write32(CR, WDGA | 0x7F);
      sc_core::wait(ms(10));
      EXPECT_EQ(host.read32(CR), WDGA | 0x75);
      EXPECT_EQ(host.debug32(CR), WDGA | 0x75);
      sc_core::wait(reset.posedge_event());
      EXPECT_EQ(now() - t0, ms(64));
      sc_core::wait(reset.negedge_event());
      EXPECT_EQ(now() - t0, ms(64) + us(1)) << "a pulse";
      EXPECT_EQ(host.read32(CR), 0x7Fu) << "it resets itself, too";
      EXPECT_EQ(host.read32(SR), 0u);
      EXPECT_THAT(trace.times, ElementsAre(t0 + ms(64)));
      EXPECT_THAT(trace.take(), ElementsAre("wwdg1 watchdog.expired reaction=reset cause=timeout"));
      sc_core::wait(ms(200));
      EXPECT_THAT(trace.lines, IsEmpty());
    }
  });
}

TEST_F(wwdg_fixture, the_prescaler_stretches_the_count) {
  test::simulate([&] {
    for (unsigned n = 0; n < 8; ++n) {
      const sc_core::sc_time t0 = now();
      host.write32(CFR, prescaler(n) | 0x7F);
      host.write32(CR, WDGA | 0x4F);
      sc_core::wait(reset.posedge_event());
      EXPECT_EQ(now() - t0, ms(16.0 * (1 << n)));
      sc_core::wait(us(2));
    }
  });
}

TEST_F(wwdg_fixture, a_prescaler_set_after_activation_counts_from_there) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      const sc_core::sc_time t0 = now();
      host.write32(CR, WDGA | 0x7F);  // the order of ST's HAL
      host.write32(CFR, prescaler(3) | 0x7F);
      sc_core::wait(ms(84));  // in mid-count
      EXPECT_EQ(host.read32(CR), WDGA | 0x75);
      host.write32(CFR, prescaler(3) | 0x70);
      EXPECT_EQ(host.read32(CR), WDGA | 0x75) << "another window does not disturb the count";
      sc_core::wait(reset.posedge_event());
      EXPECT_EQ(now() - t0, ms(8 * 64));
      sc_core::wait(us(2));
    }
  });
}

TEST_F(wwdg_fixture, a_reload_in_time_prevents_the_reset) {
  test::recorder trace(context);
  test::simulate([&] {
    host.write32(CFR, 0x50);
    host.write32(CR, WDGA | 0x7F);
    sc_core::sc_time loaded;
    for (int round = 0; round < 5; ++round) {
      sc_core::wait(ms(50));
      EXPECT_EQ(host.read32(CR), WDGA | 0x4D);
      host.write32(CR, 0x7F);  // as ST's HAL: without WDGA
      loaded = now();
      EXPECT_EQ(host.read32(CR), WDGA | 0x7F) << "WDGA stays";
    }
    EXPECT_THAT(trace.lines, IsEmpty());
    sc_core::wait(reset.posedge_event());
    EXPECT_EQ(now() - loaded, ms(64));
  });
}

TEST_F(wwdg_fixture, a_reload_above_the_window_resets_at_once) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      host.write32(CFR, 0x60);
      host.write32(CR, WDGA | 0x7F);
      sc_core::wait(ms(30));  // 0x61: one above
      const sc_core::sc_time t0 = now();
      host.write32(CR, 0x7F);
      EXPECT_FALSE(reset.read()) << "not inside the access";
      settle();
      EXPECT_TRUE(reset.read());
      EXPECT_EQ(now(), t0);
      EXPECT_THAT(trace.take(), ElementsAre("wwdg1 watchdog.expired reaction=reset cause=window"));
      sc_core::wait(us(2));

      host.write32(CFR, 0x60);
      host.write32(CR, WDGA | 0x7F);
      sc_core::wait(ms(31));  // 0x60: in the window
      host.write32(CR, 0x7F);
      settle();
      EXPECT_FALSE(reset.read());
      EXPECT_THAT(trace.take(), IsEmpty());
      wwdg.host_reset(host_reset_kind::power_loss);
    }
  });
}

TEST_F(wwdg_fixture, a_reload_below_0x40_resets_at_once) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      host.write32(CR, WDGA | 0x3F);
      settle();
      EXPECT_TRUE(reset.read());
      EXPECT_THAT(trace.take(), ElementsAre("wwdg1 watchdog.expired reaction=reset cause=reload"));
      sc_core::wait(us(2));
    }
  });
}

TEST_F(wwdg_fixture, the_early_interrupt_comes_one_count_before_the_reset) {
  test::recorder trace(context, trace_level::detail);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      const sc_core::sc_time t0 = now();
      host.write32(CFR, EWI | 0x7F);
      host.write32(CR, WDGA | 0x7F);
      sc_core::wait(early.posedge_event());
      EXPECT_EQ(now() - t0, ms(63));
      EXPECT_EQ(host.read32(SR), EWIF);
      host.write32(SR, EWIF);
      settle();
      EXPECT_TRUE(early.read()) << "a one does not clear it";
      host.write32(CFR, 0x7F);
      EXPECT_EQ(host.read32(CFR), EWI | 0x7F) << "nor can it be disabled";
      host.write32(SR, 0);
      settle();
      EXPECT_FALSE(early.read());
      sc_core::wait(reset.posedge_event());
      EXPECT_EQ(now() - t0, ms(64));
      sc_core::wait(us(2));
      EXPECT_EQ(host.read32(CFR), 0x7Fu) << "the reset did";
      EXPECT_THAT(trace.take(),
                  ElementsAre("wwdg1 irq.raised line=0", "wwdg1 irq.lowered line=0", HasSubstr("watchdog.expired")));
    }
  });
}

TEST_F(wwdg_fixture, without_the_early_interrupt_the_flag_is_set_all_the_same) {
  test::simulate([&] {
    host.write32(CR, WDGA | 0x42);
    sc_core::wait(ms(2.5));
    EXPECT_EQ(host.read32(SR), EWIF);
    EXPECT_FALSE(early.read());
    host.write32(CFR, EWI | 0x7F);
    settle();
    EXPECT_TRUE(early.read());
  });
}

TEST_F(wwdg_fixture, the_m4s_reset_stops_it_and_holds_it) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      host.write32(CFR, EWI | 0x7F);
      host.write32(CR, WDGA | 0x7F);
      sc_core::wait(ms(63.5));
      EXPECT_TRUE(early.read());
      held.write(true);
      settle();
      EXPECT_FALSE(early.read());
      host.write32(CR, WDGA | 0x7F);
      host.write32(CFR, 0x55);
      EXPECT_EQ(host.read32(CR), 0x7Fu);
      EXPECT_EQ(host.read32(CFR), 0x7Fu);
      sc_core::wait(ms(200));
      held.write(false);
      settle();
      EXPECT_EQ(host.read32(CR), 0x7Fu);
    }
    EXPECT_THAT(trace.lines, IsEmpty());
  });
}

TEST_F(wwdg_fixture, an_injected_expiry_needs_no_activation) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      wwdg.bite();
      sc_core::wait(reset.posedge_event());
      sc_core::wait(reset.negedge_event());
      EXPECT_EQ(host.read32(CR), 0x7Fu);
      EXPECT_THAT(trace.take(), ElementsAre("wwdg1 watchdog.expired reaction=reset cause=injected"));
    }
  });
}

TEST_F(wwdg_fixture, only_a_loss_of_power_among_the_host_resets_concerns_it) {
  test::simulate([&] {
    host.write32(CR, WDGA | 0x7F);
    sc_core::wait(ms(10));
    wwdg.host_reset(host_reset_kind::reset);
    wwdg.host_reset(host_reset_kind::standby);
    EXPECT_EQ(host.read32(CR), WDGA | 0x75);
    wwdg.host_reset(host_reset_kind::power_loss);
    EXPECT_EQ(host.read32(CR), 0x7Fu);
  });
}

/// WWDG1 as the chip wires it: its reset goes to RCC, which resets the M4 and WWDG1, and to EXTI line 68.
struct watchdog_chain : testing::Test {
  watchdog_chain() {
    rcc_bus.socket.bind(*rcc.target(0));
    exti_bus.socket.bind(*exti.target(0));
    wwdg_bus.socket.bind(*wwdg.target(0));
    wwdg.output("irq", 0)->bind(early);
    wwdg.output("irq", 1)->bind(reset);
    rcc.input("wwdg-reset", 0)->bind(reset);
    exti.input("irq", 68)->bind(reset);
    exti.output("irq", 68)->bind(spi_143);
    rcc.output("local-reset", 0)->bind(held);
    wwdg.input("local-reset", 0)->bind(held);
  }
  void gcr(std::uint32_t value) { rcc_bus.write32(stm32_rcc::MP_GCR, value); }
  static constexpr std::uint32_t RTSR3 = 0x40, RPR3 = 0x4C, C1IMR3 = 0xA0, LINE = stm32_exti::bit(68);

  sim_context context;
  std::unique_ptr<dt::tree> tree = dt::tree::compile_text(
      "/dts-v1/;\n/ { m4: m4 { }; rcc: rcc { rpsim,core = <&m4>; }; exti: exti { }; "
      "wwdg1: wwdg1 { clock-frequency = <4096000>; }; };\n",
      "test.dts");
  stm32_rcc rcc{"rcc", context, tree->by_label("rcc")};
  stm32_exti exti{"exti", context, tree->by_label("exti")};
  stm32_wwdg wwdg{"wwdg1", context, tree->by_label("wwdg1")};
  sc_core::sc_signal<bool> early{"early"}, reset{"reset"}, held{"held"}, spi_143{"spi_143"};
  test::bus_master rcc_bus{"rcc_bus"}, exti_bus{"exti_bus"}, wwdg_bus{"wwdg_bus"};
};

TEST_F(watchdog_chain, an_expired_watchdog_parks_or_restarts_the_m4_and_tells_the_host) {
  test::simulate([&] {
    exti_bus.write32(RTSR3, LINE);
    exti_bus.write32(C1IMR3, LINE);
    for (const bool boot_mcu : {false, true, false, true}) {
      gcr(1);
      if (!boot_mcu) gcr(0);
      sc_core::wait(us(5));
      ASSERT_FALSE(held.read());
      const sc_core::sc_time t0 = now();
      wwdg_bus.write32(CR, WDGA | 0x7F);
      sc_core::wait(spi_143.posedge_event());
      EXPECT_EQ(now() - t0, ms(64));
      sc_core::wait(us(5));
      EXPECT_EQ(held.read(), !boot_mcu);
      EXPECT_EQ(rcc_bus.read32(stm32_rcc::MC_RSTSCLRR) & stm32_rcc::WWDG1RSTF, stm32_rcc::WWDG1RSTF);
      EXPECT_TRUE(spi_143.read());
      exti_bus.write32(RPR3, LINE);
      sc_core::wait(ms(200));
      EXPECT_FALSE(spi_143.read()) << "once";
      EXPECT_EQ(held.read(), !boot_mcu);
      gcr(0);
      rcc_bus.write32(stm32_rcc::MP_GRSTCSETR, stm32_rcc::MCURST);
      sc_core::wait(us(5));
    }
  });
}

}  // namespace
}  // namespace rpsim
