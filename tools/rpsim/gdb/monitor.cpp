#include "tools/rpsim/gdb/monitor.h"

#include <fmt/format.h>

#include <array>
#include <sstream>
#include <utility>

#include "tools/rpsim/checks.h"
#include "tools/rpsim/text_writer.h"

namespace rpsim::tool::gdb {

namespace {
constexpr const char* HELP =
    "time                              simulated time\n"
    "trace on|detail|bus|off           show what happens while the simulation runs\n"
    "reset                             this core, when simulated time goes on\n"
    "inject hang|lockup|spurious-wake  into this core\n";
constexpr std::pair<std::string_view, core_fault> FAULTS[] = {
    {"hang", core_fault::hang}, {"lockup", core_fault::lockup}, {"spurious-wake", core_fault::spurious_wake}};
constexpr std::pair<std::string_view, trace_level> LEVELS[] = {
    {"on", trace_level::protocol}, {"detail", trace_level::detail}, {"bus", trace_level::bus}};
}  // namespace

std::string monitor::obey(std::string_view line, debug_target& target, core& same) {
  std::istringstream words{std::string(line)};
  std::string what, how, more;
  words >> what >> how >> more;
  if (more.empty() && how.empty()) {
    if (what == "help" || what.empty()) return HELP;
    if (what == "time") return human_time(sc_core::sc_time_stamp()) + "\n";
    if (what == "reset") {
      target.reset_core();
      return fmt::format("{} is reset when simulated time goes on\n", target.debug_label());
    }
  }
  if (what == "trace" && more.empty()) {
    if (how == "off") {
      events_.remove(*this);
      return "the trace is off\n";
    }
    for (const auto& [name, level] : LEVELS) {
      if (name != how) continue;
      events_.remove(*this);
      events_.add(*this, level);
      return fmt::format("the trace is {}\n", how);
    }
  }
  if (what == "inject" && more.empty()) {
    for (const auto& [name, fault] : FAULTS) {
      if (name != how) continue;
      same.inject(fault);
      return fmt::format("{}: {}\n", target.debug_label(), how);
    }
  }
  return fmt::format("there is no '{}'; there are\n{}", line, HELP);
}

void monitor::on_event(const event& e) {
  show_(fmt::format("{:>14}  {:<12} {}  {}\n", human_time(e.time), e.source, e.name, describe(e, false)));
}

}  // namespace rpsim::tool::gdb
