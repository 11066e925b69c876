#include "models/timer/stm32_tim.h"

#include <utility>

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x400;
constexpr std::uint32_t MAX = 0xFFFFFFFF;
constexpr std::uint64_t PS_PER_S = 1'000'000'000'000;
__extension__ using uint128 = unsigned __int128;

}  // namespace

stm32_tim::stm32_tim(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      clock_(context.params.frequency_hz(
          {label() + ".clock", provenance::assumed, "the device tree's clock-frequency", "kernel clock of the timer"},
          node.required_u32("clock-frequency"))),
      bank_(context, label(), WINDOW_BYTES),
      port_("target", *this) {
  bank_.add(CR1, "CR1", access::rw).on_write([this](unsigned, std::uint32_t v) {
    const bool starts = (v & ~bank_.get(CR1) & CEN) != 0;
    bank_.set(CR1, v & 0xFFFF);
    if (starts) rebase(sc_core::sc_time_stamp());
    changed();
  });
  for (const auto& [offset, stored] : {std::pair{CR2, "CR2"},
                                       {SMCR, "SMCR"},
                                       {CCMR1, "CCMR1"},
                                       {CCMR2, "CCMR2"},
                                       {CCER, "CCER"},
                                       {DCR, "DCR"},
                                       {TISEL, "TISEL"}}) {
    bank_.add(offset, stored, access::rw);
  }
  bank_.add(CCR1, "CCR", access::rw).count(4);
  bank_.add(DIER, "DIER", access::rw).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(DIER, v);
    changed();
  });
  bank_.add(SR, "SR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(SR, bank_.get(SR) & v);
    changed();
  });
  bank_.add(EGR, "EGR", access::wo).on_write([this](unsigned, std::uint32_t v) {
    if ((v & UG) == 0) return;
    count_ = 0;
    if ((bank_.get(CR1) & UDIS) == 0) {
      load();
      if ((bank_.get(CR1) & URS) == 0) bank_.set(SR, bank_.get(SR) | UIF);
    }
    rebase(sc_core::sc_time_stamp());
    changed();
  });
  bank_.add(CNT, "CNT", access::rw)
      .on_read([this](unsigned) { return count_; })
      .on_write([this](unsigned, std::uint32_t v) {
        count_ = v;
        rebase(sc_core::sc_time_stamp());
        changed();
      });
  bank_.add(PSC, "PSC", access::rw).on_write([this](unsigned, std::uint32_t v) { bank_.set(PSC, v & 0xFFFF); });
  bank_.add(ARR, "ARR", access::rw, MAX).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(ARR, v);
    if ((bank_.get(CR1) & ARPE) == 0) {
      if (last_ == 0) rebase(sc_core::sc_time_stamp());  // it stood still
      last_ = v;
    }
    changed();
  });
  bank_.reads_as_zero(true);
  bank_.narrow_accesses(true);

  SC_HAS_PROCESS(stm32_tim);
  SC_METHOD(update_line);
  sensitive << due_ << line_changed_;
  dont_initialize();
}

void stm32_tim::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  sync();
  bank_.transport(payload, delay);
}

unsigned stm32_tim::transport_debug(tlm::tlm_generic_payload& payload) {
  sync();
  bank_.set(CNT, count_);
  return bank_.transport_debug(payload);
}

std::uint64_t stm32_tim::ticks_at(const sc_core::sc_time& t) const {
  return static_cast<std::uint64_t>(uint128{(t - base_).value()} * frequency_hz_ / (uint128{PS_PER_S} * divider_));
}

/// The first instant at which ticks_at() is `tick`.
sc_core::sc_time stm32_tim::time_of(std::uint64_t tick) const {
  const uint128 ps = (uint128{tick} * divider_ * PS_PER_S + frequency_hz_ - 1) / frequency_hz_;
  return base_ + sc_core::sc_time::from_value(static_cast<std::uint64_t>(ps));
}

/// Ticks until the counter is 0 again. One that is above the last value goes all the way round.
std::uint64_t stm32_tim::to_wrap() const { return std::uint64_t{count_ <= last_ ? last_ : MAX} - count_ + 1; }

void stm32_tim::sync() {
  while (counting()) {
    const std::uint64_t ticks = ticks_at(sc_core::sc_time_stamp()) - consumed_;
    const std::uint64_t wrap = to_wrap();
    if (ticks < wrap) {
      count_ += static_cast<std::uint32_t>(ticks);
      consumed_ += ticks;
      return;
    }
    const bool overflow = count_ <= last_;
    consumed_ += wrap;
    count_ = 0;
    if (overflow) update();
  }
}

/// The counter has wrapped at tick consumed_.
void stm32_tim::update() {
  const std::uint32_t cr1 = bank_.get(CR1);
  if ((cr1 & UDIS) == 0) {
    bank_.set(SR, bank_.get(SR) | UIF);
    if (divider_ != std::uint64_t{bank_.get(PSC)} + 1) rebase(time_of(consumed_));
    load();
  }
  if ((cr1 & OPM) != 0) {
    bank_.set(CR1, cr1 & ~CEN);
    return;
  }
  // Whole rounds that nobody watched.
  const std::uint64_t round = std::uint64_t{last_} + 1;
  const std::uint64_t ticks = ticks_at(sc_core::sc_time_stamp()) - consumed_;
  if (last_ != 0) consumed_ += ticks / round * round;
}

void stm32_tim::load() {
  divider_ = std::uint64_t{bank_.get(PSC)} + 1;
  last_ = bank_.get(ARR);
}

void stm32_tim::rebase(const sc_core::sc_time& t) {
  base_ = t;
  consumed_ = 0;
  frequency_hz_ = static_cast<std::uint64_t>(clock_.real());
}

void stm32_tim::update_line() {
  sync();
  due_.cancel();
  const bool enabled = (bank_.get(DIER) & UIE) != 0;
  if (counting() && enabled && (bank_.get(SR) & UIF) == 0 && (bank_.get(CR1) & UDIS) == 0) {
    context().notifier.after(due_, time_of(consumed_ + to_wrap()) - sc_core::sc_time_stamp());
  }
  const bool level = enabled && (bank_.get(SR) & UIF) != 0;
  if (irq_.read() == level) return;
  irq_.write(level);
  events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", 0U}});
}

}  // namespace rpsim
