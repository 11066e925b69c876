#pragma once
// The commands of `monitor`: what a debugger does to the simulation that the protocol has no word for.

#include <functional>
#include <string>
#include <string_view>

#include "models/core/arm/debug.h"
#include "models/core/core.h"

namespace rpsim::tool::gdb {

class monitor final : private trace_sink {
 public:
  /// `show` is for what happens while simulated time runs.
  monitor(trace& events, std::function<void(std::string_view)> show) : events_(events), show_(std::move(show)) {}
  ~monitor() override { events_.remove(*this); }
  monitor(const monitor&) = delete;
  monitor& operator=(const monitor&) = delete;

  /// @return what to show.
  std::string obey(std::string_view line, debug_target& target, core& same);

 private:
  void on_event(const event& e) override;

  trace& events_;
  std::function<void(std::string_view)> show_;
};

}  // namespace rpsim::tool::gdb
