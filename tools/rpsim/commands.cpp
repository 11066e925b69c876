#include "tools/rpsim/commands.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <set>
#include <stdexcept>

#include "host_sw/linux_host.h"
#include "host_sw/remoteproc/histories.h"
#include "models/common/params.h"
#include "platforms/platform.h"
#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/host_life.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/simulation.h"
#include "tools/rpsim/study/run_study.h"
#include "tools/rpsim/study/study.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace fs = std::filesystem;

namespace {

/// Scenario files: directories are searched, in order of name; a schema is none, and studies only where they are
/// wanted.
std::vector<std::string> expand(const std::vector<std::string>& names, bool studies) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    std::error_code error;
    if (!fs::is_directory(name, error)) {
      files.push_back(name);
      continue;
    }
    std::vector<std::string> found;
    for (auto it = fs::recursive_directory_iterator(name, error); it != fs::recursive_directory_iterator(); ++it) {
      const std::string leaf = it->path().filename().string();
      if (it->is_directory() && (leaf == "schema" || (leaf == "studies" && !studies))) it.disable_recursion_pending();
      if (it->is_regular_file() && it->path().extension() == ".yaml") found.push_back(it->path().string());
    }
    std::ranges::sort(found);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

/// Indented, with lines of a readable length.
std::string paragraph(std::string_view text) {
  constexpr std::size_t WIDTH = 100;
  std::string result, line;
  const auto end_line = [&] { result += "  " + std::exchange(line, "") + "\n"; };
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view word = text.substr(at, text.find(' ', at) - at);
    if (!line.empty() && line.size() + 1 + word.size() > WIDTH) end_line();
    line += (line.empty() ? "" : " ") + std::string(word);
    at += word.size() + 1;
  }
  end_line();
  return result;
}

/// A process of its own that works on one file, and its report.
class child_run {
 public:
  child_run(std::string file, const std::function<run_report()>& work) : file_(std::move(file)) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error(fmt::format("pipe: {}", std::strerror(errno)));
    child_ = ::fork();
    if (child_ < 0) throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
    if (child_ == 0) {
      ::close(ends[0]);
      const std::string text = to_json(work());
      for (std::size_t at = 0; at < text.size();) {
        const ssize_t done = ::write(ends[1], text.data() + at, text.size() - at);
        if (done <= 0) ::_exit(3);
        at += static_cast<std::size_t>(done);
      }
      // The system that was simulated is not taken apart: the kernel does that faster.
      ::_exit(0);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  child_run(const child_run&) = delete;
  child_run& operator=(const child_run&) = delete;

  /// Waits for its end. Once.
  run_report report() {
    std::string text;
    char buffer[65536];
    for (;;) {
      const ssize_t got = ::read(from_, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(from_);
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    try {
      return report_from_json(text);
    } catch (const std::exception&) {
      run_report broken;
      broken.file = broken.scenario = file_;
      broken.problems = {WIFSIGNALED(status) ? fmt::format("{}: internal error: the run ended by signal {} ({})", file_,
                                                           WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                                             : fmt::format("{}: internal error: the run ended with status {}", file_,
                                                           WEXITSTATUS(status))};
      return broken;
    }
  }

 private:
  std::string file_;
  pid_t child_ = 0;
  int from_ = -1;
};

run_report in_child(const std::string& file, const std::function<run_report()>& work) {
  return child_run(file, work).report();
}

/// What each scenario's files are called after: the stem; where two share one, with their folder; failing that,
/// numbered.
std::vector<std::string> distinct_names(const std::vector<std::string>& files) {
  const auto stem = [](const std::string& f) { return fs::path(f).stem().string(); };
  const auto longer = [&](const std::string& f) {
    return fmt::format("{}-{}", fs::absolute(f).parent_path().filename().string(), stem(f));
  };
  std::vector<std::string> names;
  for (const std::string& f : files) {
    const bool shared = std::ranges::count(files, stem(f), stem) > 1;
    std::string name = shared ? longer(f) : stem(f);
    while (std::ranges::find(names, name) != names.end()) name += "-again";
    names.push_back(std::move(name));
  }
  return names;
}

/// out.json for one scenario, out-<scenario>.json for each of several.
std::string per_scenario(const std::string& path, const std::string& name, bool several) {
  if (path.empty() || path == "-" || !several) return path;
  const fs::path p(path);
  return (p.parent_path() / fmt::format("{}-{}{}", p.stem().string(), name, p.extension().string())).string();
}

void say(FILE* to, const std::string& text) {
  errno = 0;
  std::fwrite(text.data(), 1, text.size(), to);
  if (std::fflush(to) != 0 && errno != EPIPE && to == stdout) {
    throw cannot_write(fmt::format("standard output: {}", std::strerror(errno)));
  }
}

}  // namespace

run_report run_in_child(const std::string& file, const run_options& o, const resources& where) {
  return in_child(file, [&] { return run_scenario(file, o, where); });
}

int run(const run_command_options& o, const resources& where) {
  std::vector<std::string> files = expand(o.files, o.point.has_value());
  if (files.empty()) {
    error("no scenario in what was given");
    return 2;
  }
  // A pattern that matches scenarios matches studies beside them, too.
  const auto studies =
      std::stable_partition(files.begin(), files.end(), [](const std::string& f) { return f == "-" || !is_study(f); });
  if (!o.point && studies != files.begin()) {
    for (auto f = studies; f != files.end(); ++f) say(stderr, *f + ": left out, a study: `rpsim study` runs it\n");
    files.erase(studies, files.end());
  }
  const bool several = files.size() > 1;
  const run_options& r = o.run;
  const bool stdout_taken =
      r.trace == "-" || r.perfetto == "-" || r.vcd == "-" || r.html == "-" || o.json == "-" || o.junit == "-";
  std::vector<run_report> reports;
  const std::vector<std::string> names = distinct_names(files);
  for (std::size_t n = 0; n < files.size(); ++n) {
    const std::string& file = files[n];
    run_options mine = r;
    mine.trace = per_scenario(r.trace, names[n], several);
    mine.perfetto = per_scenario(r.perfetto, names[n], several);
    mine.vcd = per_scenario(r.vcd, names[n], several);
    mine.html = per_scenario(r.html, names[n], several);
    if (several && !r.artifacts.empty()) {
      mine.artifacts = r.artifacts + "/" + names[n];
      std::error_code failed;
      fs::create_directories(r.artifacts, failed);  // where it fails, the run says so
    }
    if (o.json == "-" || o.junit == "-") mine.verbosity = -1;
    if (several && !reports.empty() && mine.verbosity >= 0 && !stdout_taken) say(stdout, "\n");
    reports.push_back(in_child(file, [&] {
      const bool study = file != "-" && is_study(file);
      if (study && o.point) return replay_point(file, *o.point, o.samples, mine, where);
      if (!study && !o.point) return run_scenario(file, mine, where);
      return reported(file, mine, [&](run_report&) {
        throw refused({{file,
                        {},
                        study ? "this is a study: `rpsim study` runs it, `rpsim run --point N` one point of it"
                              : "--point is for studies; this is a scenario"}});
      });
    }));
    const run_report& report = reports.back();
    const bool bad_input = report.outcome == verdict::refused || report.outcome == verdict::broken;
    if (bad_input) {
      for (const std::string& p : report.problems) say(stderr, p + "\n");
    }
    if (!bad_input || several) {
      run_report shown = report;
      if (bad_input) shown.problems.clear();
      say(stdout_taken ? stderr : stdout, verdict_text(shown, mine.colour && !stdout_taken, mine.verbosity < 0));
    }
  }
  if (several) {
    std::array<std::size_t, 4> count{};
    for (const run_report& report : reports) ++count[static_cast<std::size_t>(report.outcome)];
    std::string line = fmt::format("{}{} passed", r.verbosity < 0 ? "" : "\n", count[0]);
    const char* words[] = {"", "failed", "refused", "broken"};
    for (std::size_t i = 1; i < count.size(); ++i) {
      if (count[i] != 0) line += fmt::format(", {} {}", count[i], words[i]);
    }
    say(stdout_taken ? stderr : stdout, line + "\n");
  }
  if (!o.json.empty()) output(o.json).write(summary_json(reports));
  if (!o.junit.empty()) output(o.junit).write(junit_xml(reports));
  int worst = 0;
  for (const run_report& report : reports) worst = std::max(worst, exit_status(report.outcome));
  return worst;
}

int check(const std::vector<std::string>& files, const run_options& o, const resources& where) {
  int worst = 0;
  for (const std::string& file : expand(files, true)) {
    run_report report;
    if (file.ends_with(".dts")) {
      report = in_child(file, [&] {
        run_report r;
        r.file = r.scenario = file;
        try {
          sim_context context;
          const platform built(context, dt::tree::compile(file));
          r.outcome = verdict::passed;
        } catch (const dt::error& e) {
          r.outcome = verdict::refused;
          r.problems = {e.what()};
        } catch (const std::exception& e) {
          r.problems = {fmt::format("{}: {}", file, e.what())};
        }
        return r;
      });
    } else if (is_study(file)) {
      report = in_child(file, [&] { return check_study(file, o, where); });
    } else {
      report = in_child(file, [&] {
        std::vector<std::string> warnings;
        run_report r = check_scenario(file, o, where, warnings);
        for (const std::string& w : warnings) say(stderr, w + "\n");
        return r;
      });
    }
    for (const std::string& p : report.problems) say(stderr, p + "\n");
    if (report.outcome == verdict::passed) say(stdout, fmt::format("{}: ok\n", file));
    worst = std::max(worst, exit_status(report.outcome));
  }
  return worst;
}

int list(const std::string& directory, const resources& where) {
  struct row {
    std::string name, platform, purpose;
  };
  std::vector<row> rows;
  int status = 0;
  const std::string from = directory.empty() ? where.scenarios() : directory;
  std::error_code error_code;
  if (!fs::is_directory(from, error_code)) {
    error(fmt::format("{} is no directory", from));
    return 2;
  }
  const vocabulary events = vocabulary::built_in();
  for (const std::string& file : expand({from}, true)) {
    if (is_study(file)) {
      const auto s = load_study(file, events);
      if (s) rows.push_back({fs::path(file).lexically_relative(from).string(), "study", s->purpose});
      for (const problem& p : s ? std::vector<problem>{} : s.error()) say(stderr, p.message() + "\n");
      if (!s) status = 2;
      continue;
    }
    const auto s = load_scenario(file, events);
    if (s) {
      rows.push_back({fs::path(file).lexically_relative(from).string(), s->platform.text, s->purpose});
    } else {
      for (const problem& p : s.error()) say(stderr, p.message() + "\n");
      status = 2;
    }
  }
  std::size_t name = 0, platform = 0;
  for (const row& r : rows) {
    name = std::max(name, r.name.size());
    platform = std::max(platform, r.platform.size());
  }
  for (const row& r : rows)
    say(stdout, fmt::format("{:<{}}  {:<{}}  {}\n", r.name, name, r.platform, platform, r.purpose));
  return status;
}

int platforms(bool variants, const resources& where) {
  for (const platform_entry& p : list_platforms(where.platforms()))
    say(stdout, fmt::format("{:<14} {}\n", p.name, p.model));
  if (variants) {
    say(stdout, fmt::format("\nhost: core      {}\n", fmt::join(host_core_words(), ", ")));
    say(stdout, fmt::format("host: shutdown  {}\n", fmt::join(host_shutdown_words(), ", ")));
    say(stdout, fmt::format("host: crash     {}\n", fmt::join(host_crash_words(), ", ")));
    say(stdout, "\nhost: core is the history of the remoteproc core and of its drivers:\n");
    for (const remoteproc::history_description& h : remoteproc::histories()) {
      say(stdout, fmt::format("\n{}\n{}", h.name, paragraph(h.text)));
      for (const remoteproc::unconfirmed& u : h.rests_on) {
        say(stdout, fmt::format("{}", paragraph(fmt::format("? {}: {}", u.topic, u.footnote))));
      }
    }
  }
  return 0;
}

int params(const std::string& name, const run_options& o, const resources& where) {
  const auto file = where.platform_file(name, "");
  if (!file) {
    error(file.error());
    return 2;
  }
  sim_context context;
  try {
    for (const auto& [key, value] : o.overrides) {
      if (const auto ok = context.params.set(key, value); !ok) throw std::invalid_argument(ok.error());
    }
    platform built(context, dt::tree::compile(*file));
    const host::linux_host host(built.host(), context, built.tree(), {});
    if (const auto unknown = context.params.seal(); !unknown.empty()) throw std::invalid_argument(unknown.front());
    std::size_t width = 0, value_width = 0;
    const auto value_of = [](const param& p) {
      const std::string now = p.value().text(p.unit()), normal = p.default_value().text(p.unit());
      return now == normal ? now : fmt::format("{} (default {})", now, normal);
    };
    const auto source_of = [](const param& p) {
      if (!p.range()) return std::string(p.source());
      return fmt::format("{}; a schedule draws {}", p.source(), p.range()->text(p.unit()));
    };
    for (const param* p : context.params.all()) {
      width = std::max(width, p->name().size());
      value_width = std::max(value_width, value_of(*p).size());
    }
    for (const param* p : context.params.all()) {
      say(stdout, fmt::format("{:<{}}  {:<{}}  {:<9}  {}\n{:{}}  {:{}}  source: {}\n", p->name(), width, value_of(*p),
                              value_width, to_string(p->origin()), p->description(), "", width, "", value_width,
                              source_of(*p)));
    }
  } catch (const std::exception& e) {
    say(stderr, fmt::format("{}\n", e.what()));
    return 2;
  }
  // The platform is not taken apart: see in_child().
  std::fflush(stdout);
  return 0;
}

namespace {

struct variant {
  std::string name, key, value;  // as given; -p key=value
};

/// `v4` is a history of the host's core, `v2` a shutdown variant, `crash=report` says which it is.
tl::expected<variant, std::string> parse_variant(const std::string& name) {
  const std::pair<const char*, const std::vector<std::string>&> kinds[] = {
      {"host.core", host_core_words()}, {"host.shutdown", host_shutdown_words()}, {"host.crash", host_crash_words()}};
  const std::size_t equal = name.find('=');
  const std::string value = equal == std::string::npos ? name : name.substr(equal + 1);
  std::string key = equal == std::string::npos ? "" : name.substr(0, equal);
  if (!key.empty() && !key.starts_with("host.")) key = "host." + key;
  std::vector<std::string> known;
  for (const auto& [kind, words] : kinds) {
    if (!key.empty() && key != kind) continue;
    if (std::ranges::find(words, value) != words.end()) return variant{name, kind, value};
    known.insert(known.end(), words.begin(), words.end());
  }
  if (known.empty()) return tl::unexpected(fmt::format("'{}': a variant is of core, shutdown or crash", name));
  const std::string near = nearest(value, known);
  return tl::unexpected(near.empty()
                            ? fmt::format("there is no variant '{}'; there are {}", name, fmt::join(known, ", "))
                            : fmt::format("there is no variant '{}'; did you mean '{}'?", name, near));
}

std::string in_cell(std::string text) {
  std::ranges::replace(text, '|', '/');
  std::ranges::replace(text, '\n', ' ');
  return text;
}

constexpr const char* NOT_ABOUT = "–";

struct cell {
  std::string text = NOT_ABOUT;
  std::vector<std::string> unconfirmed;
};

/// What a run gave: the outcome that the scenario names, if it came true.
cell make_cell(const run_report& r, const placed_text* outcome) {
  if (r.outcome != verdict::passed) return {"**FAIL**: " + in_cell(r.reason()), r.unconfirmed};
  return {outcome != nullptr ? in_cell(outcome->text) : "pass", r.unconfirmed};
}

std::string_view footnote(const std::string& topic) {
  for (const remoteproc::history_description& h : remoteproc::histories()) {
    for (const remoteproc::unconfirmed& u : h.rests_on) {
      if (u.topic == topic) return u.footnote;
    }
  }
  const auto fact = std::ranges::find(UNCONFIRMED_FACTS, topic, &remoteproc::unconfirmed::topic);
  return fact != UNCONFIRMED_FACTS.end() ? fact->footnote : "";
}

/// The scenarios in a table for each of their folders, under what the folder's README.md says.
class matrix_page {
 public:
  matrix_page(const matrix_options& o, const std::vector<variant>& columns) : o_(o), columns_(columns) {
    const auto about = read_file(o.directory + "/README.md");
    text_ = about ? *about + "\n"
                  : fmt::format("# {}, by variant\n\n", fs::path(o.directory).lexically_normal().generic_string());
    text_ +=
        "A row is a scenario, a column a variant of the host that it was run with, a cell what came of it: an outcome "
        "that the scenario's steps and expectations assert for this variant; ″ is what the column before has. A dash: "
        "the scenario is not about this variant. **FAIL**: something else came of it. A question mark: it rests on a "
        "fact that no source confirms, which the footnote tells.\n\n";
    text_ += fmt::format(
        "Made from real runs by\n\n    rpsim matrix {} --variants {} -o {}\n\nand compared with them by the "
        "same command with `--check`.\n",
        o.directory, fmt::join(o.variants, ","), o.to);
  }

  void row(const scenario& s, const std::vector<cell>& cells) {
    const std::string folder = fs::path(s.file).parent_path().string();
    if (folder != folder_) {
      folder_ = folder;
      const std::string below = fs::path(folder).lexically_relative(o_.directory).generic_string();
      text_ += below == "." ? "\n" : fmt::format("\n## {}\n\n", below);
      text_ += "| scenario |";
      for (const variant& v : columns_) text_ += fmt::format(" {} |", v.name);
      text_ += "\n|---|";
      for (std::size_t i = 0; i < columns_.size(); ++i) text_ += "---|";
      text_ += "\n";
    }
    const fs::path link = fs::absolute(s.file).lexically_relative(fs::absolute(o_.to).parent_path());
    text_ += fmt::format("| [{}]({})<br>{} |", s.name, link.generic_string(), in_cell(s.purpose));
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text_ += i > 0 && cells[i].text == cells[i - 1].text && cells[i].text != NOT_ABOUT ? " ″" : " " + cells[i].text;
      for (const std::string& topic : cells[i].unconfirmed) text_ += fmt::format(" ?[^{}]", topic);
      topics_.insert(cells[i].unconfirmed.begin(), cells[i].unconfirmed.end());
      text_ += " |";
    }
    text_ += "\n";
  }

  std::string finish() {
    std::string about;
    for (const variant& v : columns_) {
      const auto h = std::ranges::find(remoteproc::histories(), v.value, &remoteproc::history_description::name);
      if (v.key == "host.core" && h != remoteproc::histories().end())
        about += fmt::format("\n- **{}**: {}", v.name, h->text);
    }
    if (!about.empty()) text_ += "\n## The variants\n" + about + "\n";
    for (const std::string& topic : topics_) text_ += fmt::format("\n[^{}]: {}\n", topic, footnote(topic));
    return text_;
  }

 private:
  const matrix_options& o_;
  const std::vector<variant>& columns_;
  std::string text_, folder_;
  std::set<std::string> topics_;
};

}  // namespace

int matrix(const matrix_options& o, const resources& where) {
  std::vector<variant> columns;
  for (const std::string& name : o.variants) {
    auto v = parse_variant(name);
    if (!v) {
      error(v.error());
      return 2;
    }
    columns.push_back(std::move(*v));
  }
  std::vector<std::string> files = expand({o.directory}, false);
  std::ranges::stable_sort(files, {}, [](const std::string& f) {
    return std::pair(fs::path(f).parent_path().string(), fs::path(f).stem().string());
  });
  std::vector<scenario> rows;
  const vocabulary events = vocabulary::built_in();
  for (const std::string& file : files) {
    auto s = load_scenario(file, events);
    if (s) {
      rows.push_back(std::move(*s));
    } else {
      for (const problem& p : s.error()) say(stderr, p.message() + "\n");
    }
  }
  if (rows.size() < files.size()) return 2;
  if (files.empty()) {
    error(fmt::format("there is no scenario in {}", o.directory));
    return 2;
  }

  // A scenario that names outcomes, and none for a column's history, is not about that history.
  struct place_in_table {
    std::size_t row, column;
    std::unique_ptr<child_run> run;
  };
  std::vector<std::vector<cell>> cells(rows.size(), std::vector<cell>(columns.size()));
  int worst = 0;
  std::deque<place_in_table> under_way;
  const auto outcome_in = [&](std::size_t row, std::size_t column) {
    const scenario& s = rows[row];
    return outcome_of(s, columns[column].key == "host.core" ? columns[column].value : s.host.core.text);
  };
  const auto finish_oldest = [&] {
    const auto [row, column, run] = std::move(under_way.front());
    under_way.pop_front();
    const run_report r = run->report();
    const placed_text* outcome = outcome_in(row, column);
    cells[row][column] = make_cell(r, outcome);
    const bool bad_input = r.outcome == verdict::refused || r.outcome == verdict::broken;
    for (const std::string& p : r.problems) say(stderr, p + "\n");
    // Without outcomes of its own a scenario is about one variant; how it fares under others is what is asked here.
    if (bad_input || outcome != nullptr) worst = std::max(worst, exit_status(r.outcome));
    if (r.outcome == verdict::failed && outcome != nullptr) {
      say(stderr, fmt::format("{} {}: {}\n", rows[row].file, columns[column].name, r.reason()));
    }
  };
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < columns.size(); ++column) {
      if (!rows[row].outcomes.empty() && outcome_in(row, column) == nullptr) continue;
      run_options options;
      options.verbosity = -1;
      options.overrides = {{columns[column].key, columns[column].value}};
      if (under_way.size() >= o.jobs) finish_oldest();
      under_way.push_back({row, column, std::make_unique<child_run>(rows[row].file, [&] {
                             return run_scenario(rows[row].file, options, where);
                           })});
    }
  }
  while (!under_way.empty()) finish_oldest();
  if (worst >= 2) return worst;

  matrix_page page(o, columns);
  for (std::size_t row = 0; row < rows.size(); ++row) page.row(rows[row], cells[row]);
  const std::string text = page.finish();
  if (!o.check) {
    output(o.to).write(text);
    return worst;
  }
  const auto there = read_file(o.to);
  if (there && *there == text) return worst;
  error(fmt::format("{} is not what the scenarios give now", o.to));
  return 1;
}

}  // namespace rpsim::tool
