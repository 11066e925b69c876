// rpsim: the command line. What each command does is in commands.cpp.

#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/tokenizer.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <systemc>
#include <vector>

#include "models/common/params.h"
#include "tools/rpsim/commands.h"
#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/explore/explore.h"
#include "tools/rpsim/gdb/server.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/study/fork_pool.h"
#include "tools/rpsim/study/run_study.h"
#include "tools/rpsim/study/slurm_executor.h"

int sc_main(int, char**) { return 0; }  // Debian's libsystemc wants one; it is never called

namespace {

using namespace rpsim::tool;

/// Runs the command line; the callbacks of subcommands leave the exit status in `status`.
class command_line {
 public:
  command_line() {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", "rpsim " RPSIM_VERSION);
    app_.footer("Exit status: 0 all expectations met, 1 not met, 2 bad usage or bad input, 3 internal error.");
    add_run();
    add_check();
    add_list();
    add_platforms();
    add_params();
    add_matrix();
    add_explore();
    add_gdb();
    add_study();
    add_study_task();
  }

  int go(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      std::vector<std::string> commands;
      for (const CLI::App* c : app_.get_subcommands({})) commands.push_back(c->get_name());
      if (argc > 1 && argv[1][0] != '-' && std::ranges::find(commands, argv[1]) == commands.end()) {
        const std::string near = rpsim::nearest(argv[1], commands);
        error(fmt::format("there is no command '{}'{}", argv[1],
                          near.empty() ? fmt::format("; there are {}", fmt::join(commands, ", "))
                                       : fmt::format("; did you mean '{}'?", near)));
        return 2;
      }
      return app_.exit(e) == 0 ? 0 : 2;
    }
    return status_;
  }

 private:
  CLI::App* command(const char* name, const char* what, const char* example) {
    CLI::App* c = app_.add_subcommand(name, what);
    c->footer(std::string("Example: ") + example);
    return c;
  }

  void settings(CLI::App* c) {
    c->add_option_function<std::vector<std::string>>(
         "-p,--param",
         [this](const std::vector<std::string>& all) {
           for (const std::string& one : all) {
             const std::size_t equal = one.find('=');
             if (equal == std::string::npos || equal == 0) throw CLI::ValidationError("-p", one + " is not name=value");
             run_.run.overrides.emplace_back(one.substr(0, equal), one.substr(equal + 1));
           }
         },
         "a parameter, or host.core, host.shutdown, host.crash, core (arm: where a core can); may be repeated")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
  }

  void add_run() {
    CLI::App* c = command("run", "Run scenarios: a timeline and a verdict for each",
                          "rpsim run scenarios/k3/graceful-shutdown.yaml --perfetto stop.json");
    c->add_option("FILE", run_.files, "scenario files, directories of them, or - for standard input")->required();
    settings(c);
    c->add_option("--seed", run_.run.seed, "seed of every random draw")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    c->add_option("--schedule", run_.run.schedule, "an order of what happens at the same time that explore found")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    c->add_flag_function(
        "-v", [this](std::int64_t n) { run_.run.verbosity = static_cast<int>(n); },
        "more detail; -vv: every bus access");
    c->add_flag_function(
        "-q,--quiet", [this](std::int64_t) { run_.run.verbosity = -1; }, "verdicts only");
    c->add_option("--trace", run_.run.trace, "the trace as JSON lines")->type_name("FILE");
    c->add_option("--perfetto", run_.run.perfetto, "the trace for ui.perfetto.dev")->type_name("FILE");
    c->add_option("--vcd", run_.run.vcd, "states, mailbox levels and interrupt lines as waveforms")->type_name("FILE");
    c->add_option("--html", run_.run.html, "a page for a browser: sequence diagram and states")->type_name("FILE");
    c->add_option("--json", run_.json, "the summary as JSON")->type_name("FILE");
    c->add_option("--junit", run_.junit, "the verdicts as JUnit")->type_name("FILE");
    c->add_option("--artifacts", run_.run.artifacts, "core dumps, resource tables, kernel log, trace")
        ->type_name("DIR");
    c->add_flag("--console", run_.run.console, "show what firmware prints");
    c->add_flag("--unmodelled", run_.run.unmodelled, "list registers that were reached and are not modelled");
    c->add_option("--point", run_.point, "FILE is a study: that point of it, as it was there")->type_name("N");
    c->add_option("--samples", run_.samples, "with --point: as given to the study")->needs("--point");
    c->callback([this] {
      run_.run.colour = colour();
      status_ = run(run_, resources::find());
    });
  }

  void add_check() {
    CLI::App* c = command("check", "Validate scenario and device-tree files without running them",
                          "rpsim check scenarios/k3 platforms/k3-am62x.dts");
    c->add_option("FILE", run_.files, "scenarios, directories of them, device trees (.dts)")->required();
    settings(c);
    c->callback([this] { status_ = check(run_.files, run_.run, resources::find()); });
  }

  void add_list() {
    CLI::App* c = command("list", "The scenarios: file, platform, purpose", "rpsim list scenarios/k3");
    c->add_option("DIR", directory_, "where to look; default: the scenarios that come with rpsim");
    c->callback([this] { status_ = list(directory_, resources::find()); });
  }

  void add_platforms() {
    CLI::App* c = command("platforms", "What can be simulated", "rpsim platforms --variants");
    c->add_flag("--variants", variants_, "and as which history of the host's drivers");
    c->callback([this] { status_ = platforms(variants_, resources::find()); });
  }

  void add_params() {
    CLI::App* c =
        command("params", "Every parameter: value, unit, where the number comes from", "rpsim params k3-am62x");
    c->add_option("PLATFORM", directory_, "a name from `rpsim platforms`")->required();
    settings(c);
    c->callback([this] { status_ = params(directory_, run_.run, resources::find()); });
  }

  void add_matrix() {
    CLI::App* c = command("matrix", "Scenarios times host variants, each run, outcomes in a table",
                          "rpsim matrix scenarios/stm32mp1 --variants v4,v8,main -o detach.md");
    c->add_option("DIR", matrix_.directory, "scenarios")->required();
    c->add_option("--variants", matrix_.variants,
                  "of `rpsim platforms --variants`: v4, v2, or core=…, shutdown=…, crash=…")
        ->required()
        ->delimiter(',')
        ->type_name("LIST");
    c->add_option("-o", matrix_.to, "the table, in Markdown")->required()->type_name("FILE");
    c->add_option("-j", matrix_.jobs, "runs at a time")
        ->capture_default_str()
        ->check(CLI::Range(1u, 256u))
        ->type_name("N");
    c->add_flag("--check", matrix_.check, "write nothing: exit 1 if FILE is not the table that would be written");
    c->callback([this] { status_ = matrix(matrix_, resources::find()); });
  }

  void add_explore() {
    CLI::App* c = command("explore", "A scenario with a fault at each point of its trace: what broke, and how",
                          "rpsim explore scenarios/k3/graceful-shutdown.yaml -j 4 -o found");
    c->add_option("FILE", explore_.file, "a scenario that passes")->required();
    settings(c);
    c->add_option("--seed", run_.run.seed, "seed of every random draw")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    c->add_option("-j", explore_.workers, "runs at a time")->check(CLI::Range(1u, 256u))->type_name("N");
    c->add_option("-o", explore_.directory, "where results go; default: <scenario>.explored")->type_name("DIR");
    c->add_option("--kinds", explore_.plan.kinds, "only these faults; default: all")
        ->delimiter(',')
        ->check(CLI::IsMember(explore_verbs()))
        ->type_name("LIST");
    c->add_option_function<std::vector<std::string>>(
         "--delay",
         [this](const std::vector<std::string>& all) {
           for (const std::string& one : all) {
             const auto ps = rpsim::parse_quantity(one, "s");
             if (!ps || *ps < 1) throw CLI::ValidationError("--delay", one + " is no time, such as 10ms");
             explore_.plan.delays.push_back(sc_core::sc_time::from_value(static_cast<std::uint64_t>(*ps)));
           }
         },
         "by how much a message is delayed; default: 10ms; may be repeated")
        ->type_name("TIME");
    c->add_flag("!--no-retry", explore_.probe.retry, "a command that fails is not given a second time");
    CLI::Option* two =
        c->add_option("--faults", explore_.faults, "faults at once")->check(CLI::Range(1u, 2u))->type_name("N");
    c->add_option("--budget", explore_.budget, "pairs of faults tried, drawn by the seed")
        ->needs(two)
        ->check(CLI::PositiveNumber)
        ->capture_default_str()
        ->type_name("N");
    c->add_flag("!--no-prune", explore_.prune, "also pairs that lead through a state which another run was in")
        ->needs(two);
    c->add_option("--schedules", explore_.schedules, "no faults: N orders of what happens at the same time")
        ->excludes(two)
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    c->callback([this] {
      explore_.probe.run = run_.run;
      if (explore_.plan.delays.empty()) explore_.plan.delays.emplace_back(10, sc_core::SC_MS);
      status_ = explore(explore_, resources::find());
    });
  }

  void add_gdb() {
    CLI::App* c = command("gdb", "Run a scenario with gdb looking into its Arm cores; see docs/gdb.md",
                          "rpsim gdb scenarios/k3/graceful-shutdown.yaml -p core=arm");
    c->add_option("FILE", explore_.file, "a scenario with a core `as: arm`")->required();
    settings(c);
    c->add_option("--port", port_, "on 127.0.0.1; 0: any that is free")->capture_default_str()->type_name("N");
    c->add_option("--seed", run_.run.seed, "seed of every random draw")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    c->add_flag_function(
        "-v", [this](std::int64_t n) { run_.run.verbosity = static_cast<int>(n); },
        "more detail; -vv: every bus access");
    c->add_flag_function(
        "-q,--quiet", [this](std::int64_t) { run_.run.verbosity = -1; }, "the verdict only");
    c->add_option("--trace", run_.run.trace, "the trace as JSON lines")->type_name("FILE");
    c->add_flag("--console", run_.run.console, "show what firmware prints");
    c->callback([this] { status_ = gdb::debug(explore_.file, port_, run_.run, resources::find()); });
  }

  void add_study() {
    CLI::App* c = command("study", "Run a scenario many times with parameters that vary, from one snapshot",
                          "rpsim study scenarios/studies/ack-order.yaml --samples 2000 -o results");
    c->add_option("FILE", studies_, "studies, one after the other, or - for standard input")->required();
    c->add_option("-j,--jobs", study_.jobs, "workers, of slurm in each task; default: one for each CPU")
        ->check(CLI::Range(1, 1024));
    c->add_flag("--resume", study_.resume, "go on with the results in DIR");
    c->add_flag("--sensitivity", study_.sensitivity, "which parameters matter: one at a time, and by variance");
    c->add_option("-o", study_.directory, "where results go; default: <study>.results; of several studies, below DIR")
        ->type_name("DIR");
    c->add_option("--seed", study_.seed, "seed of every random draw")->capture_default_str();
    c->add_option("--samples", study_.samples, "points for each value of the grids, instead of the file's number")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000}));
    c->add_flag("-q,--quiet", study_.quiet, "no progress");
    c->add_option("--engine", study_.engine,
                  "who runs the points: local: this machine; slurm: a job array, DIR being on a "
                  "file system that its nodes share")
        ->check(CLI::IsMember({"local", "slurm"}))
        ->capture_default_str();
    c->add_option_function<std::vector<std::string>>(
         "--sbatch",
         [this](const std::vector<std::string>& all) {
           for (const std::string& one : all) {
             const boost::escaped_list_separator<char> as_a_shell("\\", " \t", "\"'");
             const boost::tokenizer words(one, as_a_shell);
             std::ranges::copy_if(words, std::back_inserter(study_.sbatch), [](const auto& w) { return !w.empty(); });
           }
         },
         "further options of sbatch: --sbatch \"--partition=short --time=10\"; may be repeated")
        ->type_name("WORDS")
        ->allow_extra_args(false);
    c->add_option("--chunk", study_.chunk, "points of an array's task, at least; default: 500")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000}));
    settings(c);
    c->callback([this] {
      if (study_.engine == "local" && (!study_.sbatch.empty() || study_.chunk != 0))
        throw CLI::ValidationError("--sbatch and --chunk are for --engine slurm");
      study_.overrides = run_.run.overrides;
      study_.colour = colour();
      status_ = run_studies();
    });
  }

  /// One after the other; what is wrong with one does not keep the others from running.
  int run_studies() {
    const std::string directory = study_.directory;
    int worst = 0;
    for (std::string& file : studies_) {
      study_.file = file;
      if (studies_.size() > 1) {
        if (&file != studies_.data()) output("-").write("\n");
        if (!directory.empty())
          study_.directory = std::filesystem::path(directory) / std::filesystem::path(file).stem();
      }
      worst = std::max(worst, run_study(study_, resources::find()));
      if (worst > 3) break;  // stopped
    }
    return worst;
  }

  /// What `study --engine slurm` submits; nobody types it.
  void add_study_task() {
    CLI::App* c = app_.add_subcommand("study-task", "A task of a study's job array")->group("");
    c->add_option("DIR", directory_, "of the array")->required();
    c->add_option("INDEX", index_, "of the task")->required();
    c->callback([this] { status_ = run_array_task(directory_, index_, resources::find()); });
  }

  static bool colour() {
    const char* no_color = std::getenv("NO_COLOR");
    return ::isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || *no_color == 0);
  }

  CLI::App app_{"Co-simulates a SoC's host and its remote processors, from scenario files."};
  run_command_options run_;
  study_options study_;
  std::vector<std::string> studies_;
  matrix_options matrix_;
  explore_options explore_;
  std::string directory_;
  std::uint64_t index_ = 0;
  std::uint16_t port_ = gdb::DEFAULT_PORT;
  bool variants_ = false;
  int status_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "study" || command == "study-task" || command == "explore") bind_all_calls(argv);
  set_up_diagnostics();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone ends what is written to it, not the run
  try {
    return command_line().go(argc, argv);
  } catch (const cannot_write& e) {
    error(e.what());
    return 2;
  } catch (const std::exception& e) {
    error(e.what());
    return 3;
  }
}
