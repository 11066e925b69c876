// fork_bench STUDY [POINTS]: what a point costs that is forked off a snapshot, beside what the machine makes of a bare
// fork, exit and wait in the same process, and of a process for each point, in the same run. Exits 1 if memory or pages
// are over budget; what depends on the machine and its load is shown.
// fork_bench STUDY --prefix | --point: the snapshot, or it and a point, in this process: the difference of the two
// under callgrind is what a point's simulation costs in instructions (tools/budgets does that).

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/simulation.h"
#include "tools/rpsim/study/fork_pool.h"
#include "tools/rpsim/study/point.h"
#include "tools/rpsim/study/statistics.h"
#include "tools/rpsim/study/store.h"
#include "tools/rpsim/study/summary.h"
#include "tools/rpsim/vocabulary.h"

int sc_main(int, char**) { return 0; }

namespace {

using namespace rpsim::tool;
using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

/// Of this process, on a CPU.
std::int64_t cpu_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
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

/// Pages that only this process has. smaps's Private_Dirty counts an executable's own pages, too, until a page cache
/// that is fresh from the linker has been written back.
long own_pages() {
  constexpr std::uint64_t PRESENT = 1ull << 63, OF_A_FILE = 1ull << 61, EXCLUSIVE = 1ull << 56;
  const int fd = ::open("/proc/self/pagemap", O_RDONLY);
  std::ifstream maps("/proc/self/maps");
  std::string line;
  long count = 0;
  while (std::getline(maps, line)) {
    std::uint64_t from = 0, to = 0;
    if (line.ends_with("[vsyscall]") || std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &from, &to) != 2) continue;
    std::uint64_t entries[512];
    for (std::uint64_t page = from / 4096; page < to / 4096;) {
      const std::uint64_t n = std::min<std::uint64_t>(std::size(entries), to / 4096 - page);
      if (::pread(fd, entries, n * 8, static_cast<off_t>(page * 8)) != static_cast<ssize_t>(n * 8)) break;
      count += std::count_if(entries, entries + n, [](std::uint64_t e) {
        return (e & (PRESENT | OF_A_FILE | EXCLUSIVE)) == (PRESENT | EXCLUSIVE);
      });
      page += n;
    }
  }
  ::close(fd);
  return count;
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

/// Processes from exec to exit, each of which builds the system and runs a point.
double start_rate(int times, char* study) {
  const auto start = clock_type::now();
  char self[] = "/proc/self/exe", point[] = "--point";
  char* argv[] = {self, study, point, nullptr};
  for (int i = 0; i < times; ++i) {
    pid_t pid = 0;
    int status = 0;
    if (::posix_spawn(&pid, self, nullptr, nullptr, argv, environ) != 0 || ::waitpid(pid, &status, 0) != pid ||
        status != 0)
      throw std::runtime_error("a point in a process of its own failed");
  }
  return times / seconds_since(start);
}

int over = 0;
enum class at { most, least };
enum class is { budget, shown };
void row(const char* what, double value, const char* unit, at which, double budget, is binding) {
  const bool good = which == at::most ? value <= budget : value >= budget;
  if (!good && binding == is::budget) over = 1;
  std::printf("%-58s %9.2f %-6s budget %s %6.6g  %s\n", what, value, unit, which == at::most ? "<=" : ">=", budget,
              good ? "ok" : "OVER");
}
void row(const char* what, double value, const char* unit) { std::printf("%-58s %9.2f %s\n", what, value, unit); }

/// The jobs of a pool, with what its children say of themselves.
class bench {
 public:
  static constexpr std::uint64_t MEASURED = 50;  // the first points say what they took
  // Jobs that are no points: of the worker's memory, KiB, and a bare loop.
  static constexpr std::uint64_t DIRTY = 1ull << 40, RESIDENT = DIRTY + 1, BARE = DIRTY + 2;
  static constexpr int BARE_FORKS = 1000;

  bench(const study& s, unsigned workers)
      : pool_(
            [&s](std::string& about) -> fork_pool::work {
              auto system = std::make_shared<study_system>(s, 0, run_options{}, resources::find());
              system->run_prefix();
              about = system->about();
              return [system](std::uint64_t job) {
                if (job == BARE) return fmt::format("{}", bare_rate(BARE_FORKS));
                if (job == DIRTY) return fmt::format("{}", memory(fmt::format("{}", ::getppid()), "Anonymous"));
                if (job == RESIDENT) return fmt::format("{}", memory(fmt::format("{}", ::getppid()), "Rss"));
                const std::int64_t start = cpu_ns();
                std::string result = system->run_point(job).encode();
                if (job >= MEASURED) return result;
                const std::int64_t took = cpu_ns() - start;
                rusage use{};
                ::getrusage(RUSAGE_SELF, &use);
                return fmt::format("{} {} {}", took, own_pages(), use.ru_minflt);
              };
            },
            {.workers = workers, .limit = std::chrono::milliseconds(60'000)}) {}

  const std::string& about() const { return pool_.about(); }

  /// What each of them returned.
  std::vector<std::string> run(std::uint64_t first, std::uint64_t count) {
    constexpr std::uint64_t CHUNK = 32;
    std::vector<std::string> results;
    for (const std::uint64_t end = first + count; first < end || pool_.outstanding() != 0;) {
      while (first < end && pool_.outstanding() < 8 * CHUNK) {
        pool_.give({first, std::min(CHUNK, end - first)});
        first += std::min(CHUNK, end - first);
      }
      for (job_end& e : pool_.take(std::chrono::milliseconds(1000))) {
        if (e.how != job_end::kind::finished) throw std::runtime_error(reason(e));
        results.push_back(std::move(e.result));
      }
    }
    return results;
  }
  double special(std::uint64_t job) { return std::stod(run(job, 1).front()); }

 private:
  fork_pool pool_;
};

/// CPU seconds a point that the coordinator takes to have it in the file, some ten to a transaction as they come.
double writing_seconds(const study& s, const study_layout& layout, const std::vector<std::string>& results) {
  constexpr std::size_t BATCH = 10;
  const std::string file = std::filesystem::temp_directory_path() / fmt::format("fork_bench_{}", ::getpid());
  const std::int64_t start = cpu_ns();
  {
    results_store store(file, {}, layout.columns(), false);
    std::vector<results_store::row> rows;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const point_result r = point_result::decode(results[i], layout.settings_of(i).size(), layout.measures.size());
      rows.push_back({i, "main", s.variants[0].name, r.outcome, r.detail, r.digest, {}});
      for (const setting& one : r.settings) rows.back().values.emplace_back(one.value);
      for (const auto& m : r.measures) rows.back().values.emplace_back(m);
      for (const auto& p : r.phases) rows.back().values.emplace_back(p);
      for (const auto& m : r.margins)
        for (std::int64_t v : {m.left.value_or(0), std::int64_t{m.missed}, m.deadline})
          rows.back().values.emplace_back(v);
      if (rows.size() < BATCH && i + 1 < results.size()) continue;
      store.add(rows);
      rows.clear();
    }
  }
  const double took = static_cast<double>(cpu_ns() - start) / 1e9 / static_cast<double>(results.size());
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
  return took;
}

void measure(const study& s, char* study_file, std::uint64_t points) {
  constexpr int STARTS = 20;
  const double starts = start_rate(STARTS, study_file);

  bench one(s, 1);
  std::vector<std::int64_t> took, pages, faults;
  for (const std::string& text : one.run(0, bench::MEASURED)) {
    long t = 0, p = 0, f = 0;
    std::sscanf(text.c_str(), "%ld %ld %ld", &t, &p, &f);
    took.push_back(t);
    pages.push_back(p);
    faults.push_back(f);
  }
  const auto middle = [](std::vector<std::int64_t> v) {
    return static_cast<double>(statistics(std::move(v)).percentile(0.5));
  };
  row("private dirty memory of the snapshot", one.special(bench::DIRTY) / 1024, "MiB", at::most, 10, is::budget);
  row("pages dirtied by a point (median)", middle(pages), "pages", at::most, 150, is::budget);
  row("… page faults, with those of files", middle(faults), "");
  row("simulating a point (median, CPU)", middle(took) / 1e6, "ms", at::most, 0.6, is::shown);

  // In turns, so that what else the machine does meets both; medians.
  constexpr std::uint64_t TURNS = 10;
  const double worker_before = one.special(bench::RESIDENT);
  std::vector<std::int64_t> bare, rates;
  std::vector<std::string> results;
  const std::uint64_t part = points / TURNS;
  for (std::uint64_t turn = 0; turn < TURNS; ++turn) {
    bare.push_back(std::llround(one.special(bench::BARE)));
    const auto start = clock_type::now();
    auto some = one.run(bench::MEASURED + turn * part, part);
    rates.push_back(std::llround(static_cast<double>(part) / seconds_since(start)));
    if (turn == 0) results = std::move(some);
  }
  const double rate = middle(rates);
  row("resident size of the process that forks", worker_before / 1024, "MiB");
  row("bare fork, exit, wait of it", middle(bare), "/s");
  row("points, one worker", rate, "/s");
  row("… of the bare rate", rate / middle(bare) * 100, "%", at::least, 60, is::shown);
  const unsigned cpus = std::max(1u, std::thread::hardware_concurrency());
  if (cpus > 1) {
    bench all(s, cpus);
    all.run(0, bench::MEASURED);
    const auto start = clock_type::now();
    all.run(bench::MEASURED, points);
    row(fmt::format("points, {} workers", cpus).c_str(), static_cast<double>(points) / seconds_since(start), "/s");
  }
  row("a process for each point", starts, "/s");
  row("points, one worker, times that", rate / starts, "", at::least, 10, is::shown);
  const study_layout layout(s, 0, nlohmann::ordered_json::parse(one.about()));
  row("writing results, of a point's time", writing_seconds(s, layout, results) * rate * 100, "%", at::most, 5,
      is::shown);
  row("last tenth of the points, rate to the first's",
      static_cast<double>(rates.back()) / static_cast<double>(rates.front()), "", at::least, 0.9, is::shown);
  row("growth of the worker over the points", (one.special(bench::RESIDENT) - worker_before) / 1024, "MiB", at::most,
      0.5, is::budget);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argv[2][0] != '-') bind_all_calls(argv);
  set_up_diagnostics();
  ::setenv("RPSIM_HOME", RPSIM_BUILD_DIR, 0);
  if (argc < 2) {
    std::fprintf(stderr, "usage: fork_bench STUDY [POINTS | --prefix | --point]\n");
    return 2;
  }
  const std::string what = argc > 2 ? argv[2] : "10000";
  auto s = load_study(argv[1], vocabulary::built_in());
  if (!s) {
    std::fprintf(stderr, "%s\n", s.error()[0].message().c_str());
    return 2;
  }
  try {
    if (what.starts_with("--")) {
      study_system system(*s, 0, run_options{}, resources::find());
      system.run_prefix();
      if (what == "--point") system.run_point(0);
      ::_exit(0);
    }
    const std::uint64_t points = std::strtoull(what.c_str(), nullptr, 10);
    s->samples = bench::MEASURED + points;  // all of one variant: what varies is what the points draw
    measure(*s, argv[1], points);
  } catch (const refused& r) {
    for (const problem& p : r.problems) std::fprintf(stderr, "%s\n", p.message().c_str());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
  return over;
}
