#pragma once
// What came of a run: the verdict and everything it rests on. Goes from the process that ran to the one that was asked,
// and from there into the summary (JSON) and JUnit files.

#include <cstdint>
#include <string>
#include <vector>

#include "tools/rpsim/checks.h"
#include "tools/rpsim/invariants.h"

namespace rpsim::tool {

enum class verdict : std::uint8_t { passed, failed, refused, broken };
const char* to_string(verdict v);
/// 0, 1, 2, 3.
int exit_status(verdict v);

struct measure_summary {
  std::string name, from, to;
  std::vector<std::uint64_t> ps;
};

struct violation_summary {
  std::string invariant, text;
  std::uint64_t ps = 0;
  std::string standing;  // "declared", "by design", "undeclared"
};

struct run_report {
  std::string file, scenario, purpose, platform;
  std::uint64_t seed = 0;
  verdict outcome = verdict::broken;
  std::vector<check_result> checks;  // steps that went wrong come first, then expectations
  std::vector<measure_summary> measures;
  std::vector<violation_summary> violations;
  std::vector<std::string> unconfirmed;  // topics of rproc.unconfirmed and UNCONFIRMED_FACTS: what the outcome rests on
  std::vector<std::string> problems;     // refused: the messages; broken: what broke
  std::uint64_t simulated_ps = 0, events = 0;
  double wall_seconds = 0;

  /// One line for people: the first thing that went wrong.
  std::string reason() const;
};

std::string to_json(const run_report& r);
/// @throws std::exception if the text is not such a report.
run_report report_from_json(const std::string& text);

/// {"schema": "rpsim-summary-1", "runs": […]}
std::string summary_json(const std::vector<run_report>& runs);
std::string junit_xml(const std::vector<run_report>& runs);
/// What stands under a run's timeline: checks, measures, violations, verdict.
std::string verdict_text(const run_report& r, bool colour, bool brief);

}  // namespace rpsim::tool
