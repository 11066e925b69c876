// fork_bench STUDY [POINTS]: what a point costs that is forked off a snapshot, beside what the machine makes of a bare
// fork, exit and wait in the same process, in the same run. Exits 1 if memory or pages are over budget; times are
// shown.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tools/rpsim/simulation.h"
#include "tools/rpsim/study/fork_pool.h"
#include "tools/rpsim/study/point.h"
#include "tools/rpsim/study/statistics.h"
#include "tools/rpsim/study/store.h"
#include "tools/rpsim/vocabulary.h"

int sc_main(int, char**) { return 0; }

namespace {

using namespace rpsim::tool;
using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

/// KiB of one line of /proc/PID/smaps_rollup.
long memory(const std::string& pid, const std::string& what) {
  std::ifstream in("/proc/" + pid + "/smaps_rollup");
  std::string word;
  long value = 0;
  while (in >> word) {
    if (word == what + ":" && in >> value) return value;
  }
  return -1;
}

double bare_rate(int times) {
  const auto start = clock_type::now();
  for (int i = 0; i < times; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    ::waitpid(pid, nullptr, 0);
  }
  return times / seconds_since(start);
}

int over = 0;
void row(const char* what, double value, const char* unit, double budget, bool most, bool fails) {
  const bool good = most ? value <= budget : value >= budget;
  if (!good && fails) over = 1;
  std::printf("%-58s %9.2f %-6s budget %s %6.6g  %s\n", what, value, unit, most ? "<=" : ">=", budget,
              good ? "ok" : "OVER");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: fork_bench STUDY [POINTS]\n");
    return 2;
  }
  const std::uint64_t points = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 2000;
  const auto s = load_study(argv[1], vocabulary::built_in());
  if (!s) {
    std::fprintf(stderr, "%s\n", s.error()[0].message().c_str());
    return 2;
  }
  const resources where = resources::find();
  std::shared_ptr<study_system> system;
  const auto build = [&] {
    system = std::make_shared<study_system>(*s, 0, run_options{}, where);
    system->run_prefix();
  };

  // Each point from the start of a process.
  constexpr int STARTS = 10;
  const auto begin = clock_type::now();
  for (int i = 0; i < STARTS; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      build();
      system->run_point(0);
      ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
  }
  const double starts = STARTS / seconds_since(begin);

  // One worker; the first points measure, the others are counted.
  constexpr std::uint64_t MEASURED = 50;
  fork_pool pool(
      [&](std::string& about) -> fork_pool::work {
        build();
        trim_snapshot();
        about = fmt::format("{}", memory("self", "Private_Dirty"));
        return [&](std::uint64_t job) {
          if (job == points - 1) return fmt::format("{}", memory(fmt::format("{}", ::getppid()), "Rss"));
          if (job == points) return fmt::format("{}", bare_rate(500));
          const auto start = clock_type::now();
          const std::string result = system->run_point(job).encode();
          const double took = seconds_since(start);
          if (job >= MEASURED) return result;
          rusage use{};
          ::getrusage(RUSAGE_SELF, &use);
          std::string text = fmt::format("{} {} {}", static_cast<long>(took * 1e9), memory("self", "Private_Dirty") / 4,
                                         use.ru_minflt);
          if (job == 0) text += fmt::format(" {}", memory(fmt::format("{}", ::getppid()), "Rss"));
          return text;
        };
      },
      {.workers = 1, .limit = std::chrono::milliseconds(60'000)});
  const double dirty = std::stod(pool.about()) / 1024;
  std::vector<std::int64_t> took, pages, faults;
  double resident_before = 0, resident_after = 0, bare = 0;
  const auto take_all = [&] {
    while (pool.outstanding() != 0) {
      for (const job_end& e : pool.take(std::chrono::milliseconds(1000))) {
        if (e.how != job_end::kind::finished) throw std::runtime_error(reason(e));
        if (e.job < MEASURED) {
          long t = 0, p = 0, f = 0, r = 0;
          const int n = std::sscanf(e.result.c_str(), "%ld %ld %ld %ld", &t, &p, &f, &r);
          took.push_back(t);
          pages.push_back(p);
          faults.push_back(f);
          if (n == 4) resident_before = static_cast<double>(r);
        } else if (e.job == points - 1) {
          resident_after = std::stod(e.result);
        } else if (e.job == points) {
          bare = std::max(bare, std::stod(e.result));
        }
      }
    }
  };
  pool.give({0, MEASURED});
  take_all();
  // A bare loop before and one after; the better one is the floor.
  pool.give({points, 1});
  take_all();
  const auto start = clock_type::now();
  pool.give({MEASURED, points - 1 - MEASURED});
  take_all();
  const double rate = static_cast<double>(points - 1 - MEASURED) / seconds_since(start);
  pool.give({points, 1});
  pool.give({points - 1, 1});
  take_all();

  // Writing rows as the coordinator does, some ten at a time.
  constexpr int ROWS = 2000, BATCH = 10;
  const std::string file = std::filesystem::temp_directory_path() / fmt::format("fork_bench_{}", ::getpid());
  const auto write_start = clock_type::now();
  {
    const std::vector<std::string> columns(30, "");
    std::vector<std::string> names;
    for (std::size_t i = 0; i < columns.size(); ++i) names.push_back(fmt::format("c{}", i));
    results_store store(file, {}, names, false);
    for (int i = 0; i < ROWS; i += BATCH) {
      std::vector<results_store::row> rows;
      for (int k = 0; k < BATCH; ++k) {
        rows.push_back({static_cast<std::uint64_t>(i + k), "main", "", "ok", "", 1,
                        std::vector<std::optional<double>>(names.size(), 1e9)});
      }
      store.add(rows);
    }
  }
  const double writing = seconds_since(write_start) / ROWS;
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);

  const auto middle = [](std::vector<std::int64_t> v) {
    return static_cast<double>(statistics(std::move(v)).percentile(0.5));
  };
  row("private dirty memory of the snapshot", dirty, "MiB", 10, true, true);
  row("pages dirtied by a point (median)", middle(pages), "pages", 150, true, true);
  std::printf("%-58s %9.0f\n", "… page faults, with those of files", middle(faults));
  row("simulating a point (median)", middle(took) / 1e6, "ms", 0.6, true, false);
  std::printf("%-58s %9.0f /s\n", "bare fork, exit, wait of the same process", bare);
  std::printf("%-58s %9.0f /s\n", "points, one worker", rate);
  row("… of the bare rate", rate / bare * 100, "%", 60, false, false);
  row("… times the rate of starting a process for each", rate / starts, "", 10, false, false);
  row("writing results, of a point's time", writing * rate * 100, "%", 5, true, false);
  row("growth of the worker over the points", (resident_after - resident_before) / 1024, "MiB", 0.5, true, true);
  return over;
}
