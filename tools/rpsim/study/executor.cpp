#include "tools/rpsim/study/executor.h"

#include <sched.h>

#include <algorithm>
#include <csignal>

#include "tools/rpsim/study/point.h"

namespace rpsim::tool {

namespace {

constexpr char REFUSED = '!';  // begins the text of a refusal, so that it can be told from a snapshot that broke

unsigned cpus() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
}

class local final : public point_executor {
 public:
  local(const study& s, const local_options& o, const resources& where)
      : workers_(o.workers != 0 ? o.workers : cpus()) {
    fork_pool::options pool{.workers = workers_,
                            .limit = std::chrono::milliseconds(static_cast<std::int64_t>(s.limit.to_seconds() * 1e3))};
    pools_.resize(s.variants.size());
    for (std::size_t v = 0; v < s.variants.size(); ++v) {
      if (!o.variants.empty() && std::ranges::find(o.variants, v) == o.variants.end()) continue;
      try {
        pools_[v] =
            std::make_unique<fork_pool>([&](std::string& about) { return snapshot(s, v, o, where, about); }, pool);
      } catch (const snapshot_failed& e) {
        const std::string_view text = e.what();
        if (text.starts_with(REFUSED)) throw study_refused(std::string(text.substr(1)));
        throw;
      }
    }
  }

  const std::string& about(std::size_t variant) override { return pools_[variant]->about(); }

  bool run(const std::vector<std::vector<job_range>>& points, const arrived& take) override {
    for (std::size_t v = 0; v < points.size(); ++v) {
      if (!points[v].empty() && !run(*pools_[v], points[v], take)) return false;
    }
    return true;
  }

 private:
  bool run(fork_pool& pool, const std::vector<job_range>& points, const arrived& take) const {
    std::uint64_t total = 0;
    for (const job_range& r : points) total += r.count;
    const std::uint64_t chunk = std::clamp<std::uint64_t>(total / (8 * workers_), 1, 32);
    auto range = points.begin();
    std::uint64_t given = 0;  // of *range
    for (;;) {
      while (range != points.end() && pool.outstanding() < 3 * chunk * workers_) {
        const std::uint64_t count = std::min(chunk, range->count - given);
        pool.give({range->first + given, count});
        given += count;
        if (given == range->count) {
          ++range;
          given = 0;
        }
      }
      if (pool.outstanding() == 0) return true;
      if (!take(pool.take(std::chrono::milliseconds(100)))) return false;
    }
  }

  static fork_pool::work snapshot(const study& s, std::size_t variant, const local_options& o, const resources& where,
                                  std::string& about) {
    std::signal(SIGTERM,
                SIG_IGN);  // a queue sends it to everybody, as a terminal does SIGINT: a point must not end by it
    run_options options;
    options.seed = o.seed;
    options.overrides = o.overrides;
    try {
      auto system = std::make_shared<study_system>(s, variant, options, where);
      system->run_prefix();
      about = system->about();
      return [system](std::uint64_t point) { return system->run_point(point).encode(); };
    } catch (const refused& r) {
      std::string text(1, REFUSED);
      for (const problem& p : r.problems) text += p.message() + '\n';
      throw std::runtime_error(text);
    }
  }

  unsigned workers_;
  std::vector<std::unique_ptr<fork_pool>> pools_;
};

}  // namespace

std::unique_ptr<point_executor> local_executor(const study& s, const local_options& o, const resources& where) {
  return std::make_unique<local>(s, o, where);
}

}  // namespace rpsim::tool
