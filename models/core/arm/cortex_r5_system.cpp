// Modes, exceptions and the instructions that concern them. Encodings: Arm DDI 0406C, chapters A6, A8, B1 and B9.

#include <fmt/format.h>

#include <bit>

#include "models/core/arm/cortex_r5.h"

namespace rpsim {

namespace {
constexpr std::uint32_t CPSR_MODE = 0x1F, CPSR_T = 1U << 5, CPSR_F = 1U << 6, CPSR_I = 1U << 7, CPSR_A = 1U << 8,
                        CPSR_E = 1U << 9, CPSR_J = 1U << 24, CPSR_IT = 0x0600FC00;
constexpr std::uint32_t CPSR_USER_WRITABLE = 0xF80F0000;  // NZCVQ, GE
constexpr std::uint32_t CPSR_WRITABLE = CPSR_USER_WRITABLE | CPSR_A | CPSR_I | CPSR_F | CPSR_MODE;
constexpr std::uint32_t SCTLR_V = 1U << 13, SCTLR_TE = 1U << 30;
constexpr std::uint32_t HIGH_VECTORS = 0xFFFF0000;
constexpr std::uint32_t IFSR_DEBUG = 0x2;
constexpr std::uint32_t FPEXC_EN = 1U << 30;
constexpr unsigned ENDLESS =
    100;  // times that an exception interrupts its own mode at the same place in the same state

bool between(std::uint32_t code, std::uint32_t mask, std::uint32_t value) { return (code & mask) == value; }
}  // namespace

// ---- what an instruction costs

/// The issue cycles of DDI 0460's chapter on cycle timings, without interlocks, dual issue and cache misses: assumed to
/// cancel out. Loads and stores go through a 64-bit port; branches are predicted.
unsigned cortex_r5::cycles(const arm_instruction& i) {
  const std::uint32_t c = i.code;
  const auto registers = [](std::uint32_t list) { return 1U + (static_cast<unsigned>(std::popcount(list)) + 1) / 2; };
  if (i.length() == 2) {
    if (between(c, 0xF000, 0xC000)) return registers(c & 0xFF);   // LDM, STM
    if (between(c, 0xF600, 0xB400)) return registers(c & 0x1FF);  // PUSH, POP
    return 1;
  }
  if (i.thumb ? between(c, 0xFE400000, 0xE8000000) : between(c, 0x0E000000, 0x08000000)) return registers(c & 0xFFFF);
  if (i.thumb ? between(c, 0xFFD0F0F0, 0xFB90F0F0) : between(c, 0x0FD0F0F0, 0x0710F010)) return 10;  // SDIV, UDIV
  if (i.thumb ? between(c, 0xFF800000, 0xFB800000) : between(c, 0x0F8000F0, 0x00800090)) return 2;   // long multiplies
  if (between(c, 0x0F000E10, 0x0E000A00)) {  // floating-point data processing
    const bool is_double = (c & 0x100) != 0;
    if (between(c, 0x0FB00E50, 0x0E800A00)) return is_double ? 31 : 17;  // VDIV
    if (between(c, 0x0FBF0ED0, 0x0EB10AC0)) return is_double ? 31 : 17;  // VSQRT
    return is_double ? 3 : 1;
  }
  if (between(c, 0x0E000E00, 0x0C000A00)) return 1 + (c & 0xFF) / 2;  // VLDM, VSTM, VLDR, VSTR
  return 1;
}

// ---- modes

bool cortex_r5::is_mode(std::uint32_t m) {
  return m == USER || m == FIQ || m == IRQ || m == SUPERVISOR || m == ABORT || m == UNDEFINED || m == SYSTEM;
}

unsigned cortex_r5::bank(std::uint32_t m) {
  switch (m) {
    case FIQ:
      return 1;
    case IRQ:
      return 2;
    case SUPERVISOR:
      return 3;
    case ABORT:
      return 4;
    case UNDEFINED:
      return 5;
    default:
      return 0;
  }
}

void cortex_r5::switch_mode(std::uint32_t to) {
  const std::uint32_t from = current_mode();
  if (from == to) return;
  auto& r = engine().regs();
  sp_[bank(from)] = r[13];
  lr_[bank(from)] = r[14];
  if (from == FIQ || to == FIQ) {
    auto& out = from == FIQ ? fiq_r8_ : user_r8_;
    auto& in = from == FIQ ? user_r8_ : fiq_r8_;
    for (unsigned k = 0; k < out.size(); ++k) {
      out[k] = r[8 + k];
      r[8 + k] = in[k];
    }
  }
  r[13] = sp_[bank(to)];
  r[14] = lr_[bank(to)];
  engine().set_cpsr((engine().cpsr() & ~CPSR_MODE) | to);
  update_fp_trap();
}

void cortex_r5::write_cpsr(std::uint32_t value, std::uint32_t mask) {
  mask &= privileged() ? CPSR_WRITABLE : CPSR_USER_WRITABLE;
  if ((mask & CPSR_MODE) != 0 && is_mode(value & CPSR_MODE)) switch_mode(value & CPSR_MODE);
  mask &= ~CPSR_MODE;
  engine().set_cpsr((engine().cpsr() & ~mask) | (value & mask));
}

bool cortex_r5::fp_permitted() const {
  const std::uint32_t access = cpacr_ >> 20 & 3;
  return access == 3 || (access == 1 && privileged());
}

void cortex_r5::update_fp_trap() { engine().trap_fp(!fp_permitted() || (fpexc_ & FPEXC_EN) == 0); }

// ---- exceptions

void cortex_r5::enter(mode m, std::uint32_t vector, std::uint32_t link, std::string_view what) {
  enter_at(m, (sctlr(SCTLR_V) ? HIGH_VECTORS : 0) + vector, link, what);
}

void cortex_r5::enter_at(mode m, std::uint32_t address, std::uint32_t link, std::string_view what) {
  const std::uint32_t before = engine().cpsr();
  if ((before & CPSR_MODE) == m) watch_for_endless_exceptions(link, what);
  switch_mode(m);
  saved_status() = before;
  std::uint32_t status = (before & ~(CPSR_MODE | CPSR_T | CPSR_J | CPSR_IT | CPSR_E)) | m | CPSR_I;
  if (m == FIQ) status |= CPSR_F;
  if (m != SUPERVISOR && m != UNDEFINED) status |= CPSR_A;
  if (sctlr(SCTLR_TE)) status |= CPSR_T;
  engine().set_cpsr(status);
  engine().regs()[14] = link;
  engine().regs()[15] = address & ~3U;
  spend(std::max<std::uint64_t>(1, exception_entry_.count()));
}

/// An exception that interrupts its own mode has lost the way back; over and over in the same state it is for ever.
void cortex_r5::watch_for_endless_exceptions(std::uint32_t link, std::string_view what) {
  std::array<std::uint32_t, 16> now = engine().regs();
  now[14] = now[15] = 0;
  if (repeated_.link != link || repeated_.what != what || repeated_.regs != now) {
    repeated_ = {link, what, now, 0};
  } else if (++repeated_.count == ENDLESS) {
    lock_up(fmt::format("{} in its own handler, over and over, link {:#x}", what, link));
  }
}

arm_after cortex_r5::onward() const {
  const bool view_changed = privileged() != was_privileged_ && (mpu_.user_data_differs() || mpu_.user_code_differs());
  const bool look_up = view_changed || protection_changed_ || translation_changed_ || locked_up() || interrupted();
  return look_up ? arm_after::stop : arm_after::go_on;
}

arm_after cortex_r5::return_from_exception(std::uint32_t pc, std::uint32_t status) {
  if (is_mode(status & CPSR_MODE)) switch_mode(status & CPSR_MODE);
  engine().set_cpsr((status & ~(CPSR_MODE | CPSR_E | CPSR_J)) | current_mode());
  engine().regs()[15] = pc & ((status & CPSR_T) != 0 ? ~1U : ~3U);
  return onward();
}

arm_after cortex_r5::undefined(const arm_instruction& i) {
  if (!stepping()) return exactly();
  emit("core.fault", {{"kind", "undefined instruction"},
                      field::hex("address", i.pc),
                      {"access", "fetch"},
                      field::hex("pc", i.pc),
                      field::hex("code", i.code)});
  enter(UNDEFINED, UND, i.pc + (i.thumb ? 2 : 4), "undefined instruction");
  return onward();
}

arm_after cortex_r5::supervisor_call(const arm_instruction&) {
  enter(SUPERVISOR, SVC, engine().regs()[15], "supervisor call");
  return onward();
}

arm_after cortex_r5::hint(arm_hint what, const arm_instruction&) {
  switch (what) {
    case arm_hint::sev:
      if (!stepping()) return exactly();
      event_ = true;
      event_level_ = !event_level_;
      if (event_out_ != nullptr) event_out_->write(event_level_);
      return arm_after::go_on;
    case arm_hint::wfe:
      if (std::exchange(event_, false)) return arm_after::go_on;
      break;
    case arm_hint::wfi:
      break;
  }
  fall_asleep(what);
  return arm_after::stop;
}

/// After accesses that an instruction made on its own account and that changed nothing if they were not all done.
arm_after cortex_r5::finish(outcome o, const arm_instruction& i) {
  if (o == outcome::done) return onward();
  if (o == outcome::missed || !stepping()) return exactly();
  engine().regs()[15] = i.pc;
  abort(last_fault());
  return onward();
}

// ---- system instructions

arm_after cortex_r5::trapped(const arm_instruction& i) {
  if (arm_core::traps(i)) return at_breakpoint(i);
  answer a;
  if (i.thumb) {
    a = thumb(i);
  } else if (i.code >> 28 == 15) {
    a = arm_unconditional(i);
  } else {
    a = arm_conditional(i);
  }
  return a ? *a : undefined(i);
}

arm_after cortex_r5::change_state(bool enable, bool disable, std::uint32_t masks, std::optional<std::uint32_t> to) {
  if (!privileged()) return arm_after::go_on;
  if (enable || disable) write_cpsr(disable ? masks : 0, masks);
  if (to) write_cpsr(*to, CPSR_MODE);
  return onward();
}

arm_after cortex_r5::move_to_status(std::uint32_t value, std::uint32_t fields, bool saved) {
  std::uint32_t mask = 0;
  for (unsigned k = 0; k < 4; ++k) mask |= (fields >> k & 1) != 0 ? 0xFFU << (8 * k) : 0;
  if (saved) {
    std::uint32_t& s = saved_status();
    s = (s & ~mask) | (value & mask);
  } else {
    write_cpsr(value, mask);
  }
  return onward();
}

/// SRS: the return state onto the stack of the mode in the low bits.
arm_after cortex_r5::store_return_state(const arm_instruction& i, bool before, bool up) {
  const std::uint32_t to = i.code & CPSR_MODE;
  if (!privileged() || !is_mode(to)) return undefined(i);
  std::uint32_t& stack = to == current_mode() ? engine().regs()[13] : sp_[bank(to)];
  const std::uint32_t at = up ? stack + (before ? 4 : 0) : stack - (before ? 8 : 4);
  const std::uint32_t words[] = {engine().regs()[14], saved_status()};
  outcome o = store(at, &words[0], 4);
  if (o == outcome::done) o = store(at + 4, &words[1], 4);
  if (o == outcome::done && (i.code & 1U << 21) != 0) stack += up ? 8 : -8U;
  return finish(o, i);
}

/// RFE: program counter and status from memory.
arm_after cortex_r5::load_return_state(const arm_instruction& i, bool before, bool up) {
  if (!privileged()) return undefined(i);
  std::uint32_t& base = engine().regs()[i.code >> 16 & 15];
  const std::uint32_t at = up ? base + (before ? 4 : 0) : base - (before ? 8 : 4);
  std::uint32_t words[2] = {};
  outcome o = load(at, &words[0], 4);
  if (o == outcome::done) o = load(at + 4, &words[1], 4);
  if (o != outcome::done) return finish(o, i);
  if ((i.code & 1U << 21) != 0) base += up ? 8 : -8U;
  return return_from_exception(words[0], words[1]);
}

cortex_r5::answer cortex_r5::arm_unconditional(const arm_instruction& i) {
  const std::uint32_t c = i.code;
  const bool before = (c & 1U << 24) != 0, up = (c & 1U << 23) != 0;
  if (between(c, 0xFFF1FE20, 0xF1000000)) {  // CPS
    const std::uint32_t imod = c >> 18 & 3;
    return change_state(imod == 2, imod == 3, c & (CPSR_A | CPSR_I | CPSR_F),
                        (c & 1U << 17) != 0 ? std::optional(c & CPSR_MODE) : std::nullopt);
  }
  if (between(c, 0xFE5FFFE0, 0xF84D0500)) return store_return_state(i, before, up);
  if (between(c, 0xFE50FFFF, 0xF8100A00)) return load_return_state(i, before, up);
  return std::nullopt;
}

cortex_r5::answer cortex_r5::arm_conditional(const arm_instruction& i) {
  const std::uint32_t c = i.code;
  const bool saved = (c & 1U << 22) != 0;
  if (between(c, 0x0FB0F000, 0x0320F000)) {
    return move_to_status(std::rotr(c & 0xFF, static_cast<int>(c >> 8 & 15) * 2), c >> 16 & 15, saved);
  }
  if (between(c, 0x0FB0FFF0, 0x0120F000)) return move_to_status(operand(c & 15, i.pc), c >> 16 & 15, saved);
  if (between(c, 0x0FBF0FFF, 0x010F0000)) {
    engine().regs()[c >> 12 & 15] = saved ? saved_status() : engine().cpsr() & ~(CPSR_T | CPSR_IT);
    return arm_after::go_on;
  }
  if (between(c, 0x0FF000F0, 0x01200070)) return prefetch_abort(i.pc, IFSR_DEBUG);  // BKPT
  if (between(c, 0x0C10F000, 0x0010F000)) return move_to_pc(i);
  if (between(c, 0x0E400000, 0x08400000)) return block_transfer(i);
  if (between(c, 0x0D200000, 0x04200000) && !between(c, 0x02000010, 0x02000010)) return unprivileged_transfer(i);
  return coprocessor(i);
}

cortex_r5::answer cortex_r5::thumb(const arm_instruction& i) {
  const std::uint32_t c = i.code;
  if (i.length() == 2) {
    if (between(c, 0xFFE8, 0xB660)) return change_state((c & 0x10) == 0, (c & 0x10) != 0, (c & 7) << 6, std::nullopt);
    if (between(c, 0xFF00, 0xBE00)) return prefetch_abort(i.pc, IFSR_DEBUG);
    return std::nullopt;
  }
  auto& r = engine().regs();
  const bool saved = (c & 1U << 20) != 0;
  if (between(c, 0xFFE0D000, 0xF3808000)) return move_to_status(r[c >> 16 & 15], c >> 8 & 15, saved);
  if (between(c, 0xFFEFD0FF, 0xF3EF8000)) {
    r[c >> 8 & 15] = saved ? saved_status() : engine().cpsr() & ~(CPSR_T | CPSR_IT);
    return arm_after::go_on;
  }
  if (between(c, 0xFFFFFF00, 0xF3DE8F00)) return return_from_exception(r[14] - (c & 0xFF), saved_status());  // SUBS pc
  if (between(c, 0xFFFFF800, 0xF3AF8000)) {                                                                  // CPS.W
    const std::uint32_t imod = c >> 9 & 3;
    return change_state(imod == 2, imod == 3, c << 1 & (CPSR_A | CPSR_I | CPSR_F),
                        (c & 0x100) != 0 ? std::optional(c & CPSR_MODE) : std::nullopt);
  }
  if (between(c, 0xFFDFFFE0, 0xE80DC000)) return store_return_state(i, true, false);
  if (between(c, 0xFFDFFFE0, 0xE98DC000)) return store_return_state(i, false, true);
  if (between(c, 0xFFD0FFFF, 0xE810C000)) return load_return_state(i, true, false);
  if (between(c, 0xFFD0FFFF, 0xE990C000)) return load_return_state(i, false, true);
  return c >> 28 == 0xE ? coprocessor(i) : std::nullopt;
}

cortex_r5::answer cortex_r5::coprocessor(const arm_instruction& i) {
  const std::uint32_t c = i.code;
  const std::uint32_t number = c >> 8 & 15;
  if (number == 15) return cp15(i);
  // VMRS and VMSR of the system registers; they do not need FPEXC.EN.
  if (!between(c, 0x0FE00FFF, 0x0EE00A10) || !fp_permitted() || !privileged()) return std::nullopt;
  std::uint32_t& rt = engine().regs()[c >> 12 & 15];
  const bool reads = (c & 1U << 20) != 0;
  switch (c >> 16 & 15) {
    case 0:  // FPSID: Cortex-R5F
      if (reads) rt = 0x41023153;
      return arm_after::go_on;
    case 6:  // MVFR1
      if (!reads) return std::nullopt;
      rt = 0x00000011;
      return arm_after::go_on;
    case 7:  // MVFR0: single and double precision, 16 doubles
      if (!reads) return std::nullopt;
      rt = 0x10110221;
      return arm_after::go_on;
    case 8:  // FPEXC
      if (reads) {
        rt = fpexc_;
      } else {
        fpexc_ = rt & FPEXC_EN;
        update_fp_trap();
      }
      return arm_after::go_on;
    default:
      return std::nullopt;
  }
}

// ---- returns from exceptions, and the registers of user mode

std::uint32_t cortex_r5::shifted_operand(std::uint32_t c, std::uint32_t pc) {
  if ((c & 1U << 25) != 0) return std::rotr(c & 0xFF, static_cast<int>(c >> 8 & 15) * 2);
  const std::uint32_t value = operand(c & 15, pc);
  const bool by_register = (c & 0x10) != 0;
  const std::uint32_t type = c >> 5 & 3;
  std::uint32_t by = by_register ? engine().regs()[c >> 8 & 15] & 0xFF : c >> 7 & 31;
  if (!by_register && by == 0) {
    if (type == 0) return value;
    if (type == 3) return (engine().cpsr() >> 29 & 1) << 31 | value >> 1;  // RRX
    by = 32;
  }
  if (by == 0) return value;
  switch (type) {
    case 0:
      return by < 32 ? value << by : 0;
    case 1:
      return by < 32 ? value >> by : 0;
    case 2:
      return static_cast<std::uint32_t>(static_cast<std::int32_t>(value) >> std::min(by, 31U));
    default:
      return std::rotr(value, static_cast<int>(by % 32));
  }
}

/// SUBS pc, lr, #4; MOVS pc, lr and the like: the result goes to pc, SPSR to CPSR.
arm_after cortex_r5::move_to_pc(const arm_instruction& i) {
  if (current_mode() == USER || current_mode() == SYSTEM) return undefined(i);
  const std::uint32_t a = operand(i.code >> 16 & 15, i.pc), b = shifted_operand(i.code, i.pc);
  const std::uint32_t carry = engine().cpsr() >> 29 & 1;
  std::uint32_t result = 0;
  switch (i.code >> 21 & 15) {
    case 0:
      result = a & b;
      break;
    case 1:
      result = a ^ b;
      break;
    case 2:
      result = a - b;
      break;
    case 3:
      result = b - a;
      break;
    case 4:
      result = a + b;
      break;
    case 5:
      result = a + b + carry;
      break;
    case 6:
      result = a - b - 1 + carry;
      break;
    case 7:
      result = b - a - 1 + carry;
      break;
    case 12:
      result = a | b;
      break;
    case 13:
      result = b;
      break;
    case 14:
      result = a & ~b;
      break;
    case 15:
      result = ~b;
      break;
    default:  // TST to CMN with Rd = 15
      return undefined(i);
  }
  return return_from_exception(result, saved_status());
}

/// LDM and STM with ^: the registers of user mode, or, with pc in a load, an exception return.
arm_after cortex_r5::block_transfer(const arm_instruction& i) {
  const std::uint32_t c = i.code, list = c & 0xFFFF;
  const bool before = (c & 1U << 24) != 0, up = (c & 1U << 23) != 0, write_back = (c & 1U << 21) != 0,
             loads = (c & 1U << 20) != 0;
  const bool returns = loads && (list & 0x8000) != 0;
  if (current_mode() == USER || current_mode() == SYSTEM || list == 0) return undefined(i);
  const unsigned rn = c >> 16 & 15;
  const std::uint32_t base = engine().regs()[rn], bytes = 4 * static_cast<std::uint32_t>(std::popcount(list));
  std::uint32_t at = up ? base + (before ? 4 : 0) : base - bytes + (before ? 0 : 4);
  const std::uint32_t mine = current_mode();

  std::array<std::uint32_t, 16> values{};
  if (!loads) {
    switch_mode(SYSTEM);
    values = engine().regs();
    values[15] = i.pc + 8;
    switch_mode(mine);
  }
  for (unsigned k = 0; k < 16; ++k) {
    if ((list >> k & 1) == 0) continue;
    const outcome o = loads ? load(at, &values[k], 4) : store(at, &values[k], 4);
    if (o != outcome::done) return finish(o, i);
    at += 4;
  }
  if (write_back) engine().regs()[rn] = up ? base + bytes : base - bytes;
  if (!loads) return onward();
  if (!returns) switch_mode(SYSTEM);
  for (unsigned k = 0; k < 15; ++k) {
    if ((list >> k & 1) != 0) engine().regs()[k] = values[k];
  }
  if (returns) return return_from_exception(values[15], saved_status());
  switch_mode(mine);
  return onward();
}

/// LDRT, LDRBT, STRT and STRBT of Arm state, which the engine does not know: as user mode would.
arm_after cortex_r5::unprivileged_transfer(const arm_instruction& i) {
  const std::uint32_t c = i.code;
  const bool up = (c & 1U << 23) != 0, byte = (c & 1U << 22) != 0, loads = (c & 1U << 20) != 0;
  const unsigned rn = c >> 16 & 15, rt = c >> 12 & 15;
  if (rn == 15 || rn == rt || (rt == 15 && loads)) return undefined(i);
  const std::uint32_t at = engine().regs()[rn];
  const std::uint32_t offset = (c & 1U << 25) != 0 ? shifted_operand(c & ~(1U << 25), i.pc) : c & 0xFFF;
  const pmsav7::rule& rule = mpu_.at_address(at);
  if (!(loads ? rule.user.read : rule.user.write)) {
    if (!stepping()) return exactly();
    engine().regs()[15] = i.pc;
    abort({rule.mapped ? fault_kind::permission : fault_kind::background,
           loads ? access_kind::read : access_kind::write, at});
    return onward();
  }
  std::uint32_t value = operand(rt, i.pc);
  if (loads) value = 0;
  const unsigned bytes = byte ? 1 : 4;
  const outcome o = loads ? load(at, &value, bytes) : store(at, &value, bytes);
  if (o != outcome::done) return finish(o, i);
  if (loads) engine().regs()[rt] = value;
  engine().regs()[rn] = up ? at + offset : at - offset;
  return onward();
}

}  // namespace rpsim
