#pragma once
// Who runs the points: processes of this machine, or the tasks of a job array. A point is a number, so a chunk of them
// may go anywhere.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/rpsim/resources.h"
#include "tools/rpsim/scenario.h"
#include "tools/rpsim/study/fork_pool.h"
#include "tools/rpsim/study/study.h"

namespace rpsim::tool {

class point_executor {
 public:
  virtual ~point_executor() = default;
  /// study_system::about() of a variant.
  virtual const std::string& about(std::size_t variant) = 0;
  /// Runs points of each variant, in any order. `arrived` gets what has ended, several times a second if only nothing;
  /// if it returns false the rest is dropped, but for what has come already. @return false if it was.
  using arrived = std::function<bool(std::vector<job_end>)>;
  virtual bool run(const std::vector<std::vector<job_range>>& points, const arrived& take) = 0;
};

struct local_options {
  unsigned workers = 1;  // 0: as many as there are CPUs
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, std::string>> overrides;
  std::vector<std::size_t> variants;  // only these; empty: all
};
/// Snapshots of the variants, each with its workers. @throws study_refused if one cannot be made.
std::unique_ptr<point_executor> local_executor(const study& s, const local_options& o, const resources& where);

/// The messages of a study that is refused.
class study_refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace rpsim::tool
