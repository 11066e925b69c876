#pragma once
// `rpsim explore`: a scenario once as it is, then again with a fault at each point of its trace, each run in a process
// forked off just before the fault. What broke, counted, and the shortest scenario file that shows each way of
// breaking.

#include <string>
#include <vector>

#include "tools/rpsim/explore/plan.h"
#include "tools/rpsim/explore/probe.h"

namespace rpsim::tool {

struct explore_options {
  std::string file, directory;  // the scenario; where results go
  probe_options probe;
  plan_options plan;
  unsigned workers = 1;
  unsigned faults = 1;            // at once: 1 or 2
  std::uint64_t budget = 10'000;  // pairs
  bool prune = true;              // pairs whose first fault leads to a state that another run was in
  unsigned schedules = 0;         // more than 0: no faults, that many schedules
};

/// The exit status: 0 explored, whatever was found; 1 the undisturbed scenario fails; 2 bad input; 3 rpsim itself
/// failed.
int explore(const explore_options& o, const resources& where);

}  // namespace rpsim::tool
