#include "tools/rpsim/explore/explore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "models/common/random.h"
#include "tools/rpsim/commands.h"
#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/explore/reproducer.h"
#include "tools/rpsim/html_writer.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/study/fork_pool.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::steady_clock;

namespace {

constexpr std::uint64_t RANGE = 16;                 // jobs that a worker takes at once: neighbours in time
constexpr std::chrono::milliseconds LIMIT{20'000};  // wall clock, for one run
constexpr std::size_t LOOKS = 8;                    // at a state, in a run that is to have a second fault

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int) { interrupted = 1; }

/// SIGINT ends the exploration, and what was found is told.
class interruptible {
 public:
  interruptible() {
    struct sigaction a {};
    a.sa_handler = interrupt;
    ::sigaction(SIGINT, &a, &before_);
  }
  ~interruptible() { ::sigaction(SIGINT, &before_, nullptr); }
  interruptible(const interruptible&) = delete;
  interruptible& operator=(const interruptible&) = delete;

 private:
  struct sigaction before_ {};
};

/// A line that changes, on a terminal; elsewhere one line every ten per cent.
class progress {
 public:
  explicit progress(std::uint64_t total) : total_(total), terminal_(::isatty(STDERR_FILENO) != 0) {}
  ~progress() {
    if (terminal_) std::fputs("\r\x1b[K", stderr);
  }
  void at(std::uint64_t done) {
    const double seconds = std::chrono::duration<double>(steady_clock::now() - start_).count();
    const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
    if (!terminal_) {
      if (done * 10 / total_ == tenth_) return;
      tenth_ = done * 10 / total_;
      std::fputs(fmt::format("explore: {} of {} points, {:.0f} a second\n", done, total_, rate).c_str(), stderr);
      return;
    }
    const auto left = static_cast<std::uint64_t>(rate > 0 ? static_cast<double>(total_ - done) / rate : 0);
    std::fputs(
        fmt::format("\r\x1b[K{} of {} points, {:.0f} a second, {}:{:02} left", done, total_, rate, left / 60, left % 60)
            .c_str(),
        stderr);
  }

 private:
  std::uint64_t total_, tenth_ = 0;
  bool terminal_;
  steady_clock::time_point start_ = steady_clock::now();
};

/// Every job's faults; jobs in the order of their first fault's time.
using job_list = std::vector<std::vector<planned_fault>>;

/// Runs them all. `looks`: when to look at the state; what each run passes after its fault comes along.
std::vector<std::optional<finding>> run_jobs(const explore_options& o, const resources& where, const finding& normal,
                                             const job_list& jobs, const std::vector<std::uint64_t>& looks) {
  std::unique_ptr<probe> seed;
  fork_pool::options pool_options;
  // States that are to be compared are all come to from one worker: what it did before is in them, as rubbish.
  pool_options.workers = looks.empty() ? o.workers : 1;
  pool_options.limit = LIMIT;
  pool_options.before_fork = [&](std::uint64_t job) {
    if (!jobs[job].empty()) seed->advance(jobs[job].front().ps);
  };
  fork_pool pool(
      [&](std::string& about) -> fork_pool::work {
        probe_options p = o.probe;
        p.keep_places = !looks.empty();
        seed = std::make_unique<probe>(o.file, p, where, &normal);
        about = "ready";
        return [&](std::uint64_t job) {
          if (o.schedules != 0) seed->shuffle(job + 1);
          return to_json(seed->run(jobs[job], looks)).dump();
        };
      },
      pool_options);

  std::vector<std::optional<finding>> found(jobs.size());
  std::uint64_t given = 0, done = 0;
  progress bar(jobs.size());
  const interruptible here;
  while (done < given || (given < jobs.size() && interrupted == 0)) {
    while (given < jobs.size() && interrupted == 0 && pool.outstanding() < 4 * RANGE * o.workers) {
      const std::uint64_t count = std::min<std::uint64_t>(RANGE, jobs.size() - given);
      pool.give({given, count});
      given += count;
    }
    for (const job_end& e : pool.take(std::chrono::milliseconds(200))) {
      finding f;
      if (e.how == job_end::kind::finished) {
        f = finding_from_json(json::parse(e.result));
      } else {
        f.what = finding_class::broken;
        f.detail = reason(e);
      }
      found[e.job] = std::move(f);
      ++done;
    }
    bar.at(done);
  }
  return found;
}

/// Findings that tell one story.
struct story {
  finding_class what = finding_class::passed;
  std::string detail;
  std::vector<std::uint64_t> jobs;
  std::uint64_t example = 0;  // the shortest
  std::string file;           // its scenario; "" if there is none
  bool replays = false;
};

/// Second faults among what a run with the first passes, drawn without repetition; and what has to be run for them.
/// Where a run comes to a state that an earlier one was in at that time, what follows is that one's: a fault put in
/// there need not be put into both.
struct pair_plan {
  job_list jobs;                    // the pairs
  job_list runs;                    // in the order of their first fault's time
  std::vector<std::size_t> run_of;  // of each pair
  std::uint64_t possible = 0,
                same_state = 0;  // how many there could be; of them, that lead through another run's state
};

class result {
 public:
  result(const explore_options& o, const resources& where, finding normal)
      : o_(o), where_(where), normal_(std::move(normal)) {}

  void add(job_list jobs, std::vector<std::optional<finding>> found) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (!found[i]) continue;
      jobs_.push_back(std::move(jobs[i]));
      found_.push_back(std::move(*found[i]));
      numbers_.push_back(static_cast<unsigned>(i) + 1);
    }
  }
  void add_pairs(const pair_plan& plan, const std::vector<std::optional<finding>>& of_runs) {
    pairs_possible_ = plan.possible;
    pairs_same_ = plan.same_state;
    const auto done = [](const auto& all) {
      return static_cast<std::uint64_t>(std::ranges::count_if(all, [](const auto& f) { return f.has_value(); }));
    };
    std::vector<std::optional<finding>> found;
    for (const std::size_t run : plan.run_of) found.push_back(of_runs[run]);
    pairs_ = done(found);
    pair_runs_ = done(of_runs);
    add(plan.jobs, std::move(found));
  }
  void tell(double seconds);
  bool any_broken() const {
    return std::ranges::any_of(found_, [](const finding& f) { return f.what == finding_class::broken; });
  }

 private:
  std::string kind(std::uint64_t job) const;
  void gather();
  void write_scenarios();
  std::string table() const;
  json to_document(double seconds) const;
  std::string csv() const;

  const explore_options& o_;
  const resources& where_;
  finding normal_;
  job_list jobs_;
  std::vector<finding> found_;
  std::vector<unsigned> numbers_;  // of schedules
  std::uint64_t pairs_possible_ = 0, pairs_same_ = 0, pairs_ = 0, pair_runs_ = 0;
  std::vector<story> stories_;
  std::map<std::string, std::vector<std::uint64_t>> counts_;  // by kind: how many of each class
};

std::string result::kind(std::uint64_t job) const {
  if (jobs_[job].empty()) return "schedule";
  std::vector<std::string_view> kinds;
  for (const planned_fault& f : jobs_[job]) kinds.push_back(f.kind);
  return fmt::format("{}", fmt::join(kinds, " + "));
}

void result::gather() {
  std::map<std::pair<finding_class, std::string>, story> by_detail;
  for (std::uint64_t job = 0; job < found_.size(); ++job) {
    const finding& f = found_[job];
    auto& row = counts_[jobs_[job].size() > 1 ? "two faults" : kind(job)];
    row.resize(finding_class_names().size());
    ++row[static_cast<std::size_t>(f.what)];
    story& s = by_detail[{f.what, f.detail}];
    s.what = f.what;
    s.detail = f.detail;
    const auto length = [&](std::uint64_t j) {
      return std::tuple(found_[j].lines.size(), jobs_[j].empty() ? 0 : jobs_[j].back().ps);
    };
    if (s.jobs.empty() || length(job) < length(s.example)) s.example = job;
    s.jobs.push_back(job);
  }
  for (auto& [key, s] : by_detail) stories_.push_back(std::move(s));
  std::ranges::stable_sort(stories_, [](const story& a, const story& b) {
    return std::tuple(b.what, b.jobs.size()) < std::tuple(a.what, a.jobs.size());
  });
}

/// Files of an exploration that was here before would look like this one's. One that somebody has renamed is theirs.
void remove_reproducers(const fs::path& directory, const fs::path& explored) {
  std::vector<fs::path> old;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(directory, gone)) {
    const std::string name = entry.path().stem();
    const std::size_t last = name.find_last_not_of("0123456789");
    const bool numbered = last != std::string::npos && name[last] == '-' && last + 1 < name.size();
    std::string first;
    std::ifstream file(entry.path());
    if (numbered && entry.path().extension() == ".yaml" && std::getline(file, first) && first.starts_with(REPRODUCER) &&
        first.ends_with(REPRODUCER_END) && !fs::equivalent(entry.path(), explored, gone))
      old.push_back(entry.path());
  }
  for (const fs::path& p : old) fs::remove(p, gone);
}

void result::write_scenarios() {
  remove_reproducers(o_.directory, o_.file);
  std::map<finding_class, unsigned> numbers;
  for (story& s : stories_) {
    if (s.what == finding_class::passed || s.what == finding_class::broken) continue;
    std::string slug = to_string(s.what);
    std::ranges::replace(slug, ' ', '-');
    const std::string name = fmt::format("{}-{}", slug, ++numbers[s.what]);
    s.file = (fs::path(o_.directory) / (name + ".yaml")).string();
    probe_options p = o_.probe;
    if (jobs_[s.example].empty()) p.schedule = numbers_[s.example];
    output(s.file).write(reproducer(o_.file, p, name, jobs_[s.example], found_[s.example]));
    run_options quiet = o_.probe.run;
    quiet.overrides.clear();
    quiet.verbosity = -1;
    quiet.schedule = p.schedule;
    const run_report r = run_in_child(s.file, quiet, where_);
    const bool never_returns =
        std::ranges::find(found_[s.example].lines, "", &typed_line::result) != found_[s.example].lines.end();
    s.replays = r.outcome == (never_returns ? verdict::failed : verdict::passed);
    if (!s.replays) warn(fmt::format("{} does not replay what was found: {}", s.file, r.reason()));
  }
}

std::string result::table() const {
  const auto& classes = finding_class_names();
  std::size_t width = 10;
  for (const auto& [name, row] : counts_) width = std::max(width, name.size());
  std::vector<std::uint64_t> sum(classes.size());
  for (const auto& [name, row] : counts_) {
    for (std::size_t i = 0; i < row.size(); ++i) sum[i] += row[i];
  }
  std::string text = fmt::format("{:{}}", "", width);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (sum[i] != 0) text += fmt::format("  {:>11}", classes[i]);
  }
  text += "\n";
  const auto line = [&](const std::string& name, const std::vector<std::uint64_t>& row) {
    text += fmt::format("{:<{}}", name, width);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (sum[i] != 0) text += row[i] == 0 ? fmt::format("  {:>11}", "·") : fmt::format("  {:>11}", row[i]);
    }
    text += "\n";
  };
  for (const auto& [name, row] : counts_) line(name, row);
  line("all", sum);
  text += "\n";
  for (const story& s : stories_) {
    if (s.what == finding_class::passed) continue;
    text += fmt::format("{:<11} {:>6} ×  {}\n", to_string(s.what), s.jobs.size(), s.detail);
    std::string example = fmt::format("{:{}}", "", 11 + 1 + 6 + 4);
    if (jobs_[s.example].empty()) {
      example += fmt::format("--schedule {}", numbers_[s.example]);
    } else {
      for (const planned_fault& f : jobs_[s.example])
        example += fmt::format("{}{} {}", &f == jobs_[s.example].data() ? "" : " and ", f.kind, f.where());
    }
    if (!s.file.empty()) example += "  " + s.file;
    text += example + "\n";
  }
  return text;
}

std::string result::csv() const {
  std::string text = "point,kind,where,time_ps,class,retried,end_ps,detail\n";
  for (std::size_t i = 0; i < found_.size(); ++i) {
    std::string detail = found_[i].detail;
    std::vector<std::string> places;
    for (const planned_fault& f : jobs_[i]) places.push_back(f.where());
    std::ranges::replace(detail, '"', '\'');
    text += fmt::format("{},{},\"{}\",{},{},{},{},\"{}\"\n", i, kind(i), fmt::join(places, " and "),
                        jobs_[i].empty() ? 0 : jobs_[i].front().ps, to_string(found_[i].what),
                        found_[i].retried ? 1 : 0, found_[i].end_ps, detail);
  }
  return text;
}

json result::to_document(double seconds) const {
  json doc = {{"schema", "rpsim-explore-1"},
              {"file", o_.file},
              {"seed", o_.probe.run.seed},
              {"classes", finding_class_names()},
              {"points", found_.size()},
              {"seconds", seconds},
              {"points_per_second", seconds > 0 ? static_cast<double>(found_.size()) / seconds : 0}};
  auto loaded = load_scenario(o_.file, vocabulary::built_in());
  if (loaded) {
    (void)override_host(*loaded, o_.probe.run);
    doc["scenario"] = loaded->name;
    doc["purpose"] = loaded->purpose;
    doc["platform"] = loaded->platform.text;
    doc["core"] = loaded->host.core.text;
    doc["shutdown"] = loaded->host.shutdown.text;
  }
  if (pairs_ != 0)
    doc["pairs"] = {
        {"possible", pairs_possible_}, {"same_state", pairs_same_}, {"tried", pairs_}, {"runs", pair_runs_}};
  doc["matrix"] = json::array();
  for (const auto& [name, row] : counts_) doc["matrix"].push_back({{"kind", name}, {"counts", row}});
  doc["stories"] = json::array();
  for (const story& s : stories_) {
    json places = json::array();
    for (const planned_fault& f : jobs_[s.example])
      places.push_back({{"kind", f.kind}, {"where", f.where()}, {"ps", f.ps}});
    doc["stories"].push_back({{"class", to_string(s.what)},
                              {"detail", s.detail},
                              {"count", s.jobs.size()},
                              {"example", std::move(places)},
                              {"file", s.file.empty() ? "" : fs::path(s.file).filename().string()},
                              {"replays", s.replays}});
  }
  doc["findings"] = json::array();
  for (std::size_t i = 0; i < found_.size(); ++i) {
    doc["findings"].push_back({jobs_[i].empty() ? 0 : jobs_[i].front().ps, kind(i), to_string(found_[i].what)});
  }
  return doc;
}

void result::tell(double seconds) {
  gather();
  write_scenarios();
  const auto write = [&](const char* name, const std::string& text) {
    output out((fs::path(o_.directory) / name).string());
    out.write(text);
    out.check();
  };
  output out("-");  // first: a disk that is full must not take the result with it
  out.write(table());
  if (pairs_ != 0)
    out.print("\n{} of {} pairs of faults tried, in {} runs; {} of them all lead through a state of another run\n",
              pairs_, pairs_possible_, pair_runs_, pairs_same_);
  out.print("\n{} points in {:.2f} s: {:.0f} points a second\n", found_.size(), seconds,
            seconds > 0 ? static_cast<double>(found_.size()) / seconds : 0);
  out.flush();
  const json document = to_document(seconds);
  write("explore.json", document.dump(1) + "\n");
  write("explore.csv", csv());
  std::optional<page_template> page;
  try {
    page = load_page(where_, "study");
  } catch (const cannot_write& e) {
    warn(e.what());
  }
  if (page) {
    output html((fs::path(o_.directory) / "explore.html").string());
    write_page(html, *page, fmt::format("{}, explored", document.value("scenario", o_.file)), document.dump());
    html.check();
  }
  out.print("{}/explore.json, explore.csv{}\n", o_.directory, page ? ", explore.html" : "");
}

/// The run that nothing disturbs, in a process of its own.
finding undisturbed(const explore_options& o, const resources& where) {
  std::unique_ptr<probe> it;
  fork_pool pool(
      [&](std::string& about) -> fork_pool::work {
        probe_options p = o.probe;
        p.keep_places = true;
        try {
          it = std::make_unique<probe>(o.file, p, where, nullptr);
        } catch (const refused& r) {
          std::string text;
          for (const problem& one : r.problems) {
            if (!text.empty()) text += '\n';
            text += one.message();
          }
          throw std::runtime_error(text);
        }
        about = "ready";
        return [&](std::uint64_t) { return to_json(it->run({}, {})).dump(); };
      },
      {.workers = 1, .limit = LIMIT, .before_fork = {}});
  pool.give({0, 1});
  std::vector<job_end> ends;
  while (ends.empty()) ends = pool.take(std::chrono::milliseconds(1000));
  if (ends[0].how != job_end::kind::finished) throw std::logic_error("the undisturbed run: " + reason(ends[0]));
  return finding_from_json(json::parse(ends[0].result));
}

/// Times evenly among those at which the undisturbed run does something.
std::vector<std::uint64_t> looks_at(const finding& normal) {
  std::vector<std::uint64_t> times, looks;
  for (const fault_place& p : normal.places) {
    if (p.ps > 1 && (times.empty() || times.back() != p.ps)) times.push_back(p.ps);
  }
  const std::size_t count = std::min(LOOKS, times.size());
  for (std::size_t i = 0; i < count; ++i) looks.push_back(times[(i + 1) * times.size() / (count + 1)]);
  looks.erase(std::ranges::unique(looks).begin(), looks.end());
  return looks;
}

pair_plan pairs(const explore_options& o, const job_list& first, const std::vector<std::optional<finding>>& found) {
  struct merger {
    std::uint64_t from = UINT64_MAX;  // picoseconds; in the state of
    std::size_t into = 0;
  };
  std::vector<merger> merged(first.size());
  std::map<std::pair<std::uint64_t, std::string>, std::size_t> states;
  std::vector<std::vector<planned_fault>> second(first.size());
  std::vector<std::uint64_t> up_to;  // running sum: a pair's number tells both
  pair_plan plan;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (found[i]) {
      for (const auto& state : found[i]->states_at) {
        const auto [it, fresh] = states.try_emplace(state, i);
        if (fresh) continue;
        merged[i] = {state.first, it->second};
        break;
      }
      if (!first[i].empty()) second[i] = plan_faults(found[i]->places, o.plan);
    }
    plan.same_state += static_cast<std::uint64_t>(
        std::ranges::count_if(second[i], [&](const planned_fault& f) { return f.ps >= merged[i].from; }));
    plan.possible += second[i].size();
    up_to.push_back(plan.possible);
  }
  std::set<std::uint64_t> chosen;
  if (plan.possible <= o.budget) {
    for (std::uint64_t n = 0; n < plan.possible; ++n) chosen.insert(n);
  } else {
    random_registry rng(o.probe.run.seed);
    random_stream& draw = rng.stream("explore.pairs");
    while (chosen.size() < o.budget) chosen.insert(draw.below(plan.possible));
  }

  using key = std::tuple<std::uint64_t, std::size_t, std::uint64_t, std::string, std::string, sc_core::sc_time>;
  std::map<key, std::size_t> runs;
  std::vector<key> keys;
  std::vector<const planned_fault*> faults;
  for (const std::uint64_t n : chosen) {
    auto i = static_cast<std::size_t>(std::ranges::upper_bound(up_to, n) - up_to.begin());
    const planned_fault& f = second[i][n - (up_to[i] - second[i].size())];
    plan.jobs.push_back({first[i].front(), f});
    while (o.prune && f.ps >= merged[i].from) i = merged[i].into;
    const std::uint64_t begin = first[i].empty() ? f.ps : first[i].front().ps;
    keys.emplace_back(begin, i, f.ps, f.kind, f.where(), f.spec.by);
    faults.push_back(&f);
    runs.emplace(keys.back(), faults.size() - 1);
  }
  std::size_t number = 0;
  for (auto& [k, example] : runs) {
    auto& run = plan.runs.emplace_back(first[std::get<1>(k)]);
    run.push_back(*faults[example]);
    example = number++;
  }
  for (const key& k : keys) plan.run_of.push_back(runs.at(k));
  return plan;
}

}  // namespace

int explore(const explore_options& given, const resources& where) {
  explore_options o = given;
  finding normal;
  try {
    normal = undisturbed(o, where);
  } catch (const snapshot_failed& e) {
    error(e.what());
    return 2;
  }
  if (normal.what != finding_class::passed) {
    error(fmt::format("{} does not pass as it stands: {}", o.file, normal.detail));
    return 1;
  }
  if (o.directory.empty()) o.directory = fs::path(o.file).stem().string() + ".explored";
  std::error_code failed;
  fs::create_directories(o.directory, failed);
  if (failed) throw cannot_write(fmt::format("{}: {}", o.directory, failed.message()));

  job_list jobs;
  if (o.schedules != 0) {
    jobs.resize(o.schedules);
  } else {
    for (planned_fault& f : plan_faults(normal.places, o.plan)) jobs.push_back({std::move(f)});
  }
  if (jobs.empty()) {
    error("there is no point at which one of these faults could be put");
    return 2;
  }
  const auto start = steady_clock::now();
  result all(o, where, normal);
  std::vector<std::uint64_t> looks;
  if (o.faults > 1) {
    looks = looks_at(normal);
    jobs.insert(jobs.begin(), std::vector<planned_fault>{});  // whose states are those after a fault that left no trace
  }
  auto found = run_jobs(o, where, normal, jobs, looks);
  if (o.faults > 1 && interrupted == 0) {
    pair_plan two = pairs(o, jobs, found);
    const auto of_runs = run_jobs(o, where, normal, two.runs, {});
    all.add_pairs(two, of_runs);
  }
  if (o.faults > 1) {
    jobs.erase(jobs.begin());
    found.erase(found.begin());
  }
  all.add(std::move(jobs), std::move(found));
  all.tell(std::chrono::duration<double>(steady_clock::now() - start).count());
  if (interrupted != 0) {
    warn("stopped: the table has the points that were run until then");
    return 128 + SIGINT;
  }
  return all.any_broken() ? 3 : 0;
}

}  // namespace rpsim::tool
