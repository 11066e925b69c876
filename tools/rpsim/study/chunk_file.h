#pragma once
// What a task of a job array leaves for its coordinator, over a shared directory: the ends of points, one record after
// another, each with its checksum. A file that was cut short, or damaged, is good up to there.

#include <string>
#include <vector>

#include "tools/rpsim/study/fork_pool.h"

namespace rpsim::tool {

class chunk_writer {
 public:
  /// Makes the file, or makes it anew. `order` says which study it is of. @throws cannot_write
  chunk_writer(std::string path, std::uint32_t order);
  ~chunk_writer();
  chunk_writer(const chunk_writer&) = delete;
  chunk_writer& operator=(const chunk_writer&) = delete;

  /// On its way to the file when this returns. @throws cannot_write
  void add(const std::vector<job_end>& ended);
  /// On the disk; then it has that name, which is how others know that it is whole. @throws cannot_write
  void finish(const std::string& name);

 private:
  void write(const std::string& bytes);

  std::string path_;
  int fd_;
};

struct chunk_content {
  std::vector<job_end> ended;
  std::string damage;  // what is wrong with the rest; empty: nothing
};
/// Never fails: what cannot be read is damage.
chunk_content read_chunk(const std::string& path, std::uint32_t order);

}  // namespace rpsim::tool
