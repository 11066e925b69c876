#include "models/timer/stm32_tim.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::us;

constexpr std::uint32_t CR1 = 0x00, DIER = 0x0C, SR = 0x10, EGR = 0x14, CNT = 0x24, PSC = 0x28, ARR = 0x2C;
constexpr std::uint32_t CEN = 1, URS = 1 << 2, OPM = 1 << 3, ARPE = 1 << 7;

struct tim_fixture : testing::Test {
  tim_fixture() {
    m4.socket.bind(*tim.target(0));
    tim.output("irq", 0)->bind(irq);
  }
  void settle() {
    for (int i = 0; i < 3; ++i) sc_core::wait(sc_core::SC_ZERO_TIME);
  }
  /// As ST's HAL sets up a time base: 1 MHz, a period of a millisecond.
  void time_base() {
    m4.write32(PSC, 9);
    m4.write32(ARR, 999);
    m4.write32(EGR, 1);
    m4.write32(SR, 0);
    m4.write32(DIER, 1);
    m4.write32(CR1, CEN);
  }

  sim_context context;
  test::node_source node;
  stm32_tim tim{"timers2", context, node("timers2", "clock-frequency = <10000000>;")};
  sc_core::sc_signal<bool> irq{"irq"};
  test::bus_master m4{"m4"};
};

TEST_F(tim_fixture, a_time_base_interrupts_each_period_without_drift) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      time_base();
      const sc_core::sc_time t0 = now();
      for (int n = 1; n <= 3; ++n) {
        sc_core::wait(irq.posedge_event());
        EXPECT_EQ(now() - t0, us(1000.0 * n));
        EXPECT_EQ(m4.read32(SR), 1u);
        sc_core::wait(us(5));
        m4.write32(SR, 0xFFFFFFFE);
        settle();
        EXPECT_FALSE(irq.read());
        EXPECT_EQ(m4.read32(CNT), 5u);
      }
      m4.write32(CR1, 0);
      const std::uint32_t stopped = m4.read32(CNT);
      sc_core::wait(us(5000));
      EXPECT_EQ(m4.read32(CNT), stopped);
      EXPECT_FALSE(irq.read());
    }
  });
}

TEST_F(tim_fixture, the_counter_runs_on_when_nobody_clears_the_flag) {
  test::simulate([&] {
    time_base();
    sc_core::wait(us(7123));
    EXPECT_TRUE(irq.read());
    EXPECT_EQ(m4.read32(CNT), 123u);
    EXPECT_EQ(m4.debug32(CNT), 123u);
  });
}

TEST_F(tim_fixture, the_prescaler_takes_effect_with_the_next_update) {
  test::simulate([&] {
    time_base();
    sc_core::wait(us(100));
    m4.write32(PSC, 99);  // 100 kHz
    sc_core::wait(us(100));
    EXPECT_EQ(m4.read32(CNT), 200u);
    sc_core::wait(us(800) + us(1000));  // 1 ms of the new period
    EXPECT_EQ(m4.read32(CNT), 100u);
    m4.write32(EGR, 1);
    EXPECT_EQ(m4.read32(CNT), 0u);
  });
}

TEST_F(tim_fixture, the_period_changes_at_once_or_with_arpe_at_the_next_update) {
  test::simulate([&] {
    time_base();
    m4.write32(ARR, 499);
    sc_core::wait(us(600));
    EXPECT_EQ(m4.read32(CNT), 100u);
    m4.write32(CR1, CEN | ARPE);
    m4.write32(ARR, 199);
    sc_core::wait(us(300));
    EXPECT_EQ(m4.read32(CNT), 400u) << "still 500";
    sc_core::wait(us(100) + us(250));
    EXPECT_EQ(m4.read32(CNT), 50u) << "200 now";
  });
}

TEST_F(tim_fixture, one_pulse_stops_and_urs_keeps_a_forced_update_quiet) {
  test::simulate([&] {
    m4.write32(PSC, 9);
    m4.write32(ARR, 99);
    m4.write32(CR1, URS);
    m4.write32(EGR, 1);
    EXPECT_EQ(m4.read32(SR), 0u);
    m4.write32(CR1, 0);
    m4.write32(EGR, 1);
    EXPECT_EQ(m4.read32(SR), 1u);
    m4.write32(SR, 0);
    m4.write32(CR1, CEN | OPM);
    sc_core::wait(us(250));
    EXPECT_EQ(m4.read32(SR), 1u);
    EXPECT_EQ(m4.read32(CR1), OPM);
    EXPECT_EQ(m4.read32(CNT), 0u);
  });
}

TEST_F(tim_fixture, a_counter_above_its_period_goes_all_the_way_round) {
  test::simulate([&] {
    time_base();
    m4.write32(CNT, 0xFFFFFFFF - 9);
    sc_core::wait(us(15));
    EXPECT_EQ(m4.read32(CNT), 5u);
    EXPECT_EQ(m4.read32(SR), 0u) << "that was no overflow";
    sc_core::wait(us(1000));
    EXPECT_EQ(m4.read32(SR), 1u);
  });
}

}  // namespace
}  // namespace rpsim
