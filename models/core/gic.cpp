#include "models/core/gic.h"

#include <bit>

namespace rpsim {

namespace {
constexpr std::uint32_t WINDOW_BYTES = 0x10000;
// Group 1 enabled and affinity routing on: as TF-A leaves the distributor, which runs before anything modelled here.
constexpr std::uint32_t CTLR_RESET = 0x12;
constexpr std::uint32_t CTLR_ENABLES = 0x3;
constexpr std::uint8_t DEFAULT_PRIORITY = 0xA0;  // what Linux gives every SPI
}  // namespace

gic::gic(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      bank_(context, label(), WINDOW_BYTES),
      port_("gicd", bank_),
      lines_(*this, "irq", FIRST_SPI, LINES - FIRST_SPI, [this](unsigned intid, bool level) {
        const std::uint32_t bit = 1U << (intid % 32);
        level_[intid / 32] = level ? level_[intid / 32] | bit : level_[intid / 32] & ~bit;
        update();
      }) {
  priority_.fill(DEFAULT_PRIORITY);
  const auto word = [](bits& b) { return [&b](unsigned i) { return b[i]; }; };
  const auto set = [this](bits& b) {
    return [this, &b](unsigned i, std::uint32_t v) {
      b[i] |= i == 0 ? 0 : v;  // ids below 32 are not SPIs
      update();
    };
  };
  const auto clear = [this](bits& b) {
    return [this, &b](unsigned i, std::uint32_t v) {
      b[i] &= ~v;
      update();
    };
  };
  bank_.add(0x0000, "GICD_CTLR", access::rw, CTLR_RESET).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(0x0000, v);
    update();
  });
  bank_.add(0x0004, "GICD_TYPER", access::ro, (9U << 19) | (WORDS - 1));  // 10 id bits; interrupts in units of 32
  bank_.add(0x0080, "GICD_IGROUPR", access::rw, 0xFFFFFFFF).count(WORDS);
  bank_.add(0x0100, "GICD_ISENABLER", access::rw).count(WORDS).on_read(word(enabled_)).on_write(set(enabled_));
  bank_.add(0x0180, "GICD_ICENABLER", access::rw).count(WORDS).on_read(word(enabled_)).on_write(clear(enabled_));
  // A level-sensitive interrupt is pending as long as its line is high, so there is nothing to set or clear.
  bank_.add(0x0200, "GICD_ISPENDR", access::ro).count(WORDS).on_read(word(level_));
  bank_.add(0x0280, "GICD_ICPENDR", access::ro).count(WORDS).on_read(word(level_));
  bank_.add(0x0300, "GICD_ISACTIVER", access::rw).count(WORDS).on_read(word(active_)).on_write(set(active_));
  bank_.add(0x0380, "GICD_ICACTIVER", access::rw).count(WORDS).on_read(word(active_)).on_write(clear(active_));
  bank_.add(0x0400, "GICD_IPRIORITYR", access::rw)
      .count(LINES / 4)
      .on_read([this](unsigned i) {
        return std::uint32_t{priority_[4 * i]} | std::uint32_t{priority_[4 * i + 1]} << 8 |
               std::uint32_t{priority_[4 * i + 2]} << 16 | std::uint32_t{priority_[4 * i + 3]} << 24;
      })
      .on_write([this](unsigned i, std::uint32_t v) {
        for (unsigned b = 0; b < 4; ++b) priority_[4 * i + b] = static_cast<std::uint8_t>(v >> (8 * b));
        update();
      });
  bank_.add(0x0800, "GICD_ITARGETSR", access::rw).count(LINES / 4);
  bank_.add(0x0C00, "GICD_ICFGR", access::rw).count(LINES / 16);
  bank_.add(0x6100, "GICD_IROUTER", access::rw).count(2 * (LINES - FIRST_SPI));
  bank_.add(0xFFE8, "GICD_PIDR2", access::ro, 0x3B);  // architecture revision: GICv3
}

unsigned gic::highest() const {
  if ((bank_.get(0x0000) & CTLR_ENABLES) == 0) return SPURIOUS;
  unsigned best = SPURIOUS;
  for (unsigned w = 0; w < WORDS; ++w) {
    for (std::uint32_t ready = level_[w] & enabled_[w] & ~active_[w]; ready != 0; ready &= ready - 1) {
      const unsigned intid = 32 * w + static_cast<unsigned>(std::countr_zero(ready));
      if (best == SPURIOUS || priority_[intid] < priority_[best]) best = intid;
    }
  }
  return best;
}

unsigned gic::acknowledge() {
  const unsigned intid = highest();
  if (intid != SPURIOUS) {
    active_[intid / 32] |= 1U << (intid % 32);
    update();
  }
  return intid;
}

void gic::end_of_interrupt(unsigned intid) {
  if (intid >= LINES) return;
  active_[intid / 32] &= ~(1U << (intid % 32));
  update();
}

void gic::host_reset(host_reset_kind) {
  bank_.reset();
  enabled_.fill(0);
  active_.fill(0);
  priority_.fill(DEFAULT_PRIORITY);
  update();
}

void gic::update() {
  const bool now = pending();
  if (now && !was_pending_) context().notifier.next_delta(pending_event_);
  was_pending_ = now;
}

}  // namespace rpsim
