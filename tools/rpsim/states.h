#pragma once
// What state everything is in, read off the trace: remote processors by their rproc.state, cores by what the CPU does,
// power modules (`lpsc-6`) by lpsc.state.

#include <map>
#include <string>
#include <string_view>

#include "models/common/trace.h"

namespace rpsim::tool {

class state_tracker {
 public:
  /// @return true if the event changed a state.
  bool on_event(const event& e);
  /// "" if nothing was heard of it.
  std::string_view state(std::string_view what) const;
  /// Everything whose name begins so.
  void forget(std::string_view prefix) {
    std::erase_if(states_, [&](const auto& s) { return s.first.starts_with(prefix); });
  }
  const std::map<std::string, std::string, std::less<>>& all() const { return states_; }
  void set(std::string_view what, std::string_view state) { states_[std::string(what)] = state; }

 private:
  std::map<std::string, std::string, std::less<>> states_;
};

}  // namespace rpsim::tool
