#include "tools/rpsim/engine.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/elf_image.h"
#include "tools/rpsim/html_writer.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/simulation.h"
#include "tools/rpsim/text_writer.h"
#include "tools/rpsim/trace_writers.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace {

/// Output is written at the end of each step, so that what led to a break can be read.
class flush_often final : public trace_sink {
 public:
  void add(output& o) { outputs_.push_back(&o); }
  void on_event(const event& e) override {
    if (e.name != "shell.done" && e.name != "invariant.violated" && e.name != "host.oops") return;
    for (output* o : outputs_) o->flush();
  }

 private:
  std::vector<output*> outputs_;
};

/// What the remote cores print, and nothing else.
class console_writer final : public trace_sink {
 public:
  explicit console_writer(output& out) : out_(out) {}
  void on_event(const event& e) override {
    if (e.name == "fw.log") out_.print("{}| {}\n", e.source, e.text("text"));
  }

 private:
  output& out_;
};

/// What somebody reached and no model has: registers of stubs and of partly modelled blocks, and addresses that were
/// answered with an error.
class unmodelled_collector final : public trace_sink {
 public:
  void on_event(const event& e) override {
    if (e.name == "unmodelled.access") {
      access& a = registers_[{std::string(e.source), e.number("offset"), std::string(e.text("by"))}];
      a.name = e.text("register");
      const bool write = e.text("kind") != "read";
      std::optional<std::uint64_t>& first = write ? a.first_written : a.first_read;
      if (!first) first = e.number("value");
      ++(write ? a.writes : a.reads);
      a.ignored += e.text("kind") == "locked write";
    } else if (e.name == "bus.error" && !e.text("reason").starts_with("module state")) {
      ++errors_[{std::string(e.source), e.number("address"), std::string(e.text("initiator")),
                 fmt::format("{} ({})", e.text("kind"), e.text("reason"))}];
    }
  }
  std::string text() const {
    if (registers_.empty() && errors_.empty()) return "  nothing unmodelled was reached\n";
    std::string out;
    for (const auto& [key, a] : registers_) {
      const auto& [block, offset, by] = key;
      out += fmt::format("  unmodelled  {} +0x{:03x}{}{} by {}:", block, offset, a.name.empty() ? "" : " ", a.name, by);
      if (a.first_read)
        out += fmt::format(" {}, first 0x{:x}{}", times(a.reads, "read"), *a.first_read, a.first_written ? ";" : "");
      if (a.first_written) out += fmt::format(" {}, first 0x{:x}", times(a.writes, "write"), *a.first_written);
      if (a.ignored != 0)
        out += fmt::format(", {} ignored: locked", a.ignored == a.writes ? "all" : std::to_string(a.ignored));
      out += '\n';
    }
    for (const auto& [key, count] : errors_) {
      const auto& [block, address, by, what] = key;
      out += fmt::format("  unanswered  {} 0x{:08x} by {}: {}, {}\n", block, address, by, what, times(count, "time"));
    }
    return out;
  }

 private:
  struct access {
    std::string name;
    unsigned reads = 0, writes = 0, ignored = 0;
    std::optional<std::uint64_t> first_read, first_written;
  };
  static std::string times(unsigned n, std::string_view noun) {
    return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
  }

  std::map<std::tuple<std::string, std::uint64_t, std::string>, access> registers_;  // block, offset, by
  std::map<std::tuple<std::string, std::uint64_t, std::string, std::string>, unsigned> errors_;
};

/// Every reader of a run that writes a file.
class writers {
 public:
  /// `report` is complete when finish() is called.
  writers(trace& t, const scenario& s, const run_options& o, const resources& where, const simulation& sim,
          const run_report& report)
      : trace_(t) {
    const trace_level level = o.verbosity >= 2   ? trace_level::bus
                              : o.verbosity == 1 ? trace_level::detail
                                                 : trace_level::protocol;
    const bool to_stdout = o.trace == "-" || o.perfetto == "-" || o.vcd == "-" || o.html == "-";
    if (o.verbosity >= 0 && !to_stdout) {
      output& out = standard_output();
      out.print("{}{}{}\n{}\nplatform {}, host core {}, shutdown {}, seed {}\n\n", o.colour ? "\x1b[1m" : "", s.name,
                o.colour ? "\x1b[0m" : "", s.purpose, s.platform.text, s.host.core.text, s.host.shutdown.text, o.seed);
      add(std::make_unique<text_writer>(out, o.colour, o.verbosity, o.console), level);
    } else if (o.console && !to_stdout) {
      add(std::make_unique<console_writer>(standard_output()), trace_level::protocol);
    }
    if (!o.trace.empty()) add(std::make_unique<json_lines_writer>(open(o.trace), s.name, o.seed), level);
    if (!o.perfetto.empty()) add(std::make_unique<perfetto_writer>(open(o.perfetto), s.name), level);
    if (!o.vcd.empty()) add(std::make_unique<vcd_writer>(open(o.vcd), s.name), std::max(level, trace_level::detail));
    if (!o.html.empty()) {
      page_template page = load_page(where, "run");  // before the file is there
      const run_facts facts{s.host.core.text, s.host.shutdown.text, s.host.crash.text, sim.ti_sci_hosts()};
      add(std::make_unique<html_writer>(open(o.html), std::move(page), facts, report), level);
    }
    if (!o.artifacts.empty()) {
      if (::mkdir(o.artifacts.c_str(), 0777) != 0 && errno != EEXIST) {
        throw cannot_write(fmt::format("{}: {}", o.artifacts, std::strerror(errno)));
      }
      add(std::make_unique<json_lines_writer>(open(o.artifacts + "/trace.jsonl"), s.name, o.seed), level);
    }
    if (o.unmodelled) {
      auto collector = std::make_unique<unmodelled_collector>();
      unmodelled_ = collector.get();
      add(std::move(collector), trace_level::detail);
    }
    for (const auto& out : outputs_) flush_.add(*out);
    trace_.add(flush_);
  }
  ~writers() { detach(); }
  /// Writes what is left. @throws cannot_write if a file could not take everything.
  void finish() {
    detach();
    for (const auto& out : outputs_) out->check();
  }
  writers(const writers&) = delete;
  writers& operator=(const writers&) = delete;
  std::string unmodelled() const { return unmodelled_ != nullptr ? unmodelled_->text() : ""; }

 private:
  void detach() {
    trace_.remove(flush_);
    for (const auto& s : sinks_) trace_.remove(*s);
    sinks_.clear();  // some write their end
  }
  void add(std::unique_ptr<trace_sink> s, trace_level level) {
    trace_.add(*s, level);
    sinks_.push_back(std::move(s));
  }
  output& open(const std::string& path) {
    if (path == "-") return standard_output();
    outputs_.push_back(std::make_unique<output>(path));
    return *outputs_.back();
  }
  output& standard_output() {
    if (stdout_ == nullptr) {
      outputs_.push_back(std::make_unique<output>("-"));
      stdout_ = outputs_.back().get();
    }
    return *stdout_;
  }

  trace& trace_;
  std::vector<std::unique_ptr<output>> outputs_;
  output* stdout_ = nullptr;
  std::vector<std::unique_ptr<trace_sink>> sinks_;
  flush_often flush_;
  unmodelled_collector* unmodelled_ = nullptr;
};

void refuse(run_report& report, const std::vector<problem>& problems) {
  report.outcome = verdict::refused;
  for (const problem& p : problems) report.problems.push_back(p.message());
}

}  // namespace

std::vector<problem> override_host(scenario& s, const run_options& o) {
  std::vector<problem> wrong;
  const auto set = [&](const char* name, placed_text& to, const std::vector<std::string>& words) {
    for (const auto& [key, value] : o.overrides) {
      if (key != name) continue;
      if (std::ranges::find(words, value) == words.end()) {
        wrong.push_back(
            {s.file, {}, fmt::format("-p {} cannot be '{}'; it is one of {}", name, value, fmt::join(words, ", "))});
      }
      to = {value, {}};
    }
  };
  set("host.core", s.host.core, host_core_words());
  set("host.shutdown", s.host.shutdown, host_shutdown_words());
  set("host.crash", s.host.crash, host_crash_words());
  set("core", s.every_core, {"native", "arm"});
  if (!wrong.empty()) return wrong;
  settle(s);
  if (s.steps.empty()) {
    wrong.push_back({s.file, {}, fmt::format("none of its steps is for the host core {}", s.host.core.text)});
  }
  return wrong;
}

void judge(run_report& report, const simulation& sim, const scenario& s) {
  report.checks = sim.results();
  for (const measure_result& m : sim.measures()) {
    measure_summary summary{m.name, m.from, m.to, {}};
    for (const sc_core::sc_time& t : m.values) summary.ps.push_back(t.value());
    report.measures.push_back(std::move(summary));
  }
  const std::vector<std::string>& by_design = broken_by_design(s.host.shutdown.text);
  const auto declared = [&](const std::string& name) {
    return std::ranges::find(s.violates, name, &placed_text::text) != s.violates.end();
  };
  bool clean = true;
  for (const violation& v : sim.violations()) {
    const bool design = std::ranges::find(by_design, v.invariant) != by_design.end();
    const char* standing = declared(v.invariant) ? "declared" : design ? "by design" : "undeclared";
    clean = clean && standing != std::string_view("undeclared");
    report.violations.push_back({v.invariant, v.text, v.time.value(), standing});
  }
  const bool went_through = std::ranges::all_of(report.checks, &check_result::passed);
  for (const placed_text& name : s.violates) {
    if (std::ranges::find(report.violations, name.text, &violation_summary::invariant) != report.violations.end() ||
        !went_through)
      continue;
    report.checks.push_back(
        {fmt::format("violates {}", name.text), false, "it was declared to be broken, and held", name.where});
  }
  clean = clean && std::ranges::all_of(report.checks, &check_result::passed);
  report.outcome = clean ? verdict::passed : verdict::failed;
  report.unconfirmed.assign(sim.unconfirmed().begin(), sim.unconfirmed().end());
  report.simulated_ps = sc_core::sc_time_stamp().value();
  report.events = sim.event_count();
}

run_report reported(const std::string& file, const run_options& options, const std::function<void(run_report&)>& body) {
  const auto start = std::chrono::steady_clock::now();
  run_report report;
  report.file = file;
  report.scenario = file;
  report.seed = options.seed;
  try {
    body(report);
  } catch (const refused& r) {
    refuse(report, r.problems);
  } catch (const cannot_write& e) {
    report.outcome = verdict::refused;
    report.problems = {e.what()};
  } catch (const std::exception& e) {
    report.outcome = verdict::broken;
    report.problems = {fmt::format("{}: internal error: {}", file, e.what())};
  }
  report.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

void run_built(run_report& report, simulation& sim, const scenario& s, const run_options& options,
               const resources& where, const std::function<void()>& play) {
  report.scenario = s.name;
  report.purpose = s.purpose;
  report.platform = s.platform.text;
  if (const auto& left = sim.left_native(); !left.empty())
    fmt::print(stderr, "{}: no Arm engine for {}: native\n", report.file, fmt::join(left, ", "));
  writers files(sim.events(), s, options, where, sim, report);
  play();
  judge(report, sim, s);
  if (!options.artifacts.empty()) {
    for (const auto& [name, content] : sim.artifacts()) {
      output out(fmt::format("{}/{}", options.artifacts, name));
      out.write(content);
      out.check();
    }
  }
  const std::string unmodelled = options.unmodelled ? files.unmodelled() : "";
  files.finish();
  if (!unmodelled.empty()) output("-").write(unmodelled);
}

run_report run_scenario(const std::string& file, const run_options& options, const resources& where,
                        const player& play) {
  return reported(file, options, [&](run_report& report) {
    auto loaded = load_scenario(file, vocabulary::built_in());
    if (!loaded) throw refused(loaded.error());
    scenario& s = *loaded;
    report.scenario = s.name;
    report.purpose = s.purpose;
    report.platform = s.platform.text;
    if (auto wrong = override_host(s, options); !wrong.empty()) throw refused(std::move(wrong));
    simulation sim(s, options, where);
    run_built(report, sim, s, options, where, [&] {
      if (play != nullptr) {
        play(sim, s);
      } else {
        sim.run();
      }
    });
  });
}

run_report check_scenario(const std::string& file, const run_options& options, const resources& where,
                          std::vector<std::string>& warnings) {
  run_report report;
  report.file = report.scenario = file;
  auto loaded = load_scenario(file, vocabulary::built_in());
  if (!loaded) {
    refuse(report, loaded.error());
    return report;
  }
  report.scenario = loaded->name;
  report.platform = loaded->platform.text;
  if (const auto wrong = override_host(*loaded, options); !wrong.empty()) {
    refuse(report, wrong);
    return report;
  }
  try {
    const simulation sim(*loaded, options, where);
    report.outcome = verdict::passed;
    for (const auto& [name, image] : sim.images()) {
      for (const std::string& w : elf_warnings(*image))
        warnings.push_back(fmt::format("{}: warning: {}: {}", file, name, w));
    }
  } catch (const refused& r) {
    refuse(report, r.problems);
  } catch (const std::exception& e) {
    report.outcome = verdict::broken;
    report.problems = {fmt::format("{}: internal error: {}", file, e.what())};
  }
  return report;
}

}  // namespace rpsim::tool
