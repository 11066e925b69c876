// `rpsim study` as people use it: the same table whatever -j, resumed after it was killed, one point played again.

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

#include "models/common/subprocess.h"

namespace rpsim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

class study_program : public testing::Test {
 protected:
  study_program() : directory_(fs::path(testing::TempDir()) / fmt::format("rpsim_study_{}", ::getpid())) {
    fs::create_directories(directory_);
  }
  ~study_program() override { fs::remove_all(directory_); }

  std::string file(const std::string& name) { return (directory_ / name).string(); }
  std::string content(const std::string& name) {
    std::ifstream in(file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// A study of one stop; `rest` says what varies.
  std::string study(const std::string& rest, const std::string& name = "s.yaml") {
    std::ofstream(file(name)) << "study: s\npurpose: p.\nscenario: " RPSIM_SOURCE_DIR "/scenarios/k3/stop-once.yaml\n"
                              << rest;
    return file(name);
  }
  std::string stops(unsigned samples) {
    return study(
        fmt::format("vary_from: 99ms\nparameters: {{ ack_delay: \"uniform(50us, 150us)\", dm.pm_latency: [50us, "
                    "90us], host.thread_wake: \"lognormal(5us, 0.3)\" }}\nsamples: {}\n",
                    samples));
  }
  subprocess_result rpsim(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), RPSIM_PROGRAM);
    return run_subprocess(arguments, "");
  }
  subprocess_result run(const std::string& what, const std::string& to, std::vector<std::string> more = {}) {
    std::vector<std::string> all{"study", what, "-o", file(to), "-q"};
    all.insert(all.end(), more.begin(), more.end());
    return rpsim(all);
  }
  /// The first column of the first row.
  std::string ask(const std::string& to, const std::string& sql) {
    sqlite3* db = nullptr;
    std::string answer;
    if (sqlite3_open(file(to + "/results.sqlite").c_str(), &db) == SQLITE_OK) {
      sqlite3_exec(
          db, sql.c_str(),
          [](void* out, int, char** values, char**) {
            if (static_cast<std::string*>(out)->empty()) *static_cast<std::string*>(out) = values[0] ? values[0] : "";
            return 0;
          },
          &answer, nullptr);
    }
    sqlite3_close(db);
    return answer;
  }
  fs::path directory_;
};

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
  std::vector<std::string> words{RPSIM_PROGRAM, "study", s, "-o", results, "-q"};
  std::vector<char*> arguments;
  for (std::string& w : words) arguments.push_back(w.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  ASSERT_EQ(::posix_spawn(&pid, RPSIM_PROGRAM, nullptr, nullptr, arguments.data(), environ), 0);
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
  EXPECT_THAT(why("parameters: { ack_delay: \"empirical(nowhere.csv)\" }\nsamples: 1\n"), HasSubstr("cannot read"));
  EXPECT_THAT(why("params: { ack_dely: 1us }\n"), HasSubstr("s.yaml:4:11:"));
  EXPECT_THAT(why("vary_from: 59s\n"), HasSubstr("s.yaml:4:12: vary_from: the scenario ended at"));
  EXPECT_THAT(why("measure: [shutdwon]\n"), HasSubstr("did you mean 'shutdown'?"));
  EXPECT_THAT(why("questions: [\"p50(shutdwon) < 1s\"]\n"), HasSubstr("did you mean 'shutdown'?"));
  EXPECT_FALSE(fs::exists(file("bad/results.sqlite")));
}

TEST_F(study_program, a_point_that_runs_out_of_time_is_reported_and_the_others_go_on) {
  // Either takes about a millisecond of the wall clock; on a busy machine both may be late.
  const auto r = run(study("vary_from: 99ms\nparameters: { m4f.quantum: [10us, 1ps] }\nlimit: 1ms\n"
                           "params: { deinit_time: 100ms }\n"),
                     "r", {"-j", "1"});
  EXPECT_EQ(r.status, 3) << r.out << r.err;
  EXPECT_THAT(r.out, HasSubstr("out of time 1 (first: point "));
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
  const auto r = run(study("vary_from: 99ms\nparameters: { mailbox0.fifo_depth: [4, 8] }\n"), "r");
  EXPECT_THAT(r.err, HasSubstr("nothing asked for mailbox0.fifo_depth after 99ms"));
}

TEST_F(study_program, stops_cleanly_when_interrupted) {
  const std::string s = stops(100'000);
  std::vector<std::string> words{RPSIM_PROGRAM, "study", s, "-o", file("r"), "-q"};
  std::vector<char*> arguments;
  for (std::string& w : words) arguments.push_back(w.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  ASSERT_EQ(::posix_spawn(&pid, RPSIM_PROGRAM, nullptr, nullptr, arguments.data(), environ), 0);
  while (!fs::exists(file("r/results.sqlite-wal")) || fs::file_size(file("r/results.sqlite-wal")) < 50'000)
    std::this_thread::sleep_for(5ms);
  ::kill(pid, SIGINT);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 130);
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
