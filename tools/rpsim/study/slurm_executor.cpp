#include "tools/rpsim/study/slurm_executor.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <boost/icl/interval_set.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/study/chunk_file.h"
#include "tools/rpsim/study/plan.h"
#include "tools/rpsim/study/stop_signal.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace fs = std::filesystem;
namespace icl = boost::icl;
using json = nlohmann::ordered_json;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

using interval = icl::right_open_interval<std::uint64_t>;
using point_set = icl::interval_set<std::uint64_t, std::less, interval>;

/// A task boots the simulated system before its first point: some tenths of a second, as do Slurm's own preparations.
constexpr std::uint64_t CHUNK = 500;
constexpr auto LOOK = 200ms;  // for files
constexpr auto ASK = 1s, ASK_SELDOM = 10s, ASK_OFTEN_FOR = 60s;
/// What other nodes wrote may be seen late: NFS keeps what it knows of a directory for up to a minute (nfs(5),
/// acdirmax); and a task that failed may be started again by Slurm.
constexpr auto GRACE_COMPLETED = 60s, GRACE_FAILED = 1s;
constexpr auto GRACE_CANCELLED = 20s;
constexpr auto KILLED_HELD = 1s;
constexpr std::size_t MOST_WARNINGS = 10;

std::uint32_t crc_of(std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

std::uint32_t crc_of(const results_store::identity& who) {
  std::string all;
  for (const auto& [key, value] : who) all += fmt::format("{}\n{}\n", key, value);
  return crc_of(all);
}

std::string results_name(std::uint64_t task) { return fmt::format("task-{}.results", task); }

/// Of all starts of a task, its results as far as they had come.
std::vector<std::string> parts_of(const std::string& directory, std::uint64_t task) {
  std::vector<std::string> all;
  const std::string begin = fmt::format("task-{}.part-", task);
  std::error_code error;
  for (const auto& f : fs::directory_iterator(directory, error)) {
    if (f.path().filename().string().starts_with(begin)) all.push_back(f.path().string());
  }
  std::ranges::sort(all);
  return all;
}

std::string last_line(const std::string& file) {
  std::string text = read_file(file).value_or("");
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.substr(text.rfind('\n') + 1).substr(0, 300);
}

std::string shell_word(const std::string& text) {
  std::string q = "'";
  for (const char c : text) q += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return q + "'";
}

std::string tasks_text(std::size_t n) { return n == 1 ? "1 task" : fmt::format("{} tasks", n); }

std::string ranges_text(const point_set& points) {
  std::string text;
  std::size_t shown = 0;
  for (const interval& i : points) {
    if (++shown > 3) return text + ", …";
    const std::uint64_t last = i.upper() - 1;
    text += fmt::format("{}{}", text.empty() ? "" : ", ",
                        i.lower() == last ? fmt::format("{}", last) : fmt::format("{}–{}", i.lower(), last));
  }
  return text;
}

class slurm_array final : public point_executor {
 public:
  slurm_array(slurm_queue queue, slurm_options o, const study& s, point_executor& here)
      : queue_(std::move(queue)),
        options_(std::move(o)),
        variants_(s.variants.size()),
        here_(here),
        base_(fs::canonical(options_.directory).string() + "/slurm") {}

  const std::string& about(std::size_t variant) override { return here_.about(variant); }

  bool run(const std::vector<std::vector<job_range>>& points, const arrived& take) override {
    for (const auto& of_variant : points) {
      for (const job_range& r : of_variant) wanted_ += interval(r.first, r.first + r.count);
    }
    bool all = true;
    try {
      if (options_.resume) take_in_earlier(take);
      point_set coming;
      for (const array& a : arrays_) {
        for (const part& p : a.parts) {
          if (p.waiting) coming += p.points;
        }
      }
      submit(wanted_ - coming);
      all = watch(take);
    } catch (const slurm_refused&) {
      throw;
    } catch (...) {  // nobody will take the results
      for (const array& a : arrays_) {
        if (a.job) queue_.cancel(*a.job);
      }
      throw;
    }
    tidy();
    return all;
  }

 private:
  /// What one task is to do.
  struct part {
    point_set points;
    bool waiting = true, lost = false;
    bool began = false;                      // the queue had it as more than pending
    std::optional<clock::time_point> ended;  // when the queue first said so
  };
  struct array {
    std::string directory;
    std::uint32_t order = 0;
    std::optional<std::uint64_t> job;
    std::vector<part> parts;
  };

  // ---- submitting

  std::uint64_t next_number() const {
    std::uint64_t next = 1;
    std::error_code error;
    for (const auto& d : fs::directory_iterator(base_, error)) next = std::max(next, number_of(d.path()) + 1);
    return next;
  }
  static std::uint64_t number_of(const fs::path& directory) {
    const std::string name = directory.filename().string();
    std::uint64_t n = 0;
    std::from_chars(name.data(), name.data() + name.size(), n);
    return n;
  }

  void submit(const point_set& points) {
    if (points.empty()) return;
    const std::uint64_t total = icl::cardinality(points);
    const std::uint64_t most = queue_.most_tasks();
    const std::uint64_t size = std::max(options_.chunk != 0 ? options_.chunk : CHUNK, (total + most - 1) / most);
    array a;
    a.directory = fmt::format("{}/{}", base_, next_number());
    json chunks = json::array();
    std::uint64_t room = 0;
    for (const interval& i : points) {
      for (std::uint64_t first = i.lower(); first < i.upper();) {
        if (room == 0) {
          room = size;
          a.parts.emplace_back();
          chunks.push_back(json::array());
        }
        const std::uint64_t count = std::min(room, i.upper() - first);
        a.parts.back().points += interval(first, first + count);
        chunks.back().push_back({first, count});
        room -= count;
        first += count;
      }
    }
    json order{{"schema", "rpsim-array-1"},
               {"study", fs::absolute(options_.file).string()},
               {"source", source()},
               {"identity", crc_of(options_.identity)},
               {"seed", options_.seed},
               {"samples", options_.samples ? json(*options_.samples) : json(nullptr)},
               {"parameters", options_.overrides},
               {"workers", options_.jobs},
               {"prefixes", json::array()},
               {"chunks", std::move(chunks)}};
    for (std::size_t v = 0; v < variants_; ++v) order["prefixes"].push_back(prefix(here_, v));
    const std::string text = order.dump() + "\n";
    a.order = crc_of(text);
    std::error_code error;
    fs::create_directories(a.directory, error);
    if (error) throw cannot_write(fmt::format("{}: {}", a.directory, error.message()));
    write(a.directory + "/order.json", text);
    std::string script = "#!/bin/sh\n";
    if (const char* home = std::getenv("RPSIM_HOME")) script += fmt::format("export RPSIM_HOME={}\n", shell_word(home));
    script += fmt::format("exec {} study-task {} \"$SLURM_ARRAY_TASK_ID\"\n",
                          shell_word(fs::read_symlink("/proc/self/exe").string()), shell_word(a.directory));
    write(a.directory + "/task.sh", script);
    std::vector<std::string> words{"--job-name=rpsim"};
    if (options_.jobs != 0) words.push_back(fmt::format("--cpus-per-task={}", options_.jobs));
    words.insert(words.end(), options_.sbatch.begin(), options_.sbatch.end());
    try {
      a.job = queue_.submit(a.directory, a.parts.size(), words);
    } catch (const slurm_refused&) {
      // It may have been accepted for all that, if the answer did not come in time.
      for (const slurm_queue::task& t : queue_.tasks().value_or(std::vector<slurm_queue::task>{})) {
        if (t.directory == a.directory) queue_.cancel(t.job);
      }
      fs::remove_all(a.directory, error);
      fs::remove(base_, error);
      throw;
    }
    options_.note(fmt::format("job {}: {} points in {}", *a.job, total, tasks_text(a.parts.size())));
    arrays_.push_back(std::move(a));
  }

  static void write(const std::string& path, const std::string& text) {
    output file(path);
    file.write(text);
    file.check();
  }

  std::uint32_t source() const {
    const auto of = std::ranges::find(options_.identity, "study file", &std::pair<std::string, std::string>::first);
    return crc_of(of->second);
  }

 public:
  static std::string prefix(point_executor& points, std::size_t variant) {
    return json::parse(points.about(variant)).at("prefix");
  }

 private:
  // ---- earlier arrays

  void take_in_earlier(const arrived& take) {
    std::vector<std::string> directories;
    std::error_code error;
    for (const auto& d : fs::directory_iterator(base_, error)) {
      if (number_of(d.path()) != 0) directories.push_back(d.path().string());
    }
    if (directories.empty()) return;
    std::ranges::sort(directories, {}, [](const std::string& d) { return number_of(d); });
    const auto tasks = queue_.tasks();
    if (!tasks) throw slurm_refused("--engine slurm: squeue does not say whether an earlier job still runs; try again");
    for (const std::string& d : directories) {
      auto a = read_order(d);
      if (!a) {
        options_.warn(fmt::format("{} is left alone: it is not of this study, or damaged", d));
        continue;
      }
      std::set<std::uint64_t> alive;
      for (const slurm_queue::task& t : *tasks) {
        // One that is whole may be on its way out.
        if (t.directory != d || t.ended() || fs::exists(d + "/" + results_name(t.index), error)) continue;
        a->job = t.job;
        alive.insert(t.index);
      }
      for (std::uint64_t i = 0; i < a->parts.size(); ++i) {
        if (alive.contains(i)) continue;
        a->parts[i].waiting = false;  // what it did not do is done anew
        (void)collect(*a, i, take);
      }
      if (!alive.empty()) options_.note(fmt::format("job {} still has {}", *a->job, tasks_text(alive.size())));
      arrays_.push_back(std::move(*a));
    }
  }

  std::optional<array> read_order(const std::string& directory) const {
    try {
      const auto text = read_file(directory + "/order.json");
      if (!text) return std::nullopt;
      const json order = json::parse(*text);
      if (order.at("schema") != "rpsim-array-1" || order.at("identity") != crc_of(options_.identity))
        return std::nullopt;
      array a;
      a.directory = directory;
      a.order = crc_of(*text);
      for (const json& chunk : order.at("chunks")) {
        part p;
        for (const json& r : chunk) {
          const std::uint64_t first = r.at(0), count = r.at(1);
          p.points += interval(first, first + count);
        }
        a.parts.push_back(std::move(p));
      }
      return a;
    } catch (const json::exception&) {
      return std::nullopt;
    }
  }

  // ---- taking results

  bool deliver(std::vector<job_end> ended, const arrived& take) {
    std::erase_if(ended, [&](const job_end& e) {
      if (!icl::contains(wanted_, e.job)) return true;
      wanted_ -= e.job;
      return false;
    });
    return take(std::move(ended));
  }

  /// What a task left. @return the points it did not.
  point_set collect(const array& a, std::uint64_t index, const arrived& take) {
    std::vector<std::string> files = parts_of(a.directory, index);
    const std::string whole = a.directory + "/" + results_name(index);
    std::error_code error;
    if (fs::exists(whole, error)) files.push_back(whole);
    for (const std::string& file : files) {
      chunk_content content = read_chunk(file, a.order);
      // A task that was killed may have been in the middle of a record.
      if (file == whole && !content.damage.empty()) options_.warn(content.damage);
      (void)deliver(std::move(content.ended), take);
    }
    return wanted_ & a.parts[index].points;
  }

  void settle(array& a, std::uint64_t index, const std::string& why, const arrived& take) {
    part& p = a.parts[index];
    p.waiting = false;
    const point_set left = collect(a, index, take);
    if (left.empty()) return;
    p.lost = true;
    if (++warnings_ > MOST_WARNINGS) {
      if (warnings_ == MOST_WARNINGS + 1)
        options_.warn(fmt::format("further tasks are not shown; their logs are in {}", a.directory));
      return;
    }
    std::string text = fmt::format("task {} of job {} {}: {} of its points did not run ({})", index, *a.job, why,
                                   icl::cardinality(left), ranges_text(left));
    const std::string log = fmt::format("{}/task-{}.log", a.directory, index);
    const std::string line = last_line(log);
    std::error_code error;
    if (!line.empty()) {
      text += fmt::format("; {} ends: {}", log, line);
    } else if (p.began && !fs::exists(log, error)) {
      text += fmt::format("; it left no log: is {} on a file system that the nodes share?", a.directory);
    }
    options_.warn(text);
  }

  // ---- watching

  bool watch(const arrived& take) {
    const auto began = clock::now();
    auto ask_at = began + ASK;
    while (take_whole(take)) {
      const auto now = clock::now();
      if (now >= ask_at) {
        ask_queue(take);
        ask_at = clock::now() + (now - began < ASK_OFTEN_FOR ? ASK : ASK_SELDOM);
      }
      if (!take({})) {
        cancel(take);
        return false;
      }
      std::this_thread::sleep_for(LOOK);
    }
    return true;
  }

  /// @return whether there is anything to wait for.
  bool take_whole(const arrived& take) {
    bool waiting = false;
    for (array& a : arrays_) {
      if (std::ranges::none_of(a.parts, &part::waiting)) continue;
      std::set<std::string> there;
      std::error_code error;
      for (const auto& f : fs::directory_iterator(a.directory, error)) there.insert(f.path().filename().string());
      for (std::uint64_t i = 0; i < a.parts.size(); ++i) {
        if (!a.parts[i].waiting) continue;
        if (there.contains(results_name(i))) {
          settle(a, i, "left damaged results", take);
        } else {
          waiting = true;
        }
      }
    }
    return waiting;
  }

  void ask_queue(const arrived& take) {
    const auto tasks = queue_.tasks();
    if (!tasks) {
      if (!silent_) options_.warn("squeue does not answer; results are still taken in as they come");
      silent_ = true;
      return;
    }
    silent_ = false;
    const auto now = clock::now();
    for (array& a : arrays_) {
      std::map<std::uint64_t, const slurm_queue::task*> of;
      bool runs = false;
      for (const slurm_queue::task& t : *tasks) {
        if (t.job != a.job) continue;
        of[t.index] = &t;
        runs = runs || (t.state != "PENDING" && !t.ended());
      }
      for (std::uint64_t i = 0; i < a.parts.size(); ++i) {
        part& p = a.parts[i];
        if (!p.waiting) continue;
        const slurm_queue::task* t = of.contains(i) ? of[i] : nullptr;
        p.began = p.began || (t != nullptr && t->state != "PENDING");
        if (t != nullptr && !t->ended()) {
          p.ended.reset();  // Slurm started it again
          if (!runs && t->reason != "None" && waits_for_.insert(t->reason).second)
            options_.note(fmt::format("job {} waits in the queue: {}", *a.job, t->reason));
          continue;
        }
        if (!p.ended) p.ended = now;
        // A task that is cancelled while it waits is gone without a trace.
        const bool may_have_results = t != nullptr ? t->state == "COMPLETED" : p.began;
        if (now - *p.ended < (may_have_results ? clock::duration(GRACE_COMPLETED) : clock::duration(GRACE_FAILED)))
          continue;
        settle(a, i, t != nullptr ? fmt::format("ended as {} ({})", t->state, t->reason) : forgotten(*a.job, i, p),
               take);
      }
    }
  }

  std::string forgotten(std::uint64_t job, std::uint64_t index, const part& p) const {
    const std::string how = queue_.accounting(job, index);
    if (!how.empty()) return "ended as " + how;
    return p.began ? "ended, and the queue has forgotten how" : "was cancelled before it began";
  }

  /// A task that is cancelled puts away what it has, and ends.
  void cancel(const arrived& take) {
    std::set<std::uint64_t> jobs;
    for (const array& a : arrays_) {
      if (std::ranges::any_of(a.parts, &part::waiting)) jobs.insert(*a.job);
    }
    for (const std::uint64_t job : jobs) {
      options_.note(fmt::format("cancelling job {}", job));
      queue_.cancel(job);
    }
    const auto until = clock::now() + GRACE_CANCELLED;
    bool run = true;
    while (run && clock::now() < until) {
      const auto tasks = queue_.tasks();
      run = !tasks || std::ranges::any_of(*tasks, [&](const auto& t) { return jobs.contains(t.job) && !t.ended(); });
      if (run) std::this_thread::sleep_for(LOOK);
    }
    for (array& a : arrays_) {
      for (std::uint64_t i = 0; i < a.parts.size(); ++i) {
        if (!a.parts[i].waiting) continue;
        (void)collect(a, i, take);
        a.parts[i].waiting = run;  // it may still write
      }
    }
  }

  void tidy() {
    std::error_code error;
    for (const array& a : arrays_) {
      if (std::ranges::none_of(a.parts, [](const part& p) { return p.waiting || p.lost; }))
        fs::remove_all(a.directory, error);
    }
    fs::remove(base_, error);  // if it is empty
  }

  slurm_queue queue_;
  slurm_options options_;
  std::size_t variants_;
  point_executor& here_;
  std::string base_;
  point_set wanted_;  // and not here yet
  std::vector<array> arrays_;
  std::set<std::string> waits_for_;
  std::size_t warnings_ = 0;
  bool silent_ = false;
};

/// Ends of points on their way into the task's file.
class task_results {
 public:
  task_results(const std::string& path, std::uint32_t order) : file_(path, order) {}

  void add(std::vector<job_end> ended) {
    const auto now = clock::now();
    // Whoever kills a task kills every process of it: a point that ended by that is not the point's own doing.
    for (job_end& e : ended) {
      if (e.how == job_end::kind::killed) held_.emplace_back(now, std::move(e));
    }
    std::erase_if(ended, [](const job_end& e) { return e.how == job_end::kind::killed; });
    std::erase_if(held_, [&](auto& one) {
      if (now - one.first < KILLED_HELD) return false;
      ended.push_back(std::move(one.second));
      return true;
    });
    if (!ended.empty()) file_.add(ended);
  }
  void finish(const std::string& name) {
    while (!held_.empty()) {
      std::this_thread::sleep_for(LOOK);
      add({});
    }
    file_.finish(name);
  }

 private:
  chunk_writer file_;
  std::vector<std::pair<clock::time_point, job_end>> held_;
};

/// A number that Slurm tells a task.
std::uint64_t told(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

}  // namespace

std::unique_ptr<point_executor> slurm_executor(slurm_queue queue, slurm_options o, const study& s,
                                               point_executor& here) {
  return std::make_unique<slurm_array>(std::move(queue), std::move(o), s, here);
}

int run_array_task(const std::string& directory, std::uint64_t index, const resources& where) {
  const stop_signal stop;
  const auto text = read_file(directory + "/order.json");
  if (!text) {
    error(text.error() + ": is it on a file system that this node shares?");
    return 2;
  }
  const json order = json::parse(*text);
  const std::uint32_t id = crc_of(*text);
  auto s = load_study(order.at("study"), vocabulary::built_in());
  if (!s) {
    for (const problem& p : s.error()) fmt::print(stderr, "{}\n", p.message());
    return 2;
  }
  if (crc_of(s->source) != order.at("source")) {
    error(fmt::format("{} has changed since the study was submitted", s->file));
    return 2;
  }
  if (!order.at("samples").is_null()) s->samples = order.at("samples");
  const std::uint64_t seed = order.at("seed");

  std::vector<job_end> before;
  point_set left;
  for (const json& r : order.at("chunks").at(index))
    left += interval(r.at(0), r.at(0).get<std::uint64_t>() + r.at(1).get<std::uint64_t>());
  for (const std::string& file : parts_of(directory, index)) {
    for (job_end& e : read_chunk(file, id).ended) {
      if (!icl::contains(left, e.job)) continue;
      left -= e.job;
      before.push_back(std::move(e));
    }
  }
  const plan points(*s, seed, {});  // without boundary searches, which are not sent here
  std::vector<std::vector<job_range>> ranges(s->variants.size());
  for (const interval& i : left) {
    for (std::uint64_t p = i.lower(); p < i.upper(); ++p) {
      auto& of = ranges[points.locate(p).variant];
      if (!of.empty() && of.back().first + of.back().count == p) {
        ++of.back().count;
      } else {
        of.push_back({p, 1});
      }
    }
  }
  local_options local{.workers = order.at("workers"), .seed = seed};
  local.overrides = order.at("parameters").get<decltype(local.overrides)>();
  if (local.workers == 0) local.workers = static_cast<unsigned>(told("SLURM_CPUS_ON_NODE"));
  for (std::size_t v = 0; v < ranges.size(); ++v) {
    if (!ranges[v].empty()) local.variants.push_back(v);
  }
  try {
    task_results results(fmt::format("{}/task-{}.part-{}", directory, index, told("SLURM_RESTART_COUNT")), id);
    results.add(std::move(before));
    if (!local.variants.empty()) {
      const auto executor = local_executor(*s, local, where);
      for (const std::size_t v : local.variants) {
        if (slurm_array::prefix(*executor, v) == order.at("prefixes").at(v).get<std::string>()) continue;
        error(
            "the run up to vary_from is another one here: rpsim, the scenario or a firmware is not what it was when "
            "the study was submitted");
        return 2;
      }
      const bool all = executor->run(ranges, [&](std::vector<job_end> ended) {
        results.add(std::move(ended));
        return !stop.came();
      });
      if (!all) return 128 + SIGTERM;
    }
    results.finish(fmt::format("{}/{}", directory, results_name(index)));
    return 0;
  } catch (const study_refused& e) {
    fmt::print(stderr, "{}", e.what());
    return 2;
  }
}

}  // namespace rpsim::tool
