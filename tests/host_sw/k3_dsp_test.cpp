// The K3 DSP driver in a whole J721E: C66x, which is held by its local reset, and C71x, which is powered for the start.

#include "host_sw/drivers/k3_dsp.h"

#include "tests/host_sw/k3_board.h"

namespace rpsim::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr unsigned C66X = 4, C66X_1 = 5, C71X = 6;  // remoteprocN

class k3_dsp : public k3_board {
 protected:
  k3_dsp() : k3_board("k3-j721e") {
    // The firmware's own requests are another matter.
    for (const char* core : {"c66x_0", "c66x_1", "c71x_0"}) {
      EXPECT_TRUE(context.params.set(std::string(core) + ".fw.hold_resources", "0"));
    }
  }
  void c66x_firmware() { firmware("j7-c66_0-fw", "k3-j721e-c66x_0"); }
  void c71x_firmware() { firmware("j7-c71_0-fw", "k3-j721e-c71x_0"); }
  /// Linux's requests that are about one of these.
  std::vector<std::string> requests_of(const std::vector<std::string>& names, std::size_t from = 0) const {
    std::vector<std::string> found;
    for (const std::string& r : requests(from)) {
      for (const std::string& n : names) {
        if (r.ends_with(" " + n)) found.push_back(r);
      }
    }
    return found;
  }
};

TEST_F(k3_dsp, probe_claims_looks_whether_it_is_on_and_whether_it_is_held) {
  in_thread([&] {
    for (const unsigned i : {C66X, C66X_1, C71X}) EXPECT_EQ(state(i), "offline\n");
  });
  EXPECT_THAT(requests_of({"c66x_0", "c66ss0_core0"}),
              ElementsAre("PROC_REQUEST c66x_0", "GET_DEVICE c66ss0_core0", "GET_DEVICE c66ss0_core0"));
  EXPECT_THAT(requests_of({"c71x_0", "c71ss0"}), ElementsAre("PROC_REQUEST c71x_0", "GET_DEVICE c71ss0"));
  EXPECT_THAT(log(), Contains("configured DSP for remoteproc mode").Times(3));
  EXPECT_THAT(log(), testing::Not(Contains(HasSubstr("local reset is deasserted"))));
}

TEST_F(k3_dsp, a_c66x_is_powered_for_loading_and_started_by_its_local_reset_twice) {
  c66x_firmware();
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      std::size_t before = requests().size();
      EXPECT_EQ(echo("start", C66X), 0);
      EXPECT_THAT(requests(before), ElementsAre("SET_DEVICE c66ss0_core0", "PROC_SET_CONFIG c66x_0",
                                                "GET_DEVICE c66ss0_core0", "SET_DEVICE_RESETS c66ss0_core0"));
      EXPECT_EQ(settings(3).boot_vector(), 0x00800000u);
      host->kernel().msleep(20);
      before = requests().size();
      EXPECT_EQ(echo("stop", C66X), 0);
      EXPECT_THAT(requests(before),
                  ElementsAre("GET_DEVICE c66ss0_core0", "SET_DEVICE_RESETS c66ss0_core0", "SET_DEVICE c66ss0_core0"));
    }
  });
  EXPECT_EQ(events.all("core.start").size(), 2u);
  EXPECT_THAT(log(), Contains("received echo reply from 4d80800000.dsp").Times(1)) << "the ping of the probe";
}

TEST_F(k3_dsp, a_c71x_is_powered_when_it_starts_and_off_when_it_stops_twice) {
  c71x_firmware();
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      std::size_t before = requests().size();
      EXPECT_EQ(echo("start", C71X), 0);
      EXPECT_THAT(requests(before), ElementsAre("PROC_SET_CONFIG c71x_0", "SET_DEVICE c71ss0", "GET_DEVICE c71ss0",
                                                "SET_DEVICE_RESETS c71ss0"));
      EXPECT_EQ(settings(0x30).boot_vector(), 0xA8200000u);
      host->kernel().msleep(20);
      before = requests().size();
      EXPECT_EQ(echo("stop", C71X), 0);
      EXPECT_THAT(requests(before), ElementsAre("GET_DEVICE c71ss0", "SET_DEVICE_RESETS c71ss0", "SET_DEVICE c71ss0"));
    }
  });
  EXPECT_EQ(events.all("core.start").size(), 2u);
}

TEST_F(k3_dsp, what_the_image_has_for_the_internal_memories_is_there_when_the_core_starts) {
  c66x_firmware();
  in_thread([&] {
    EXPECT_EQ(echo("start", C66X), 0);
    EXPECT_EQ(bytes(0x4D80800200 + 12, 5), "rpsim") << "L2, for the core at 0x800000";
    EXPECT_EQ(bytes(0x4D80F00000, 8), "k3-j721e") << "L1D, for the core at 0xF00000";
  });
}

TEST_F(k3_dsp, a_release_that_is_refused_takes_the_power_back_and_the_next_start_works) {
  c66x_firmware();
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      const std::size_t before = requests().size();
      tisci_fault fault(context, "SET_DEVICE_RESETS", {.what = fault_action::kind::nack});
      EXPECT_EQ(echo("start", C66X), ENODEV);
      // The second SET_DEVICE is unprepare's: the reference is given back twice.
      EXPECT_THAT(requests(before),
                  ElementsAre("SET_DEVICE c66ss0_core0", "PROC_SET_CONFIG c66x_0", "GET_DEVICE c66ss0_core0",
                              "SET_DEVICE_RESETS c66ss0_core0", "SET_DEVICE c66ss0_core0", "SET_DEVICE c66ss0_core0"));
      EXPECT_EQ(state(C66X), "offline\n");
    }
    EXPECT_EQ(echo("start", C66X), 0);
  });
  EXPECT_THAT(log(), Contains("local-reset deassert failed, ret = -19").Times(2));
}

TEST_F(k3_dsp, a_c71x_that_cannot_be_powered_off_is_let_go_again) {
  c71x_firmware();
  in_thread([&] {
    EXPECT_EQ(echo("start", C71X), 0);
    host->kernel().msleep(20);
    const std::size_t before = requests().size();
    tisci_fault fault(context, "SET_DEVICE", {.what = fault_action::kind::nack});
    EXPECT_EQ(echo("stop", C71X), 0) << "6.12's stop does not look";
    EXPECT_THAT(requests(before), ElementsAre("GET_DEVICE c71ss0", "SET_DEVICE_RESETS c71ss0", "SET_DEVICE c71ss0",
                                              "GET_DEVICE c71ss0", "SET_DEVICE_RESETS c71ss0"));
    EXPECT_EQ(state(C71X), "offline\n");
  });
  EXPECT_THAT(log(), Contains("module-reset assert failed, ret = -19"));
  EXPECT_EQ(events.all("core.start").size(), 2u) << "what was loaded runs again";
}

TEST_F(k3_dsp, one_that_is_on_is_taken_for_a_running_one_and_cannot_be_stopped) {
  dynamic_cast<device_manager&>(*board.find("dm")).boot_device(142, std::uint64_t{1} << 63);
  in_thread([&] {
    EXPECT_EQ(state(C66X), "detached\n");
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(echo("start", C66X), 0);
      EXPECT_EQ(state(C66X), "attached\n");
      EXPECT_EQ(echo("stop", C66X), EINVAL);
      EXPECT_EQ(echo("detach", C66X), 0);
      EXPECT_EQ(state(C66X), "detached\n");
    }
  });
  EXPECT_THAT(log(), Contains("configured DSP for IPC-only mode"));
  EXPECT_THAT(requests_of({"c66x_0", "c66ss0_core0"}), ElementsAre("PROC_REQUEST c66x_0", "GET_DEVICE c66ss0_core0"));
}

TEST_F(k3_dsp, v2_never_stops_a_c66x_whose_wfi_nothing_shows) {
  c66x_firmware();
  options.shutdown = "v2";
  in_thread([&] {
    EXPECT_EQ(echo("start", C66X), 0);
    host->kernel().msleep(20);
    EXPECT_EQ(echo("stop", C66X), ETIMEDOUT);
    EXPECT_LT(took_ms, 10);
    EXPECT_EQ(echo("stop", C66X), EBUSY) << "it is parked and does not answer any more";
    EXPECT_EQ(state(C66X), "running\n");
  });
  EXPECT_THAT(events.all("core.wfi"), testing::Not(IsEmpty()));
  EXPECT_THAT(events.all("reset.assert"), IsEmpty());
}

TEST_F(k3_dsp, v1_does_not_mind_that_nothing_shows_the_wfi_of_a_c66x) {
  c66x_firmware();
  options.shutdown = "v1";
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(echo("start", C66X), 0);
      host->kernel().msleep(20);
      EXPECT_EQ(echo("stop", C66X), 0);
      EXPECT_LT(took_ms, 10);
    }
  });
}

TEST_F(k3_dsp, v2_stops_a_c71x_twice) {
  c71x_firmware();
  options.shutdown = "v2";
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(echo("start", C71X), 0);
      host->kernel().msleep(20);
      EXPECT_EQ(echo("stop", C71X), 0);
      EXPECT_LT(took_ms, 10);
    }
  });
}

}  // namespace
}  // namespace rpsim::test
