#pragma once
// Which faults go where: read off the places that the undisturbed run passed.

#include <vector>

#include "tools/rpsim/explore/probe.h"

namespace rpsim::tool {

struct plan_options {
  std::vector<sc_core::sc_time> delays;  // of a message; each is a fault of its own
  std::vector<std::string> kinds;        // empty: all; else verbs of the scenario's `inject:`
};

/// The verbs there are.
const std::vector<std::string>& explore_verbs();
/// In the order of time.
std::vector<planned_fault> plan_faults(const std::vector<fault_place>& places, const plan_options& o);

}  // namespace rpsim::tool
