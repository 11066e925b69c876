#include "tools/rpsim/commands.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <stdexcept>

#include "host_sw/linux_host.h"
#include "host_sw/remoteproc/histories.h"
#include "platforms/platform.h"
#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace fs = std::filesystem;

namespace {

/// Scenario files: directories are searched, in order of name; schema and studies are no scenarios.
std::vector<std::string> expand(const std::vector<std::string>& names) {
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
      if (it->is_directory() && (leaf == "schema" || leaf == "studies")) it.disable_recursion_pending();
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

/// Runs `work` in a process of its own and brings its report here.
run_report in_child(const std::string& file, const std::function<run_report()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error(fmt::format("pipe: {}", std::strerror(errno)));
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
  if (child == 0) {
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
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  try {
    return report_from_json(text);
  } catch (const std::exception&) {
    run_report broken;
    broken.file = broken.scenario = file;
    broken.problems = {WIFSIGNALED(status) ? fmt::format("{}: internal error: the run ended by signal {} ({})", file,
                                                         WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                                           : fmt::format("{}: internal error: the run ended with status {}", file,
                                                         WEXITSTATUS(status))};
    return broken;
  }
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

int run(const run_command_options& o, const resources& where) {
  const std::vector<std::string> files = expand(o.files);
  if (files.empty()) {
    error("no scenario in what was given");
    return 2;
  }
  const bool several = files.size() > 1;
  const run_options& r = o.run;
  const bool stdout_taken = r.trace == "-" || r.perfetto == "-" || r.vcd == "-" || o.json == "-" || o.junit == "-";
  std::vector<run_report> reports;
  const std::vector<std::string> names = distinct_names(files);
  for (std::size_t n = 0; n < files.size(); ++n) {
    const std::string& file = files[n];
    run_options mine = r;
    mine.trace = per_scenario(r.trace, names[n], several);
    mine.perfetto = per_scenario(r.perfetto, names[n], several);
    mine.vcd = per_scenario(r.vcd, names[n], several);
    if (several && !r.artifacts.empty()) {
      mine.artifacts = r.artifacts + "/" + names[n];
      std::error_code failed;
      fs::create_directories(r.artifacts, failed);  // where it fails, the run says so
    }
    if (o.json == "-" || o.junit == "-") mine.verbosity = -1;
    if (several && !reports.empty() && mine.verbosity >= 0 && !stdout_taken) say(stdout, "\n");
    reports.push_back(in_child(file, [&] { return run_scenario(file, mine, where); }));
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
  for (const std::string& file : expand(files)) {
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
  for (const std::string& file : expand({from})) {
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
    say(stdout, fmt::format("{:<12} {}\n", p.name, p.model));
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
    for (const param* p : context.params.all()) {
      width = std::max(width, p->name().size());
      value_width = std::max(value_width, value_of(*p).size());
    }
    for (const param* p : context.params.all()) {
      say(stdout,
          fmt::format("{:<{}}  {:<{}}  {:<9}  {}\n{:{}}  {:{}}  source: {}\n", p->name(), width, value_of(*p),
                      value_width, to_string(p->origin()), p->description(), "", width, "", value_width, p->source()));
    }
  } catch (const std::exception& e) {
    say(stderr, fmt::format("{}\n", e.what()));
    return 2;
  }
  // The platform is not taken apart: see in_child().
  std::fflush(stdout);
  return 0;
}

int matrix(const std::string& directory, const std::vector<std::string>& variants, const std::string& to,
           const resources& where) {
  struct variant {
    std::string name;
    std::pair<std::string, std::string> setting;
  };
  std::vector<variant> columns;
  for (const std::string& v : variants) {
    const std::size_t equal = v.find('=');
    const std::string key = equal == std::string::npos ? "host.shutdown" : v.substr(0, equal);
    columns.push_back({v,
                       {key.find('.') == std::string::npos ? "host." + key : key,
                        equal == std::string::npos ? v : v.substr(equal + 1)}});
  }
  const std::vector<std::string> files = expand({directory});
  if (files.empty()) {
    error(fmt::format("there is no scenario in {}", directory));
    return 2;
  }
  std::string table = "| scenario |";
  std::string rule = "|---|";
  for (const variant& v : columns) {
    table += fmt::format(" {} |", v.name);
    rule += "---|";
  }
  table += "\n" + rule + "\n";
  for (const std::string& file : files) {
    table += fmt::format("| {} |", fs::path(file).stem().string());
    for (const variant& v : columns) {
      run_options o;
      o.verbosity = -1;
      o.overrides = {v.setting};
      const run_report r = in_child(file, [&] { return run_scenario(file, o, where); });
      if (r.outcome == verdict::refused || r.outcome == verdict::broken) {
        for (const std::string& p : r.problems) say(stderr, p + "\n");
        return exit_status(r.outcome);
      }
      std::string why = r.reason();
      std::ranges::replace(why, '|', '/');
      std::ranges::replace(why, '\n', ' ');
      table += r.outcome == verdict::passed ? " pass |" : fmt::format(" FAIL: {} |", why);
      say(stderr, fmt::format("{} {}: {}\n", fs::path(file).stem().string(), v.name, to_string(r.outcome)));
    }
    table += "\n";
  }
  output(to).write(table);
  return 0;
}

}  // namespace rpsim::tool
