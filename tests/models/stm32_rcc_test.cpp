#include "models/stm32/stm32_rcc.h"

#include <optional>

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::us;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* ASSERT = "rcc reset.assert core=m4 kind=local";
constexpr const char* DEASSERT = "rcc reset.deassert core=m4 kind=local";

struct rcc_fixture : testing::Test {
  explicit rcc_fixture(std::optional<std::pair<const char*, const char*>> parameter = {}) {
    if (parameter) {
      EXPECT_TRUE(context.params.set(parameter->first, parameter->second));
    }
    rcc = std::make_unique<stm32_rcc>("rcc", context, tree->by_label("rcc"));
    rcc->output("local-reset", 0)->bind(held);
    rcc->input("wwdg-reset", 0)->bind(wwdg);
    host.socket.bind(*rcc->target(0));
  }

  void gcr(std::uint32_t value) { host.write32(stm32_rcc::MP_GCR, value); }
  void mcurst() { host.write32(stm32_rcc::MP_GRSTCSETR, stm32_rcc::MCURST); }
  void start() {  // as Linux does
    gcr(1);
    gcr(0);
  }
  void watchdog() {
    wwdg.write(true);
    sc_core::wait(test::ns(100));
    wwdg.write(false);
  }
  /// The line, once the access just made has had its effect.
  bool line() {
    sc_core::wait(sc_core::SC_ZERO_TIME);
    sc_core::wait(sc_core::SC_ZERO_TIME);
    return held.read();
  }

  sim_context context;
  std::unique_ptr<dt::tree> tree =
      dt::tree::compile_text("/dts-v1/;\n/ { m4: m4 { }; rcc: rcc { rpsim,core = <&m4>; }; };\n", "test.dts");
  sc_core::sc_signal<bool> held{"held"}, wwdg{"wwdg"};
  std::unique_ptr<stm32_rcc> rcc;
  test::bus_master host{"host"};
};

struct rcc_that_forgets_boot_mcu : rcc_fixture {
  rcc_that_forgets_boot_mcu() : rcc_fixture({{"rcc.boot_mcu_survives_host_reset", "false"}}) {}
};

struct rcc_with_slow_reset : rcc_fixture {
  rcc_with_slow_reset() : rcc_fixture({{"rcc.mcu_reset_time", "30us"}}) {}
};

TEST_F(rcc_fixture, the_m4_is_held_from_power_on) {
  test::recorder trace(context);
  test::simulate([&] {
    EXPECT_TRUE(held.read()) << "before anything has run";
    EXPECT_EQ(host.read32(stm32_rcc::MP_GCR), 0u);
    EXPECT_EQ(host.read32(stm32_rcc::MP_GRSTCSETR), 0u);
    EXPECT_EQ(host.read32(stm32_rcc::MC_RSTSCLRR), stm32_rcc::PORRSTF);
    sc_core::wait(us(100));
    EXPECT_TRUE(held.read());
  });
  EXPECT_THAT(trace.lines, IsEmpty());
}

TEST_F(rcc_fixture, boot_mcu_set_and_taken_back_at_once_starts_the_m4_exactly_once) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      sc_core::wait(us(10));
      start();
      EXPECT_EQ(host.read32(stm32_rcc::MP_GCR), 0u);
      EXPECT_TRUE(line()) << "never inside the write";
      sc_core::wait(us(9));
      EXPECT_FALSE(held.read());
      mcurst();
      EXPECT_TRUE(line());
      sc_core::wait(us(1));
    }
    sc_core::wait(us(100));
    EXPECT_TRUE(held.read());
  });
  EXPECT_THAT(trace.lines, ElementsAre(DEASSERT, ASSERT, DEASSERT, ASSERT));
  EXPECT_THAT(trace.times, ElementsAre(us(11), us(19), us(31), us(39)));
}

TEST_F(rcc_fixture, boot_mcu_does_nothing_to_a_running_m4) {
  test::recorder trace(context);
  test::simulate([&] {
    start();
    sc_core::wait(us(5));
    trace.take();
    start();
    gcr(1);
    sc_core::wait(us(5));
    EXPECT_FALSE(held.read());
    EXPECT_EQ(host.read32(stm32_rcc::MP_GCR), 1u);
  });
  EXPECT_THAT(trace.lines, IsEmpty());
}

TEST_F(rcc_fixture, mcurst_parks_the_m4_without_boot_mcu_and_restarts_it_with) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      const sc_core::sc_time t0 = now();
      gcr(1);
      sc_core::wait(us(10));
      mcurst();
      sc_core::wait(us(10));
      EXPECT_FALSE(held.read());
      EXPECT_THAT(trace.lines, ElementsAre(DEASSERT, ASSERT, DEASSERT));
      EXPECT_THAT(trace.times, ElementsAre(t0 + us(1), t0 + us(10), t0 + us(12)));
      trace.take();
      gcr(0);
      mcurst();
      sc_core::wait(us(10));
      EXPECT_TRUE(held.read());
      EXPECT_THAT(trace.take(), ElementsAre(ASSERT));
    }
  });
}

TEST_F(rcc_with_slow_reset, mcurst_reads_one_until_the_reset_is_done) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      start();
      sc_core::wait(us(5));
      mcurst();
      EXPECT_EQ(host.read32(stm32_rcc::MP_GRSTCSETR), stm32_rcc::MCURST);
      host.write32(stm32_rcc::MP_GRSTCSETR, 0);
      EXPECT_EQ(host.read32(stm32_rcc::MP_GRSTCSETR), stm32_rcc::MCURST) << "a write of 0 does nothing";
      sc_core::wait(us(30) - test::ns(1));
      EXPECT_EQ(host.read32(stm32_rcc::MP_GRSTCSETR), stm32_rcc::MCURST);
      sc_core::wait(test::ns(2));
      EXPECT_EQ(host.read32(stm32_rcc::MP_GRSTCSETR), 0u);
    }
  });
}

TEST_F(rcc_with_slow_reset, a_start_that_comes_during_the_reset_is_carried_out_after_it) {
  test::recorder trace(context);
  test::simulate([&] {
    start();
    sc_core::wait(us(10));
    mcurst();
    sc_core::wait(us(10));
    start();
    sc_core::wait(us(100));
    EXPECT_FALSE(held.read());
  });
  EXPECT_THAT(trace.lines, ElementsAre(DEASSERT, ASSERT, DEASSERT));
  EXPECT_THAT(trace.times, ElementsAre(us(1), us(10), us(10) + us(30) + us(1)));
}

TEST_F(rcc_fixture, a_reset_overtakes_a_start_that_has_not_happened_yet) {
  test::recorder trace(context);
  test::simulate([&] {
    start();
    mcurst();
    sc_core::wait(us(100));
    EXPECT_TRUE(held.read()) << "BOOT_MCU was 0 when it was reset";
    gcr(1);
    mcurst();
    sc_core::wait(us(100));
    EXPECT_FALSE(held.read());
  });
  EXPECT_THAT(trace.lines, ElementsAre(DEASSERT)) << "released once, with the second";
  EXPECT_THAT(trace.times, ElementsAre(us(102)));
}

TEST_F(rcc_fixture, resetting_a_parked_m4_leaves_it_parked) {
  test::recorder trace(context);
  test::simulate([&] {
    mcurst();
    sc_core::wait(us(100));
    EXPECT_TRUE(held.read());
    EXPECT_EQ(host.read32(stm32_rcc::MP_GRSTCSETR), 0u);
    start();
    sc_core::wait(us(100));
    EXPECT_FALSE(held.read());
  });
  EXPECT_THAT(trace.lines, ElementsAre(DEASSERT));
}

TEST_F(rcc_fixture, the_window_watchdog_parks_or_restarts_the_m4_as_mcurst_does) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      start();
      sc_core::wait(us(10));
      trace.take();
      const sc_core::sc_time t0 = now();
      watchdog();
      sc_core::wait(us(10));
      EXPECT_TRUE(held.read());
      EXPECT_THAT(trace.lines, ElementsAre(ASSERT));
      EXPECT_THAT(trace.times, ElementsAre(t0));

      gcr(1);
      sc_core::wait(us(10));
      trace.take();
      const sc_core::sc_time t1 = now();
      watchdog();
      sc_core::wait(us(10));
      EXPECT_FALSE(held.read());
      EXPECT_THAT(trace.lines, ElementsAre(ASSERT, DEASSERT));
      EXPECT_THAT(trace.times, ElementsAre(t1, t1 + us(2)));
      gcr(0);
      mcurst();
      sc_core::wait(us(10));
    }
  });
}

TEST_F(rcc_fixture, a_watchdog_line_that_stays_high_resets_once) {
  test::recorder trace(context);
  test::simulate([&] {
    gcr(1);
    sc_core::wait(us(10));
    wwdg.write(true);
    sc_core::wait(us(100));
    EXPECT_FALSE(held.read());
  });
  EXPECT_THAT(trace.lines, ElementsAre(DEASSERT, ASSERT, DEASSERT));
}

TEST_F(rcc_fixture, the_reset_flags_say_why_until_they_are_cleared) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      host.write32(stm32_rcc::MC_RSTSCLRR, 0xFFFFFFFF);
      EXPECT_EQ(host.read32(stm32_rcc::MC_RSTSCLRR), 0u);
      watchdog();
      EXPECT_EQ(host.read32(stm32_rcc::MC_RSTSCLRR), stm32_rcc::WWDG1RSTF);
      mcurst();
      EXPECT_EQ(host.read32(stm32_rcc::MC_RSTSCLRR), stm32_rcc::WWDG1RSTF | stm32_rcc::MCURSTF);
      host.write32(stm32_rcc::MC_RSTSCLRR, stm32_rcc::WWDG1RSTF);
      EXPECT_EQ(host.read32(stm32_rcc::MC_RSTSCLRR), stm32_rcc::MCURSTF);
      sc_core::wait(us(10));
    }
  });
}

TEST_F(rcc_fixture, the_m4_clock_follows_its_selector_and_divider) {
  test::simulate([&] {
    EXPECT_THAT(rcc->mcu_frequency_hz(), DoubleNear(208'877'930, 1)) << "as the first-stage loader leaves it";
    const double sources[] = {64e6, 24e6, 4e6, rcc->mcu_frequency_hz()};
    for (std::uint32_t source = 0; source < 4; ++source) {
      host.write32(stm32_rcc::MSSCKSELR, source);
      for (std::uint32_t divider = 0; divider < 16; ++divider) {
        host.write32(stm32_rcc::MCUDIVR, divider);
        EXPECT_DOUBLE_EQ(rcc->mcu_frequency_hz(), sources[source] / (divider < 9 ? 1 << divider : 512));
      }
    }
  });
}

TEST_F(rcc_fixture, a_clock_register_is_not_ready_for_a_while_after_a_write) {
  test::simulate([&] {
    EXPECT_EQ(host.read32(stm32_rcc::MSSCKSELR), stm32_rcc::READY | stm32_rcc::PLL3_P);
    EXPECT_EQ(host.read32(stm32_rcc::MCUDIVR), stm32_rcc::READY);
    EXPECT_EQ(host.read32(stm32_rcc::APB1DIVR), stm32_rcc::READY | 1);
    for (const std::uint32_t source : {stm32_rcc::HSI, stm32_rcc::CSI}) {
      host.write32(stm32_rcc::MSSCKSELR, 0xFFFFFFFC | source);
      EXPECT_EQ(host.read32(stm32_rcc::MSSCKSELR), source);
      EXPECT_EQ(host.debug32(stm32_rcc::MSSCKSELR), source);
      EXPECT_EQ(host.read32(stm32_rcc::MCUDIVR), stm32_rcc::READY) << "each has its own";
      sc_core::wait(us(1) - test::ns(1));
      EXPECT_EQ(host.read32(stm32_rcc::MSSCKSELR), source);
      sc_core::wait(test::ns(1));
      EXPECT_EQ(host.read32(stm32_rcc::MSSCKSELR), stm32_rcc::READY | source);
      EXPECT_EQ(host.debug32(stm32_rcc::MSSCKSELR), stm32_rcc::READY | source);
    }
  });
}

TEST_F(rcc_fixture, enables_and_peripheral_resets_are_set_and_cleared_by_ones) {
  test::simulate([&] {
    // What stock firmware and Linux touch: MC_APB1EN, MC_AHB3EN, MC_AHB4EN, MP_AHB3EN (IPCC), APB1RST.
    for (const std::uint32_t set : {0xA80u, 0xAA0u, 0xAA8u, 0xA20u, 0x980u}) {
      const std::uint32_t clear = set + 4;
      EXPECT_EQ(host.read32(set), 0u);
      host.write32(set, 0x1001);
      host.write32(set, 0x0010);
      EXPECT_EQ(host.read32(set), 0x1011u);
      EXPECT_EQ(host.read32(clear), 0x1011u);
      host.write32(clear, 0x0011);
      EXPECT_EQ(host.read32(set), 0x1000u);
    }
    EXPECT_EQ(host.read32(stm32_rcc::MP_MLAHBENSETR), 0u);
  });
}

TEST_F(rcc_fixture, what_is_not_modelled_reads_as_zero) {
  test::simulate([&] {
    for (const std::uint32_t offset : {0x018u, 0x8ECu, 0x8F0u, 0xFFCu}) {
      host.write32(offset, 0x5A5A5A5A);
      EXPECT_EQ(host.read32(offset), 0u) << std::hex << offset;
    }
    host.write32(stm32_rcc::MP_BOOTCR, 0xFFFFFFFF);
    EXPECT_EQ(host.read32(stm32_rcc::MP_BOOTCR), 3u);
    gcr(0xFFFFFFFE);
    EXPECT_EQ(host.read32(stm32_rcc::MP_GCR), 0u);
  });
}

TEST_F(rcc_fixture, a_system_reset_is_reported_and_not_carried_out) {
  test::recorder trace(context);
  test::simulate([&] {
    start();
    sc_core::wait(us(5));
    trace.take();
    host.write32(stm32_rcc::MP_GRSTCSETR, stm32_rcc::MPSYSRST);
    sc_core::wait(us(5));
    EXPECT_FALSE(held.read());
  });
  EXPECT_THAT(trace.lines, ElementsAre("rcc soc.reset_request by=host"));
}

TEST_F(rcc_fixture, a_host_reset_leaves_the_m4_and_boot_mcu_alone) {
  test::recorder trace(context);
  test::simulate([&] {
    gcr(1);
    sc_core::wait(us(5));
    trace.take();
    for (const host_reset_kind kind : {host_reset_kind::reset, host_reset_kind::standby}) {
      rcc->host_reset(kind);
      sc_core::wait(us(5));
      EXPECT_FALSE(held.read());
      EXPECT_EQ(host.read32(stm32_rcc::MP_GCR), 1u);
    }
    EXPECT_THAT(trace.take(), IsEmpty());
    watchdog();
    sc_core::wait(us(5));
    EXPECT_FALSE(held.read()) << "still restarts by itself";
  });
}

TEST_F(rcc_that_forgets_boot_mcu, a_watchdog_reset_after_a_host_reset_parks_the_m4) {
  test::simulate([&] {
    for (const host_reset_kind kind : {host_reset_kind::reset, host_reset_kind::standby}) {
      gcr(1);
      sc_core::wait(us(5));
      rcc->host_reset(kind);
      EXPECT_EQ(host.read32(stm32_rcc::MP_GCR), 0u);
      EXPECT_FALSE(line());
      watchdog();
      sc_core::wait(us(5));
      EXPECT_TRUE(held.read());
    }
  });
}

TEST_F(rcc_fixture, a_loss_of_power_holds_the_m4_and_forgets_everything) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      gcr(1);
      host.write32(stm32_rcc::MCUDIVR, 3);
      sc_core::wait(us(5));
      EXPECT_FALSE(held.read());
      rcc->host_reset(host_reset_kind::power_loss);
      EXPECT_TRUE(line());
      EXPECT_EQ(host.read32(stm32_rcc::MP_GCR), 0u);
      EXPECT_EQ(host.read32(stm32_rcc::MCUDIVR), stm32_rcc::READY);
      sc_core::wait(us(5));
      EXPECT_THAT(trace.take(), ElementsAre(DEASSERT, ASSERT));
    }
    gcr(1);
    rcc->host_reset(host_reset_kind::power_loss);
    sc_core::wait(us(5));
    EXPECT_TRUE(held.read()) << "the release that was under way, too";
  });
}

TEST(rcc, needs_to_know_its_core) {
  sim_context context;
  test::node_source node;
  EXPECT_THROW(stm32_rcc("rcc", context, node("rcc", "")), dt::error);
}

}  // namespace
}  // namespace rpsim
