#include "models/scenario_control/scenario_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "remote_fw/lib/scenario_control.h"

namespace rpsim {

namespace {

constexpr std::uint32_t ID = 0x52505343;  // "RPSC"
constexpr std::uint64_t PICOSECONDS_PER_US = 1000000;

enum class unit : std::uint8_t { US, BOOL, COUNT, SHUTDOWN, SUSPEND, DETACH };

struct description {
  const char* name;
  rpsim::unit unit;
  unsigned otherwise;
  const char* text;
};

#define RPSIM_DESCRIBE(name, kind, otherwise, text) description{#name, unit::kind, otherwise, text},
constexpr std::array PARAMS = {SC_PARAMS(RPSIM_DESCRIBE)};
#undef RPSIM_DESCRIBE

param& declare(param_registry& params, const std::string& core, const description& d) {
  param_registry::info i{fmt::format("{}.fw.{}", core, d.name), provenance::assumed, "behaviour of our own firmware",
                         d.text};
  switch (d.unit) {
    case unit::US:
      return params.time(std::move(i), sc_core::sc_time(d.otherwise, sc_core::SC_US));
    case unit::BOOL:
      return params.flag(std::move(i), d.otherwise != 0);
    case unit::COUNT:
      return params.number(std::move(i), d.otherwise);
    case unit::SHUTDOWN:
      return params.choice(std::move(i),
                           {"ack-after-deinit", "ack-before-deinit", "never-acks", "acks-no-wfi", "acks-wakes",
                            "reports-crash", "hangs"},
                           d.otherwise);
    case unit::SUSPEND:
      return params.choice(std::move(i), {"ack", "cancel", "auto"}, d.otherwise);
    case unit::DETACH:
      return params.choice(std::move(i), {"stops-using-rings", "acks-keeps-using-rings", "never-acks"}, d.otherwise);
  }
  throw std::logic_error("scenario-control parameter of an unknown unit");
}

const char* mark_name(std::uint32_t mark) {
  switch (mark) {
    case SC_MARK_READY:
      return "ready";
    case SC_MARK_LINUX_READY:
      return "linux_ready";
    case SC_MARK_SHUTDOWN_REQUESTED:
      return "shutdown_requested";
    case SC_MARK_DEINIT_BEGIN:
      return "deinit_begin";
    case SC_MARK_DEINIT_END:
      return "deinit_end";
    case SC_MARK_ACK_SENT:
      return "ack_sent";
    case SC_MARK_PARKED:
      return "parked";
    case SC_MARK_SUSPEND_REQUESTED:
      return "suspend_requested";
    case SC_MARK_CRASH:
      return "crash";
    case SC_MARK_WOKE_FROM_WFI:
      return "woke_from_wfi";
    case SC_MARK_HANG:
      return "hang";
    case SC_MARK_DETACH_REQUESTED:
      return "detach_requested";
    case SC_MARK_DETACHED:
      return "detached";
    default:
      return nullptr;
  }
}

}  // namespace

scenario_control::scenario_control(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node), bank_(context, label(), 0x1000), port_("registers", bank_) {
  const auto cores = node.phandles("rpsim,core");
  if (cores.size() != 1) node.fail("rpsim,core", "must name the core this block belongs to");
  core_ = cores[0].label();
  for (const description& d : PARAMS) params_.push_back(&declare(context.params, core_, d));
  bank_.add(SC_ID, "ID", access::ro, ID);
  bank_.add(SC_MARK, "MARK", access::wo).on_write([this](unsigned, std::uint32_t v) { mark(v); });
  bank_.add(SC_LOG, "LOG", access::wo).on_write([this](unsigned, std::uint32_t v) { log(v); });
  bank_.add(SC_PARAM, "PARAM", access::ro).count(static_cast<unsigned>(PARAMS.size())).on_read([this](unsigned i) {
    return value(i);
  });
}

std::uint32_t scenario_control::value(unsigned index) {
  param& p = *params_[index];
  if (PARAMS[index].unit != unit::US) return static_cast<std::uint32_t>(p.count());
  // Rounded up: 0 is a value of its own ("never"), and stays what only 0 is written as.
  const std::uint64_t us = (p.time().value() + PICOSECONDS_PER_US - 1) / PICOSECONDS_PER_US;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(us, UINT32_MAX));
}

void scenario_control::mark(std::uint32_t value) {
  if (const char* name = mark_name(value)) {
    events().emit(core_, "fw.mark", {{"mark", name}});
  } else {
    events().emit(core_, "fw.mark", {{"mark", fmt::format("{}", value)}});
  }
}

void scenario_control::log(std::uint32_t characters) {
  for (; characters != 0; characters >>= 8) {
    const char c = static_cast<char>(characters & 0xFF);
    if (c == '\n' || line_.size() == LONGEST_LINE) {
      events().emit(core_, "fw.log", {{"text", line_}});
      line_.clear();
    }
    if (c != '\n' && c != '\0') line_ += c;
  }
}

}  // namespace rpsim
