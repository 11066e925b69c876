#include <fmt/format.h>

#include <optional>
#include <stdexcept>

#include "tools/rpsim/diagnostics.h"
#include "tools/rpsim/gdb/server.h"
#include "tools/rpsim/report.h"

namespace rpsim::tool::gdb {

int debug(const std::string& file, std::uint16_t port, const run_options& o, const resources& where) {
  std::optional<server> listening;
  try {
    listening.emplace(port);
  } catch (const std::runtime_error& e) {
    error(e.what());
    return 2;
  }
  const run_report report =
      run_scenario(file, o, where, [&](simulation& sim, const scenario& s) { listening->play(sim, s); });
  for (const std::string& p : report.problems) fmt::print(stderr, "{}\n", p);
  if (report.problems.empty()) fmt::print("{}", verdict_text(report, o.colour, o.verbosity < 0));
  return exit_status(report.outcome);
}

}  // namespace rpsim::tool::gdb
