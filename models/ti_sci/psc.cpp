#include "models/ti_sci/psc.h"

#include <algorithm>
#include <utility>

namespace rpsim {

using sc_core::sc_time;

namespace {

bool in_reset(module_state s) { return is_off(s) || s == module_state::sync_reset; }
bool clocked(module_state s) { return s == module_state::enable || s == module_state::sync_reset; }

}  // namespace

psc_timing::psc_timing(param_registry& params, const std::string& instance)
    : lpsc_time(params.time({instance + ".lpsc_time", provenance::assumed, "reference/k3.md §7: 1..10 us",
                             "one LPSC transition", "1us .. 10us"},
                            {5, sc_core::SC_US})),
      power_domain_time(params.time(
          {instance + ".power_domain_time", provenance::assumed, "reference/k3.md §7: 10..50 us with a power domain",
           "what switching a power domain adds to an LPSC transition", "10us .. 50us"},
          {25, sc_core::SC_US})),
      power_domain_spacing(
          params.time({instance + ".power_domain_spacing", provenance::code,
                       "reference/k3.md §7 (psc.c, PTSTAT erratum)", "shortest time between power domain off and on"},
                      {10, sc_core::SC_US})),
      trans_when_not_in_wfi(params.flag(
          {instance + ".trans_when_not_in_wfi", provenance::derived, "reference/k3.md §3.5",
           "an LPSC whose CPU runs stays in TRANS when it is switched off: only WFI acknowledges the clock stop"},
          true)) {}

lpsc::lpsc(sc_core::sc_module_name name, sim_context& context, std::string source, const dt::node& node,
           psc_timing& timing, unsigned boot_references)
    : sc_module(name),
      context_(context),
      source_(std::move(source)),
      timing_(timing),
      number_(node.required_u32("rpsim,lpsc")),
      has_local_reset_(node.has("rpsim,local-reset")),
      has_power_domain_(node.has("rpsim,power-domain")),
      always_on_(node.has("rpsim,always-on")),
      no_clock_gating_(node.has("rpsim,no-clock-gating")),
      no_module_reset_(node.has("rpsim,no-module-reset")),
      enabled_(boot_references),
      local_reset_(has_local_reset_ && !node.has("rpsim,local-reset-released")),
      state_(target()),
      next_(state_),
      from_(state_),
      to_(state_),
      state_line_("state", state_),
      local_reset_line_("local_reset", local_reset_) {
  SC_METHOD(drive_lines);
  sensitive << lines_;
  dont_initialize();
}

void lpsc::add_core(std::string label, sc_core::sc_in<bool>& wfi) { cores_.push_back({std::move(label), &wfi}); }

void lpsc::depend_on(lpsc& other) {
  needs_ = &other;
  other.dependants_.push_back(this);
}

void lpsc::before_end_of_elaboration() {
  SC_METHOD(step);
  sensitive << step_;
  for (const fed_core& c : cores_) sensitive << *c.wfi;
  dont_initialize();
}

// The table of reference/k3.md §3.5.
module_state lpsc::target() const {
  using enum module_state;
  if (always_on_) return enable;
  module_state s = sw_rst_disable;
  if (enabled_ > 0) {
    s = module_reset_ ? sync_reset : enable;
  } else if (retained_ > 0) {
    s = module_reset_ ? sw_rst_disable : disable;
  } else if (has_power_domain_ && !no_module_reset_) {
    s = off;
  }
  if (no_module_reset_ && s == sw_rst_disable) s = disable;
  if (no_clock_gating_ && s == disable) s = enable;
  return s;
}

void lpsc::reference(int enabled, int retained) {
  enabled_ += enabled;
  retained_ += retained;
  sync();
}

void lpsc::set_local_reset(bool asserted) {
  if (!has_local_reset_ || asserted == local_reset_) return;
  local_reset_ = asserted;
  emit_reset(asserted, "local");
  context_.notifier.next_delta(lines_);
  if (stuck_) context_.notifier.next_delta(step_);
}

void lpsc::set_module_reset(bool asserted) {
  if (no_module_reset_ || asserted == module_reset_) return;
  module_reset_ = asserted;
  emit_reset(asserted, "module");
  sync();
}

void lpsc::emit_reset(bool asserted, std::string_view kind) {
  for (const fed_core& c : cores_) {
    context_.trace.emit(source_, asserted ? "reset.assert" : "reset.deassert", {{"core", c.label}, {"kind", kind}});
  }
}

void lpsc::sync() {
  const module_state wanted = target();
  if (wanted == next_) return;
  const module_state before = std::exchange(next_, wanted);
  const int clock = clocked(wanted) - clocked(before), power = is_off(before) - is_off(wanted);
  if (needs_ != nullptr && (clock > 0 || power > 0)) needs_->reference(std::max(clock, 0), std::max(power, 0));
  // Counted when the software asks for it, on leaving reset only (reference/k3.md §3.5).
  if (in_reset(before) && !in_reset(wanted)) ++context_losses_;
  if (!busy()) begin();
  if (needs_ != nullptr && (clock < 0 || power < 0)) needs_->reference(std::min(clock, 0), std::min(power, 0));
}

void lpsc::begin() {
  from_ = state_;
  to_ = next_;
  enter(module_state::trans);
  stuck_ = held();
  if (!stuck_) schedule();
}

/// One after the other: up, what it depends on comes first; down, what depends on it.
bool lpsc::held() const {
  if (clock_stop_pending()) return true;
  if (clocked(to_)) return needs_ != nullptr && needs_->busy();
  return std::ranges::any_of(dependants_, [](const lpsc* d) { return d->busy() && !clocked(d->to_); });
}

bool lpsc::clock_stop_pending() const {
  if (from_ != module_state::enable || local_reset_ || !timing_.trans_when_not_in_wfi.flag()) return false;
  return std::any_of(cores_.begin(), cores_.end(), [](const fed_core& c) { return !c.wfi->read(); });
}

void lpsc::schedule() {
  const sc_time now = sc_core::sc_time_stamp();
  sc_time start = now;
  sc_time takes = timing_.lpsc_time.time();
  if (from_ == module_state::off || to_ == module_state::off) takes += timing_.power_domain_time.time();
  if (from_ == module_state::off && domain_off_since_) {
    start = std::max(now, *domain_off_since_ + timing_.power_domain_spacing.time());
  }
  ends_ = start + takes;
  context_.notifier.after(step_, ends_ - now);
}

void lpsc::step() {
  if (!busy()) return;
  if (stuck_) {
    stuck_ = held();
    if (!stuck_) schedule();
    return;
  }
  if (sc_core::sc_time_stamp() < ends_) return;  // a WFI line moved
  enter(to_);
  if (next_ != to_) {
    begin();
  } else {
    context_.notifier.next_delta(settled_);
  }
  if (needs_ != nullptr && needs_->stuck_) context_.notifier.next_delta(needs_->step_);
  for (lpsc* d : dependants_) {
    if (d->stuck_) context_.notifier.next_delta(d->step_);
  }
}

void lpsc::settle() {
  if (needs_ != nullptr) needs_->settle();
  stuck_ = false;
  step_.cancel();
  if (state_ != next_) enter(next_);
  context_.notifier.next_delta(settled_);
}

void lpsc::enter(module_state s) {
  context_.trace.emit(source_, "lpsc.state", {{"lpsc", number_}, {"from", to_string(state_)}, {"to", to_string(s)}});
  state_ = s;
  if (s == module_state::off) domain_off_since_ = sc_core::sc_time_stamp();
  context_.notifier.next_delta(lines_);
}

void lpsc::drive_lines() {
  state_line_.write(state_);
  local_reset_line_.write(local_reset_);
}

}  // namespace rpsim
