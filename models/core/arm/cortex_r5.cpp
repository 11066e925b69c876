#include "models/core/arm/cortex_r5.h"

#include <fmt/format.h>

#include <bit>

#include "models/core/lines.h"

namespace rpsim {

namespace {
constexpr std::uint32_t CPSR_I = 1U << 7, CPSR_F = 1U << 6, CPSR_A = 1U << 8, CPSR_T = 1U << 5;
constexpr std::uint32_t SCTLR_M = 1, SCTLR_V = 1U << 13, SCTLR_BR = 1U << 17, SCTLR_VE = 1U << 24;
constexpr std::uint32_t BTCM_AWAY = 0x41010000;  // where the TCM is that is not at 0 (reference/k3.md §4.2)
constexpr std::uint32_t VIM_BASE = 0x2FFF0000;
constexpr std::uint32_t DFSR_WRITE = 1U << 11, FSR_SLAVE_ERROR = 1U << 12;
constexpr std::uint32_t FSR_ALIGNMENT = 0x1, FSR_BACKGROUND = 0x0, FSR_PERMISSION = 0xD, FSR_EXTERNAL = 0x8;
// By cortex_r5::strap: the input, and what a power-on reset leaves there.
constexpr struct {
  const char* name;
  bool level;
} STRAP_INPUTS[] = {{"loczrama", true}, {"atcm-enable", false}, {"btcm-enable", true}, {"teinit", false}};
constexpr std::uint64_t NOWHERE = 1ULL << 32;  // beyond every address of this core
}  // namespace

cortex_r5::cortex_r5(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : arm_core(name, context, node, arm_profile::r),
      vim_("vim", context, label(), node.u32("rpsim,vim").value_or(VIM_BASE), [this] { wake(); }),
      exception_entry_(context.params.number(
          {label() + ".exception_entry", provenance::assumed, "reference/k3.md §7: 20 to 30 cycles, unconfirmed",
           "cycles from an exception to its handler"},
          20)) {
  const auto place = node.cells("rpsim,cluster-cpu");
  if (!place.empty() && place.size() != 2) node.fail("rpsim,cluster-cpu", "takes the cluster's and the CPU's number");
  // Multiprocessing extensions; cluster and CPU (DDI 0460, MPIDR).
  mpidr_ = 0x80000000 | (place.empty() ? 0 : (place[0] & 0xF) << 8 | (place[1] & 0x3));
  const auto cells = node.cells("rpsim,tcm");
  if (!cells.empty() && cells.size() != 4) {
    node.fail("rpsim,tcm", "takes four cells: bus address and size of the ATCM, then of the BTCM");
  }
  for (unsigned i = 0; i < cells.size() / 2; ++i) {
    tcm_[i].bus_address = cells[2 * i];
    tcm_[i].bytes = cells[2 * i + 1];
    if (!std::has_single_bit(tcm_[i].bytes) || tcm_[i].bytes < 0x1000 || tcm_[i].bytes > 0x800000) {
      node.fail("rpsim,tcm", "a size is a power of two between 4 KiB and 8 MiB");
    }
  }
}

line_in* cortex_r5::input(std::string_view what, unsigned index) {
  if (what == "irq") return vim_.input(index);
  if (index == 0 && what == "event") {
    if (event_in_ == nullptr) {
      const child_scope scope(*this);
      event_in_ = std::make_unique<line_in>("event_in");
    }
    return event_in_.get();
  }
  for (unsigned s = 0; s < STRAPS; ++s) {
    if (index != 0 || what != STRAP_INPUTS[s].name) continue;
    if (straps_[s] == nullptr) {
      const child_scope scope(*this);
      straps_[s] = std::make_unique<line_in>(STRAP_INPUTS[s].name);
    }
    return straps_[s].get();
  }
  return arm_core::input(what, index);
}

line_out* cortex_r5::output(std::string_view what, unsigned index) {
  if (what != "event" || index != 0) return arm_core::output(what, index);
  if (event_out_ == nullptr) {
    const child_scope scope(*this);
    event_out_ = std::make_unique<line_out>("event_out");
  }
  return event_out_.get();
}

void cortex_r5::start_of_simulation() {
  if (event_in_ == nullptr) return;
  const child_scope scope(*this);
  sc_core::sc_spawn_options options;
  options.spawn_method();
  options.dont_initialize();
  options.set_sensitivity(&event_in_->value_changed_event());
  sc_core::sc_spawn(
      [this] {
        event_ = true;
        wake();
      },
      "event_changed", &options);
}

bool cortex_r5::strapped(strap s) const { return straps_[s] != nullptr ? straps_[s]->read() : STRAP_INPUTS[s].level; }

bool cortex_r5::enter_reset_state() {
  engine().regs() = {};
  engine().fp_regs() = {};
  sp_ = lr_ = spsr_ = {};
  user_r8_ = fiq_r8_ = {};
  event_ = false;
  repeated_ = {};
  vim_.reset();
  pmu_.reset();
  reset_cp15();
  place_tcm();
  engine().set_fpscr(0);
  engine().set_cpsr(SUPERVISOR | CPSR_A | CPSR_I | CPSR_F | (strapped(TEINIT) ? CPSR_T : 0));
  was_privileged_ = true;
  user_code_view_ = false;
  update_fp_trap();
  return true;
}

// ---- interrupts

bool cortex_r5::interrupted() const {
  const bool fiq = vim_.asserted(vim::kind::fiq), irq = vim_.asserted(vim::kind::irq);
  if (!fiq && !irq) return false;
  const std::uint32_t status = engine().cpsr();
  return (fiq && (status & CPSR_F) == 0) || (irq && (status & CPSR_I) == 0);
}

void cortex_r5::take_interrupt() {
  const std::uint32_t link = engine().regs()[15] + 4;
  if (vim_.asserted(vim::kind::fiq) && (engine().cpsr() & CPSR_F) == 0) {
    enter(FIQ, FIQ_VECTOR, link, "fiq");
  } else if (sctlr(SCTLR_VE)) {
    enter_at(IRQ, vim_.acknowledge(vim::kind::irq), link, "irq");
  } else {
    enter(IRQ, IRQ_VECTOR, link, "irq");
  }
}

/// Masks in the CPSR hold no wake-up back (Arm DDI 0406C, B1.8.14).
bool cortex_r5::wakes(arm_hint asleep_in) const {
  return vim_.asserted(vim::kind::irq) || vim_.asserted(vim::kind::fiq) || (asleep_in == arm_hint::wfe && event_);
}

void cortex_r5::woken(arm_hint asleep_in) {
  if (asleep_in == arm_hint::wfe) event_ = false;
}

std::string cortex_r5::wake_reason() const {
  for (const vim::kind k : {vim::kind::fiq, vim::kind::irq}) {
    if (vim_.asserted(k)) return std::to_string(vim_.pending(k));
  }
  return event_ ? "event" : "none";
}

// ---- memory

void cortex_r5::place_tcm() {
  for (unsigned i = 0; i < tcm_.size(); ++i) {
    tcm& t = tcm_[i];
    t.region = 0;
    t.home.reset();
    if (t.bytes == 0) continue;
    const std::uint32_t base = (i == 0) == strapped(LOCZRAMA) ? 0 : BTCM_AWAY;
    t.region = base | (static_cast<std::uint32_t>(std::bit_width(t.bytes)) - 10) << 2;
    if (!strapped(i == 0 ? ATCM_ENABLE : BTCM_ENABLE)) continue;
    t.region |= 1;
    t.home = base;
  }
}

arm_core::range cortex_r5::tcm::where() const {
  const std::uint32_t base = region & 0xFFFFF000;
  return {base, base + bytes - 1};
}

std::uint64_t cortex_r5::bus_address(std::uint32_t address, range& around) const {
  const auto keep_to = [&](const range& inside) {
    around.first = std::max(around.first, inside.first);
    around.last = std::min(around.last, inside.last);
  };
  const auto keep_out_of = [&](const range& w) {
    if (w.last < address) around.first = std::max(around.first, w.last + 1);
    if (w.first > address) around.last = std::min(around.last, w.first - 1);
  };
  for (const tcm& t : tcm_) {
    if (!t.enabled()) continue;
    const range w = t.where();
    if (!w.contains(address)) {
      keep_out_of(w);
      continue;
    }
    keep_to(w);
    return t.bus_address + (address - w.first);
  }
  // Where a TCM is not any more, behind the core it is still taken for one.
  for (const tcm& t : tcm_) {
    if (!t.home) continue;
    const range home{*t.home, *t.home + t.bytes - 1};
    if (home.contains(address)) {
      keep_to(home);
      return NOWHERE + address;
    }
    keep_out_of(home);
  }
  return address;
}

void cortex_r5::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto address = static_cast<std::uint32_t>(payload.get_address());
  if (vim_.owns(address)) return vim_.transport(payload, delay);
  range around;
  payload.set_address(bus_address(address, around));
  arm_core::transport(payload, delay);
}

arm_core::permissions cortex_r5::permitted(std::uint32_t address) const {
  const pmsav7::rule& r = mpu_.at_address(address);
  const pmsav7::rights& mine = privileged() ? r.privileged : r.user;
  return {{r.first, r.last}, mine.read, mine.write,
          mine.fetch,        r.device,  r.mapped ? fault_kind::permission : fault_kind::background};
}

void cortex_r5::refresh() {
  if (std::exchange(protection_changed_, false)) {
    if (mpu_.update({sctlr(SCTLR_M), sctlr(SCTLR_BR), sctlr(SCTLR_V)})) {
      memory_changed();
      engine().clear_cache();
    }
  }
  if (std::exchange(translation_changed_, false)) {
    memory_changed();
    engine().clear_cache();
  }
  const bool now_privileged = privileged();
  if (now_privileged != was_privileged_) {
    was_privileged_ = now_privileged;
    if (mpu_.user_data_differs()) memory_changed();
  }
  if (mpu_.user_code_differs() && user_code_view_ == now_privileged) {
    user_code_view_ = !now_privileged;
    engine().clear_cache();
  }
}

// ---- aborts

void cortex_r5::abort(const access_fault& fault) {
  const std::uint32_t pc = engine().regs()[15];
  std::string_view kind = "external abort";
  dfar_ = fault.address;
  dfsr_ = fault.access == access_kind::write ? DFSR_WRITE : 0;
  switch (fault.kind) {
    case fault_kind::decode_error:
      dfsr_ |= FSR_EXTERNAL;
      break;
    case fault_kind::bus_error:
      dfsr_ |= FSR_EXTERNAL | FSR_SLAVE_ERROR;
      break;
    case fault_kind::alignment:
      dfsr_ |= FSR_ALIGNMENT;
      kind = "alignment";
      break;
    case fault_kind::permission:
      dfsr_ |= FSR_PERMISSION;
      kind = "permission";
      break;
    case fault_kind::background:
      dfsr_ |= FSR_BACKGROUND;
      kind = "background";
      break;
  }
  emit("core.fault", {{"kind", kind},
                      field::hex("address", fault.address),
                      {"access", fault.access == access_kind::write ? "write" : "read"},
                      field::hex("pc", pc)});
  enter(ABORT, DABT, pc + 8, "data abort");
}

arm_after cortex_r5::prefetch_abort(std::uint32_t pc, std::uint32_t status) {
  engine().regs()[15] = pc;
  if (!stepping()) return exactly();
  ifar_ = pc;
  ifsr_ = status;
  emit("core.fault",
       {{"kind", "not executable"}, field::hex("address", pc), {"access", "fetch"}, field::hex("pc", pc)});
  enter(ABORT, PABT, pc + 4, "prefetch abort");
  return onward();
}

arm_after cortex_r5::not_executable(std::uint32_t pc) {
  const permissions p = permitted(pc);
  const std::uint32_t status = p.fetch                                 ? FSR_EXTERNAL
                               : p.otherwise == fault_kind::background ? FSR_BACKGROUND
                                                                       : FSR_PERMISSION;
  return prefetch_abort(pc, status);
}

// ---- for a debugger

/// As a privileged MSR, and the execution state besides, which that leaves alone.
bool cortex_r5::set_debug_status(std::uint32_t value) {
  if (!is_mode(value & 0x1F)) return false;
  switch_mode(value & 0x1F);
  engine().set_cpsr(value);
  return true;
}

}  // namespace rpsim
