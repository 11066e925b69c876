#pragma once
// A study as it was read: one scenario, run many times with parameters that vary, from one snapshot.

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/scenario.h"

namespace rpsim::tool {

/// A parameter that varies. Its unit is known once the platform is built: until then values are texts.
struct parameter_spec {
  placed_text name;
  placed_text distribution;          // `uniform(50us, 150us)`; empty: one of the others
  std::vector<placed_text> grid;     // each of them
  placed_text from, to;              // a range: `steps` values, evenly
  std::uint64_t steps = 0;           // 0: no range
  std::vector<placed_text> choices;  // one of them by chance
  std::vector<double> weights;       // of the choices
  bool by_chance() const { return !distribution.text.empty() || !choices.empty(); }
  std::uint64_t grid_size() const { return by_chance() ? 1 : steps != 0 ? steps : grid.size(); }
};

/// Settings as -p takes them, from the beginning of the run.
using settings = std::vector<std::pair<placed_text, std::string>>;

struct variant_spec {
  std::string name;
  settings params;
};

struct fork_point {
  sc_core::sc_time at;           // if no event is named
  std::optional<pattern> event;  // the nth of these, from the beginning
  std::uint64_t nth = 1;
  std::string text;
  place where;
};

/// Of a measure's values in one point, which one counts.
enum class take_value : std::uint8_t { first, last, least, most, sum };

struct study_measure {
  std::string name;
  pattern from, to;
  take_value take = take_value::first;
  place where;
};

/// `p99(shutdown) < 2ms`, `share(ETIMEDOUT) = 0`.
struct question {
  std::string text;
  std::string statistic;  // min, p50 … max, mean; "share" of an outcome
  std::string of;         // measure, phase or margin; an outcome
  std::string relation;   // <, <=, >, >=, =
  double bound = 0;       // picoseconds; a share
  place where;
  bool holds(double value) const;
};

struct boundary {
  std::string text;
  bool largest = true;
  placed_text parameter;
  placed_text low, high, step;
  std::optional<question> condition;  // none: every shell line succeeds and every expectation holds
  placed_text variant;                // empty: each
  std::uint64_t runs = 1;             // at each value
};

struct study {
  std::string file, name, purpose;
  placed_text scenario;  // path, seen from the study's file
  settings params;
  fork_point vary_from;
  std::vector<variant_spec> variants;  // at least one; named "" if the file names none
  std::vector<parameter_spec> parameters;
  std::uint64_t samples = 1;
  bool samples_given = false;
  bool measures_given = false;
  std::vector<study_measure> measures;         // with their own patterns
  std::vector<placed_text> scenario_measures;  // names of the scenario's
  std::vector<question> questions;
  std::vector<boundary> find;
  sc_core::sc_time limit;  // wall clock for one point
  std::string source;      // the whole text

  std::string scenario_path() const;
};

tl::expected<study, std::vector<problem>> parse_study(const std::string& text, const std::string& file_name,
                                                      const vocabulary& events);
tl::expected<study, std::vector<problem>> load_study(const std::string& path, const vocabulary& events);
/// Whether a file is one: it begins with `study:`, comments aside.
bool is_study(const std::string& path);

/// The keys that each kind of map takes; the JSON Schema has one definition for each.
const std::vector<key_table>& study_grammar();

}  // namespace rpsim::tool
