// The K3 M4F driver in a whole AM62x: its own device manager, mailbox and M4F, which runs our firmware natively.

#include "host_sw/drivers/k3_m4.h"

#include "tests/host_sw/k3_board.h"

namespace rpsim::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* STATE = "/sys/class/remoteproc/remoteproc0/state";
constexpr const char* DEVICE = "5000000.m4fss";
constexpr const char* DRIVER = "/sys/bus/platform/drivers/k3-m4-rproc/";

class k3_m4 : public testing::Test {
 protected:
  k3_m4() {
    context.native_image_directory = NATIVE;
    options.auto_boot = false;
    options.firmware["am62-mcu-m4f0_0-fw"] = image("rpmsg_echo");
  }
  static std::shared_ptr<const std::string> image(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(FIRMWARE "/k3-am62x-m4f/" + name + ".elf", std::ios::binary).rdbuf();
    EXPECT_FALSE(text.str().empty()) << name;
    return std::make_shared<const std::string>(text.str());
  }
  void set(const std::string& param, const std::string& value) {
    const auto done = context.params.set(param, value);
    ASSERT_TRUE(done) << done.error();
  }
  void firmware(const std::string& what, const std::string& value) { set("m4f.fw." + what, value); }

  /// Boots the host, then runs a user process.
  void in_thread(std::function<void()> body, double seconds = 60) {
    host = std::make_unique<host::linux_host>(board.host(), context, board.tree(), options);
    host->boot();
    os::thread& t = host->kernel().spawn("shell", [this, body] {
      while (!host->booted()) host->kernel().msleep(10);
      body();
    });
    sc_core::sc_start(sc_core::sc_time(seconds, sc_core::SC_SEC));
    ASSERT_TRUE(host->kernel().ended(t));
  }
  /// 0 or errno, and how long it took.
  int echo(const std::string& text, const std::string& path) {
    const sc_core::sc_time start = sc_core::sc_time_stamp();
    const auto result = host->fs().write(path, text + "\n");
    took_ms = (sc_core::sc_time_stamp() - start) / sc_core::sc_time(1, sc_core::SC_MS);
    return result ? 0 : result.error();
  }
  int start() { return echo("start", STATE); }
  int stop() { return echo("stop", STATE); }
  std::string state() { return host->fs().read(STATE).value_or("?\n"); }
  void settle(unsigned ms = 20) { host->kernel().msleep(ms); }
  std::vector<std::string> requests(std::size_t from = 0) const {
    std::vector<std::string> found;
    for (const auto& e : events.all("tisci.request")) {
      if (e.fields.at("host") == "12") found.push_back(e.fields.at("msg"));
    }
    found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(from));
    return found;
  }
  std::vector<std::string> phases() const { return events.values("handshake", "phase"); }
  std::vector<std::string> log() const { return events.values("host.log", "text"); }
  device_manager& dm() { return dynamic_cast<device_manager&>(*board.find("dm")); }

  sim_context context{11};
  recorder events{context};
  platform board{context, dt::tree::compile(PLATFORMS "/k3-am62x.dts")};
  host::options options;
  std::unique_ptr<host::linux_host> host;
  double took_ms = 0;
};

// ---------------------------------------------------------------------------------------------------- probe and boot

TEST_F(k3_m4, probe_claims_the_processor_and_finds_it_off) {
  in_thread([&] { EXPECT_EQ(state(), "offline\n"); });
  EXPECT_THAT(requests(), ElementsAre("VERSION", "PROC_REQUEST", "GET_DEVICE"));
  EXPECT_THAT(log(), Contains("configured M4F for remoteproc mode"));
  EXPECT_THAT(events.all("host.booted"), testing::SizeIs(1));
}

TEST_F(k3_m4, as_in_linux_it_boots_by_itself_and_a_start_only_counts) {
  options.auto_boot = true;
  in_thread([&] {
    settle(100);
    EXPECT_EQ(state(), "running\n");
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(state(), "running\n");
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(state(), "offline\n");
  });
}

TEST_F(k3_m4, start_and_stop_are_the_calls_of_the_reference_twice) {
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      const std::size_t before = requests().size();
      EXPECT_EQ(start(), 0);
      EXPECT_THAT(requests(before), ElementsAre("GET_DEVICE", "SET_DEVICE_RESETS", "GET_DEVICE", "SET_DEVICE",
                                                "GET_DEVICE", "SET_DEVICE_RESETS"));
      settle();
      EXPECT_EQ(state(), "running\n");
      const std::size_t running = requests().size();
      EXPECT_EQ(stop(), 0);
      EXPECT_THAT(requests(running), ElementsAre("GET_DEVICE", "SET_DEVICE_RESETS", "SET_DEVICE"));
      EXPECT_EQ(state(), "offline\n");
    }
  });
  EXPECT_THAT(phases(), IsEmpty());
  EXPECT_THAT(log(), Contains("received echo reply from 5000000.m4fss").Times(2));
}

TEST_F(k3_m4, a_refused_power_up_fails_the_start_and_leaves_it_off) {
  in_thread([&] {
    tisci_fault fault(context, "SET_DEVICE", {.what = fault_action::kind::nack});
    EXPECT_EQ(start(), ENODEV);
    EXPECT_EQ(state(), "offline\n");
    EXPECT_EQ(start(), 0);
  });
  EXPECT_THAT(log(), Contains("could not deassert module-reset for internal RAM loading"));
}

TEST_F(k3_m4, a_silent_device_manager_fails_the_start_after_its_timeout) {
  in_thread([&] {
    tisci_fault fault(context, "SET_DEVICE", {.what = fault_action::kind::silence});
    EXPECT_EQ(start(), ETIMEDOUT);
    EXPECT_NEAR(took_ms, 1000, 10);
    EXPECT_EQ(state(), "offline\n");
  });
}

TEST_F(k3_m4, prepare_succeeds_without_power_when_the_reset_does_not_assert) {
  firmware("hold_resources", "0");  // or MCU_RTI0 would keep the memories powered
  in_thread([&] {
    // The assert goes to device 9 ^ 42 = 35: the M4F's reset word stays 0, prepare takes that for success, and the
    // loader writes into memory without power.
    ASSERT_TRUE(dm().has_device(35));
    os::thread& victim = host->kernel().spawn("victim", [&] {
      EXPECT_EQ(start(), 0);
      settle();
      EXPECT_EQ(stop(), 0);
      auto* sci = host->machine().provider_of<drivers::ti_sci>(board.tree().by_label("dmsc"));
      EXPECT_EQ(sci->set_device_resets(9, 0), 0);
      tisci_fault fault(context, "SET_DEVICE_RESETS", {.what = fault_action::kind::corrupt, .xor_mask = 9 ^ 35});
      const int result = start();
      ADD_FAILURE() << "survived: " << os::errno_name(result);
    });
    settle(5000);
    EXPECT_TRUE(host->kernel().ended(victim));
  });
  EXPECT_THAT(log(), Contains("local reset still not asserted"));
  EXPECT_THAT(events.values("host.oops", "hazard"), ElementsAre("external-abort"));
}

TEST_F(k3_m4, unbind_and_bind_go_round_twice) {
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      settle();
      EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "unbind"), 0);
      EXPECT_FALSE(host->fs().exists(STATE));
      EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), 0);
      EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), EBUSY);
    }
  });
  EXPECT_THAT(events.all("proc.request"), testing::SizeIs(3));
  EXPECT_THAT(events.all("proc.release"), testing::SizeIs(2));
}

TEST_F(k3_m4, a_probe_that_fails_gives_the_processor_back) {
  tisci_fault fault(context, "GET_DEVICE", {.what = fault_action::kind::nack});
  in_thread([&] {
    EXPECT_FALSE(host->fs().exists(STATE));
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), 0);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(events.all("proc.release"), testing::SizeIs(1));
  EXPECT_THAT(log(), Contains(AllOf(HasSubstr("failed to get initial state"), HasSubstr("error -ENODEV"))));
}

TEST_F(k3_m4, a_powered_core_is_taken_for_a_running_one_and_can_be_attached_and_detached) {
  dm().boot_device(9, std::uint64_t{1} << 30);
  in_thread([&] {
    EXPECT_EQ(state(), "detached\n");
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(state(), "attached\n");
      EXPECT_EQ(echo("detach", STATE), 0);
      EXPECT_EQ(state(), "detached\n");
    }
  });
  EXPECT_THAT(log(), Contains("configured M4F for IPC-only mode"));
  // No power or reset call: only who looks and who claims.
  EXPECT_THAT(requests(), ElementsAre("VERSION", "PROC_REQUEST", "GET_DEVICE"));
  EXPECT_THAT(events.values("mailbox.sent", "msg"), ElementsAre("ECHO_REQUEST", "ECHO_REQUEST"));
}

TEST_F(k3_m4, a_host_that_was_reset_boots_again_but_the_device_manager_holds_its_old_claim) {
  in_thread(
      [&] {
        EXPECT_EQ(start(), 0);
        settle();
      },
      1);
  host->kernel().power_off();
  sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_US));
  in_thread([&] {
    EXPECT_FALSE(host->fs().exists(STATE));  // REQUEST is for a processor that nobody owns (reference/k3.md §3.6)
    auto* sci = host->machine().provider_of<drivers::ti_sci>(board.tree().by_label("dmsc"));
    EXPECT_EQ(sci->proc_release(0x18), 0);
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), 0);
    EXPECT_EQ(state(), "detached\n");
  });
  EXPECT_THAT(events.all("core.start"), testing::SizeIs(1));
  EXPECT_THAT(events.all("host.booted"), testing::SizeIs(2));
  EXPECT_THAT(events.all("host.oops"), IsEmpty());
}

// ------------------------------------------------------------------------------------------------- graceful shutdown

TEST_F(k3_m4, v2_asks_waits_for_wfi_and_resets_twice) {
  options.shutdown = "v2";
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      settle();
      EXPECT_EQ(stop(), 0);
      EXPECT_LT(took_ms, 20);
      EXPECT_EQ(state(), "offline\n");
    }
  });
  EXPECT_THAT(phases(), ElementsAre("requested", "acked", "wfi_seen", "requested", "acked", "wfi_seen"));
  EXPECT_THAT(requests(), Contains("PROC_GET_STATUS").Times(Ge(2)));
}

TEST_F(k3_m4, v2_gives_up_with_ebusy_after_five_seconds_and_works_afterwards) {
  options.shutdown = "v2";
  firmware("shutdown", "never-acks");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), EBUSY);
    EXPECT_NEAR(took_ms, 5000, 10);
    EXPECT_EQ(state(), "running\n");
    const std::size_t before = requests().size();
    EXPECT_THAT(requests(before), IsEmpty());  // no reset
  });
  EXPECT_THAT(phases(), ElementsAre("requested", "timeout"));
  EXPECT_THAT(log(), Contains("timeout waiting for rproc completion event"));
  EXPECT_THAT(events.all("core.reset"), IsEmpty());
}

TEST_F(k3_m4, v2_gives_up_with_etimedout_when_the_core_never_parks) {
  options.shutdown = "v2";
  firmware("shutdown", "acks-no-wfi");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), ETIMEDOUT);
    EXPECT_LT(took_ms, 20);
    EXPECT_EQ(state(), "running\n");
  });
  EXPECT_THAT(phases(), ElementsAre("requested", "acked", "no_wfi"));
}

TEST_F(k3_m4, v1_waits_one_second_and_halts_anyway) {
  options.shutdown = "v1";
  firmware("shutdown", "never-acks");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), 0);
    EXPECT_NEAR(took_ms, 1000, 10);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(log(), Contains("Timeout waiting SHUTDOWN_ACK message. Halting core anyway."));
}

TEST_F(k3_m4, v1_halts_a_core_that_does_not_park) {
  options.shutdown = "v1";
  firmware("shutdown", "acks-no-wfi");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(phases(), ElementsAre("requested", "acked", "no_wfi"));
}

TEST_F(k3_m4, ti_sdk_frees_the_channel_and_requests_it_again_at_the_next_start) {
  options.shutdown = "ti-sdk";
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      settle();
      EXPECT_EQ(stop(), 0);
    }
  });
  EXPECT_THAT(phases(), ElementsAre("requested", "acked", "wfi_seen", "requested", "acked", "wfi_seen"));
}

TEST_F(k3_m4, ti_sdk_gives_up_after_three_seconds) {
  options.shutdown = "ti-sdk";
  firmware("shutdown", "never-acks");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), EBUSY);
    EXPECT_NEAR(took_ms, 3000, 10);
  });
}

TEST_F(k3_m4, ti_sdk_cannot_ask_again_once_it_has_freed_the_channel) {
  options.shutdown = "ti-sdk";
  firmware("shutdown", "acks-no-wfi");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), ETIMEDOUT);
    EXPECT_EQ(stop(), EINVAL);
    EXPECT_EQ(state(), "running\n");
  });
}

TEST_F(k3_m4, ti_sdk_ignores_the_result_of_the_reset) {
  options.shutdown = "ti-sdk";
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    tisci_fault fault(context, "SET_DEVICE_RESETS", {.what = fault_action::kind::nack});
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(state(), "offline\n");
  });
}

TEST_F(k3_m4, v3_asks_firmware_that_declares_that_it_answers) {
  options.shutdown = "v3";
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), 0);
  });
  EXPECT_THAT(phases(), ElementsAre("requested", "acked", "wfi_seen"));
}

TEST_F(k3_m4, v3_resets_firmware_that_declares_nothing_without_asking) {
  options.shutdown = "v3";
  options.firmware["am62-mcu-m4f0_0-fw"] = image("rpmsg_echo_unflagged");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(phases(), ElementsAre("skipped"));
}

TEST_F(k3_m4, v3_acks_unflagged_asks_it_all_the_same) {
  options.shutdown = "v3-acks-unflagged";
  options.firmware["am62-mcu-m4f0_0-fw"] = image("rpmsg_echo_unflagged");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), 0);
  });
  EXPECT_THAT(phases(), ElementsAre("requested", "acked", "wfi_seen"));
}

TEST_F(k3_m4, v3_resets_a_crashed_core_without_asking_where_v2_asks_for_five_seconds) {
  options.shutdown = "v3";
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(echo("1", "/sys/kernel/debug/remoteproc/remoteproc0/crash"), 0);
    settle();
    EXPECT_EQ(state(), "crashed\n");
    EXPECT_EQ(stop(), 0);
    EXPECT_LT(took_ms, 20);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(phases(), ElementsAre("skipped"));
}

TEST_F(k3_m4, a_variant_that_does_not_exist_is_refused_with_those_that_do) {
  options.shutdown = "v4";
  EXPECT_THAT(
      [&] { host::linux_host h(board.host(), context, board.tree(), options); },
      testing::ThrowsMessage<std::invalid_argument>(AllOf(HasSubstr("\"v4\""), HasSubstr("v3-acks-unflagged"))));
}

TEST_F(k3_m4, a_crash_handling_that_does_not_exist_is_refused) {
  options.crash = "panic";
  EXPECT_THROW(host::linux_host(board.host(), context, board.tree(), options), std::invalid_argument);
}

// ------------------------------------------------------------------------------------------------------------ crashes

TEST_F(k3_m4, a_crash_that_the_firmware_reports_is_logged_and_nothing_else) {
  firmware("crash_after", "5ms");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle(100);
    EXPECT_EQ(state(), "running\n");
  });
  EXPECT_THAT(log(), Contains("K3 rproc 5000000.m4fss crashed"));
  EXPECT_THAT(events.all("rproc.crash"), IsEmpty());
}

TEST_F(k3_m4, with_report_it_reaches_the_core_and_recovers) {
  options.crash = "report";
  firmware("crash_after", "5ms");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle(12);
    firmware("crash_after", "0us");
    settle(200);
    EXPECT_EQ(state(), "running\n");
  });
  EXPECT_THAT(events.values("rproc.crash", "type"), Contains("fatal error"));
  EXPECT_THAT(events.values("rproc.recovery", "result"), Contains("0"));
}

// ------------------------------------------------------------------------------------------------------ system sleep

class k3_m4_sleep : public k3_m4 {
 protected:
  k3_m4_sleep() {
    options.shutdown = "ti-sdk";
    set("host.suspend_time", "1s");
  }
  int sleep() {
    EXPECT_EQ(start(), 0);
    settle();
    return echo("mem", "/sys/power/state");
  }
};

TEST_F(k3_m4_sleep, firmware_that_agrees_is_shut_down_and_booted_again) {
  in_thread([&] {
    EXPECT_EQ(sleep(), 0);
    EXPECT_THAT(took_ms, AllOf(Ge(1000), testing::Le(1100)));
    settle(100);
    EXPECT_EQ(state(), "running\n");
    EXPECT_EQ(stop(), 0);
  });
  EXPECT_THAT(events.all("core.start"), testing::SizeIs(2));
  EXPECT_THAT(events.values("mailbox.sent", "msg"), AllOf(Contains("SUSPEND_SYSTEM"), Contains("SUSPEND_ACK")));
}

TEST_F(k3_m4_sleep, firmware_that_refuses_keeps_the_machine_awake) {
  firmware("suspend", "cancel");
  in_thread([&] {
    EXPECT_EQ(sleep(), EBUSY);
    EXPECT_LT(took_ms, 20);
    EXPECT_EQ(state(), "running\n");
  });
  EXPECT_THAT(events.all("core.start"), testing::SizeIs(1));
}

TEST_F(k3_m4_sleep, firmware_that_stays_on_runs_through) {
  firmware("suspend", "auto");
  in_thread([&] {
    EXPECT_EQ(sleep(), 0);
    EXPECT_GE(took_ms, 1000);
    EXPECT_EQ(state(), "running\n");
  });
  EXPECT_THAT(events.all("core.start"), testing::SizeIs(1));
  EXPECT_THAT(events.all("core.reset"), IsEmpty());
}

TEST_F(k3_m4_sleep, firmware_that_never_answers_does_not_hold_it_up_for_more_than_five_seconds) {
  options.firmware["am62-mcu-m4f0_0-fw"] = image("rpmsg_echo");
  firmware("hang_after", "1ms");
  in_thread([&] {
    EXPECT_EQ(sleep(), EBUSY);  // the word that nobody took out of the queue: omap-mailbox refuses
    EXPECT_NEAR(took_ms, 5000, 20);
  });
}

}  // namespace
}  // namespace rpsim::test
