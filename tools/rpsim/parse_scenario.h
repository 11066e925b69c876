#pragma once
// YAML to scenario. Every refusal has file, line and column, the reason, and the nearest right word; all refusals of a
// file are found in one go.

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "tools/rpsim/scenario.h"

namespace rpsim::tool {

class vocabulary;

tl::expected<scenario, std::vector<problem>> parse_scenario(const std::string& text, const std::string& file_name,
                                                            const vocabulary& events);

/// Reads the file, or standard input for "-".
tl::expected<scenario, std::vector<problem>> load_scenario(const std::string& path, const vocabulary& events);

/// The keys that each kind of map takes; the JSON Schema has one definition for each.
struct key_table {
  std::string name;
  std::vector<std::string> keys;
};
const std::vector<key_table>& scenario_grammar();

}  // namespace rpsim::tool
