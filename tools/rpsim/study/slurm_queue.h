#pragma once
// Slurm as its own programs show it: sbatch, squeue, scancel, scontrol; sacct where there is a database.

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace rpsim::tool {

/// No Slurm here, no answer, or it does not want the job; says what to do.
class slurm_refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class slurm_queue {
 public:
  /// Asks the controller for its limits. @throws slurm_refused
  slurm_queue();

  /// How many tasks an array may have here, their numbers beginning with 0.
  std::uint64_t most_tasks() const { return most_tasks_; }

  /// Tasks 0 … tasks - 1, each `directory`/task.sh with that directory as its own. @return the job
  /// @throws slurm_refused
  std::uint64_t submit(const std::string& directory, std::uint64_t tasks, const std::vector<std::string>& options);

  struct task {
    std::uint64_t job = 0, index = 0;
    std::string state, reason, directory;
    bool ended() const;
  };
  /// Every task of this user's that the controller still knows of; nothing if it does not answer.
  std::optional<std::vector<task>> tasks() const;
  /// What the accounting says of a task, such as "TIMEOUT, exit 0:15"; empty where there is none.
  std::string accounting(std::uint64_t job, std::uint64_t index) const;
  void cancel(std::uint64_t job) const;

 private:
  std::uint64_t most_tasks_ = 0;
  std::string cluster_;  // where sbatch says that there are several
};

}  // namespace rpsim::tool
