#pragma once
// What a study's results say: one JSON document (docs/studies-format.md), from which the table, and the page, are
// drawn.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/rpsim/study/plan.h"
#include "tools/rpsim/study/store.h"
#include "tools/rpsim/study/study.h"

namespace rpsim::tool {

class output;

/// How the numbers of a study's points lie in the store's columns. From study_system::about().
struct study_layout {
  study_layout(const study& s, std::uint64_t seed, nlohmann::ordered_json about);

  nlohmann::ordered_json about;
  plan points;
  std::vector<std::string> settings;  // parameters, then what only a search sets
  std::vector<std::string> units;     // of settings
  std::vector<std::string> measures, phases, margins;

  /// The settings that a point's result brings, as indices, in its order.
  std::vector<std::size_t> settings_of(std::uint64_t point) const;
  /// "m4f.fw.ack_delay_ps", "shutdown_ps" …
  std::vector<std::string> columns() const;
  std::size_t columns_count() const { return margin_column(margins.size()); }
  std::size_t measure_column(std::size_t i) const { return settings.size() + i; }
  std::size_t phase_column(std::size_t i) const { return measure_column(measures.size()) + i; }
  /// What is left; then whether it was missed; then the deadline.
  std::size_t margin_column(std::size_t i) const { return phase_column(phases.size()) + 3 * i; }
  /// Of a measure, a phase or a margin by name.
  std::size_t column_of(std::string_view name) const;
};

/// A value that a question asks for, of some points. Nothing if nothing was measured.
std::optional<double> answer(const question& q, results_store& store, const study_layout& layout, std::uint64_t first,
                             std::uint64_t count);

nlohmann::ordered_json summarize(const study& s, const study_layout& layout, results_store& store, std::uint64_t seed,
                                 bool sensitivity, const nlohmann::ordered_json& searches);
/// For a terminal: groups with their statistics, outcomes, phases, margins, questions, sensitivity, boundaries.
std::string table_text(const nlohmann::ordered_json& summary, bool colour);
/// Every point that is there, in order.
void write_csv(output& to, const study_layout& layout, results_store& store);
std::string picoseconds_as_seconds(std::int64_t ps);

}  // namespace rpsim::tool
