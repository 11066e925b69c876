#pragma once
// One point of a study: from the snapshot to what it came to. Used by the children of a study and by the replay of a
// single point, so that both do the same.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/rpsim/engine.h"
#include "tools/rpsim/simulation.h"
#include "tools/rpsim/study/phases.h"
#include "tools/rpsim/study/plan.h"
#include "tools/rpsim/study/study.h"

namespace rpsim::tool {

struct point_result {
  std::string outcome;  // "ok", an errno's name, "killed", "expectation", "invariant NAME"
  std::string detail;
  std::uint64_t digest = 0;       // of every event after the fork
  std::vector<setting> settings;  // by name; decode() brings the values only
  std::vector<std::optional<std::int64_t>> measures, phases;
  std::vector<phase_reader::margin> margins;
  std::uint64_t unused = 0;  // bit i: nothing asked for parameter i

  std::string encode() const;
  /// Of a study with that many settings and measures. @throws std::runtime_error
  static point_result decode(const std::string& text, std::size_t settings, std::size_t measures);
};

/// What every point of one variant has in common, in the process that simulates it.
class study_system {
 public:
  /// Builds the system. @throws refused, with places in the study or in its scenario.
  study_system(const study& s, std::size_t variant, const run_options& options, const resources& where);
  ~study_system();

  const scenario& what() const { return scenario_; }
  simulation& sim() { return *sim_; }
  const std::vector<study_measure>& measures() const { return measures_; }
  const std::vector<study_parameter>& parameters() const { return parameters_; }
  const std::vector<find_parameter>& finds() const { return finds_; }
  const plan& points() const { return *plan_; }
  /// The numbers of the points, in what order their values stand, and what else a coordinator has to know (JSON).
  std::string about() const;

  /// To where the points part. @throws refused if the run never comes there.
  void run_prefix();
  /// From there to the end, as that point.
  point_result run_point(std::uint64_t point);

 private:
  class reader;

  void read_measures();
  void resolve();
  study_parameter resolve(const parameter_spec& p);
  find_parameter resolve(const boundary& b);
  void refuse(place where, std::string text) { problems_.push_back({study_.file, where, std::move(text)}); }

  const study& study_;
  std::size_t variant_;
  run_options options_;
  scenario scenario_;
  std::vector<study_measure> measures_;
  std::vector<study_parameter> parameters_;
  std::vector<find_parameter> finds_;
  std::optional<plan> plan_;
  std::vector<problem> problems_;
  std::unique_ptr<simulation> sim_;
  std::unique_ptr<reader> reader_;
};

}  // namespace rpsim::tool
