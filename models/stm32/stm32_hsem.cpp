#include "models/stm32/stm32_hsem.h"

#include <algorithm>

namespace rpsim {

namespace {
constexpr std::uint32_t WINDOW_BYTES = 0x400;
}  // namespace

stm32_hsem::stm32_hsem(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node), bank_(context, label(), WINDOW_BYTES), port_("target", *this) {
  for (const dt::node& core : node.phandles("rpsim,cores")) cores_.push_back(core.label());
  if (cores_.size() != PROCESSORS) node.fail("rpsim,cores", "names the core with COREID 1 and the one with 2");
  for (unsigned i = 0; i < PROCESSORS; ++i) {
    lines_[i] = std::make_unique<line_out>(("irq" + std::to_string(i)).c_str());
  }
  bank_.add(R, "R", access::rw).count(SEMAPHORES).on_write([this](unsigned n, std::uint32_t v) { write_lock(n, v); });
  bank_.add(RLR, "RLR", access::ro).count(SEMAPHORES).on_read([this](unsigned n) { return read_lock(n); });
  bank_.add(C1IER, "CnIER", access::rw)
      .count(PROCESSORS, PROCESSOR_STRIDE)
      .on_write([this](unsigned p, std::uint32_t v) {
        bank_.set(C1IER, v, p);
        changed();
      });
  bank_.add(C1ICR, "CnICR", access::wo)
      .count(PROCESSORS, PROCESSOR_STRIDE)
      .on_write([this](unsigned p, std::uint32_t v) {
        freed_[p] &= ~v;
        changed();
      });
  bank_.add(C1ISR, "CnISR", access::ro).count(PROCESSORS, PROCESSOR_STRIDE).on_read([this](unsigned p) {
    return freed_[p];
  });
  bank_.add(C1MISR, "CnMISR", access::ro).count(PROCESSORS, PROCESSOR_STRIDE).on_read([this](unsigned p) {
    return freed_[p] & bank_.get(C1IER, p);
  });
  bank_.add(CR, "CR", access::wo).on_write([this](unsigned, std::uint32_t v) { free_all(v); });
  bank_.add(KEYR, "KEYR", access::rw).on_write([this](unsigned, std::uint32_t v) { bank_.set(KEYR, v & KEY); });
  bank_.reads_as_zero(true);

  SC_HAS_PROCESS(stm32_hsem);
  SC_METHOD(update_lines);
  sensitive << lines_change_;
  dont_initialize();
}

void stm32_hsem::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto who = std::ranges::find(cores_, initiator_name(payload));
  master_ = who == cores_.end() ? 0 : core_id(static_cast<unsigned>(who - cores_.begin()) + 1);
  bank_.transport(payload, delay);
}

void stm32_hsem::hold(unsigned n, std::uint32_t value) {
  bank_.set(R, value, n);
  bank_.set(RLR, value, n);
}

void stm32_hsem::write_lock(unsigned n, std::uint32_t value) {
  const std::uint32_t held = bank_.get(R, n), who = value & (COREID | PROCID);
  if (master_ == 0 || (value & COREID) != master_) return;
  if ((value & LOCK) != 0) {
    if ((held & LOCK) == 0) hold(n, LOCK | who);
  } else if (held == (LOCK | who)) {
    hold(n, 0);
    for (std::uint32_t& f : freed_) f |= 1U << n;
    changed();
  }
}

std::uint32_t stm32_hsem::read_lock(unsigned n) {
  if ((bank_.get(R, n) & LOCK) == 0 && master_ != 0) hold(n, LOCK | master_);
  return bank_.get(R, n);
}

void stm32_hsem::free_all(std::uint32_t value) {
  if ((value & KEY) != bank_.get(KEYR)) return;
  for (unsigned n = 0; n < SEMAPHORES; ++n) {
    if ((bank_.get(R, n) & LOCK) == 0 || (bank_.get(R, n) & COREID) != (value & COREID)) continue;
    hold(n, 0);
    for (std::uint32_t& f : freed_) f |= 1U << n;
  }
  changed();
}

void stm32_hsem::update_lines() {
  for (unsigned p = 0; p < PROCESSORS; ++p) {
    const bool level = (freed_[p] & bank_.get(C1IER, p)) != 0;
    if (lines_[p]->read() == level) continue;
    lines_[p]->write(level);
    events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", p}});
  }
}

}  // namespace rpsim
