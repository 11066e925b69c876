#include "models/core/arm/cortex_m4.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "models/core/arm/pmsav7.h"

namespace rpsim {

namespace {
constexpr std::uint32_t PSR_KEPT = 0xFE0FFC00;  // NZCVQ, IT, GE: at the same places in CPSR and xPSR
constexpr std::uint32_t XPSR_T = 1U << 24, XPSR_ALIGNED = 1U << 9, XPSR_EXCEPTION = 0x1FF;
constexpr std::uint32_t CPSR_T = 1U << 5, CPSR_USER = 0x10, APSR_FLAGS = 0xF8000000, APSR_GE = 0x000F0000;
constexpr std::uint32_t CFSR_IACCVIOL = 1U << 0, CFSR_DACCVIOL = 1U << 1, CFSR_MUNSTKERR = 1U << 3,
                        CFSR_MSTKERR = 1U << 4, CFSR_MLSPERR = 1U << 5, CFSR_MMARVALID = 1U << 7,
                        CFSR_IBUSERR = 1U << 8, CFSR_PRECISERR = 1U << 9, CFSR_UNSTKERR = 1U << 11,
                        CFSR_STKERR = 1U << 12, CFSR_LSPERR = 1U << 13, CFSR_BFARVALID = 1U << 15,
                        CFSR_UNDEFINSTR = 1U << 16, CFSR_INVSTATE = 1U << 17, CFSR_INVPC = 1U << 18,
                        CFSR_NOCP = 1U << 19, CFSR_UNALIGNED = 1U << 24, CFSR_DIVBYZERO = 1U << 25;
constexpr std::uint32_t HFSR_VECTTBL = 1U << 1, HFSR_DEBUGEVT = 1U << 31, DFSR_BKPT = 1U << 1;
constexpr std::uint32_t CCR_NONBASETHRDENA = 1U << 0, CCR_UNALIGN_TRP = 1U << 3, CCR_DIV_0_TRP = 1U << 4,
                        CCR_STKALIGN = 1U << 9;
constexpr std::uint32_t SCR_SLEEPONEXIT = 1U << 1, SCR_SEVONPEND = 1U << 4;
constexpr std::uint32_t FPCCR_LSPACT = 1U << 0, FPCCR_USER = 1U << 1, FPCCR_THREAD = 1U << 3, FPCCR_HFRDY = 1U << 4,
                        FPCCR_MMRDY = 1U << 5, FPCCR_BFRDY = 1U << 6, FPCCR_LSPEN = 1U << 30, FPCCR_ASPEN = 1U << 31;
constexpr std::uint32_t FPSCR_DEFAULTS = 0x07C00000;  // what FPDSCR supplies
constexpr std::uint32_t MPU_ENABLE = 1U << 0, MPU_HFNMIENA = 1U << 1, MPU_PRIVDEFENA = 1U << 2;
constexpr std::uint32_t EXC_RETURN_THREAD = 1U << 3, EXC_RETURN_PROCESS = 1U << 2, EXC_RETURN_BASIC = 1U << 4;
constexpr unsigned FRAME_BYTES = 0x20, FP_FRAME_BYTES = 0x68, FP_WORDS = 16;
constexpr std::uint32_t SYST_CSR = 0xE000E010;
constexpr std::uint64_t TAIL_CHAIN_CYCLES = 6;  // DDI 0439B §3.9.2

bool coprocessor(const arm_instruction& i) { return i.length() == 4 && (i.code & 0xEC000000) == 0xEC000000; }
unsigned coprocessor_number(const arm_instruction& i) { return i.code >> 8 & 15; }
bool divide(const arm_instruction& i) {
  return (i.code & 0xFFF0F0F0) == 0xFB90F0F0 || (i.code & 0xFFF0F0F0) == 0xFBB0F0F0;
}
/// LDRT, STRT and their kind.
bool unprivileged_access(const arm_instruction& i) {
  return i.length() == 4 && (i.code & 0xFE800F00) == 0xF8000E00 && (i.code >> 21 & 3) != 3 && (i.code >> 16 & 15) != 15;
}
}  // namespace

cortex_m4::cortex_m4(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : arm_core(name, context, node, arm_profile::m),
      nvic_(
          "nvic", context, label(), [this] { wake(); }, [this] { request_reset(); },
          {.priority_bits = node.u32("arm,num-irq-priority-bits").value_or(3), .mpu = true, .fpu = true}),
      bit_band_(node.has("rpsim,bit-band")),
      exception_entry_(context.params.number(
          {label() + ".exception_entry", provenance::published, "reference/k3.md §7: 12 cycles without wait states",
           "cycles from a taken interrupt to its handler, and back"},
          12)) {}

line_in* cortex_m4::input(std::string_view what, unsigned index) {
  return what == "irq" ? nvic_.input(index) : arm_core::input(what, index);
}

// ---- reset

bool cortex_m4::enter_reset_state() {
  nvic_.reset(cycle());
  ipsr_ = 0;
  masks_ = {};
  unprivileged_ = select_process_stack_ = fp_active_ = false;
  process_stack_pointer_ = 0;
  event_ = false;
  fault_.reset();
  supervisor_call_ = breakpoint_ = false;
  returning_.reset();
  engine().set_fpscr(0);
  system_changed();

  std::uint32_t entry = 0;
  if (!load_word(0, main_stack_) || !load_word(4, entry)) {
    fault_.reset();
    lock_up("bus error where the vectors should be");
  }
  auto& r = engine().regs();
  r.fill(0);
  r[13] = main_stack_ &= ~3U;
  r[14] = 0xFFFFFFFF;
  r[15] = entry & ~1U;
  engine().set_cpsr(CPSR_USER | ((entry & 1) != 0 ? CPSR_T : 0));
  return true;
}

// ---- registers

void cortex_m4::bank_stack() { (process_stack() ? process_stack_pointer_ : main_stack_) = engine().regs()[13]; }
void cortex_m4::unbank_stack() { engine().regs()[13] = process_stack() ? process_stack_pointer_ : main_stack_; }

std::uint32_t cortex_m4::status() {
  const std::uint32_t cpsr = engine().cpsr();
  return (cpsr & PSR_KEPT) | ((cpsr & CPSR_T) != 0 ? XPSR_T : 0) | ipsr_;
}
void cortex_m4::set_status(std::uint32_t xpsr) {
  engine().set_cpsr((xpsr & PSR_KEPT) | ((xpsr & XPSR_T) != 0 ? CPSR_T : 0) | CPSR_USER);
}

std::uint32_t cortex_m4::special(unsigned number) {
  if (number < 8) {  // xPSR and its parts; the execution state reads as zero
    return ((number & 4) == 0 ? engine().cpsr() & (APSR_FLAGS | APSR_GE) : 0) | ((number & 1) != 0 ? ipsr_ : 0);
  }
  if (number == 20)
    return (unprivileged_ ? 1U : 0) | (select_process_stack_ ? 2U : 0) | (fp_active_ ? 4U : 0);  // CONTROL
  return privileged() ? privileged_special(number) : 0;
}

std::uint32_t cortex_m4::privileged_special(unsigned number) {
  bank_stack();
  switch (number) {
    case 8:
      return main_stack_;
    case 9:
      return process_stack_pointer_;
    case 16:
      return masks_.primask ? 1 : 0;
    case 17:
    case 18:
      return masks_.basepri;
    case 19:
      return masks_.faultmask ? 1 : 0;
    default:
      return 0;
  }
}

void cortex_m4::set_special(unsigned number, unsigned mask, std::uint32_t value) {
  if (number < 4) {
    std::uint32_t kept = engine().cpsr();
    if ((mask & 2) != 0) kept = (kept & ~APSR_FLAGS) | (value & APSR_FLAGS);
    if ((mask & 1) != 0) kept = (kept & ~APSR_GE) | (value & APSR_GE);
    engine().set_cpsr(kept);
    return;
  }
  if (!privileged()) return;
  bank_stack();
  const auto priority = static_cast<std::uint8_t>(nvic_.implemented_priority(value));
  switch (number) {
    case 8:
      main_stack_ = value & ~3U;
      break;
    case 9:
      process_stack_pointer_ = value & ~3U;
      break;
    case 16:
      masks_.primask = (value & 1) != 0;
      break;
    case 17:
      masks_.basepri = priority;
      break;
    case 18:  // BASEPRI_MAX: only ever raises it
      if (priority != 0 && (masks_.basepri == 0 || priority < masks_.basepri)) masks_.basepri = priority;
      break;
    case 19:
      if ((value & 1) == 0) {
        masks_.faultmask = false;
      } else if (nvic_.execution_priority(masks_) > -1) {
        masks_.faultmask = true;
      }
      break;
    case 20:
      unprivileged_ = (value & 1) != 0;
      if (!handler()) select_process_stack_ = (value & 2) != 0;
      fp_active_ = (value & 4) != 0;
      update_fp_trap();
      break;
    default:
      break;
  }
  unbank_stack();
}

/// Stops the engine if an exception may be taken now.
arm_after cortex_m4::unmasked() const { return nvic_.preempting(masks_) != 0 ? arm_after::stop : arm_after::go_on; }

// ---- instructions that concern the system

bool cortex_m4::traps(const arm_instruction& i) {
  return arm_core::traps(i) || (divide_traps_ && divide(i)) || unprivileged_access(i);
}

arm_after cortex_m4::trapped(const arm_instruction& i) {
  if (arm_core::traps(i)) return at_breakpoint(i);
  auto& r = engine().regs();
  if (i.length() == 2 && (i.code & 0xFFE8) == 0xB660) {  // CPS
    if (!privileged()) return arm_after::go_on;
    const bool disable = (i.code & 0x10) != 0;
    if ((i.code & 2) != 0) masks_.primask = disable;
    if ((i.code & 1) != 0) masks_.faultmask = disable && (masks_.faultmask || nvic_.execution_priority(masks_) > -1);
    return unmasked();
  }
  if ((i.code & 0xFFEFD000) == 0xF3EF8000) {  // MRS
    const std::uint32_t value = special(i.code & 0xFF);
    r[i.code >> 8 & 15] = value;
    return arm_after::go_on;
  }
  if ((i.code & 0xFFE0D000) == 0xF3808000) {  // MSR
    const unsigned number = i.code & 0xFF;
    const bool changes_protection = number == 20 && (nvic_.get(nvic::MPU_CTRL) & MPU_ENABLE) != 0;
    if (changes_protection && !stepping()) return exactly();
    set_special(number, i.code >> 10 & 3, r[i.code >> 16 & 15]);
    if (changes_protection) system_touched_ = true;
    return unmasked();
  }
  if (divide_traps_ && divide(i)) {
    const std::uint32_t n = r[i.code >> 16 & 15], m = r[i.code & 15];
    std::uint32_t& d = r[i.code >> 8 & 15];
    if (m != 0) {
      const bool overflows = n == 0x80000000 && m == 0xFFFFFFFF;
      const bool is_signed = (i.code >> 20 & 15) == 9;
      d = !is_signed  ? n / m
          : overflows ? n
                      : static_cast<std::uint32_t>(static_cast<std::int32_t>(n) / static_cast<std::int32_t>(m));
      return arm_after::go_on;
    }
    if (!stepping()) return exactly();
    fault_ = {nvic::USAGE_FAULT, CFSR_DIVBYZERO, {}, "divide-by-zero"};
    return arm_after::go_on;
  }
  // The rest takes simulated time, or does not come back.
  if (!stepping()) return exactly();
  if (unprivileged_access(i)) {
    access_unprivileged(i);
    return arm_after::go_on;
  }
  if (i.length() == 2 && (i.code & 0xFF00) == 0xBE00) {
    breakpoint_ = true;
    return arm_after::go_on;
  }
  if (coprocessor(i)) {
    if (coprocessor_number(i) >> 1 == 5) {
      if (engine().fp_trapped()) return floating_point(i);
      fault_ = {nvic::USAGE_FAULT, CFSR_UNDEFINSTR, {}, "undefined instruction"};
    } else {
      fault_ = {nvic::USAGE_FAULT, CFSR_NOCP, {}, "no coprocessor"};
    }
    return arm_after::go_on;
  }
  fault_ = {nvic::USAGE_FAULT, CFSR_UNDEFINSTR, {}, "undefined instruction"};
  return arm_after::go_on;
}

arm_after cortex_m4::supervisor_call(const arm_instruction&) {
  if (!stepping()) return exactly();
  supervisor_call_ = true;
  return arm_after::go_on;
}

arm_after cortex_m4::hint(arm_hint what, const arm_instruction&) {
  if (what == arm_hint::sev) {
    event_ = true;
  } else if (!stepping()) {
    return exactly();
  } else if (what == arm_hint::wfe && event_) {
    event_ = false;
  } else {
    fall_asleep(what);
  }
  return arm_after::go_on;
}

arm_after cortex_m4::not_executable(std::uint32_t pc) {
  if (!stepping()) return exactly();
  if (handler() && pc >> 28 == 15 && (engine().cpsr() & CPSR_T) != 0) {
    returning_ = pc | 1;
  } else if ((engine().cpsr() & CPSR_T) == 0) {
    fault_ = {nvic::USAGE_FAULT, CFSR_INVSTATE, {}, "not Thumb code"};
  } else if (!permitted(pc).fetch) {
    fault_ = {nvic::MEM_MANAGE, CFSR_IACCVIOL, {}, "execute never"};
  } else {
    fault_ = {nvic::BUS_FAULT, CFSR_IBUSERR, {}, "instruction bus error"};
  }
  return arm_after::go_on;
}

/// What the instruction that was stepped has caused.
void cortex_m4::refresh() {
  if (system_touched_) system_changed();
  if (const auto exc_return = std::exchange(returning_, std::nullopt)) return return_from_exception(*exc_return);
  if (const auto f = std::exchange(fault_, std::nullopt)) {
    engine().regs()[15] = step_pc();
    engine().set_cpsr(step_status());
    return raise(*f);
  }
  if (std::exchange(breakpoint_, false)) {  // without a debugger: DDI 0403E C1.6.1
    engine().regs()[15] = step_pc();
    engine().set_cpsr(step_status());
    if (stops_for_debugger({.why = debug_stop::kind::instruction, .address = step_pc()})) return;
    nvic_.set(nvic::DFSR, nvic_.get(nvic::DFSR) | DFSR_BKPT);
    if (!nvic_.monitor_enabled() || nvic_.group_priority(nvic::DEBUG_MONITOR) >= nvic_.execution_priority(masks_))
      return raise({nvic::HARD_FAULT, 0, {}, "breakpoint"}, HFSR_DEBUGEVT);
    return nvic_.set_pending(nvic::DEBUG_MONITOR);
  }
  if (std::exchange(supervisor_call_, false)) {
    if (nvic_.group_priority(nvic::SVCALL) < nvic_.execution_priority(masks_)) {
      nvic_.set_pending(nvic::SVCALL);
    } else {
      raise({nvic::HARD_FAULT, 0, {}, "SVC at a priority that cannot take it"});
    }
  }
}

// ---- floating point: DDI 0403E B1.5.7, ExecuteFPCheck()

bool cortex_m4::fp_enabled() const {
  const std::uint32_t access = nvic_.get(nvic::CPACR) >> 20 & 3;
  return access == 3 || (access == 1 && privileged());
}

void cortex_m4::update_fp_trap() {
  const std::uint32_t fpccr = nvic_.get(nvic::FPCCR);
  engine().trap_fp(!fp_enabled() || (fpccr & FPCCR_LSPACT) != 0 || ((fpccr & FPCCR_ASPEN) != 0 && !fp_active_));
}

/// The first one of a context, or one that must not be.
arm_after cortex_m4::floating_point(const arm_instruction&) {
  if (!fp_enabled()) {
    fault_ = {nvic::USAGE_FAULT, CFSR_NOCP, {}, "floating point is not enabled"};
    return arm_after::go_on;
  }
  const std::uint32_t fpccr = nvic_.get(nvic::FPCCR);
  if ((fpccr & FPCCR_LSPACT) != 0) {
    if (!store_fp_state(nvic_.get(nvic::FPCAR))) {
      fault_->status = fault_->exception == nvic::BUS_FAULT ? CFSR_LSPERR : CFSR_MLSPERR;
      fault_->address.reset();
      return arm_after::go_on;
    }
    nvic_.set(nvic::FPCCR, fpccr & ~FPCCR_LSPACT);
  }
  if ((fpccr & FPCCR_ASPEN) != 0 && !fp_active_) {
    engine().set_fpscr((engine().fpscr() & ~FPSCR_DEFAULTS) | (nvic_.get(nvic::FPDSCR) & FPSCR_DEFAULTS));
    fp_active_ = true;
  }
  update_fp_trap();
  return arm_after::again;
}

bool cortex_m4::store_fp_state(std::uint32_t at) {
  for (unsigned n = 0; n < FP_WORDS; ++n) {
    if (!store_word(at + 4 * n, engine().fp_regs()[n])) return false;
  }
  return store_word(at + 4 * FP_WORDS, engine().fpscr());
}

// ---- memory

/// Device and strongly-ordered memory of the default map (DDI 0403E, table B3-1).
bool cortex_m4::device(std::uint32_t address) {
  const std::uint32_t block = address >> 29;
  return block == 2 || block >= 5;
}

bool cortex_m4::bit_alias(std::uint32_t address) const {
  return bit_band_ && (address >> 25 == 0x22000000 >> 25 || address >> 25 == 0x42000000 >> 25);
}

void cortex_m4::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto address = static_cast<std::uint32_t>(payload.get_address());
  if (private_bus(address) && !privileged()) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  } else if (nvic::owns(address)) {
    system_touched_ |= payload.is_write();
    nvic_.transport(payload, delay);
  } else if (private_bus(address)) {  // ITM, FPB, TPIU, ETM, ROM table: there, and without effect
    if (payload.is_read()) std::memset(payload.get_data_ptr(), 0, payload.get_data_length());
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  } else if (bit_alias(address)) {
    transport_bit(payload, delay);
  } else {
    arm_core::transport(payload, delay);
  }
}

std::optional<std::uint32_t> cortex_m4::own_register(std::uint32_t address, const sc_core::sc_time& now) {
  if (!privileged()) return std::nullopt;
  if (nvic::is_cycle_count(address)) return nvic_.cycle_count(now);
  return quiet_until(now) ? nvic_.peek(address, now) : std::nullopt;
}

/// Bit-band alias (DDI 0439B §3.7): a word stands for a bit, and a write reads and writes its byte.
void cortex_m4::transport_bit(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto address = static_cast<std::uint32_t>(payload.get_address());
  const std::uint32_t offset = address & 0x01FFFFFF;
  const unsigned bit = offset / 4 % 8, length = payload.get_data_length();
  const bool writes = payload.is_write();
  unsigned char* const data = payload.get_data_ptr();
  unsigned char byte = 0;
  payload.set_address((address & 0xF0000000) + offset / 32);
  payload.set_data_ptr(&byte);
  payload.set_data_length(1);
  payload.set_streaming_width(1);
  payload.set_command(tlm::TLM_READ_COMMAND);
  arm_core::transport(payload, delay);
  if (!payload.is_response_ok()) return;
  if (!writes) {
    std::memset(data, 0, length);
    data[0] = byte >> bit & 1;
    return;
  }
  byte = static_cast<unsigned char>((byte & ~(1U << bit)) | (data[0] & 1U) << bit);
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  arm_core::transport(payload, delay);
}

/// In step(): one access as if CONTROL.nPRIV were set and the mode were Thread.
void cortex_m4::access_unprivileged(const arm_instruction& i) {
  auto& r = engine().regs();
  const std::uint32_t address = r[i.code >> 16 & 15] + (i.code & 0xFF);
  const unsigned bytes = 1U << (i.code >> 21 & 3);
  std::uint32_t& t = r[i.code >> 12 & 15];
  const bool was_privileged = std::exchange(protected_privileged_, false);
  as_unprivileged_ = true;
  std::uint32_t value = t;
  const bool loads = (i.code & 1U << 20) != 0;
  const outcome how = loads ? (value = 0, load(address, &value, bytes)) : store(address, &value, bytes);
  as_unprivileged_ = false;
  protected_privileged_ = was_privileged;
  if (how != outcome::done) {
    fault_ = fault_of(last_fault());
  } else if (loads) {
    const bool is_signed = (i.code & 1U << 24) != 0;
    const unsigned above = 32 - 8 * bytes;
    t = is_signed ? static_cast<std::uint32_t>(static_cast<std::int32_t>(value << above) >> above) : value;
  }
}

bool cortex_m4::load_word(std::uint32_t address, std::uint32_t& value) {
  if (load(address, &value, 4) == outcome::done) return true;
  fault_ = fault_of(last_fault());
  return false;
}
bool cortex_m4::store_word(std::uint32_t address, std::uint32_t value) {
  if (store(address, &value, 4) == outcome::done) return true;
  fault_ = fault_of(last_fault());
  return false;
}

cortex_m4::fault cortex_m4::fault_of(const access_fault& f) {
  if (f.kind == fault_kind::alignment) return {nvic::USAGE_FAULT, CFSR_UNALIGNED, f.address, "unaligned access"};
  if (f.kind == fault_kind::permission || f.kind == fault_kind::background)
    return {nvic::MEM_MANAGE, CFSR_DACCVIOL | CFSR_MMARVALID, f.address, "memory protection"};
  return {nvic::BUS_FAULT, CFSR_PRECISERR | CFSR_BFARVALID, f.address,
          f.access == access_kind::write ? "write" : "read"};
}

void cortex_m4::abort(const access_fault& f) {
  fault_.reset();
  raise(fault_of(f));
}

// ---- memory protection: DDI 0403E B3.5

bool cortex_m4::mpu_on() const {
  const std::uint32_t control = nvic_.get(nvic::MPU_CTRL);
  return (control & MPU_ENABLE) != 0 &&
         ((control & MPU_HFNMIENA) != 0 || nvic_.execution_priority({false, masks_.faultmask, 0}) >= 0);
}

arm_core::permissions cortex_m4::permitted(std::uint32_t address) const {
  constexpr std::uint32_t BLOCK = 1U << 29;  // of the default map
  permissions p;
  p.where = {address & ~(BLOCK - 1), address | (BLOCK - 1)};
  p.fetch = !device(address);
  if (!protected_ || private_bus(address)) return p;
  const auto cut = [&](std::uint64_t first, std::uint64_t end) {  // at the ends of what behaves alike
    if (address >= first && address < end) {
      p.where.first = std::max(p.where.first, static_cast<std::uint32_t>(first));
      p.where.last = std::min(p.where.last, static_cast<std::uint32_t>(end - 1));
    } else if (address < first) {
      p.where.last = std::min(p.where.last, static_cast<std::uint32_t>(first - 1));
    } else {
      p.where.first = std::max(p.where.first, static_cast<std::uint32_t>(end));
    }
  };
  const auto& regions = nvic_.mpu_regions();
  std::optional<std::uint32_t> rule;
  for (const auto& [rbar, rasr] : regions) {  // the highest number wins
    const unsigned size_bits = (rasr >> 1 & 31) + 1;
    if ((rasr & 1) == 0 || size_bits < 5) continue;
    const std::uint64_t size = std::uint64_t{1} << size_bits, base = rbar & ~(size - 1);
    if (address < base || address >= base + size) {
      cut(base, base + size);
    } else if (size_bits < 8) {  // no subregions
      cut(base, base + size);
      rule = rasr;
    } else {
      const std::uint64_t part = (address - base) >> (size_bits - 3);
      cut(base + part * (size / 8), base + (part + 1) * (size / 8));
      if ((rasr >> (8 + part) & 1) == 0) rule = rasr;
    }
  }
  if (rule) {
    const unsigned ap = *rule >> 24 & 7;
    p.read = protected_privileged_ ? ap != 0 && ap != 4 : ap == 2 || ap == 3 || ap >= 6;
    p.write = protected_privileged_ ? ap >= 1 && ap <= 3 : ap == 3;
    p.fetch = p.read && (*rule >> 28 & 1) == 0;
    p.device = pmsav7::device(*rule >> 19 & 7, *rule >> 16 & 3);
  } else if (!protected_privileged_ || (nvic_.get(nvic::MPU_CTRL) & MPU_PRIVDEFENA) == 0) {
    p.read = p.write = p.fetch = false;
  }
  return p;
}

/// After anything that permitted() depends on.
void cortex_m4::protection_changed() {
  const bool on = mpu_on();
  if (on != protected_ || (on && protected_privileged_ != privileged())) memory_changed();
  protected_ = on;
  protected_privileged_ = privileged();
}

/// After a write to the system control space, or to CONTROL.
void cortex_m4::system_changed() {
  system_touched_ = false;
  update_fp_trap();
  const bool divide_traps = (nvic_.get(nvic::CCR) & CCR_DIV_0_TRP) != 0;
  if (divide_traps != divide_traps_) engine().clear_cache();
  divide_traps_ = divide_traps;
  engine().trap_unaligned((nvic_.get(nvic::CCR) & CCR_UNALIGN_TRP) != 0);
  if (nvic_.take_mpu_written() && protected_) memory_changed();
  protection_changed();
}

// ---- exceptions: DDI 0403E B1.5

void cortex_m4::take_interrupt() {
  unsigned exception = nvic_.preempting(masks_);
  push_frame();
  spend(std::max<std::uint64_t>(1, exception_entry_.count()));  // never none: an input stuck high must not stop time
  catch_up();
  // A more urgent one that arrived meanwhile goes first (late arrival).
  if (const unsigned late = nvic_.preempting(masks_)) exception = late;
  take(exception);
}

/// What of memory was missing raises a fault of its own, which then comes first or waits.
void cortex_m4::push_frame() {
  bank_stack();
  const bool fp = fp_active_;
  std::uint32_t& stack = process_stack() ? process_stack_pointer_ : main_stack_;
  const bool align = (nvic_.get(nvic::CCR) & CCR_STKALIGN) != 0 || fp;
  const std::uint32_t from = stack;
  stack -= fp ? FP_FRAME_BYTES : FRAME_BYTES;
  if (align) stack &= ~7U;
  const auto& r = engine().regs();
  const std::array<std::uint32_t, 8> frame{
      r[0], r[1], r[2], r[3], r[12], r[14], r[15], status() | (align && (from & 4) != 0 ? XPSR_ALIGNED : 0)};
  exc_return_ = 0xFFFFFFE1 | (fp ? 0 : EXC_RETURN_BASIC) | (handler() ? 0 : EXC_RETURN_THREAD) |
                (process_stack() ? EXC_RETURN_PROCESS : 0);
  bool stored = true;
  for (unsigned n = 0; stored && n < frame.size(); ++n) stored = store_word(stack + 4 * n, frame[n]);
  const std::uint32_t fpccr = nvic_.get(nvic::FPCCR);
  if (stored && fp && (fpccr & FPCCR_LSPEN) == 0) stored = store_fp_state(stack + FRAME_BYTES);
  if (!stored) return raise_derived(CFSR_STKERR, CFSR_MSTKERR);
  if (fp && (fpccr & FPCCR_LSPEN) != 0) {
    const int now = nvic_.execution_priority(masks_);
    const auto ready = [&](unsigned exception, std::uint32_t bit, std::uint32_t enable) {
      return (nvic_.get(nvic::SHCSR) & enable) != 0 && nvic_.group_priority(exception) < now ? bit : 0;
    };
    nvic_.set(nvic::FPCAR, stack + FRAME_BYTES);
    nvic_.set(nvic::FPCCR, (fpccr & (FPCCR_ASPEN | FPCCR_LSPEN)) | FPCCR_LSPACT | (privileged() ? 0 : FPCCR_USER) |
                               (handler() ? 0 : FPCCR_THREAD) | (now > -1 ? FPCCR_HFRDY : 0) |
                               ready(nvic::MEM_MANAGE, FPCCR_MMRDY, 1U << 16) |
                               ready(nvic::BUS_FAULT, FPCCR_BFRDY, 1U << 17));
  }
}

void cortex_m4::take(unsigned exception) {
  std::uint32_t vector = 0;
  while (!load_word(nvic_.vector_table() + 4 * exception, vector)) {
    fault_.reset();
    nvic_.set(nvic::HFSR, nvic_.get(nvic::HFSR) | HFSR_VECTTBL);
    emit("core.fault", {{"kind", "vector"}, field::hex("address", nvic_.vector_table() + 4 * exception)});
    if (exception == nvic::HARD_FAULT || nvic_.execution_priority(masks_) <= -1)
      return lock_up("no vector to be read for a hard fault");
    nvic_.set_pending(exception = nvic::HARD_FAULT);
  }
  nvic_.enter(exception);
  ipsr_ = exception;
  select_process_stack_ = false;
  fp_active_ = false;
  unbank_stack();
  auto& r = engine().regs();
  r[14] = exc_return_;
  r[15] = vector & ~1U;
  engine().set_cpsr((engine().cpsr() & (APSR_FLAGS | APSR_GE)) | ((vector & 1) != 0 ? CPSR_T : 0) | CPSR_USER);
  engine().clear_exclusive();
  event_ = true;
  update_fp_trap();
  protection_changed();
}

void cortex_m4::return_from_exception(std::uint32_t exc_return) {
  catch_up();
  bank_stack();
  const unsigned nesting = nvic_.nesting();
  const std::uint32_t kind = exc_return & 15;
  const bool to_thread = kind == 9 || kind == 13;
  const bool based = nesting == 1 || (nvic_.get(nvic::CCR) & CCR_NONBASETHRDENA) != 0;
  const bool valid = nvic_.active(ipsr_) && (kind == 1 ? nesting > 1 : to_thread && based);
  nvic_.leave(ipsr_);
  if (ipsr_ != nvic::NMI) masks_.faultmask = false;
  if (!valid) raise({nvic::USAGE_FAULT, CFSR_INVPC, {}, "exception return"});
  // Tail-chaining: the frame of what comes next is the one that is there. So it is for what goes wrong in returning.
  if (nvic_.preempting(masks_) != 0 || !pop_frame(exc_return)) {
    if (locked_up()) return;
    spend(TAIL_CHAIN_CYCLES);
    catch_up();
    exc_return_ = exc_return | 0xFFFFFFE0;
    return take(nvic_.preempting(masks_));
  }
  spend(std::max<std::uint64_t>(1, exception_entry_.count()));
  engine().clear_exclusive();
  event_ = true;
  update_fp_trap();
  protection_changed();
  if (!handler() && nesting == 1 && (nvic_.get(nvic::SCR) & SCR_SLEEPONEXIT) != 0) fall_asleep(arm_hint::wfi);
}

bool cortex_m4::pop_frame(std::uint32_t exc_return) {
  const bool process = (exc_return & EXC_RETURN_PROCESS) != 0, thread = (exc_return & EXC_RETURN_THREAD) != 0;
  const bool fp = (exc_return & EXC_RETURN_BASIC) == 0;
  std::uint32_t& stack = process ? process_stack_pointer_ : main_stack_;
  std::array<std::uint32_t, 8> frame{};
  bool loaded = true;
  for (unsigned n = 0; loaded && n < frame.size(); ++n) loaded = load_word(stack + 4 * n, frame[n]);
  const std::uint32_t fpccr = nvic_.get(nvic::FPCCR);
  if (loaded && fp) {
    if ((fpccr & FPCCR_LSPACT) != 0) {  // never saved: the registers still hold it
      nvic_.set(nvic::FPCCR, fpccr & ~FPCCR_LSPACT);
    } else if (!fp_enabled()) {
      raise({nvic::USAGE_FAULT, CFSR_NOCP, {}, "floating point is not enabled"});
      return false;
    } else {
      for (unsigned n = 0; loaded && n < FP_WORDS; ++n)
        loaded = load_word(stack + FRAME_BYTES + 4 * n, engine().fp_regs()[n]);
      std::uint32_t fpscr = 0;
      loaded = loaded && load_word(stack + FRAME_BYTES + 4 * FP_WORDS, fpscr);
      if (loaded) engine().set_fpscr(fpscr);
    }
  }
  if (!loaded) {
    raise_derived(CFSR_UNSTKERR, CFSR_MUNSTKERR);
    return false;
  }
  const std::uint32_t xpsr = frame[7];
  if (((xpsr & XPSR_EXCEPTION) == 0) != thread) {
    raise({nvic::USAGE_FAULT, CFSR_INVPC, {}, "exception return"});
    return false;
  }
  stack += fp ? FP_FRAME_BYTES : FRAME_BYTES;
  if ((xpsr & XPSR_ALIGNED) != 0 && (fp || (nvic_.get(nvic::CCR) & CCR_STKALIGN) != 0)) stack |= 4;
  ipsr_ = xpsr & XPSR_EXCEPTION;
  if (thread) select_process_stack_ = process;
  fp_active_ = fp;
  unbank_stack();
  auto& r = engine().regs();
  std::copy_n(frame.begin(), 4, r.begin());
  r[12] = frame[4];
  r[14] = frame[5];
  r[15] = frame[6] & ~1U;
  set_status(xpsr);
  return true;
}

void cortex_m4::raise(const fault& f, std::uint32_t hard_status) {
  nvic_.set(nvic::CFSR, nvic_.get(nvic::CFSR) | f.status);
  if ((f.status & (CFSR_MMARVALID | CFSR_BFARVALID)) != 0)
    nvic_.set(f.exception == nvic::MEM_MANAGE ? nvic::MMFAR : nvic::BFAR, *f.address);
  const std::uint32_t pc = engine().regs()[15];
  if (f.address) {
    emit("core.fault", {{"kind", f.kind}, field::hex("address", *f.address), field::hex("pc", pc)});
  } else {
    emit("core.fault", {{"kind", f.kind}, field::hex("pc", pc)});
  }
  const int now = nvic_.execution_priority(masks_);
  const bool has_handler = f.exception >= nvic::MEM_MANAGE && f.exception <= nvic::USAGE_FAULT &&
                           (nvic_.get(nvic::SHCSR) >> (f.exception + 12) & 1) != 0;
  if (has_handler && nvic_.group_priority(f.exception) < now) {
    nvic_.set_pending(f.exception);
  } else if (now > -1) {
    nvic_.set(nvic::HFSR, nvic_.get(nvic::HFSR) | hard_status);
    nvic_.set_pending(nvic::HARD_FAULT);
  } else {
    lock_up(fmt::format("{} at {:#x}", f.kind, pc));
  }
}

void cortex_m4::raise_derived(std::uint32_t bus_status, std::uint32_t memory_status) {
  fault f = *std::exchange(fault_, std::nullopt);
  if (nvic_.pending(nvic::HARD_FAULT)) {
    return lock_up(fmt::format("no stack for a hard fault: {} at {:#x}", f.kind, f.address.value_or(0)));
  }
  f.status = f.exception == nvic::MEM_MANAGE ? memory_status : bus_status;
  f.address.reset();
  raise(f);
}

// ---- asleep

bool cortex_m4::wakes(arm_hint asleep_in) const {
  // Armv7-M: an interrupt that PRIMASK alone holds back ends a WFI, too.
  if (asleep_in == arm_hint::wfi) return nvic_.waking(masks_) != 0;
  const bool on_pending = (nvic_.get(nvic::SCR) & SCR_SEVONPEND) != 0 && nvic_.any_pending();
  return event_ || on_pending || interrupted();
}

std::string cortex_m4::wake_reason() const {
  const unsigned by = nvic_.waking(masks_);
  if (by >= nvic::EXTERNAL) return std::to_string(by - nvic::EXTERNAL);
  return by == 0 ? "none" : by == nvic::SYSTICK ? "systick" : "exception";
}

// ---- time: DDI 0439B table 3-1, pipeline refill taken as 2 (1 to 3)

unsigned cortex_m4::cycles(const arm_instruction& i) {
  constexpr unsigned REFILL = 2;
  if (i.length() == 2) {
    const std::uint32_t h = i.code;
    if ((h & 0xFE00) == 0xB400) return 1 + static_cast<unsigned>(std::popcount(h & 0x1FF));  // PUSH
    if ((h & 0xFE00) == 0xBC00)                                                              // POP
      return 1 + static_cast<unsigned>(std::popcount(h & 0x1FF)) + ((h & 0x100) != 0 ? REFILL : 0);
    if ((h & 0xF000) == 0xC000) return 1 + static_cast<unsigned>(std::popcount(h & 0xFF));  // LDM, STM
    if ((h & 0xF800) == 0x4800) return 2;                                                   // LDR literal
    if ((h & 0xF000) == 0x5000) return (h & 0x0E00) < 0x0600 ? 1 : 2;                       // by register
    if ((h & 0xE000) == 0x6000 || (h & 0xF000) == 0x8000 || (h & 0xF000) == 0x9000) return (h & 0x0800) != 0 ? 2 : 1;
    if ((h & 0xF800) == 0xE000) return 1 + REFILL;                                // B
    if ((h & 0xFF00) == 0x4700) return 1 + REFILL;                                // BX, BLX
    if ((h & 0xFE00) == 0xDE00) return 1;                                         // UDF, SVC
    if ((h & 0xF000) == 0xD000 || (h & 0xF500) == 0xB100) return 1 + REFILL / 2;  // half are taken
    return 1;
  }
  const std::uint32_t c = i.code;
  if (divide(i)) return 7;                                                                          // 2 to 12
  if ((c & 0xFE400000) == 0xE8000000) return 1 + static_cast<unsigned>(std::popcount(c & 0xFFFF));  // LDM, STM
  if ((c & 0xFFF0FFE0) == 0xE8D0F000) return 2 + REFILL;                                            // TBB, TBH
  if ((c & 0xFE400000) == 0xE8400000) return (c & 0x01200000) == 0 ? 2 : 3;                         // exclusives, LDRD
  if ((c & 0xFE000000) == 0xF8000000) return (c & 0x00100000) != 0 ? 2 : 1;                         // LDR, STR
  if ((c & 0xF8009000) == 0xF0009000) return 1 + REFILL;                                            // B.W, BL
  if ((c & 0xF800D000) == 0xF0008000 && (c & 0x03800000) != 0x03800000) return 1 + REFILL / 2;      // B<c>.W
  if ((c & 0xFE000E00) == 0xEC000A00)                                                               // VLDR, VLDM …
    return (c & 0x01200000) == 0x01000000 ? 2 + (c >> 8 & 1) : 1 + (c & 0xFF);
  if ((c & 0xFFB00E50) == 0xEE800A00) return 14;  // VDIV
  if ((c & 0xFFBF0ED0) == 0xEEB10AC0) return 14;  // VSQRT
  if ((c & 0xFFB00E10) == 0xEE000A00 || (c & 0xFFA00E10) == 0xEEA00A00 || (c & 0xFFB00E10) == 0xEE900A00)
    return 3;  // VMLA, VFMA …
  return 1;
}

// ---- for a debugger

namespace {
struct special_register {
  debug_register shown;
  unsigned number;  // of MRS and MSR
};
constexpr special_register SPECIAL[] = {{{"msp"}, 8},      {{"psp"}, 9},        {{"primask"}, 16},
                                        {{"basepri"}, 17}, {{"faultmask"}, 19}, {{"control"}, 20}};
}  // namespace

std::vector<debug_register> cortex_m4::system_registers() const {
  std::vector<debug_register> all;
  for (const special_register& r : SPECIAL) all.push_back(r.shown);
  return all;
}

bool cortex_m4::set_debug_status(std::uint32_t value) {
  if (((value ^ ipsr_) & XPSR_EXCEPTION) != 0) return false;  // exceptions are entered and left, not written
  set_status(value);
  return true;
}

std::uint32_t cortex_m4::debug_system(unsigned n) {
  const unsigned number = SPECIAL[n].number;
  return number == 20 ? special(number) : privileged_special(number);
}

bool cortex_m4::set_debug_system(unsigned n, std::uint32_t value) {
  if (!privileged()) return false;
  set_special(SPECIAL[n].number, 0, value);
  system_touched_ = true;
  return true;
}

bool cortex_m4::debug_private(tlm::tlm_command command, std::uint32_t address, void* word) {
  // Reading SYST_CSR clears COUNTFLAG; and a bit's alias is not what a debugger reaches for.
  if (bit_alias(address) || (address == SYST_CSR && command == tlm::TLM_READ_COMMAND)) return false;
  tlm::tlm_generic_payload p;
  p.set_command(command);
  p.set_address(address);
  p.set_data_ptr(static_cast<unsigned char*>(word));
  p.set_data_length(4);
  p.set_streaming_width(4);
  sc_core::sc_time none;
  if (!nvic::owns(address)) return false;
  nvic_.transport(p, none);
  system_touched_ |= p.is_write();
  return p.is_response_ok();
}

}  // namespace rpsim
