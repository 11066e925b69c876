#include "models/timer/dm_timer.h"

#include <cmath>
#include <limits>
#include <optional>

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x400;
constexpr std::uint32_t TIDR_VALUE = 0x40000100;
constexpr std::uint32_t MAX = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t TSICR_POSTED = 1U << 2, TSICR_SFT = 1U << 1;
constexpr std::uint32_t IRQ_BITS = 7;
constexpr std::uint32_t TCLR_PTV = 7U << 2;
constexpr std::uint64_t PS_PER_S = 1'000'000'000'000;

__extension__ using uint128 = unsigned __int128;

}  // namespace

dm_timer::dm_timer(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      clock_(context.params.frequency_hz({label() + ".clock", provenance::assumed, "the device tree's clock-frequency",
                                          "functional clock of the timer"},
                                         node.required_u32("clock-frequency"))),
      bank_(context, label(), WINDOW_BYTES),
      port_("target", *this) {
  bank_.add(TIDR, "TIDR", access::ro, TIDR_VALUE);
  bank_.add(TIOCP_CFG, "TIOCP_CFG", access::rw).on_write([this](unsigned, std::uint32_t v) {
    if (v & 1) {
      reset();  // done before the bit could be read back: it reads 0
    } else {
      bank_.set(TIOCP_CFG, v & ~1U);
    }
  });
  bank_.add(IRQ_EOI, "IRQ_EOI", access::wo);
  bank_.add(IRQSTATUS_RAW, "IRQSTATUS_RAW", access::rw)
      .on_read([this](unsigned) {
        sync();
        return raw_;
      })
      .on_write([this](unsigned, std::uint32_t v) {
        sync();
        raw_ |= v & IRQ_BITS;
        changed();
      });
  bank_.add(IRQSTATUS, "IRQSTATUS", access::rw)
      .on_read([this](unsigned) {
        sync();
        return raw_ & enable_;
      })
      .on_write([this](unsigned, std::uint32_t v) {
        sync();
        raw_ &= ~v;
        changed();
      });
  bank_.add(IRQENABLE_SET, "IRQENABLE_SET", access::rw)
      .on_read([this](unsigned) { return enable_; })
      .on_write([this](unsigned, std::uint32_t v) {
        enable_ |= v & IRQ_BITS;
        changed();
      });
  bank_.add(IRQENABLE_CLR, "IRQENABLE_CLR", access::rw)
      .on_read([this](unsigned) { return enable_; })
      .on_write([this](unsigned, std::uint32_t v) {
        enable_ &= ~v;
        changed();
      });
  bank_.add(IRQWAKEEN, "IRQWAKEEN", access::rw);
  bank_.add(TCLR, "TCLR", access::rw)
      .on_read([this](unsigned) {
        sync();
        return control_;
      })
      .on_write([this](unsigned, std::uint32_t v) {
        sync();
        const std::uint32_t differs = control_ ^ v;
        control_ = v;
        if (differs & (TCLR_ST | TCLR_PRE | TCLR_PTV)) {
          restart();
        } else {
          changed();
        }
      });
  bank_.add(TCRR, "TCRR", access::rw)
      .on_read([this](unsigned) {
        sync();
        return counter_;
      })
      .on_write([this](unsigned, std::uint32_t v) {
        sync();
        counter_ = v;
        restart();
      });
  bank_.add(TLDR, "TLDR", access::rw)
      .on_read([this](unsigned) { return load_; })
      .on_write([this](unsigned, std::uint32_t v) {
        sync();
        load_ = v;
        changed();
      });
  bank_.add(TTGR, "TTGR", access::rw, MAX).on_write([this](unsigned, std::uint32_t) {
    sync();
    counter_ = load_;
    restart();
  });
  bank_.add(TWPS, "TWPS", access::ro);
  bank_.add(TMAR, "TMAR", access::rw)
      .on_read([this](unsigned) { return match_; })
      .on_write([this](unsigned, std::uint32_t v) {
        sync();
        match_ = v;
        changed();
      });
  bank_.add(TCAR1, "TCAR1", access::ro);
  bank_.add(TSICR, "TSICR", access::rw, TSICR_POSTED).on_write([this](unsigned, std::uint32_t v) {
    if (v & TSICR_SFT) reset();
    bank_.set(TSICR, v & ~TSICR_SFT);
  });
  bank_.add(TCAR2, "TCAR2", access::ro);
  bank_.powered_by(&power_);

  SC_HAS_PROCESS(dm_timer);
  SC_METHOD(power_changed);
  sensitive << power_;
  SC_METHOD(update_line);
  sensitive << due_ << line_changed_;
}

unsigned dm_timer::transport_debug(tlm::tlm_generic_payload& payload) {
  sync();
  bank_.set(IRQSTATUS_RAW, raw_);
  bank_.set(IRQSTATUS, raw_ & enable_);
  bank_.set(IRQENABLE_SET, enable_);
  bank_.set(IRQENABLE_CLR, enable_);
  bank_.set(TCLR, control_);
  bank_.set(TCRR, counter_);
  bank_.set(TLDR, load_);
  bank_.set(TMAR, match_);
  return bank_.transport_debug(payload);
}

std::uint64_t dm_timer::prescaler() const {
  return (control_ & TCLR_PRE) != 0 ? std::uint64_t{2} << ((control_ >> 2) & 7) : 1;
}

std::uint64_t dm_timer::ticks_at(const sc_core::sc_time& t) const {
  return static_cast<std::uint64_t>(uint128{(t - base_).value()} * frequency_hz_ / (uint128{PS_PER_S} * prescaler()));
}

sc_core::sc_time dm_timer::time_of(std::uint64_t tick) const {
  const uint128 scaled = uint128{tick} * prescaler() * PS_PER_S;
  return base_ + sc_core::sc_time::from_value(static_cast<std::uint64_t>((scaled + frequency_hz_ - 1) / frequency_hz_));
}

/// Brings counter and status up to now.
void dm_timer::sync() {
  if (!counting()) return;
  const std::uint64_t now = ticks_at(sc_core::sc_time_stamp());
  const std::uint64_t passed = now - consumed_;
  consumed_ = now;
  if (passed != 0) advance(passed);
}

void dm_timer::advance(std::uint64_t ticks) {
  const std::uint64_t to_wrap = std::uint64_t{MAX} - counter_ + 1;
  if (ticks < to_wrap) {
    const std::uint32_t from = counter_ + 1;
    counter_ += static_cast<std::uint32_t>(ticks);
    return pass(from, counter_);
  }
  if (counter_ != MAX) pass(counter_ + 1, MAX);
  if ((control_ & TCLR_AR) == 0) {
    counter_ = 0;
    pass(0, 0);
    control_ &= ~TCLR_ST;
    return;
  }
  const std::uint64_t period = std::uint64_t{MAX} - load_ + 1;
  const std::uint64_t beyond = ticks - to_wrap;
  counter_ = load_ + static_cast<std::uint32_t>(beyond % period);
  pass(load_, beyond >= period ? MAX : counter_);
}

/// The counter took each value from `first` to `last`. The overflow interrupt comes with the last value before the
/// wrap, not with the wrap (SPRUIV7B, note in "Write Posting").
void dm_timer::pass(std::uint32_t first, std::uint32_t last) {
  if (last == MAX) raw_ |= IRQ_OVERFLOW;
  if ((control_ & TCLR_CE) != 0 && match_ >= first && match_ <= last) raw_ |= IRQ_MATCH;
}

/// From here on ticks count from now; the prescaler starts from 0.
void dm_timer::rebase() {
  base_ = sc_core::sc_time_stamp();
  consumed_ = 0;
  frequency_hz_ = static_cast<std::uint64_t>(std::llround(clock_.real()));
  changed();
}

/// The counter was loaded or started.
void dm_timer::restart() {
  rebase();
  if (counting()) pass(counter_, counter_);
}

/// The next tick at which an enabled interrupt that is not pending comes.
std::optional<std::uint64_t> dm_timer::next_interrupt() const {
  if (!counting()) return {};
  const bool reloads = (control_ & TCLR_AR) != 0;
  const std::uint64_t to_wrap = std::uint64_t{MAX} - counter_ + 1;
  const std::uint32_t wanted = enable_ & ~raw_;
  std::optional<std::uint64_t> next;
  const auto consider = [&next](std::uint64_t tick) {
    if (!next || tick < *next) next = tick;
  };
  if (wanted & IRQ_OVERFLOW) {
    if (counter_ != MAX) {
      consider(MAX - counter_);
    } else if (reloads) {
      consider(to_wrap + (MAX - load_));
    }
  }
  if ((wanted & IRQ_MATCH) && (control_ & TCLR_CE)) {
    if (match_ > counter_) {
      consider(match_ - counter_);
    } else if (reloads && match_ >= load_) {
      consider(to_wrap + (match_ - load_));
    } else if (!reloads && match_ == 0) {
      consider(to_wrap);
    }
  }
  return next;
}

/// Registers were written: the line and the next interrupt may be others.
void dm_timer::changed() { context().notifier.next_delta(line_changed_); }

void dm_timer::update_line() {
  sync();
  due_.cancel();
  if (const auto next = next_interrupt()) {
    context().notifier.after(due_, time_of(consumed_ + *next) - sc_core::sc_time_stamp());
  }
  const bool level = (raw_ & enable_) != 0;
  if (irq_.read() == level) return;
  irq_.write(level);
  events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", 0U}});
}

void dm_timer::reset() {
  control_ = load_ = match_ = raw_ = enable_ = counter_ = 0;
  bank_.reset();
  rebase();
}

void dm_timer::power_changed() {
  const module_state now = power_.read();
  sync();
  clocked_ = now == module_state::enable;
  rebase();
  if (in_module_reset(now)) reset();
}

}  // namespace rpsim
