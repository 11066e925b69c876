#include "tools/rpsim/study/run_study.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/html_writer.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/study/executor.h"
#include "tools/rpsim/study/point.h"
#include "tools/rpsim/study/progress.h"
#include "tools/rpsim/study/slurm_executor.h"
#include "tools/rpsim/study/stop_signal.h"
#include "tools/rpsim/study/summary.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;
using namespace std::chrono_literals;

namespace {

const char* part_name(point_place::part p) {
  switch (p) {
    case point_place::part::main:
      return "main";
    case point_place::part::one_at_a_time:
      return "one-at-a-time";
    case point_place::part::rows:
      return "rows";
    case point_place::part::find:
      return "find";
  }
  return "?";
}

class coordinator {
 public:
  coordinator(const study& s, const study_options& o, const resources& where)
      : study_(s), options_(o), where_(where), directory_(o.directory.empty() ? s.name + ".results" : o.directory) {
    const bool array = o.engine == "slurm";
    std::optional<slurm_queue> queue;
    if (array) queue.emplace();
    // Of a job array, this machine only runs what comes one value after another.
    const unsigned workers = array && s.find.empty() ? 1 : o.jobs;
    here_ = local_executor(s, {.workers = workers, .seed = o.seed, .overrides = o.overrides}, where);
    layout_.emplace(s, o.seed, json::parse(here_->about(0)));
    std::error_code error;
    fs::create_directories(directory_, error);
    if (error) throw cannot_write(fmt::format("{}: {}", directory_, error.message()));
    store_.emplace(directory_ + "/results.sqlite", identity(), layout_->columns(), o.resume);
    if (!array) return;
    array_ = slurm_executor(std::move(*queue),
                            {.directory = directory_,
                             .file = o.file,
                             .jobs = o.jobs,
                             .chunk = o.chunk,
                             .samples = o.samples,
                             .seed = o.seed,
                             .overrides = o.overrides,
                             .sbatch = o.sbatch,
                             .resume = o.resume,
                             .identity = identity(),
                             .note = [this](const std::string& text) { bar_->note(text); },
                             .warn =
                                 [this](const std::string& text) {
                                   bar_->make_room();
                                   warn(text);
                                 }},
                            s, *here_);
  }

  int run() {
    const bool terminal = ::isatty(STDERR_FILENO) != 0;
    std::uint64_t total = 0, missing = 0;
    std::vector<std::vector<job_range>> ranges;
    for (std::size_t v = 0; v < study_.variants.size(); ++v) {
      ranges.push_back(to_do(v, total));
      for (const job_range& r : ranges.back()) missing += r.count;
    }
    json searches = json::array();
    {
      progress bar(total, total - missing, terminal, options_.quiet);
      bar_ = &bar;
      try {
        run_points(array_ ? *array_ : *here_, ranges);
      } catch (const slurm_refused&) {
        store_->discard();
        throw;
      }
      for (std::size_t f = 0; f < study_.find.size() && !stopped_; ++f) {
        for (std::size_t v = 0; v < study_.variants.size() && !stopped_; ++v) {
          const std::string& only = study_.find[f].variant.text;
          if (only.empty() || only == study_.variants[v].name) searches.push_back(search(f, v));
        }
      }
      bar_ = nullptr;
    }
    here_.reset();
    if (stopped_) std::erase_if(searches.get_ref<json::array_t&>(), [](const json& j) { return j.is_null(); });
    const json summary =
        summarize(study_, *layout_, *store_, options_.seed, options_.sensitivity && !stopped_, searches);
    {
      output csv(directory_ + "/points.csv");
      write_csv(csv, *layout_, *store_);
      csv.check();
    }
    {
      output file(directory_ + "/study.json");
      file.write(summary.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
      file.check();
    }
    std::optional<page_template> page;
    try {
      page = load_page(where_, "study");
    } catch (const cannot_write& e) {
      warn(e.what());  // the table and the files are there all the same
    }
    if (page) {
      output html(directory_ + "/study.html");
      write_page(html, *page, study_.name, summary.dump(-1, ' ', false, json::error_handler_t::replace));
      html.check();
    }
    output out("-");
    out.write(table_text(summary, options_.colour));
    if (stopped_) out.print("\nstopped; --resume goes on from here\n");
    out.check();
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (seen_ && !used_[i])
        warn(fmt::format("nothing asked for {} after {}: it cannot have had an effect", layout_->settings[i],
                         study_.vary_from.text));
    }
    if (stopped_) return 128 + SIGINT;
    std::uint64_t all = 0, lost = 0;
    for (std::size_t v = 0; v < study_.variants.size(); ++v) {
      for (const job_range& r : to_do(v, all)) lost += r.count;
    }
    if (lost != 0) {
      warn(fmt::format("{} of {} points did not run; --resume runs them, and nothing else", lost, all));
      return 3;
    }
    for (const auto& o : store_->outcomes(0, layout_->points.points())) {
      if (o.what.starts_with("killed by") || o.what.starts_with("ended with") || o.what.starts_with("internal error") ||
          o.what == "out of time")
        return 3;
    }
    return std::ranges::all_of(summary.at("questions"), [](const json& q) { return q.at("holds").get<bool>(); }) ? 0
                                                                                                                 : 1;
  }

 private:
  results_store::identity identity() const {
    results_store::identity who{{"schema", "rpsim-results-1"},
                                {"study", study_.name},
                                {"seed", fmt::format("{}", options_.seed)},
                                {"samples", fmt::format("{}", study_.samples)}};
    std::string set;
    for (const auto& [name, value] : options_.overrides)
      set += fmt::format("{}{}={}", set.empty() ? "" : " ", name, value);
    who.emplace_back("-p", set);
    who.emplace_back("study file", study_.source);
    // What every point has in common: a simulator or a scenario that changed tells another story.
    std::string prefixes;
    for (std::size_t v = 0; v < study_.variants.size(); ++v)
      prefixes += json::parse(here_->about(v)).at("prefix").get<std::string>() + " ";
    who.emplace_back("story up to vary_from (simulator, scenario or firmware)", prefixes);
    return who;
  }

  std::vector<job_range> to_do(std::size_t variant, std::uint64_t& total) {
    const plan& p = layout_->points;
    std::vector<job_range> all;
    const auto add = [&](std::uint64_t first, std::uint64_t count) {
      total += count;
      for (const auto& [from, n] : store_->missing(first, count)) all.push_back({from, n});
    };
    add(p.main_of(variant), p.groups() * p.samples());
    if (options_.sensitivity && !study_.parameters.empty())
      add(p.one_at_a_time(variant), p.one_at_a_time_points() + p.samples() * p.columns());
    return all;
  }

  void run_points(point_executor& with, const std::vector<std::vector<job_range>>& ranges) {
    stopped_ = !with.run(ranges, [&](std::vector<job_end> ended) {
      std::vector<results_store::row> rows;
      std::uint64_t failed = 0;
      for (const job_end& e : ended) {
        rows.push_back(row_of(e));
        if (rows.back().outcome != "ok") ++failed;
      }
      // Rows are committed as they come; in between the pipe gathers some, so that a transaction is worth its price.
      store_->add(rows);
      bar_->done(rows.size(), failed);
      if (rows.size() > 1) std::this_thread::sleep_for(10ms);
      return !stop_.came();
    });
  }

  results_store::row row_of(const job_end& e) {
    const point_place at = layout_->points.locate(e.job);
    results_store::row row;
    row.point = e.job;
    row.part = part_name(at.where);
    row.variant = study_.variants[at.variant].name;
    row.values.resize(layout_->columns_count());
    if (e.how != job_end::kind::finished) {
      row.outcome = reason(e);
      return row;
    }
    const std::vector<std::size_t> settings = layout_->settings_of(e.job);
    const point_result r = point_result::decode(e.result, settings.size(), layout_->measures.size());
    row.outcome = r.outcome;
    row.detail = r.detail;
    row.digest = r.digest;
    used_.resize(layout_->settings.size());
    seen_ = true;
    for (std::size_t i = 0; i < settings.size(); ++i) {
      row.values[settings[i]] = r.settings[i].value;
      if (i >= 64 || (r.unused >> i & 1) == 0) used_[settings[i]] = true;
    }
    const auto number = [](const std::optional<std::int64_t>& v) {
      return v ? std::optional(static_cast<double>(*v)) : std::nullopt;
    };
    for (std::size_t i = 0; i < r.measures.size(); ++i) row.values[layout_->measure_column(i)] = number(r.measures[i]);
    for (std::size_t i = 0; i < r.phases.size(); ++i) row.values[layout_->phase_column(i)] = number(r.phases[i]);
    for (std::size_t i = 0; i < r.margins.size(); ++i) {
      const std::size_t column = layout_->margin_column(i);
      row.values[column] = number(r.margins[i].left);
      if (r.margins[i].deadline == 0) continue;
      row.values[column + 1] = r.margins[i].missed ? 1 : 0;
      row.values[column + 2] = static_cast<double>(r.margins[i].deadline);
    }
    return row;
  }

  /// Bisection: the property is taken to hold on one side of one value.
  json search(std::size_t f, std::size_t variant) {
    const boundary& b = study_.find[f];
    const json& where = layout_->about.at("finds")[f];
    const std::uint64_t values = where.at("values");
    json trials = json::array();
    const auto value = [&](std::uint64_t i) {
      return where.at("low").get<double>() + where.at("step").get<double>() * static_cast<double>(i);
    };
    const auto text = [&](std::uint64_t i) { return format_quantity(value(i), where.at("unit").get<std::string>()); };
    std::string last_detail;
    const auto holds = [&](std::uint64_t i) {
      const std::uint64_t first = layout_->points.find_point(f, variant, i, 0);
      std::vector<std::vector<job_range>> ranges(variant + 1);
      std::uint64_t missing = 0;
      for (const auto& [from, n] : store_->missing(first, b.runs)) {
        ranges.back().push_back({from, n});
        missing += n;
      }
      bar_->more(missing);
      run_points(*here_, ranges);
      bool good = true;
      std::string detail = "ok";
      if (b.condition) {
        const auto a = answer(*b.condition, *store_, *layout_, first, b.runs);
        good = a && b.condition->holds(*a);
        detail =
            !a ? "nothing to measure"
            : b.condition->statistic == "share"
                ? fmt::format("it is {}", *a)
                : fmt::format("it is {}",
                              human_time(sc_core::sc_time::from_value(static_cast<std::uint64_t>(std::max(0.0, *a)))));
      } else {
        for (const auto& o : store_->outcomes(first, b.runs)) {
          if (o.what == "ok") continue;
          good = false;
          detail = o.detail.empty() ? o.what : fmt::format("{} ({})", o.what, o.detail);
        }
      }
      trials.push_back({{"value", value(i)}, {"text", text(i)}, {"holds", good}, {"detail", detail}});
      last_detail = detail;
      return good;
    };
    json result{{"text", b.text},
                {"variant", study_.variants[variant].name},
                {"parameter", where.at("name")},
                {"unit", where.at("unit")},
                {"runs", b.runs},
                {"found", false},
                {"value", nullptr},
                {"value_text", nullptr},
                {"next", nullptr},
                {"next_text", nullptr},
                {"reason", ""}};
    // From the end where it has to hold towards the other one.
    const auto index = [&](std::uint64_t away) { return b.largest ? away : values - 1 - away; };
    const auto finish = [&](std::uint64_t good, std::optional<std::uint64_t> bad, const std::string& why) {
      result["found"] = true;
      result["value"] = value(index(good));
      result["value_text"] = text(index(good));
      if (bad) {
        result["next"] = value(index(*bad));
        result["next_text"] = text(index(*bad));
      }
      result["reason"] = why;
    };
    if (!holds(index(0))) {
      result["reason"] = fmt::format("not even at {}: {}", text(index(0)), last_detail);
    } else if (holds(index(values - 1))) {
      finish(values - 1, std::nullopt, "");
    } else {
      std::uint64_t good = 0, bad = values - 1;
      std::string why = last_detail;
      while (bad - good > 1 && !stopped_) {
        const std::uint64_t middle = good + (bad - good) / 2;
        if (holds(index(middle))) {
          good = middle;
        } else {
          bad = middle;
          why = last_detail;
        }
      }
      finish(good, bad, why);
    }
    result["trials"] = std::move(trials);
    return stopped_ ? json() : result;
  }

  const study& study_;
  const study_options& options_;
  const resources& where_;
  std::string directory_;
  stop_signal stop_;
  std::unique_ptr<point_executor> here_, array_;  // the latter: of --engine slurm
  std::optional<study_layout> layout_;
  std::optional<results_store> store_;
  progress* bar_ = nullptr;
  std::vector<bool> used_;
  bool stopped_ = false, seen_ = false;
};

tl::expected<study, std::vector<problem>> load(const std::string& file, std::optional<std::uint64_t> samples) {
  auto s = load_study(file, vocabulary::built_in());
  if (s && samples) s->samples = *samples;
  return s;
}

void say_problems(const std::vector<problem>& problems) {
  for (const problem& p : problems) fmt::print(stderr, "{}\n", p.message());
}

}  // namespace

int run_study(const study_options& o, const resources& where) {
  if (o.engine == "slurm" && o.file == "-") {
    error("--engine slurm: its tasks cannot read standard input; give a file");
    return 2;
  }
  const auto s = load(o.file, o.samples);
  if (!s) {
    say_problems(s.error());
    return 2;
  }
  try {
    return coordinator(*s, o, where).run();
  } catch (const study_refused& e) {
    fmt::print(stderr, "{}", e.what());
    return 2;
  } catch (const slurm_refused& e) {
    error(e.what());
    return 2;
  }
}

run_report replay_point(const std::string& file, std::uint64_t point, std::optional<std::uint64_t> samples,
                        const run_options& options, const resources& where) {
  return reported(file, options, [&](run_report& report) {
    const auto s = load(file, samples);
    if (!s) throw refused(s.error());
    // The variant follows from the number; how many numbers there are, from the platform.
    const plan main(*s, options.seed, {});
    std::size_t variant = point < main.main_points() ? main.locate(point).variant : 0;
    std::unique_ptr<study_system> system;
    {
      // Asked in a process of its own, because a second system cannot be built in this one.
      std::unique_ptr<point_executor> asked =
          local_executor(*s, {.workers = 1, .seed = options.seed, .overrides = options.overrides}, where);
      const study_layout layout(*s, options.seed, json::parse(asked->about(0)));
      if (point >= layout.points.points())
        throw refused(
            {{file, {}, fmt::format("there is no point {}: the last one is {}", point, layout.points.points() - 1)}});
      variant = layout.points.locate(point).variant;
    }
    system = std::make_unique<study_system>(*s, variant, options, where);
    point_result result;
    run_built(report, system->sim(), system->what(), options, where, [&] {
      system->run_prefix();
      result = system->run_point(point);
    });
    report.scenario = fmt::format("{}, point {}", s->name, point);
    if (options.verbosity >= 0) {
      std::string line = fmt::format("\npoint {}: {}\n", point, result.outcome);
      for (const setting& one : result.settings) line += fmt::format("  {} = {}\n", one.name, one.text());
      for (std::size_t i = 0; i < result.measures.size(); ++i) {
        if (result.measures[i])
          line +=
              fmt::format("  {}: {}\n", system->measures()[i].name,
                          human_time(sc_core::sc_time::from_value(static_cast<std::uint64_t>(*result.measures[i]))));
      }
      line += fmt::format("  digest {:016x}\n", result.digest);
      const bool taken = options.trace == "-" || options.perfetto == "-" || options.vcd == "-";
      fmt::print(taken ? stderr : stdout, "{}", line);
      std::fflush(stdout);
    }
    // Not taken apart: the process ends, and the kernel does that faster.
    (void)system.release();
  });
}

run_report check_study(const std::string& file, const run_options& options, const resources& where) {
  return reported(file, options, [&](run_report& report) {
    const auto s = load_study(file, vocabulary::built_in());
    if (!s) throw refused(s.error());
    report.scenario = s->name;
    try {
      (void)local_executor(*s, {.workers = 1, .seed = options.seed, .overrides = options.overrides}, where);
    } catch (const study_refused& e) {
      std::string text = e.what();
      while (text.ends_with('\n')) text.pop_back();
      throw refused({{"", {}, std::move(text)}});
    }
    report.outcome = verdict::passed;
  });
}

}  // namespace rpsim::tool
