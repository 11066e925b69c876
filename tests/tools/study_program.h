#pragma once
// A user of `rpsim study`, in a directory of their own.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "models/common/subprocess.h"

namespace rpsim {

class study_program : public testing::Test {
 protected:
  study_program() : directory_(std::filesystem::path(testing::TempDir()) / fmt::format("rpsim_study_{}", ::getpid())) {
    std::filesystem::create_directories(directory_);
  }
  ~study_program() override { std::filesystem::remove_all(directory_); }

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
  /// Goes on while the test does, and no longer.
  pid_t start(std::vector<std::string> words) {
    words.insert(words.begin(), {"setpriv", "--pdeathsig", "KILL"});
    std::vector<char*> arguments;
    for (std::string& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    pid_t pid = 0;
    EXPECT_EQ(::posix_spawnp(&pid, arguments[0], nullptr, nullptr, arguments.data(), environ), 0);
    return pid;
  }
  /// Its exit status, or 128 + n if signal n ended it.
  static int end_of(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  /// Whether it came true.
  static bool comes(const std::function<bool()>& condition, int seconds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  std::filesystem::path directory_;
};

}  // namespace rpsim
