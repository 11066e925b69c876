#pragma once
// A study as Slurm job arrays over a directory that the nodes share. The coordinator writes the order (which points, of
// what study), submits it, and takes the results as tasks leave them; a task (`rpsim study-task`) runs one chunk of
// points as a study on one machine does, from snapshots.
//
// <results>/slurm/<n>/    one array
//   order.json            the study, its seed, the chunks
//   task.sh               what sbatch is given
//   task-<i>.log          what the task said
//   task-<i>.part-<r>     the ends of points so far; r: how often Slurm had started it again
//   task-<i>.results      the same when whole
//
// It goes when all of it is in the results file; stays with its logs if something was lost.

#include <functional>
#include <optional>

#include "tools/rpsim/study/executor.h"
#include "tools/rpsim/study/slurm_queue.h"
#include "tools/rpsim/study/store.h"

namespace rpsim::tool {

struct slurm_options {
  std::string directory;                 // of the results
  std::string file;                      // the study's
  unsigned jobs = 0;                     // workers of a task; 0: as many as Slurm gives it CPUs
  std::uint64_t chunk = 0;               // points of a task, at least; 0: CHUNK
  std::optional<std::uint64_t> samples;  // as the study was asked for
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, std::string>> overrides;
  std::vector<std::string> sbatch;  // further options of sbatch
  bool resume = false;              // take in what earlier arrays left, and wait for those that still run
  results_store::identity identity;
  std::function<void(const std::string&)> note;  // what goes on
  std::function<void(const std::string&)> warn;  // what went wrong
};

/// `here`: the same study on this machine, which knows about the variants. What a task does not deliver is left out,
/// and said. @throws slurm_refused from run()
std::unique_ptr<point_executor> slurm_executor(slurm_queue queue, slurm_options o, const study& s,
                                               point_executor& here);

/// One task of an array, in its own process. @return its exit status
int run_array_task(const std::string& directory, std::uint64_t index, const resources& where);

}  // namespace rpsim::tool
