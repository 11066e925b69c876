#pragma once
// Runs one scenario: builds the platform and the host, plays the steps, reads the trace. One run a process, because a
// SystemC kernel cannot be had twice.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tools/rpsim/report.h"
#include "tools/rpsim/resources.h"
#include "tools/rpsim/scenario.h"

namespace rpsim::tool {

struct run_options {
  std::uint64_t seed = 0;
  unsigned schedule = 0;  // not 0: wake-up order and the skew of notifications are drawn from (seed, schedule)
  std::vector<std::pair<std::string, std::string>>
      overrides;      // -p: parameters, and host.core, host.shutdown, host.crash
  int verbosity = 0;  // -1 verdict only, 1 detail, 2 bus
  bool colour = false;
  bool console = false, unmodelled = false;
  std::string trace, perfetto, vcd, html, artifacts;  // files; empty: none, "-": standard output
};

/// host.core and the like from the command line; then what holds for that host core is left.
std::vector<problem> override_host(scenario& s, const run_options& o);

class simulation;
/// Everything, from reading the file to the verdict on standard output (and problems on standard error). `play`, if
/// given, takes the simulation from begin() to finish() in place of its run().
using player = std::function<void(simulation&, const scenario&)>;
run_report run_scenario(const std::string& file, const run_options& options, const resources& where,
                        const player& play = nullptr);

class simulation;

/// A report of what `body` does: what it throws becomes the verdict, what it takes the time.
run_report reported(const std::string& file, const run_options& options, const std::function<void(run_report&)>& body);
/// Runs what was built, with every output that the options ask for, up to the verdict. `play` is sim.run() or its
/// parts.
void run_built(run_report& report, simulation& sim, const scenario& s, const run_options& options,
               const resources& where, const std::function<void()>& play);
/// Checks, measures, violations and the verdict of a run that has ended.
void judge(run_report& report, const simulation& sim, const scenario& s);

/// As far as can be said before simulated time starts. The report is `passed` or `refused`; `warnings` is about guest
/// data, which Linux would refuse or take at the step that loads it.
run_report check_scenario(const std::string& file, const run_options& options, const resources& where,
                          std::vector<std::string>& warnings);

}  // namespace rpsim::tool
