#include "tools/rpsim/states.h"

namespace rpsim::tool {

bool state_tracker::on_event(const event& e) {
  std::string_view to;
  std::string lpsc;
  if (e.name == "rproc.state")
    to = e.text("to");
  else if (e.name == "core.start" || e.name == "core.wake")
    to = "running";
  else if (e.name == "core.wfi")
    to = "wfi";
  else if (e.name == "core.reset")
    to = "reset";
  else if (e.name == "core.lockup")
    to = "lockup";
  else if (e.name == "core.hang")
    to = "hang";
  else if (e.name == "lpsc.state") {
    lpsc = fmt::format("lpsc-{}", e.number("lpsc"));
    to = e.text("to");
  }
  const std::string_view what = lpsc.empty() ? e.source : std::string_view(lpsc);
  if (to.empty() || state(what) == to) return false;
  set(what, to);
  return true;
}

std::string_view state_tracker::state(std::string_view what) const {
  const auto it = states_.find(what);
  return it == states_.end() ? std::string_view{} : std::string_view(it->second);
}

}  // namespace rpsim::tool
