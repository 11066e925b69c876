#pragma once
// How far a study is, on standard error: a bar that is drawn again on a terminal, a line now and then in a pipe.

#include <chrono>
#include <cstdint>
#include <string>

namespace rpsim::tool {

class progress {
 public:
  /// `total` points in all, `before` of them done already. `terminal`: draw a bar.
  progress(std::uint64_t total, std::uint64_t before, bool terminal, bool quiet);
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// What goes on, in a line of its own.
  void note(const std::string& text);
  /// Somebody else is about to write a line there.
  void make_room();
  void more(std::uint64_t points) { total_ += points; }
  void done(std::uint64_t points, std::uint64_t failed);
  /// "4200/10000  42 %  1040 points/s  5 s left  12 failed"
  std::string text() const;
  /// What was run here, each second.
  double rate() const;

 private:
  void show(bool last);

  using clock = std::chrono::steady_clock;
  std::uint64_t total_, before_, done_, failed_ = 0;
  bool terminal_, quiet_;
  clock::time_point start_ = clock::now(), shown_ = start_;
  std::uint64_t shown_tenth_;
};

}  // namespace rpsim::tool
