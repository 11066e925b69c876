#include "models/rti/rti.h"

#include <array>

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::ns;
using testing::ElementsAre;
using testing::IsEmpty;

sc_core::sc_time seconds(double s) { return sc_core::sc_time(s, sc_core::SC_SEC); }

/// 32768 Hz: DWDPRLD n is a period of (n + 1) / 4 seconds.
struct watchdog : testing::Test {
  watchdog() {
    dog.output("irq", 0)->bind(nmi);
    dog.output("reset-request", 0)->bind(reset);
    dog.power()->bind(power);
    cpu.socket.bind(*dog.target(0));
  }
  void start(std::uint32_t preload, std::uint32_t reaction, std::uint32_t window = 0x5) {
    cpu.write32(rti::DWDPRLD, preload);
    cpu.write32(rti::WWDRXCTRL, reaction);
    cpu.write32(rti::WWDSIZECTRL, window);
    cpu.write32(rti::DWDCTRL, rti::ENABLE_KEY);
  }
  void serve() {
    cpu.write32(rti::WDKEY, rti::KEY_0);
    cpu.write32(rti::WDKEY, rti::KEY_1);
  }
  std::uint32_t status() { return cpu.read32(rti::WDSTATUS); }
  void power_to(module_state s) {
    power.write(s);
    sc_core::wait(ns(1));
  }

  sim_context context;
  test::node_source node;
  sc_core::sc_signal<module_state> power{"power", module_state::enable};
  sc_core::sc_signal<bool> nmi{"nmi"}, reset{"reset"};
  rti dog{"mcu_rti0", context, node("mcu_rti0", "reg = <0 0 0 0x100>; clock-frequency = <32768>;")};
  test::bus_master cpu{"cpu"};
  test::recorder trace{context};
};

TEST_F(watchdog, does_nothing_until_it_is_enabled_with_its_key) {
  test::simulate([&] {
    EXPECT_EQ(cpu.read32(rti::DWDCTRL), rti::DISABLED);
    EXPECT_EQ(cpu.read32(rti::DWDCNTR), 0x1FFFFFFu);
    EXPECT_EQ(cpu.read32(rti::DWDPRLD), 0xFFFu);
    EXPECT_EQ(cpu.read32(rti::WWDRXCTRL), rti::REACTION_RESET);
    EXPECT_EQ(cpu.read32(rti::WWDSIZECTRL), 0x5u);
    EXPECT_EQ(cpu.read32(0x00), 0u) << "the real-time interrupt part";
    cpu.write32(rti::DWDCTRL, 0xA98559DB);
    cpu.write32(rti::WDKEY, 0x1234);
    sc_core::wait(seconds(5000));
    EXPECT_EQ(cpu.read32(rti::DWDCTRL), rti::DISABLED);
  });
  EXPECT_THAT(trace.lines, IsEmpty());
}

TEST_F(watchdog, runs_out_after_its_period_and_asks_for_a_reset) {
  test::simulate([&] {
    start(3, rti::REACTION_RESET);
    EXPECT_EQ(cpu.read32(rti::DWDCTRL), rti::ENABLE_KEY);
    sc_core::wait(seconds(0.5));
    EXPECT_EQ(cpu.read32(rti::DWDCNTR), 4u * 8192 - 1 - 16384);
    EXPECT_EQ(cpu.debug32(rti::DWDCNTR), 4u * 8192 - 1 - 16384);
    sc_core::wait(reset.posedge_event());
    EXPECT_EQ(now(), seconds(1));
    EXPECT_FALSE(nmi.read());
    EXPECT_EQ(status(), rti::STATUS_DWD | rti::STATUS_END | rti::STATUS_DWWD);
    sc_core::wait(seconds(5000));
    EXPECT_TRUE(reset.read()) << "until its module is reset";
  });
  EXPECT_THAT(trace.lines, ElementsAre("mcu_rti0 watchdog.expired reaction=reset cause=timeout"));
}

TEST_F(watchdog, cannot_be_disabled_or_given_another_period) {
  test::simulate([&] {
    start(3, rti::REACTION_RESET);
    cpu.write32(rti::DWDCTRL, rti::DISABLED);
    EXPECT_EQ(cpu.read32(rti::DWDCTRL), rti::ENABLE_KEY);
    cpu.write32(rti::DWDPRLD, 0xFFF);
    EXPECT_EQ(cpu.read32(rti::DWDPRLD), 3u);
    sc_core::wait(seconds(0.5));
    cpu.write32(rti::DWDCTRL, rti::ENABLE_KEY);  // no second start
    sc_core::wait(reset.posedge_event());
    EXPECT_EQ(now(), seconds(1));
  });
}

TEST_F(watchdog, serving_reloads_it) {
  test::simulate([&] {
    start(3, rti::REACTION_RESET);
    for (int i = 0; i < 20; ++i) {
      sc_core::wait(seconds(0.9));
      serve();
      EXPECT_EQ(cpu.read32(rti::DWDCNTR), 4u * 8192 - 1);
    }
    EXPECT_THAT(trace.lines, IsEmpty());
    sc_core::wait(reset.posedge_event());
    EXPECT_EQ(now(), seconds(20 * 0.9 + 1));
  });
}

TEST_F(watchdog, the_keys_are_a_sequence) {
  test::simulate([&] {
    start(3, rti::REACTION_NMI);
    sc_core::wait(seconds(0.5));
    cpu.write32(rti::WDKEY, rti::KEY_1);  // alone: no action
    EXPECT_LT(cpu.read32(rti::DWDCNTR), 4u * 8192 - 1);
    cpu.write32(rti::WDKEY, rti::KEY_0);
    cpu.write32(rti::WDKEY, rti::KEY_0);  // again: still armed
    cpu.write32(rti::WDKEY, rti::KEY_1);
    EXPECT_EQ(cpu.read32(rti::DWDCNTR), 4u * 8192 - 1);
    EXPECT_THAT(trace.lines, IsEmpty());
    cpu.write32(rti::WDKEY, rti::KEY_0);
    cpu.write32(rti::WDKEY, 0x2345);
    EXPECT_EQ(status(), rti::STATUS_KEY | rti::STATUS_DWWD);
    cpu.write32(rti::WDKEY, rti::KEY_1);  // no longer armed
    sc_core::wait(ns(1));
    EXPECT_TRUE(nmi.read());
  });
  EXPECT_THAT(trace.lines, ElementsAre("mcu_rti0 watchdog.expired reaction=nmi cause=key"));
}

struct window {
  std::uint32_t size;
  double opens;  // of the period
};
void PrintTo(const window& w, std::ostream* os) { *os << fmt::format("{:#x}", w.size); }
struct windowed_watchdog : watchdog, testing::WithParamInterface<window> {};

TEST_P(windowed_watchdog, may_be_served_from_the_windows_opening_on) {
  test::simulate([&] {
    start(3, rti::REACTION_NMI, GetParam().size);
    for (int round = 0; round < 2; ++round) {
      sc_core::wait(seconds(GetParam().opens) + ns(1));
      serve();
      EXPECT_THAT(trace.lines, IsEmpty());
    }
    if (GetParam().opens == 0) return;
    sc_core::wait(seconds(GetParam().opens - 1.0 / 16384));
    serve();
    EXPECT_EQ(status(), rti::STATUS_START | rti::STATUS_DWWD);
    EXPECT_THAT(trace.lines, ElementsAre("mcu_rti0 watchdog.expired reaction=nmi cause=window"));
  });
}

INSTANTIATE_TEST_SUITE_P(sizes, windowed_watchdog,
                         testing::Values(window{0x5, 0}, window{0x50, 0.5}, window{0x500, 0.75}, window{0x5000, 0.875},
                                         window{0x50000, 0.9375}, window{0x500000, 0.96875}, window{0x77, 0.96875}));

TEST_F(watchdog, a_new_window_and_reaction_take_effect_with_the_next_service) {
  test::simulate([&] {
    start(3, rti::REACTION_RESET);
    cpu.write32(rti::WWDSIZECTRL, 0x50);
    cpu.write32(rti::WWDRXCTRL, rti::REACTION_NMI);
    sc_core::wait(seconds(0.1));
    serve();
    EXPECT_THAT(trace.lines, IsEmpty());
    sc_core::wait(seconds(0.1));
    serve();
    EXPECT_THAT(trace.lines, ElementsAre("mcu_rti0 watchdog.expired reaction=nmi cause=window"));
  });
}

TEST_F(watchdog, the_nmi_stays_until_its_status_is_cleared_and_the_handler_may_serve_at_once) {
  test::simulate([&] {
    start(3, rti::REACTION_NMI, 0x50);
    for (int round = 0; round < 2; ++round) {
      sc_core::wait(nmi.posedge_event());
      EXPECT_EQ(now(), seconds(1.25 * round + 1));
      EXPECT_FALSE(reset.read());
      sc_core::wait(seconds(0.25));  // with the window at 50 %, too early but for the violation
      EXPECT_TRUE(nmi.read());
      cpu.write32(rti::WDSTATUS, rti::STATUS_DWD);
      EXPECT_EQ(status(), rti::STATUS_END | rti::STATUS_DWWD);
      cpu.write32(rti::WDSTATUS, rti::STATUS_DWWD);
      EXPECT_EQ(status(), 0u);
      sc_core::wait(ns(0));
      sc_core::wait(sc_core::SC_ZERO_TIME);
      EXPECT_FALSE(nmi.read());
      serve();
      EXPECT_EQ(cpu.read32(rti::DWDCNTR), 4u * 8192 - 1);
    }
    EXPECT_EQ(trace.take().size(), 2u);
    sc_core::wait(seconds(0.1));
    serve();
    EXPECT_EQ(trace.lines.size(), 1u) << "the window counts again";
  });
}

TEST_F(watchdog, an_nmi_that_nobody_handles_does_not_come_twice) {
  test::simulate([&] {
    start(3, rti::REACTION_NMI);
    sc_core::wait(seconds(10000));  // the 25-bit counter wraps every 1024 s
    EXPECT_TRUE(nmi.read());
  });
  EXPECT_THAT(trace.lines, testing::SizeIs(1));
}

TEST_F(watchdog, counts_only_while_its_module_is_clocked) {
  test::simulate([&] {
    start(3, rti::REACTION_RESET);
    sc_core::wait(seconds(0.75));
    power_to(module_state::disable);
    EXPECT_EQ(cpu.try_write32(rti::WDKEY, rti::KEY_0), tlm::TLM_GENERIC_ERROR_RESPONSE);
    sc_core::wait(seconds(100));
    EXPECT_FALSE(reset.read());
    power_to(module_state::enable);
    const sc_core::sc_time resumed = now();
    sc_core::wait(reset.posedge_event());
    EXPECT_NEAR((now() - resumed).to_seconds(), 0.25, 1e-4);
  });
}

TEST_F(watchdog, a_module_reset_ends_it_and_it_can_be_started_again) {
  test::simulate([&] {
    for (const module_state state : {module_state::off, module_state::sync_reset, module_state::sw_rst_disable}) {
      start(0, rti::REACTION_RESET, 0x50);
      sc_core::wait(reset.posedge_event());
      power_to(state);
      EXPECT_FALSE(reset.read());
      power_to(module_state::enable);
      EXPECT_EQ(cpu.read32(rti::DWDCTRL), rti::DISABLED);
      EXPECT_EQ(cpu.read32(rti::DWDPRLD), 0xFFFu);
      EXPECT_EQ(cpu.read32(rti::WWDSIZECTRL), 0x5u);
      EXPECT_EQ(status(), 0u);
      EXPECT_EQ(trace.take().size(), 1u);
      sc_core::wait(seconds(2000));
      EXPECT_THAT(trace.lines, IsEmpty());
    }
  });
}

TEST_F(watchdog, the_clock_is_a_parameter) {
  EXPECT_TRUE(context.params.set("mcu_rti0.clock", "12.5MHz"));
  test::simulate([&] {
    start(0, rti::REACTION_NMI);
    sc_core::wait(nmi.posedge_event());
    EXPECT_EQ(now(), ns(8192 * 80));
  });
}

TEST_F(watchdog, bad_accesses_are_refused) {
  test::simulate([&] {
    std::array<std::uint8_t, 2> half{};
    EXPECT_EQ(cpu.write(rti::WDKEY, half), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(cpu.try_read32(rti::WDKEY + 2), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(cpu.try_read32(0x100), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  });
}

}  // namespace
}  // namespace rpsim
