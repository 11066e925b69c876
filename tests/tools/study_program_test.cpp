// `rpsim study` as people use it: the same table whatever -j, resumed after it was killed, one point played again.

#include "tests/tools/study_program.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

namespace rpsim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

TEST_F(study_program, gives_the_same_table_whatever_j) {
  const std::string s = stops(10);
  const auto one = run(s, "one", {"-j", "1"}), three = run(s, "three", {"-j", "3"});
  ASSERT_EQ(one.status, 0) << one.err;
  ASSERT_EQ(three.status, 0) << three.err;
  EXPECT_EQ(one.out, three.out);
  EXPECT_EQ(content("one/points.csv"), content("three/points.csv"));
  EXPECT_EQ(content("one/study.json"), content("three/study.json"));
  EXPECT_EQ(ask("one", "SELECT count(DISTINCT digest) FROM points"), "20");  // and no two points are the same run
  const auto other = run(s, "other", {"--seed", "1"});
  EXPECT_NE(other.out, one.out);
}

TEST_F(study_program, plays_a_point_again_byte_for_byte) {
  const std::string s = stops(4);
  ASSERT_EQ(run(s, "r").status, 0);
  for (const char* point : {"0", "7"}) {
    const auto again = rpsim({"run", s, "--point", point});
    EXPECT_EQ(again.status, 0) << again.err;
    const std::string digest =
        ask("r", fmt::format("SELECT printf('%016x', digest) FROM points WHERE point = {}", point));
    ASSERT_EQ(digest.size(), 16u);
    EXPECT_THAT(again.out, HasSubstr("digest " + digest));
  }
  ASSERT_EQ(rpsim({"run", s, "--point", "7", "--trace", file("a")}).status, 0);
  ASSERT_EQ(rpsim({"run", s, "--point", "7", "--trace", file("b")}).status, 0);
  EXPECT_EQ(content("a"), content("b"));
  EXPECT_THAT(content("a"), HasSubstr("param.set"));
  EXPECT_EQ(rpsim({"run", s, "--point", "4711"}).status, 2);
  EXPECT_EQ(rpsim({"run", s}).status, 2);
}

TEST_F(study_program, goes_on_after_it_was_killed) {
  const std::string s = stops(400);
  const std::string results = file("killed");
  const pid_t pid = start({RPSIM_PROGRAM, "study", s, "-o", results, "-q"});
  while (!fs::exists(results + "/results.sqlite-wal") || fs::file_size(results + "/results.sqlite-wal") < 100'000) {
    std::this_thread::sleep_for(5ms);
    ASSERT_EQ(::waitpid(pid, nullptr, WNOHANG), 0) << "it ended before it was killed";
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  const int kept = std::stoi(ask("killed", "SELECT count(*) FROM points"));
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 800);
  const auto again = run(s, "killed");
  EXPECT_EQ(again.status, 2);
  EXPECT_THAT(again.err, HasSubstr("--resume"));
  ASSERT_EQ(run(s, "killed", {"--resume"}).status, 0);
  ASSERT_EQ(run(s, "whole").status, 0);
  EXPECT_EQ(content("killed/points.csv"), content("whole/points.csv"));
}

TEST_F(study_program, refuses_results_that_are_not_its_own) {
  const std::string s = stops(2);
  ASSERT_EQ(run(s, "r").status, 0);
  auto r = run(s, "r", {"--resume", "--seed", "3"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("has the results of another study: its seed is '0', not '3'"));
  r = run(stops(3), "r", {"--resume"});
  EXPECT_THAT(r.err, HasSubstr("its samples is '2', not '3'"));
  r = run(stops(2), "r", {"--resume", "-p", "host.shutdown=v1"});
  EXPECT_THAT(r.err, HasSubstr("another study"));
  std::ofstream(file("r/results.sqlite"), std::ios::trunc)
      << "this is no database, however long it is and whatever it says";
  r = run(stops(2), "r", {"--resume"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("is damaged, or no results file"));
}

TEST_F(study_program, damage_in_the_middle_is_found) {
  const std::string s = stops(100);
  ASSERT_EQ(run(s, "r").status, 0);
  {
    std::fstream f(file("r/results.sqlite"), std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(20'000);
    f << std::string(8192, 'x');
  }
  const auto r = run(s, "r", {"--resume"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("is damaged"));
}

// A limit on the size of a file stands for it: large enough for what a snapshot needs, too small for the results.
TEST_F(study_program, a_disk_that_is_full_is_reported) {
  const std::string s = stops(600);
  const auto r = run_subprocess(
      {"/bin/bash", "-c",
       fmt::format("trap '' XFSZ; ulimit -f 300; exec {} study {} -o {} -q", RPSIM_PROGRAM, s, file("r"))},
      "");
  EXPECT_EQ(r.status, 2) << r.err;
  EXPECT_THAT(r.err, HasSubstr("results.sqlite cannot be written"));
}

TEST_F(study_program, so_is_one_that_is_really_full) {
  const std::string s = stops(600);
  const std::string disk = file("disk");
  fs::create_directories(disk);
  // Mounted for the shell and its children only, and gone with them.
  const auto r = run_subprocess(
      {"unshare", "--map-root-user", "--mount", "/bin/bash", "-c",
       fmt::format("mount -t tmpfs -o size=200k none {0} || exit 77; {1} study {2} -o {0}/r -q; echo status $?; {1} "
                   "study {2} -o {0}/r -q --resume; echo status $?",
                   disk, RPSIM_PROGRAM, s)},
      "");
  if (r.status != 0) GTEST_SKIP() << "nothing can be mounted here: " << r.err;
  EXPECT_THAT(r.out, testing::EndsWith("status 2\n"));
  EXPECT_THAT(r.out, testing::StartsWith("status 2\n"));
  EXPECT_THAT(r.err, HasSubstr("results.sqlite cannot be written: database or disk is full"));
}

TEST_F(study_program, a_point_that_is_killed_is_reported_and_the_others_go_on) {
  // A point that takes a second or more, so that it can be met.
  std::ofstream scenario(file("long.yaml"));
  scenario << "scenario: long\npurpose: p.\nplatform: k3-am62x\nfiles: { am62-mcu-m4f0_0-fw: rpmsg-echo }\n"
              "host: { shutdown: v2 }\nsteps:\n";
  for (int i = 0; i < 500; ++i) {
    scenario << "  - echo start > /sys/class/remoteproc/remoteproc0/state\n"
                "  - echo stop > /sys/class/remoteproc/remoteproc0/state\n";
  }
  scenario.close();
  std::ofstream(file("s.yaml")) << "study: s\npurpose: p.\nscenario: long.yaml\n"
                                   "parameters: { dm.pm_latency: [50us, 90us] }\nlimit: 50s\n";
  const pid_t pid = start(
      {"/bin/sh", "-c",
       fmt::format("exec {} study {} -o {} -j 1 >{} 2>&1", RPSIM_PROGRAM, file("s.yaml"), file("r"), file("said"))});
  // This process, the one with the snapshot, its worker, and a point.
  const auto a_point = [&] {
    pid_t at = pid;
    for (int generation = 0; generation < 3 && at != 0; ++generation) {
      pid_t next = 0;
      std::ifstream(fmt::format("/proc/{0}/task/{0}/children", at)) >> next;
      at = next;
    }
    return at;
  };
  pid_t point = 0;
  // The results are there before the first point begins.
  ASSERT_TRUE(comes([&] { return fs::exists(file("r/results.sqlite")) && (point = a_point()) != 0; }, 20));
  ::kill(point, SIGKILL);
  EXPECT_EQ(end_of(pid), 3);
  EXPECT_THAT(content("said"), HasSubstr("killed by signal 9 (Killed) 1 (first: point 0)"));
  EXPECT_THAT(content("said"), HasSubstr("2 of 2 points"));
  EXPECT_EQ(ask("r", "SELECT outcome FROM points WHERE point = 1"), "ok");
}

TEST_F(study_program, several_go_one_after_the_other_and_a_bad_one_stops_none) {
  const std::string varies = "vary_from: 99ms\nparameters: { ack_delay: [50us, 90us] }\n";
  const auto r = rpsim({"study", study(varies, "one.yaml"), study("parameters: { ack_dely: [1us] }\n", "bad.yaml"),
                        study(varies, "two.yaml"), "-o", file("all"), "-q"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("bad.yaml:4:15"));
  EXPECT_NE(content("all/one/points.csv"), "");
  EXPECT_EQ(content("all/one/points.csv"), content("all/two/points.csv"));
}

TEST_F(study_program, bad_input_is_refused_with_its_place) {
  const auto why = [&](const std::string& rest) {
    const auto r = run(study(rest), "bad");
    EXPECT_EQ(r.status, 2) << rest;
    return r.err;
  };
  EXPECT_THAT(why("parameters: { ack_dely: [1us] }\n"),
              HasSubstr("s.yaml:4:15: there is no parameter 'ack_dely': did you"));
  EXPECT_THAT(why("parameters: { m4f.clock: \"uniform(0Hz, 1MHz)\" }\nsamples: 1\n"),
              HasSubstr("s.yaml:4:26: m4f.clock"));
  EXPECT_THAT(why("parameters: { ack_delay: \"normal(1us, 1us, -1us, 2us)\" }\nsamples: 1\n"),
              HasSubstr("goes below 0"));
  EXPECT_THAT(why("parameters: { ack_delay: [] }\n"), HasSubstr("s.yaml:4:26: the grid of ack_delay is empty"));
  EXPECT_THAT(why("parameters: { m4f.clock: \"uniform(1MHz, 1e13Hz)\" }\nsamples: 1\n"),
              HasSubstr("goes above 1000GHz"));
  EXPECT_THAT(why("parameters: { ack_delay: \"lognormal(1us, 40)\" }\nsamples: 1\n"),
              HasSubstr("s.yaml:4:26: ack_delay: 'lognormal(1us, 40)' goes above"));
  EXPECT_THAT(why("parameters: { mailbox0.fifo_depth: [4, 8] }\n"),
              HasSubstr("s.yaml:4:40: mailbox0.fifo_depth: '8' goes above 7"));
  EXPECT_THAT(why("parameters: { mailbox0.fifo_depth: [0, 4] }\n"),
              HasSubstr("s.yaml:4:37: mailbox0.fifo_depth: '0' goes below 1"));
  EXPECT_THAT(why("parameters: { ack_delay: \"empirical(nowhere.csv)\" }\nsamples: 1\n"), HasSubstr("cannot read"));
  EXPECT_THAT(why("params: { ack_dely: 1us }\n"), HasSubstr("s.yaml:4:11:"));
  EXPECT_THAT(why("vary_from: 59s\n"), HasSubstr("s.yaml:4:12: vary_from: the scenario ended at"));
  EXPECT_THAT(why("measure: [shutdwon]\n"), HasSubstr("did you mean 'shutdown'?"));
  EXPECT_THAT(why("questions: [\"p50(shutdwon) < 1s\"]\n"), HasSubstr("did you mean 'shutdown'?"));
  EXPECT_FALSE(fs::exists(file("bad/results.sqlite")));
  const auto directory = run(file("."), "bad");
  EXPECT_EQ(directory.status, 2);
  EXPECT_THAT(directory.err, HasSubstr("this is a directory, not a study file"));
}

TEST_F(study_program, a_point_that_runs_out_of_time_is_reported_and_the_others_go_on) {
  // Seconds of a CPU's time, if the first stop is acknowledged; if it is not, the scenario ends there.
  std::ofstream scenario(file("long.yaml"));
  scenario << "scenario: long\npurpose: p.\nplatform: k3-am62x\nfiles: { am62-mcu-m4f0_0-fw: rpmsg-echo }\n"
              "host: { shutdown: v2 }\nsteps:\n";
  for (int i = 0; i < 2000; ++i) {
    scenario << "  - echo start > /sys/class/remoteproc/remoteproc0/state\n"
                "  - wait: { event: rpmsg.channel.created ti.ipc4.ping-pong }\n"
                "  - wait: 10ms\n"
                "  - echo stop > /sys/class/remoteproc/remoteproc0/state\n";
  }
  scenario.close();
  std::ofstream(file("s.yaml"))
      << "study: s\npurpose: p.\nscenario: long.yaml\nvary_from: { event: shell.run \"echo stop*\" }\n"
         "parameters: { m4f.fw.shutdown: [ack-after-deinit, never-acks] }\nlimit: 500ms\n";
  const auto r = run(file("s.yaml"), "r", {"-j", "1"});
  EXPECT_EQ(r.status, 3) << r.out << r.err;
  EXPECT_EQ(ask("r", "SELECT outcome FROM points WHERE point = 0"), "out of time") << r.out << r.err;
  EXPECT_NE(ask("r", "SELECT outcome FROM points WHERE point = 1"), "") << r.out << r.err;
  EXPECT_THAT(r.out, HasSubstr("2 of 2 points"));
}

TEST_F(study_program, finds_the_boundary_and_says_what_is_beyond_it) {
  // The host waits 2 ms for WFI from the acknowledge on; firmware that acknowledges first has to be done by then.
  const auto r = run(study("vary_from: 99ms\nparams: { m4f.fw.shutdown: ack-before-deinit }\n"
                           "find: [{ largest: deinit_time, between: [0us, 10ms], step: 10us, for_which: succeeds }]\n"),
                     "r");
  ASSERT_EQ(r.status, 0) << r.err;
  const json found = json::parse(content("r/study.json"))["find"][0];
  EXPECT_TRUE(found["found"]);
  EXPECT_EQ(found["next"].get<double>() - found["value"].get<double>(), 10e6);
  EXPECT_GT(found["value"].get<double>(), 1e9);
  EXPECT_LT(found["value"].get<double>(), 3e9);
  EXPECT_THAT(found["reason"].get<std::string>(), HasSubstr("ETIMEDOUT"));
  EXPECT_LE(found["trials"].size(), 13u);  // bisection: 1001 values
}

TEST_F(study_program, firmware_that_idles_has_not_parked_and_what_gave_up_was_not_joined) {
  const auto phases = [&](const std::string& shutdown) {
    const auto r = run(study("vary_from: 99ms\nparams: { m4f.fw.shutdown: " + shutdown + " }\n"), shutdown);
    EXPECT_EQ(r.err, "");
    return json::parse(content(shutdown + "/study.json"))["groups"][0]["phases"];
  };
  const json parked = phases("ack-after-deinit"), idle = phases("never-acks");
  EXPECT_TRUE(parked.contains("wfi.parking") && parked.contains("join.return")) << parked;
  EXPECT_TRUE(idle.contains("wfi.queued")) << idle;
  EXPECT_FALSE(idle.contains("wfi.parking") || idle.contains("join.return")) << idle;
}

TEST_F(study_program, points_that_part_within_a_handshake_have_all_of_its_phases) {
  for (const char* from : {"99ms", "{ event: mailbox.sent SHUTDOWN }"}) {
    const auto r = run(study(fmt::format("vary_from: {}\n", from)), "r");
    const json g = json::parse(content("r/study.json"))["groups"][0];
    EXPECT_EQ(g["phases"]["ack.queued"]["p50_ps"], 1'170'000) << from;
    EXPECT_EQ(g["margins"]["margin.wfi"]["n"], 1) << from;
    fs::remove_all(file("r"));
  }
}

TEST_F(study_program, a_deadline_that_nobody_came_near_is_one_line) {
  const auto r = run(study("vary_from: 99ms\nparameters: { ack_delay: [50us, 90us] }\n"), "near");
  EXPECT_THAT(r.out, HasSubstr("left of the wait for the ACK: never less than 99.9"));
  EXPECT_THAT(r.out, HasSubstr("ack_delay=50us  1"));
  const auto late = run(study("vary_from: 99ms\nparameters: { ack_delay: [50us, 4.9s] }\n"), "far");
  EXPECT_THAT(late.out, testing::ContainsRegex("ack_delay=4.9s +1 +0 +5.000 s +99\\.[0-9]+ ms"));
}

TEST_F(study_program, sensitivity_names_the_parameter_that_matters) {
  const auto r =
      run(study("vary_from: 99ms\nparameters: { ack_delay: \"uniform(0us, 1ms)\", deinit_time: \"uniform(100us, "
                "110us)\" }\nsamples: 60\n"),
          "r", {"--sensitivity"});
  ASSERT_EQ(r.status, 0) << r.err;
  const json s = json::parse(content("r/study.json"))["sensitivity"][0];
  EXPECT_EQ(s["n"], 60);
  EXPECT_GT(s["parameters"][0]["first_order"].get<double>(), 0.8);
  EXPECT_LT(s["parameters"][1]["total"].get<double>(), 0.1);
  EXPECT_EQ(s["parameters"][0]["at_high_ps"].get<std::int64_t>() > s["parameters"][0]["at_low_ps"].get<std::int64_t>(),
            true);
}

TEST_F(study_program, a_question_that_does_not_hold_is_1) {
  const auto r = run(study("questions: [\"max(shutdown) < 1us\"]\n"), "r");
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.out, HasSubstr("NO   max(shutdown) < 1us"));
}

TEST_F(study_program, a_parameter_that_nothing_asks_for_is_named) {
  const auto r = run(study("vary_from: 99ms\nparameters: { mailbox0.fifo_depth: [4, 7] }\n"), "r");
  EXPECT_THAT(r.err, HasSubstr("nothing asked for mailbox0.fifo_depth after 99ms"));
}

TEST_F(study_program, stops_cleanly_when_interrupted) {
  const std::string s = stops(100'000);
  const pid_t pid = start({RPSIM_PROGRAM, "study", s, "-o", file("r"), "-q"});
  while (!fs::exists(file("r/results.sqlite-wal")) || fs::file_size(file("r/results.sqlite-wal")) < 50'000)
    std::this_thread::sleep_for(5ms);
  ::kill(pid, SIGINT);
  EXPECT_EQ(end_of(pid), 130);
  EXPECT_EQ(ask("r", "PRAGMA quick_check"), "ok");
  EXPECT_GT(std::stoi(ask("r", "SELECT count(*) FROM points")), 0);
  EXPECT_TRUE(fs::exists(file("r/study.json")));
}

TEST_F(study_program, the_studies_that_come_with_it_are_sound) {
  const auto r = rpsim({"check", RPSIM_SOURCE_DIR "/scenarios/studies"});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("ack-order.yaml: ok"));
  EXPECT_THAT(rpsim({"list"}).out, HasSubstr("studies/ack-order.yaml"));
  const auto bad = rpsim({"check", study("parameters: { ack_dely: [1us] }\n")});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, HasSubstr("s.yaml:4:15: there is no parameter 'ack_dely'"));
}

}  // namespace
}  // namespace rpsim
