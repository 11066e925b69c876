#pragma once
// `rpsim study`: the coordinator. It owns the results file and the terminal, and simulates nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/rpsim/engine.h"

namespace rpsim::tool {

struct study_options {
  std::string file, directory;  // directory: empty: <study>.results
  unsigned jobs = 0;            // 0: as many as there are CPUs; of a job array: in each task
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> samples;
  std::vector<std::pair<std::string, std::string>> overrides;
  std::string engine = "local";  // or slurm
  std::vector<std::string> sbatch;
  std::uint64_t chunk = 0;  // points of a task, at least; 0: slurm_executor's
  bool resume = false, sensitivity = false, quiet = false, colour = false;
};
/// @return 0 every question holds; 1 one does not; 2 bad input, or nowhere to write; 3 a point ended by a signal or out
/// of time, or did not run; 130 stopped by SIGINT.
int run_study(const study_options& o, const resources& where);

/// One point again, in this process, with every output of a run: byte for byte what its child did.
run_report replay_point(const std::string& file, std::uint64_t point, std::optional<std::uint64_t> samples,
                        const run_options& options, const resources& where);

/// What a study and its scenario say that does not fit, without running a point. As check_scenario().
run_report check_study(const std::string& file, const run_options& options, const resources& where);

}  // namespace rpsim::tool
