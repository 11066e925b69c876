#pragma once
// A fork is a snapshot: what many runs have in common is simulated once, in a process of its own, and every run is a
// child of it. Three kinds of process:
//
//   the caller      gives jobs (numbers) and takes what became of them; simulates nothing, may own files and a terminal
//   the snapshot    calls `prepare`, then forks its workers and waits for them; owns nothing but the simulation
//   a worker        one of `workers` copies of the snapshot: takes a job, forks a child for it, waits, takes the next
//
// A child calls the work that `prepare` returned, sends the result, and leaves by _exit(): nothing is taken apart. All
// of them are single-threaded; a fork copies page tables, so what the snapshot holds is what a job costs.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

namespace rpsim::tool {

/// What became of one job.
struct job_end {
  enum class kind : std::uint8_t { finished, failed, exited, killed, out_of_time };
  std::uint64_t job = 0;
  kind how = kind::finished;
  int code = 0;        // exited: its status; killed: the signal
  std::string result;  // finished: what the work returned; failed: what() of what it threw
};
/// "killed by signal 11 (Segmentation fault)", "out of time"; "" if it finished.
std::string reason(const job_end& e);

/// Jobs first … first + count - 1.
struct job_range {
  std::uint64_t first = 0, count = 0;
};

/// `prepare` threw: its text. Or the snapshot or a worker died, which is an internal error.
class snapshot_failed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Goes on as the same program with every call of every library bound, where it is not yet: Debian's libstdc++ binds as
/// calls are made, and each child of a snapshot would look up anew what the prefix had no use for. For main(), before
/// anything else; it returns the second time, or if it cannot be.
void bind_all_calls(char** argv);

class fork_pool {
 public:
  using work = std::function<std::string(std::uint64_t job)>;
  /// Runs in the snapshot, which is made small afterwards. What it leaves in `about` is the caller's to read.
  using prepare = std::function<work(std::string& about)>;
  struct options {
    unsigned workers = 1;
    std::chrono::milliseconds limit{10'000};  // wall clock, for one job
    /// In the worker, ahead of a job's fork: what it does to the worker's copy stays for the jobs that follow. A worker
    /// is given ever higher jobs.
    std::function<void(std::uint64_t job)> before_fork;
  };

  /// Returns when the snapshot stands. @throws snapshot_failed
  fork_pool(const prepare& make, const options& o);
  /// Ends whatever still runs.
  ~fork_pool();
  fork_pool(const fork_pool&) = delete;
  fork_pool& operator=(const fork_pool&) = delete;

  const std::string& about() const { return about_; }
  /// Never waits if there are at most some hundred ranges outstanding; a range is one worker's.
  void give(job_range jobs);
  std::uint64_t outstanding() const { return open_.size(); }
  /// Waits up to `patience` for something to have ended. A signal that is caught ends the wait.
  /// @throws snapshot_failed
  std::vector<job_end> take(std::chrono::milliseconds patience);

 private:
  void receive(std::vector<job_end>& ended);

  pid_t snapshot_ = -1;
  int jobs_ = -1, results_ = -1;
  std::unordered_set<std::uint64_t> open_;  // given, and their end has not come
  std::string about_, received_;
  std::map<std::uint64_t, std::string> parts_;  // results that came in several frames
};

}  // namespace rpsim::tool
