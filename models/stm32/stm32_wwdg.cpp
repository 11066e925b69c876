#include "models/stm32/stm32_wwdg.h"

#include <algorithm>

namespace rpsim {

namespace {
constexpr std::uint32_t WINDOW_BYTES = 0x400;
constexpr double PRESCALER = 4096;
constexpr std::uint32_t T6 = 0x40;
}  // namespace

stm32_wwdg::stm32_wwdg(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      clock_(context.params.frequency_hz({label() + ".clock", provenance::derived, "the device tree's clock-frequency",
                                          "clock of the window watchdog: APB1"},
                                         node.required_u32("clock-frequency"))),
      reset_pulse_(context.params.time(
          {label() + ".reset_pulse", provenance::assumed, "assumed: a few clocks, not in any document that was read",
           "how long the window watchdog asks for a reset"},
          {1, sc_core::SC_US})),
      bank_(context, label(), WINDOW_BYTES),
      port_("target", *this) {
  bank_.add(CR, "CR", access::rw, T)
      .on_read([this](unsigned) { return counter() | (bank_.get(CR) & WDGA); })
      .on_write([this](unsigned, std::uint32_t v) { write_cr(v); });
  bank_.add(CFR, "CFR", access::rw, W).on_write([this](unsigned, std::uint32_t v) { write_cfr(v); });
  bank_.add(SR, "SR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(SR, bank_.get(SR) & v);
    this->context().notifier.next_delta(lines_change_);
  });
  bank_.reads_as_zero(true);

  SC_HAS_PROCESS(stm32_wwdg);
  SC_METHOD(step);
  sensitive << step_;
  dont_initialize();
  SC_METHOD(end_pulse);
  sensitive << pulse_ends_;
  dont_initialize();
  SC_METHOD(held_changed);
  sensitive << local_reset_.pos();
  dont_initialize();
  SC_METHOD(update_lines);
  sensitive << lines_change_;
  dont_initialize();
}

line_out* stm32_wwdg::output(std::string_view what, unsigned index) {
  if (what == "irq" && index == 0) return &irq_;
  return (what == "irq" && index == 1) || (what == "wwdg-reset" && index == 0) ? &reset_line_ : nullptr;
}

line_in* stm32_wwdg::input(std::string_view what, unsigned index) {
  return what == "local-reset" && index == 0 ? &local_reset_ : nullptr;
}

unsigned stm32_wwdg::transport_debug(tlm::tlm_generic_payload& payload) {
  const std::uint32_t stored = bank_.get(CR);
  bank_.set(CR, counter() | (stored & WDGA));
  const unsigned done = bank_.transport_debug(payload);
  bank_.set(CR, stored);
  return done;
}

std::uint32_t stm32_wwdg::counter() const {
  if (!active()) return start_;
  return start_ - static_cast<std::uint32_t>((sc_core::sc_time_stamp() - since_).value() / tick_.value());
}

void stm32_wwdg::write_cr(std::uint32_t value) {
  if (local_reset_.read()) return;
  const bool reload = active();
  if (reload && counter() > (bank_.get(CFR) & W)) {
    expire("window");
    return;
  }
  bank_.set(CR, (bank_.get(CR) | value) & WDGA);
  if (!active()) {
    start_ = value & T;
  } else if ((value & T6) == 0) {
    expire("reload");
  } else {
    count_from(value & T);
  }
}

void stm32_wwdg::write_cfr(std::uint32_t value) {
  if (local_reset_.read()) return;
  const std::uint32_t now = counter();
  const bool other_prescaler = ((bank_.get(CFR) ^ value) & WDGTB) != 0;
  bank_.set(CFR, (value & (W | WDGTB | EWI)) | (bank_.get(CFR) & EWI));
  if (active() && other_prescaler) count_from(now);
  context().notifier.next_delta(lines_change_);
}

/// From now; a new prescaler period begins (the chip's free-running prescaler would make it up to one count shorter).
void stm32_wwdg::count_from(std::uint32_t value) {
  start_ = value;
  since_ = sc_core::sc_time_stamp();
  tick_ =
      sc_core::sc_time(PRESCALER * (1U << ((bank_.get(CFR) & WDGTB) >> WDGTB_SHIFT)) / clock_.real(), sc_core::SC_SEC);
  step_.cancel();
  context().notifier.after(step_, tick_ * std::max(1U, value - T6));
}

void stm32_wwdg::step() {
  if (!active()) return;
  if (counter() < T6) {
    expire("timeout");
    return;
  }
  bank_.set(SR, EWIF);
  context().notifier.next_delta(lines_change_);
  context().notifier.after(step_, tick_);
}

void stm32_wwdg::expire(std::string_view cause) {
  emit("watchdog.expired", {{"reaction", "reset"}, {"cause", cause}});
  reset();  // or it would ask for ever
  reset_out_ = true;
  context().notifier.after(pulse_ends_, reset_pulse_.time());
}

void stm32_wwdg::bite() {
  if (!local_reset_.read()) expire("injected");
}

void stm32_wwdg::end_pulse() {
  reset_out_ = false;
  context().notifier.next_delta(lines_change_);
}

void stm32_wwdg::held_changed() { reset(); }

void stm32_wwdg::reset() {
  bank_.reset();
  start_ = T;
  step_.cancel();
  context().notifier.next_delta(lines_change_);
}

void stm32_wwdg::update_lines() {
  reset_line_.write(reset_out_);
  const bool level = (bank_.get(CFR) & EWI) != 0 && (bank_.get(SR) & EWIF) != 0;
  if (irq_.read() == level) return;
  irq_.write(level);
  events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", 0U}});
}

void stm32_wwdg::host_reset(host_reset_kind kind) {
  if (kind == host_reset_kind::power_loss) reset();
}

}  // namespace rpsim
