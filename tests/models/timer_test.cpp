#include <array>

#include "models/timer/dm_timer.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::ns;
using test::us;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t ST = dm_timer::TCLR_ST, AR = dm_timer::TCLR_AR, PRE = dm_timer::TCLR_PRE,
                        CE = dm_timer::TCLR_CE;
constexpr std::uint32_t MATCH = dm_timer::IRQ_MATCH, OVERFLOW_ = dm_timer::IRQ_OVERFLOW;

/// 25 MHz: a tick is 40 ns.
struct timer_of_25_mhz : testing::Test {
  timer_of_25_mhz() {
    timer.output("irq", 0)->bind(irq);
    timer.power()->bind(power);
    cpu.socket.bind(*timer.target(0));
  }
  std::uint32_t counter() { return cpu.read32(dm_timer::TCRR); }
  void power_to(module_state s) {
    power.write(s);
    sc_core::wait(ns(1));
  }

  sim_context context;
  test::node_source node;
  sc_core::sc_signal<module_state> power{"power", module_state::enable};
  sc_core::sc_signal<bool> irq{"line"};
  dm_timer timer{"timer0", context, node("timer0", "reg = <0 0 0 0x400>; clock-frequency = <25000000>;")};
  test::bus_master cpu{"cpu"};
};

TEST_F(timer_of_25_mhz, reset_values) {
  test::simulate([&] {
    EXPECT_NE(cpu.read32(dm_timer::TIDR) >> 16, 0u) << "or Linux takes it for the first version";
    for (const std::uint32_t r : {dm_timer::TCLR, dm_timer::TCRR, dm_timer::TLDR, dm_timer::TMAR, dm_timer::TWPS,
                                  dm_timer::IRQSTATUS_RAW, dm_timer::IRQENABLE_SET}) {
      EXPECT_EQ(cpu.read32(r), 0u) << std::hex << r;
    }
    EXPECT_EQ(cpu.read32(dm_timer::TTGR), 0xFFFFFFFFu);
    sc_core::wait(us(1));
    EXPECT_EQ(counter(), 0u) << "stopped";
  });
}

TEST_F(timer_of_25_mhz, the_counter_follows_simulated_time) {
  test::simulate([&] {
    cpu.write32(dm_timer::TCRR, 100);
    cpu.write32(dm_timer::TCLR, ST);
    sc_core::wait(ns(39));
    EXPECT_EQ(counter(), 100u);
    sc_core::wait(ns(1));
    EXPECT_EQ(counter(), 101u);
    sc_core::wait(us(1000));
    EXPECT_EQ(counter(), 101u + 25000);
    cpu.write32(dm_timer::TCLR, 0);
    sc_core::wait(us(1));
    EXPECT_EQ(counter(), 101u + 25000) << "frozen";
    cpu.write32(dm_timer::TCLR, ST);
    sc_core::wait(us(1));
    EXPECT_EQ(counter(), 101u + 25025);
  });
}

TEST_F(timer_of_25_mhz, reading_often_does_not_slow_it_down) {
  test::simulate([&] {
    cpu.write32(dm_timer::TCLR, ST);
    for (int i = 0; i < 1000; ++i) {
      sc_core::wait(ns(33));
      counter();
    }
    EXPECT_EQ(counter(), 33000u / 40);
  });
}

TEST_F(timer_of_25_mhz, the_prescaler_divides) {
  test::simulate([&] {
    cpu.write32(dm_timer::TCLR, ST | PRE | 2 << 2);  // by 8
    sc_core::wait(ns(40 * 8 * 5 + 1));
    EXPECT_EQ(counter(), 5u);
    cpu.write32(dm_timer::TCLR, ST | PRE | 7 << 2);  // by 256
    sc_core::wait(ns(40 * 256 * 3));
    EXPECT_EQ(counter(), 8u);
  });
}

TEST_F(timer_of_25_mhz, a_tick_of_one_millisecond_repeats_for_ever) {
  test::recorder trace(context, trace_level::detail);
  constexpr std::uint32_t RELOAD = 0xFFFFFFFF - 25000 + 1;
  test::simulate([&] {
    cpu.write32(dm_timer::TLDR, RELOAD);
    cpu.write32(dm_timer::TCRR, RELOAD);
    cpu.write32(dm_timer::IRQENABLE_SET, OVERFLOW_);
    cpu.write32(dm_timer::TCLR, ST | AR);
    for (int i = 0; i < 5; ++i) {
      sc_core::wait(irq.posedge_event());
      // With the last value before the wrap: one tick before the reload.
      EXPECT_EQ(now(), us(1000 * (i + 1)) - ns(40));
      EXPECT_EQ(counter(), 0xFFFFFFFFu);
      EXPECT_EQ(cpu.read32(dm_timer::IRQSTATUS), OVERFLOW_);
      cpu.write32(dm_timer::IRQSTATUS, OVERFLOW_);
      sc_core::wait(irq.negedge_event());
      sc_core::wait(ns(40));
      EXPECT_EQ(counter(), RELOAD);
    }
  });
  EXPECT_THAT(trace.lines, testing::SizeIs(10));
  EXPECT_EQ(trace.lines.front(), "timer0 irq.raised line=0");
}

TEST_F(timer_of_25_mhz, an_overflow_that_nobody_serves_stays_one_level) {
  test::simulate([&] {
    cpu.write32(dm_timer::TLDR, 0xFFFFFFFF - 99);
    cpu.write32(dm_timer::TTGR, 1);
    EXPECT_EQ(counter(), 0xFFFFFFFFu - 99);
    cpu.write32(dm_timer::IRQENABLE_SET, OVERFLOW_);
    cpu.write32(dm_timer::TCLR, ST | AR);
    sc_core::wait(us(4 * 10.5));
    EXPECT_TRUE(irq.read());
    EXPECT_EQ(counter(), 0xFFFFFFFFu - 99 + 50);
    cpu.write32(dm_timer::IRQSTATUS, OVERFLOW_);
    sc_core::wait(us(1));
    EXPECT_FALSE(irq.read());
    sc_core::wait(us(1));
    EXPECT_TRUE(irq.read());
  });
}

TEST_F(timer_of_25_mhz, without_an_enabled_interrupt_status_is_still_right_and_no_event_is_scheduled) {
  test::simulate([&] {
    cpu.write32(dm_timer::TCRR, 0xFFFFFFF0);
    cpu.write32(dm_timer::TCLR, ST | AR);
    sc_core::wait(ns(1));
    EXPECT_FALSE(sc_core::sc_pending_activity_at_future_time());
    sc_core::wait(us(10));
    EXPECT_EQ(cpu.read32(dm_timer::IRQSTATUS), 0u);
    EXPECT_EQ(cpu.read32(dm_timer::IRQSTATUS_RAW), OVERFLOW_);
    EXPECT_FALSE(irq.read());
    cpu.write32(dm_timer::IRQENABLE_SET, OVERFLOW_);
    sc_core::wait(ns(1));
    EXPECT_TRUE(irq.read());
    cpu.write32(dm_timer::IRQENABLE_CLR, OVERFLOW_);
    sc_core::wait(ns(1));
    EXPECT_FALSE(irq.read());
  });
}

TEST_F(timer_of_25_mhz, one_shot_stops_at_zero) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      cpu.write32(dm_timer::TCRR, 0xFFFFFFFF - 24);
      cpu.write32(dm_timer::IRQENABLE_SET, OVERFLOW_);
      cpu.write32(dm_timer::TCLR, ST);
      const sc_core::sc_time start = now();
      sc_core::wait(irq.posedge_event());
      EXPECT_EQ(now() - start, ns(40 * 24));
      sc_core::wait(us(10));
      EXPECT_EQ(counter(), 0u);
      EXPECT_EQ(cpu.read32(dm_timer::TCLR), 0u) << "ST clears itself";
      cpu.write32(dm_timer::IRQSTATUS, OVERFLOW_);
      sc_core::wait(us(10));
      EXPECT_FALSE(irq.read());
    }
  });
}

TEST_F(timer_of_25_mhz, match_comes_once_a_period_when_compare_is_on) {
  test::simulate([&] {
    constexpr std::uint32_t RELOAD = 0xFFFFFFFF - 99;
    cpu.write32(dm_timer::TLDR, RELOAD);
    cpu.write32(dm_timer::TCRR, RELOAD);
    cpu.write32(dm_timer::TMAR, RELOAD + 50);
    cpu.write32(dm_timer::IRQENABLE_SET, MATCH);
    cpu.write32(dm_timer::TCLR, ST | AR);
    sc_core::wait(us(4));
    EXPECT_FALSE(irq.read()) << "compare is off";
    EXPECT_EQ(cpu.read32(dm_timer::IRQSTATUS_RAW), OVERFLOW_);
    cpu.write32(dm_timer::TCLR, ST | AR | CE);
    for (int i = 1; i <= 3; ++i) {
      sc_core::wait(irq.posedge_event());
      EXPECT_EQ(now(), us(4 * i + 2));
      cpu.write32(dm_timer::IRQSTATUS, MATCH);
    }
  });
}

TEST_F(timer_of_25_mhz, status_can_be_set_by_software) {
  test::simulate([&] {
    cpu.write32(dm_timer::IRQENABLE_SET, OVERFLOW_);
    cpu.write32(dm_timer::IRQSTATUS_RAW, OVERFLOW_);
    sc_core::wait(ns(1));
    EXPECT_TRUE(irq.read());
  });
}

TEST_F(timer_of_25_mhz, the_clock_is_a_parameter) {
  EXPECT_TRUE(context.params.set("timer0.clock", "32768Hz"));
  test::simulate([&] {
    cpu.write32(dm_timer::TCLR, ST);
    sc_core::wait(sc_core::sc_time(3600, sc_core::SC_SEC));
    EXPECT_EQ(counter(), 3600u * 32768);
  });
}

TEST_F(timer_of_25_mhz, a_debugger_sees_the_counter_move) {
  test::simulate([&] {
    cpu.write32(dm_timer::TCLR, ST);
    sc_core::wait(us(4));
    EXPECT_EQ(cpu.debug32(dm_timer::TCRR), 100u);
    EXPECT_EQ(cpu.debug32(dm_timer::TCLR), ST);
  });
}

TEST_F(timer_of_25_mhz, a_gated_clock_holds_the_count_and_a_module_reset_clears_it) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      cpu.write32(dm_timer::IRQENABLE_SET, OVERFLOW_);
      cpu.write32(dm_timer::TCRR, 0xFFFFFFFF - 100);
      cpu.write32(dm_timer::TCLR, ST);
      sc_core::wait(us(2));
      power_to(module_state::disable);
      EXPECT_EQ(cpu.try_read32(dm_timer::TCRR), tlm::TLM_GENERIC_ERROR_RESPONSE);
      sc_core::wait(us(100));
      EXPECT_FALSE(irq.read());
      power_to(module_state::enable);
      const std::uint32_t held = counter();
      EXPECT_EQ(held, 0xFFFFFFFFu - 50);
      sc_core::wait(irq.posedge_event());
      power_to(module_state::off);
      EXPECT_FALSE(irq.read());
      power_to(module_state::enable);
      EXPECT_EQ(counter(), 0u);
      EXPECT_EQ(cpu.read32(dm_timer::TCLR), 0u);
      EXPECT_EQ(cpu.read32(dm_timer::IRQENABLE_SET), 0u);
    }
  });
}

TEST_F(timer_of_25_mhz, a_soft_reset_clears_everything) {
  test::simulate([&] {
    cpu.write32(dm_timer::TLDR, 5);
    cpu.write32(dm_timer::IRQENABLE_SET, OVERFLOW_);
    cpu.write32(dm_timer::TCLR, ST | AR);
    cpu.write32(dm_timer::TIOCP_CFG, 1);
    EXPECT_EQ(cpu.read32(dm_timer::TIOCP_CFG), 0u);
    EXPECT_EQ(cpu.read32(dm_timer::TLDR), 0u);
    EXPECT_EQ(cpu.read32(dm_timer::TCLR), 0u);
  });
}

TEST_F(timer_of_25_mhz, bad_accesses_are_refused) {
  test::simulate([&] {
    std::array<std::uint8_t, 1> byte{};
    EXPECT_EQ(cpu.read(dm_timer::TCRR, byte), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(cpu.try_read32(dm_timer::TCRR + 1), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(cpu.try_read32(0x3FC), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  });
}

TEST(dm_timer, a_node_without_a_clock_is_refused) {
  sim_context context;
  test::node_source node;
  EXPECT_THROW(dm_timer("t", context, node("t", "reg = <0 0 0 0x400>;")), dt::error);
}

}  // namespace
}  // namespace rpsim
