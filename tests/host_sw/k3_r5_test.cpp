// The K3 R5F driver in a whole AM64x (R5FSS0 split, R5FSS1 single-CPU) and J721E (lockstep): what it asks of the device
// manager, where it loads, and what the cores do.

#include "host_sw/drivers/k3_r5.h"

#include "tests/host_sw/k3_board.h"

namespace rpsim::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class k3_r5 : public k3_board {
 protected:
  explicit k3_r5(const std::string& name = "k3-am64x", const std::string& change = "", const std::string& to = "")
      : k3_board(name, change, to) {
    // The firmware's own requests are another matter.
    for (const char* core : {"r5f0_0", "r5f0_1", "r5f1_0"}) {
      EXPECT_TRUE(context.params.set(std::string(core) + ".fw.hold_resources", "0"));
    }
  }

  static constexpr std::uint32_t RSTBASE = 1u << 11, BTCM_EN = 1u << 12, ATCM_EN = 1u << 13, SINGLE_CORE = 1u << 15,
                                 LOCKSTEP = 1u << 8, HALT = 1;
};

TEST_F(k3_r5, probe_configures_and_halts_the_cores_of_a_split_cluster_and_core_0_of_a_single_cpu_one) {
  in_thread([&] {
    for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(state(i), "offline\n");
    EXPECT_EQ(state(3), "none\n");
  });
  const auto configured = [](const std::string& core, const std::string& device) {
    return std::vector<std::string>{"GET_DEVICE " + device,    "GET_DEVICE " + device,     "PROC_GET_STATUS " + core,
                                    "PROC_GET_STATUS " + core, "PROC_SET_CONTROL " + core, "PROC_SET_CONFIG " + core};
  };
  std::vector<std::string> expected = {"VERSION", "PROC_REQUEST r5f0_0", "PROC_REQUEST r5f0_1"};
  for (const auto& [core, device] : {std::pair{"r5f0_0", "r5fss0_core0"}, std::pair{"r5f0_1", "r5fss0_core1"}}) {
    for (const std::string& r : configured(core, device)) expected.push_back(r);
  }
  expected.insert(expected.end(), {"PROC_REQUEST r5f1_0", "PROC_REQUEST r5f1_1"});
  for (const std::string& r : configured("r5f1_0", "r5fss1_core0")) expected.push_back(r);
  EXPECT_EQ(requests(), expected);
  EXPECT_EQ(settings(1).config(), ATCM_EN | BTCM_EN | RSTBASE);
  EXPECT_EQ(settings(1).control(), HALT);
  EXPECT_EQ(settings(6).config(), ATCM_EN | BTCM_EN | RSTBASE | SINGLE_CORE);
}

TEST_F(k3_r5, start_and_stop_of_a_split_core_are_the_calls_of_the_reference_twice) {
  firmware("am64-main-r5f0_0-fw", "k3-am64x-r5f0_0");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      std::size_t before = requests().size();
      EXPECT_EQ(echo("start", 0), 0);
      EXPECT_THAT(requests(before),
                  ElementsAre("PROC_GET_STATUS r5f0_0", "SET_DEVICE r5fss0_core0", "GET_DEVICE r5fss0_core0",
                              "SET_DEVICE_RESETS r5fss0_core0", "PROC_SET_CONFIG r5f0_0", "PROC_SET_CONTROL r5f0_0"));
      host->kernel().msleep(20);
      before = requests().size();
      EXPECT_EQ(echo("stop", 0), 0);
      EXPECT_THAT(requests(before), ElementsAre("PROC_SET_CONTROL r5f0_0", "GET_DEVICE r5fss0_core0",
                                                "SET_DEVICE_RESETS r5fss0_core0", "SET_DEVICE r5fss0_core0"));
    }
  });
  EXPECT_EQ(events.all("core.start").size(), 2u);
  // The ping of the probe waited for the first life.
  EXPECT_THAT(log(), Contains("received echo reply from 78000000.r5f").Times(1));
}

TEST_F(k3_r5, core_1_waits_two_seconds_for_core_0_and_core_0_for_core_1) {
  firmware("am64-main-r5f0_0-fw", "k3-am64x-r5f0_0");
  firmware("am64-main-r5f0_1-fw", "k3-am64x-r5f0_1");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(echo("start", 1), EPERM);
      EXPECT_NEAR(took_ms, 2000, 10);
      EXPECT_EQ(echo("start", 0), 0);
      EXPECT_EQ(echo("start", 1), 0);
      EXPECT_LT(took_ms, 10);
      EXPECT_EQ(echo("stop", 0), 0) << "the result of unprepare is lost";
      EXPECT_NEAR(took_ms, 2000, 10);
      EXPECT_EQ(echo("stop", 1), 0);
      // Core 0 is offline, but was never powered down: for core 1 it is there.
      EXPECT_EQ(echo("start", 1), 0);
      EXPECT_EQ(echo("stop", 1), 0);
      EXPECT_EQ(echo("start", 0), 0);
      EXPECT_EQ(echo("stop", 0), 0);
      EXPECT_LT(took_ms, 10);
    }
  });
}

TEST_F(k3_r5, a_split_core_0_has_half_of_the_doubled_tcm_windows) {
  firmware("am64-main-r5f0_0-fw", "k3-am64x-r5f0_0");
  in_thread([&] {
    EXPECT_EQ(echo("start", 0), 0);
    EXPECT_EQ(bytes(0x78000200 + 12, 5), "rpsim");
    EXPECT_NE(bytes(0x78100200 + 12, 5), "rpsim");
  });
}

/// With loczrama 0 the image's part at 0 goes to the BTCM, and the core looks there.
class k3_r5_btcm_low : public k3_r5 {
 protected:
  k3_r5_btcm_low() : k3_r5("k3-am64x", "ti,loczrama = <1>;", "ti,loczrama = <0>;") {}
};
TEST_F(k3_r5_btcm_low, btcm_is_at_zero) {
  firmware("am64-main-r5f0_0-fw", "k3-am64x-r5f0_0");
  in_thread([&] {
    EXPECT_EQ(echo("start", 0), 0);
    EXPECT_EQ(bytes(0x78100200 + 12, 5), "rpsim");
    EXPECT_NE(bytes(0x78000200 + 12, 5), "rpsim");
    host->kernel().msleep(20);
  });
  EXPECT_EQ(settings(1).config(), ATCM_EN | BTCM_EN);
  EXPECT_EQ(events.all("core.start").size(), 1u);
  EXPECT_THAT(events.all("core.lockup"), IsEmpty());
}

/// A TCM that is not enabled is not there for the core; the host loads it all the same.
class k3_r5_without_atcm : public k3_r5 {
 protected:
  k3_r5_without_atcm() : k3_r5("k3-am64x", "ti,atcm-enable = <1>;", "ti,atcm-enable = <0>;") {}
};
TEST_F(k3_r5_without_atcm, the_core_finds_nothing_at_zero) {
  firmware("am64-main-r5f0_0-fw", "k3-am64x-r5f0_0");
  in_thread([&] {
    EXPECT_EQ(echo("start", 0), 0);
    EXPECT_EQ(bytes(0x78000200 + 12, 5), "rpsim");
    host->kernel().msleep(20);
  });
  EXPECT_EQ(events.all("core.lockup").size(), 1u);
}

class k3_r5_mode : public k3_r5 {
 protected:
  k3_r5_mode() : k3_r5("k3-am64x", "ti,cluster-mode = <0>; /* split */", "ti,cluster-mode = <3>;") {}
};
TEST_F(k3_r5_mode, a_mode_that_the_soc_does_not_have_is_einval) {
  in_thread([&] { EXPECT_EQ(state(1), "none\n"); });
  EXPECT_THAT(log(), Contains("Cluster mode = 3 is not supported on this SoC"));
}

/// Where the fuses permit no lockstep the cluster is split.
class k3_r5_fused : public k3_r5 {
 protected:
  k3_r5_fused() : k3_r5("k3-am64x", "ti,cluster-mode = <0>; /* split */", "ti,cluster-mode = <1>;") {}
};
TEST_F(k3_r5_fused, lockstep_without_permission_becomes_split) {
  in_thread([&] { EXPECT_EQ(state(2), "offline\n"); });
  EXPECT_THAT(log(), Contains("lockstep mode not permitted, force configuring for split-mode"));
  EXPECT_EQ(settings(1).config() & LOCKSTEP, 0u);
}

class k3_r5_j721e : public k3_r5 {
 protected:
  k3_r5_j721e() : k3_r5("k3-j721e") {}
};
TEST_F(k3_r5_j721e, lockstep_starts_core_1_first_and_clears_what_the_tcms_held) {
  firmware("j7-main-r5f1_0-fw", "k3-j721e-r5f1_0");
  in_thread([&] {
    EXPECT_EQ(settings(8).config(), ATCM_EN | BTCM_EN | RSTBASE | LOCKSTEP);
    EXPECT_EQ(settings(9).config(), ATCM_EN | BTCM_EN | RSTBASE);
    for (int round = 0; round < 2; ++round) {
      const std::size_t before = requests().size();
      EXPECT_EQ(echo("start", 3), 0);
      EXPECT_THAT(requests(before),
                  ElementsAre("PROC_GET_STATUS r5f1_0", "SET_DEVICE r5fss1_core1", "SET_DEVICE r5fss1_core0",
                              "GET_DEVICE r5fss1_core1", "SET_DEVICE_RESETS r5fss1_core1", "GET_DEVICE r5fss1_core0",
                              "SET_DEVICE_RESETS r5fss1_core0", "PROC_SET_CONFIG r5f1_0", "PROC_SET_CONTROL r5f1_1",
                              "PROC_SET_CONTROL r5f1_0"));
      EXPECT_EQ(bytes(0x05E07000, 4), std::string(4, '\0'));
      EXPECT_TRUE(board.debug_write(0x05E07000, "left", 4));
      host->kernel().msleep(20);
      EXPECT_EQ(echo("stop", 3), 0);
    }
  });
  EXPECT_EQ(events.all("core.start").size(), 2u) << "core 1 executes nothing of its own";
}

}  // namespace
}  // namespace rpsim::test
