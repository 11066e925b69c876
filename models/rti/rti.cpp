#include "models/rti/rti.h"

#include <cmath>

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x100;
constexpr std::uint32_t PRELOAD_BITS = 0xFFF;
constexpr unsigned PRELOAD_SHIFT = 13;
constexpr std::uint64_t COUNTER_RANGE = std::uint64_t{1} << 25;
constexpr std::uint64_t PS_PER_S = 1'000'000'000'000;

__extension__ using uint128 = unsigned __int128;

/// The open window is the last 1/n of the period.
unsigned window_fraction(std::uint32_t size) {
  switch (size) {
    case 0x5:
      return 1;
    case 0x50:
      return 2;
    case 0x500:
      return 4;
    case 0x5000:
      return 8;
    case 0x50000:
      return 16;
    default:
      return 32;
  }
}

}  // namespace

rti::rti(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      clock_(context.params.frequency_hz({label() + ".clock", provenance::assumed, "the device tree's clock-frequency",
                                          "clock of the watchdog counter"},
                                         node.required_u32("clock-frequency"))),
      bank_(context, label(), WINDOW_BYTES),
      port_("target", *this) {
  bank_.add(DWDCTRL, "DWDCTRL", access::rw, DISABLED).on_write([this](unsigned, std::uint32_t v) {
    if (v == ENABLE_KEY && !enabled_) enable();
  });
  bank_.add(DWDPRLD, "DWDPRLD", access::rw, PRELOAD_BITS).on_write([this](unsigned, std::uint32_t v) {
    if (!enabled_) bank_.set(DWDPRLD, v & PRELOAD_BITS);
  });
  bank_.add(WDSTATUS, "WDSTATUS", access::rw).on_write([this](unsigned, std::uint32_t v) { clear_status(v); });
  bank_.add(WDKEY, "WDKEY", access::rw, KEY_1).on_write([this](unsigned, std::uint32_t v) { write_key(v & 0xFFFF); });
  bank_.add(DWDCNTR, "DWDCNTR", access::ro, COUNTER_RANGE - 1).on_read([this](unsigned) { return counter(); });
  bank_.add(WWDRXCTRL, "WWDRXCTRL", access::rw, REACTION_RESET).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(WWDRXCTRL, v & 0xF);
  });
  bank_.add(WWDSIZECTRL, "WWDSIZECTRL", access::rw, 0x5);
  bank_.reads_as_zero(true);
  bank_.powered_by(&power_);

  SC_HAS_PROCESS(rti);
  SC_METHOD(power_changed);
  sensitive << power_;
  SC_METHOD(expire);
  sensitive << expires_;
  dont_initialize();
  SC_METHOD(update_lines);
  sensitive << lines_change_;
}

line_out* rti::output(std::string_view what, unsigned index) {
  if (index != 0) return nullptr;
  return what == "irq" ? &irq_ : what == "reset-request" ? &reset_request_ : nullptr;
}

unsigned rti::transport_debug(tlm::tlm_generic_payload& payload) {
  bank_.set(DWDCNTR, counter());
  return bank_.transport_debug(payload);
}

std::uint64_t rti::elapsed() const {
  if (!counting()) return held_;
  const std::uint64_t ps = (sc_core::sc_time_stamp() - since_).value();
  return held_ + static_cast<std::uint64_t>(uint128{ps} * frequency_hz_ / PS_PER_S);
}

std::uint32_t rti::counter() const {
  if (!enabled_) return COUNTER_RANGE - 1;
  const std::uint64_t gone = elapsed();
  return gone < period_ ? static_cast<std::uint32_t>(period_ - 1 - gone) : 0;
}

void rti::enable() {
  enabled_ = true;
  bank_.set(DWDCTRL, ENABLE_KEY);
  load();
}

/// Enabling and each good service: reaction and window take effect from here (SPNU503C "DWWD").
void rti::load() {
  reaction_ = bank_.get(WWDRXCTRL);
  forgive_window_ = false;
  count_down((std::uint64_t{bank_.get(DWDPRLD)} + 1) << PRELOAD_SHIFT);
  opens_ = period_ - period_ / window_fraction(bank_.get(WWDSIZECTRL));
}

void rti::count_down(std::uint64_t clocks) {
  period_ = clocks;
  held_ = 0;
  run();
}

/// Counts on from held_, if it may.
void rti::run() {
  since_ = sc_core::SC_ZERO_TIME;
  frequency_hz_ = static_cast<std::uint64_t>(std::llround(clock_.real()));
  expires_.cancel();
  if (!counting()) return;
  since_ = sc_core::sc_time_stamp();
  const uint128 left = uint128{period_ - held_} * PS_PER_S;
  context().notifier.after(
      expires_, sc_core::sc_time::from_value(static_cast<std::uint64_t>((left + frequency_hz_ - 1) / frequency_hz_)));
}

void rti::write_key(std::uint32_t key) {
  if (!counting()) return;
  if (key == KEY_0) {
    armed_ = true;
  } else if (key != KEY_1) {
    armed_ = false;
    violate(STATUS_KEY, "key");
  } else if (armed_) {  // KEY_1 alone does nothing
    armed_ = false;
    serve();
  }
}

void rti::serve() {
  // After a violation the counter has no window to be served in: the NMI handler may serve at once (SPRUJ28E "DWWD").
  if (forgive_window_ || elapsed() >= opens_) {
    load();
  } else {
    violate(STATUS_START, "window");
  }
}

void rti::expire() {
  const bool pending = (bank_.get(WDSTATUS) & STATUS_DWWD) != 0;
  count_down(COUNTER_RANGE);                                  // wraps round
  if (!pending) violate(STATUS_DWD | STATUS_END, "timeout");  // no second exception for one that nobody handled
}

void rti::violate(std::uint32_t status, std::string_view cause) {
  bank_.set(WDSTATUS, bank_.get(WDSTATUS) | status | STATUS_DWWD);
  forgive_window_ = true;
  if (reaction_ == REACTION_NMI) {
    nmi_ = true;
  } else {
    held_ = elapsed();
    reset_requested_ = true;
    run();
  }
  context().notifier.next_delta(lines_change_);
  emit("watchdog.expired", {{"reaction", reaction_ == REACTION_NMI ? "nmi" : "reset"}, {"cause", cause}});
}

void rti::clear_status(std::uint32_t bits) {
  constexpr std::uint32_t ALL = STATUS_DWD | STATUS_KEY | STATUS_START | STATUS_END | STATUS_DWWD;
  bank_.set(WDSTATUS, bank_.get(WDSTATUS) & ~((bits & STATUS_DWWD) != 0 ? ALL : bits));
  if ((bits & STATUS_DWWD) == 0) return;
  nmi_ = false;
  context().notifier.next_delta(lines_change_);
}

void rti::update_lines() {
  reset_request_.write(reset_requested_);
  if (irq_.read() == nmi_) return;
  irq_.write(nmi_);
  events().emit(trace_level::detail, label(), nmi_ ? "irq.raised" : "irq.lowered", {{"line", 0U}});
}

void rti::reset() {
  bank_.reset();
  enabled_ = armed_ = forgive_window_ = nmi_ = reset_requested_ = false;
  held_ = 0;
  run();
  context().notifier.next_delta(lines_change_);
}

void rti::power_changed() {
  const module_state now = power_.read();
  held_ = elapsed();
  clocked_ = now == module_state::enable;
  run();
  if (in_module_reset(now)) reset();
}

}  // namespace rpsim
