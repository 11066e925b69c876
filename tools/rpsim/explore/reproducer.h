#pragma once
// A finding as a scenario file: what led to it and not more, with what was observed as what is expected. `rpsim run`
// passes as long as the finding stands.

#include <string>
#include <string_view>
#include <vector>

#include "tools/rpsim/explore/probe.h"

namespace rpsim::tool {

/// How its first line begins and ends.
constexpr std::string_view REPRODUCER = "# rpsim run --seed ", REPRODUCER_END = " THIS";

/// The text of the file. `original` is the scenario's file; its steps up to the one that went wrong are kept, then
/// comes what was tried afterwards.
std::string reproducer(const std::string& original, const probe_options& o, const std::string& name,
                       const std::vector<planned_fault>& faults, const finding& f);

}  // namespace rpsim::tool
