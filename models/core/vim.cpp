#include "models/core/vim.h"

#include <bit>

namespace rpsim {

namespace {
enum vim_register : std::uint32_t {
  PID = 0x00,
  INFO = 0x04,
  PRIIRQ = 0x08,   // and PRIFIQ, IRQGSTS/FIQGSTS …: each pair with the FIQ's word behind the IRQ's
  IRQGSTS = 0x10,  // one bit a group
  IRQVEC = 0x18,
  ACTIRQ = 0x20,
  IRQPRIMSK = 0x28,
  DEDVEC = 0x30,  // used on an uncorrectable error in the vector memory
  RAW = 0x400,
  STS = 0x404,
  INTR_EN_SET = 0x408,
  INTR_EN_CLR = 0x40C,
  IRQSTS = 0x410,
  INTMAP = 0x418,
  INTTYPE = 0x41C,
  PRI = 0x1000,
  VEC = 0x2000,
};
constexpr std::uint32_t VALID = 1U << 31;
constexpr std::uint32_t LOWEST_PRIORITY = 15, ALL_PRIORITIES = 0xFFFF;
constexpr unsigned GROUP_STRIDE = 0x20;
}  // namespace

vim::vim(sc_core::sc_module_name name, sim_context& context, const std::string& label, std::uint32_t base,
         std::function<void()> changed)
    : sc_module(name),
      base_(base),
      changed_(std::move(changed)),
      bank_(context, label, BLOCK_SIZE),
      lines_(*this, "irq", 0, INPUTS, [this](unsigned irq, bool level) { level_changed(irq, level); }) {
  bank_.reads_as_zero(true);
  bank_.add(PID, "PID", access::ro);
  bank_.add(INFO, "INFO", access::ro, INPUTS);
  define_side(kind::irq, "IRQ");
  define_side(kind::fiq, "FIQ");
  bank_.add(DEDVEC, "DEDVEC", access::rw).on_write([this](unsigned, std::uint32_t v) { bank_.set(DEDVEC, v & ~3U); });

  bank_.add(RAW, "RAW", access::rw)
      .count(GROUPS, GROUP_STRIDE)
      .on_read([this](unsigned g) { return raw_[g]; })
      .on_write([this](unsigned g, std::uint32_t v) {
        raw_[g] |= v;
        update();
      });
  bank_.add(STS, "STS", access::rw)
      .count(GROUPS, GROUP_STRIDE)
      .on_read([this](unsigned g) { return raw_[g] & enabled_[g]; })
      .on_write([this](unsigned g, std::uint32_t v) { clear(g, v); });
  bank_.add(INTR_EN_SET, "INTR_EN_SET", access::rw)
      .count(GROUPS, GROUP_STRIDE)
      .on_read([this](unsigned g) { return enabled_[g]; })
      .on_write([this](unsigned g, std::uint32_t v) {
        enabled_[g] |= v;
        update();
      });
  bank_.add(INTR_EN_CLR, "INTR_EN_CLR", access::rw)
      .count(GROUPS, GROUP_STRIDE)
      .on_read([this](unsigned g) { return enabled_[g]; })
      .on_write([this](unsigned g, std::uint32_t v) {
        enabled_[g] &= ~v;
        update();
      });
  bank_.add(INTMAP, "INTMAP", access::rw)
      .count(GROUPS, GROUP_STRIDE)
      .on_read([this](unsigned g) { return fiq_map_[g]; })
      .on_write([this](unsigned g, std::uint32_t v) {
        fiq_map_[g] = v;
        update();
      });
  bank_.add(INTTYPE, "INTTYPE", access::rw)
      .count(GROUPS, GROUP_STRIDE)
      .on_read([this](unsigned g) { return pulse_[g]; })
      .on_write([this](unsigned g, std::uint32_t v) {
        pulse_[g] = v;
        raw_[g] |= level_[g] & ~v;
        update();
      });
  bank_.add(PRI, "PRI_INT", access::rw, LOWEST_PRIORITY).count(INPUTS).on_write([this](unsigned i, std::uint32_t v) {
    bank_.set(PRI, v & LOWEST_PRIORITY, i);
    update();
  });
  bank_.add(VEC, "VEC_INT", access::rw).count(INPUTS).on_write([this](unsigned i, std::uint32_t v) {
    bank_.set(VEC, v & ~3U, i);
  });
  reset();
}

void vim::define_side(kind k, const char* name) {
  const std::uint32_t word = k == kind::irq ? 0 : 4;
  bank_.add(PRIIRQ + word, std::string("PRI") + name, access::ro).on_read([this, k](unsigned) {
    return describe(side(k).highest);
  });
  bank_.add(IRQGSTS + word, std::string(name) + "GSTS", access::ro).on_read([this, k](unsigned) {
    return group_status(k);
  });
  bank_.add(IRQVEC + word, std::string(name) + "VEC", access::rw)
      .on_read([this, k](unsigned) { return acknowledge(k); })
      .on_write([this, k](unsigned, std::uint32_t) { end(k); });
  bank_.add(ACTIRQ + word, std::string("ACT") + name, access::ro).on_read([this, k](unsigned) {
    return describe(active(k));
  });
  bank_.add(IRQPRIMSK + word, std::string(name) + "PRIMSK", access::rw)
      .on_read([this, k](unsigned) { return side(k).enabled_priorities; })
      .on_write([this, k](unsigned, std::uint32_t v) {
        side(k).enabled_priorities = v & ALL_PRIORITIES;
        update();
      });
  bank_.add(IRQSTS + word, std::string(name) + "STS", access::rw)
      .count(GROUPS, GROUP_STRIDE)
      .on_read([this, k](unsigned g) { return pending_word(k, g); })
      .on_write(
          [this, k](unsigned g, std::uint32_t v) { clear(g, v & (k == kind::fiq ? fiq_map_[g] : ~fiq_map_[g])); });
}

void vim::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::uint64_t address = payload.get_address();
  payload.set_address(address - base_);
  bank_.transport(payload, delay);
  payload.set_address(address);
}

void vim::reset() {
  bank_.reset();
  raw_ = level_;
  enabled_ = fiq_map_ = pulse_ = {};
  for (line_side& s : sides_) {
    s.stack.clear();
    s.enabled_priorities = ALL_PRIORITIES;
  }
  update();
}

std::uint32_t vim::acknowledge(kind k) {
  line_side& s = side(k);
  const unsigned irq = s.highest;
  if (irq == NONE) return 0;
  s.stack.push_back({irq, priority(irq)});
  update();
  return bank_.get(VEC, irq);
}

void vim::end(kind k) {
  line_side& s = side(k);
  if (s.stack.empty()) return;
  s.stack.pop_back();
  update();
}

std::uint32_t vim::pending_word(kind k, unsigned group) const {
  return raw_[group] & enabled_[group] & (k == kind::fiq ? fiq_map_[group] : ~fiq_map_[group]);
}

std::uint32_t vim::group_status(kind k) const {
  std::uint32_t word = 0;
  for (unsigned g = 0; g < GROUPS; ++g) word |= std::uint32_t{pending_word(k, g) != 0} << g;
  return word;
}

unsigned vim::priority(unsigned irq) const { return bank_.get(PRI, irq); }

/// The layout of PRIIRQ and ACTIRQ.
std::uint32_t vim::describe(unsigned irq) const { return irq == NONE ? 0 : VALID | priority(irq) << 16 | irq; }

void vim::clear(unsigned group, std::uint32_t bits) {
  raw_[group] &= ~bits;
  raw_[group] |= level_[group] & ~pulse_[group];  // a level that is still there is another interrupt
  update();
}

void vim::level_changed(unsigned irq, bool level) {
  const std::uint32_t bit = 1U << (irq % 32);
  if (!level) {
    level_[irq / 32] &= ~bit;
    return;  // the status stays until it is cleared, of either type
  }
  level_[irq / 32] |= bit;
  raw_[irq / 32] |= bit;
  update();
}

/// Priority, then number; only what is more urgent than the active interrupt.
unsigned vim::find_highest(kind k) const {
  const line_side& s = side(k);
  unsigned best = NONE, best_priority = s.stack.empty() ? LOWEST_PRIORITY + 1 : s.stack.back().priority;
  for (unsigned g = 0; g < GROUPS; ++g) {
    for (std::uint32_t word = pending_word(k, g); word != 0; word &= word - 1) {
      const unsigned irq = 32 * g + static_cast<unsigned>(std::countr_zero(word));
      const unsigned p = priority(irq);
      if (p < best_priority && (s.enabled_priorities >> p & 1) != 0) {
        best = irq;
        best_priority = p;
      }
    }
  }
  return best;
}

void vim::update() {
  bool different = false;
  for (const kind k : {kind::irq, kind::fiq}) {
    const unsigned highest = find_highest(k);
    different |= highest != side(k).highest;
    side(k).highest = highest;
  }
  if (different) changed_();
}

}  // namespace rpsim
