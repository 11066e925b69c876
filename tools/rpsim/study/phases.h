#pragma once
// Where the time of a handshake goes: milestones of the first shutdown or detach after the fork, read off the trace,
// and what follows from them. Two lanes begin when the user asks; `join` begins when both have ended.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/common/trace.h"
#include "tools/rpsim/pattern.h"

namespace rpsim::tool {

struct phase_name {
  const char* lane;   // "ack", "wfi", "join"
  const char* name;   // "ack.deinit"
  const char* title;  // for people
};
/// In the order of the lanes.
const std::vector<phase_name>& phase_names();

struct margin_name {
  const char* name;
  const char* title;
};
const std::vector<margin_name>& margin_names();

class phase_reader {
 public:
  explicit phase_reader(const vocabulary& events);
  void on_event(const event& e);

  /// One for each phase_names(); nothing where the point has no such phase.
  std::vector<std::optional<std::int64_t>> phases() const;
  struct margin {
    std::optional<std::int64_t> left;  // nothing: it was missed, or nobody waited
    bool missed = false;
    std::int64_t deadline = 0;
  };
  std::vector<margin> margins() const;
  /// What was until now is another handshake's.
  void forget() {
    times_ = {};
    ack_limit_ = wfi_limit_ = 0;
  }

 private:
  enum milestone : std::uint8_t {
    asked,
    sent,
    received,
    acts,
    closed,
    returned,
    answered,
    noticed,
    wfi,
    seen,
    reset,
    off,
    done,
    waits,
    MILESTONES
  };
  std::optional<std::int64_t> at(milestone m) const { return times_[m]; }
  std::vector<std::optional<std::int64_t>> along(const std::vector<milestone>& lane,
                                                 std::optional<std::int64_t> from) const;

  struct sought {
    milestone what, after;  // counts once `after` has been
    pattern event;
    bool latest;  // the last one until `seen` or `done`, not the first
  };
  /// Most events are none of those sought; their names show it at a glance.
  static std::uint64_t glance(std::string_view name) {
    return name.empty() ? 0 : std::uint64_t{1} << (7 * name.size() + static_cast<unsigned char>(name[0])) % 64;
  }
  std::vector<sought> sought_;
  std::uint64_t glances_ = 0;  // of their names
  std::array<std::optional<std::int64_t>, MILESTONES> times_;
  std::int64_t ack_limit_ = 0, wfi_limit_ = 0;
};

}  // namespace rpsim::tool
