#include "tools/rpsim/diagnostics.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <systemc>

namespace rpsim::tool {

namespace {
void report_handler(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  if (report.get_severity() == sc_core::SC_WARNING)
    warn(fmt::format("SystemC: {}: {}", report.get_msg_type(), report.get_msg()));
  sc_core::sc_report_handler::default_handler(report, actions & ~sc_core::SC_DISPLAY);
}
}  // namespace

void set_up_diagnostics() {
  auto logger = spdlog::stderr_color_st("rpsim");
  logger->set_pattern("rpsim: %^%l%$: %v");
  spdlog::set_default_logger(std::move(logger));
  sc_core::sc_report_handler::set_handler(report_handler);
}

void warn(const std::string& text) { spdlog::warn("{}", text); }
void error(const std::string& text) { spdlog::error("{}", text); }

}  // namespace rpsim::tool
