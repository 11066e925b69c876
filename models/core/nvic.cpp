#include "models/core/nvic.h"

#include <bit>
#include <cstring>

namespace rpsim {

namespace {
// Offsets in the system control space (0xE000E000).
enum scs : std::uint32_t {
  ICTR = 0x004,
  SYST_CSR = 0x010,
  SYST_RVR = 0x014,
  SYST_CVR = 0x018,
  SYST_CALIB = 0x01C,
  NVIC_ISER = 0x100,
  NVIC_ICER = 0x180,
  NVIC_ISPR = 0x200,
  NVIC_ICPR = 0x280,
  NVIC_IABR = 0x300,
  NVIC_IPR = 0x400,
  CPUID = 0xD00,
  ICSR = 0xD04,
  VTOR = 0xD08,
  AIRCR = 0xD0C,
  SHPR = 0xD18,
  MPU_TYPE = 0xD90,
  MPU_RNR = 0xD98,
  MPU_RBAR = 0xD9C,  // and RASR; three aliases of the pair behind
  DEMCR = 0xDFC,
  STIR = 0xF00,
  MVFR0 = 0xF40,
  MVFR1 = 0xF44,
};
// Offsets in the DWT (0xE0001000).
enum dwt : std::uint32_t { DWT_CTRL = 0x000, DWT_CYCCNT = 0x004 };

constexpr std::uint32_t CSR_ENABLE = 1U << 0, CSR_TICKINT = 1U << 1, CSR_CLKSOURCE = 1U << 2, CSR_COUNTFLAG = 1U << 16;
constexpr std::uint32_t ICSR_PENDSTCLR = 1U << 25, ICSR_PENDSTSET = 1U << 26, ICSR_PENDSVCLR = 1U << 27,
                        ICSR_PENDSVSET = 1U << 28, ICSR_NMIPENDSET = 1U << 31;
constexpr std::uint32_t AIRCR_KEY = 0x05FA0000, AIRCR_KEY_READ = 0xFA050000, AIRCR_PRIGROUP = 0x700,
                        AIRCR_SYSRESETREQ = 1U << 2;
constexpr std::uint32_t DWT_CYCCNTENA = 1U << 0;
constexpr std::uint32_t COUNTER_24_BITS = 0x00FFFFFF;
constexpr std::uint32_t EVERY_BYTE = 0x01010101;
// SHCSR: where an exception shows that it is active, and pending.
struct handler_bits {
  unsigned exception, active, pending;
};
constexpr unsigned NO_BIT = 31;
constexpr handler_bits HANDLERS[] = {
    {nvic::MEM_MANAGE, 0, 13},  {nvic::BUS_FAULT, 1, 14},    {nvic::USAGE_FAULT, 3, 12},      {nvic::SVCALL, 7, 15},
    {nvic::PENDSV, 10, NO_BIT}, {nvic::SYSTICK, 11, NO_BIT}, {nvic::DEBUG_MONITOR, 8, NO_BIT}};
constexpr std::uint32_t SHCSR_ENABLES = 7U << 16;
// TRCENA, MON_REQ, MON_EN; the rest is for a debugger that halts, or steps.
constexpr std::uint32_t DEMCR_STORED = 0x01090000, DEMCR_MON_EN = 1U << 16, DEMCR_MON_PEND = 1U << 17;
constexpr std::uint32_t FPCCR_ASPEN_LSPEN = 0xC0000000, FPCCR_BITS = 0xC000017B, FPDSCR_BITS = 0x07C00000;
constexpr int THREAD_PRIORITY = 256;  // below every exception
}  // namespace

nvic::nvic(sc_core::sc_module_name name, sim_context& context, const std::string& label, std::function<void()> changed,
           std::function<void()> reset_request, nvic_features has)
    : sc_module(name),
      context_(context),
      changed_(std::move(changed)),
      reset_request_(std::move(reset_request)),
      has_(has),
      priority_mask_(EVERY_BYTE * (0xFF00U >> has.priority_bits & 0xFF)),
      scs_(context, label, BLOCK_SIZE),
      dwt_(context, label, BLOCK_SIZE),
      lines_(*this, "irq", 0, INPUTS, [this](unsigned irq, bool level) { level_changed(irq, level); }) {
  define_scs();
  define_faults();
  define_debug();
  if (has_.mpu) define_mpu();
  if (has_.fpu) define_fpu();
  define_dwt();
  SC_METHOD(systick);
  sensitive << systick_event_;
  dont_initialize();
}

void nvic::define_scs() {
  scs_.reads_as_zero(true);  // reserved words of the system control space are RAZ/WI, those of an absent MPU too
  scs_.add(ICTR, "ICTR", access::ro, INPUTS / 32 - 1);
  scs_.add(SYST_CSR, "SYST_CSR", access::rw)
      .on_read([this](unsigned) {
        const std::uint32_t v = (systick_on_ ? CSR_ENABLE : 0) | (systick_interrupt_ ? CSR_TICKINT : 0) |
                                CSR_CLKSOURCE | (systick_counted_ ? CSR_COUNTFLAG : 0);
        systick_counted_ = false;
        return v;
      })
      .on_write([this](unsigned, std::uint32_t v) { write_systick_control(v); });
  scs_.add(SYST_RVR, "SYST_RVR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(SYST_RVR, v & COUNTER_24_BITS);
  });
  scs_.add(SYST_CVR, "SYST_CVR", access::rw)
      .on_read([this](unsigned) { return systick_value(); })
      .on_write([this](unsigned, std::uint32_t) {  // any write clears; the next clock reloads
        held_ = 0;
        systick_counted_ = false;
        schedule_systick();
      });
  scs_.add(SYST_CALIB, "SYST_CALIB", access::ro, 1U << 31);  // NOREF, no 10 ms value

  scs_.add(NVIC_ISER, "NVIC_ISER", access::rw)
      .count(INPUTS / 32)
      .on_read([this](unsigned i) { return enabled_[i]; })
      .on_write([this](unsigned i, std::uint32_t v) {
        enabled_[i] |= v;
        changed_();
      });
  scs_.add(NVIC_ICER, "NVIC_ICER", access::rw)
      .count(INPUTS / 32)
      .on_read([this](unsigned i) { return enabled_[i]; })
      .on_write([this](unsigned i, std::uint32_t v) {
        enabled_[i] &= ~v;
        changed_();
      });
  scs_.add(NVIC_ISPR, "NVIC_ISPR", access::rw)
      .count(INPUTS / 32)
      .on_read([this](unsigned i) { return pending_word(i); })
      .on_write([this](unsigned i, std::uint32_t v) {
        for (; v != 0; v &= v - 1) set_pending(EXTERNAL + 32 * i + static_cast<unsigned>(std::countr_zero(v)));
      });
  scs_.add(NVIC_ICPR, "NVIC_ICPR", access::rw)
      .count(INPUTS / 32)
      .on_read([this](unsigned i) { return pending_word(i); })
      .on_write([this](unsigned i, std::uint32_t v) {
        // A level that is still high pends again at once, unless its handler is active: then at its return.
        for (; v != 0; v &= v - 1) {
          const unsigned bit = static_cast<unsigned>(std::countr_zero(v)), e = EXTERNAL + 32 * i + bit;
          if ((level_[i] >> bit & 1) == 0 || active_[e]) clear_pending(e);
        }
      });
  scs_.add(NVIC_IABR, "NVIC_IABR", access::ro).count(INPUTS / 32).on_read([this](unsigned i) {
    std::uint32_t word = 0;
    for (unsigned b = 0; b < 32; ++b) word |= std::uint32_t{active_[EXTERNAL + 32 * i + b]} << b;
    return word;
  });
  scs_.add(NVIC_IPR, "NVIC_IPR", access::rw).count(INPUTS / 4).on_write([this](unsigned i, std::uint32_t v) {
    scs_.set(NVIC_IPR, v & priority_mask_, i);
    changed_();
  });

  scs_.add(CPUID, "CPUID", access::ro, 0x410FC241);  // Cortex-M4 r0p1
  scs_.add(ICSR, "ICSR", access::rw)
      .on_read([this](unsigned) { return icsr(); })
      .on_write([this](unsigned, std::uint32_t v) { write_icsr(v); });
  scs_.add(VTOR, "VTOR", access::rw).on_write([this](unsigned, std::uint32_t v) { scs_.set(VTOR, v & ~0x7FU); });
  scs_.add(AIRCR, "AIRCR", access::rw, AIRCR_KEY_READ).on_write([this](unsigned, std::uint32_t v) {
    if ((v & 0xFFFF0000) != AIRCR_KEY) return;
    scs_.set(AIRCR, AIRCR_KEY_READ | (v & AIRCR_PRIGROUP));
    if ((v & AIRCR_SYSRESETREQ) != 0) reset_request_();
    changed_();
  });
  scs_.add(SCR, "SCR", access::rw);
  scs_.add(CCR, "CCR", access::rw, 1U << 9);  // STKALIGN
  scs_.add(SHPR, "SHPR", access::rw).count(3).on_write([this](unsigned i, std::uint32_t v) {
    scs_.set(SHPR, v & priority_mask_, i);
    changed_();
  });
  scs_.add(STIR, "STIR", access::wo).on_write([this](unsigned, std::uint32_t v) {
    if ((v & 0x1FF) < INPUTS) set_pending(EXTERNAL + (v & 0x1FF));
  });
}

void nvic::define_faults() {
  scs_.add(SHCSR, "SHCSR", access::rw)
      .on_read([this](unsigned) { return handler_state(); })
      .on_write([this](unsigned, std::uint32_t v) { write_handler_state(v); });
  scs_.add(CFSR, "CFSR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(CFSR, scs_.get(CFSR) & ~v);
  });
  scs_.add(HFSR, "HFSR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(HFSR, scs_.get(HFSR) & ~v);
  });
  scs_.add(MMFAR, "MMFAR", access::rw);
  scs_.add(BFAR, "BFAR", access::rw);
  scs_.add(CPACR, "CPACR", access::rw);
}

void nvic::define_debug() {
  scs_.add(DFSR, "DFSR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(DFSR, scs_.get(DFSR) & ~v);
  });
  scs_.add(DEMCR, "DEMCR", access::rw)
      .on_read([this](unsigned) { return scs_.get(DEMCR) | (pending_[DEBUG_MONITOR] ? DEMCR_MON_PEND : 0); })
      .on_write([this](unsigned, std::uint32_t v) {
        scs_.set(DEMCR, v & DEMCR_STORED);
        if ((v & DEMCR_MON_PEND) != 0) {
          set_pending(DEBUG_MONITOR);
        } else {
          clear_pending(DEBUG_MONITOR);
        }
      });
}

bool nvic::monitor_enabled() const { return (scs_.get(DEMCR) & DEMCR_MON_EN) != 0; }

void nvic::define_mpu() {
  scs_.add(MPU_TYPE, "MPU_TYPE", access::ro, MPU_REGIONS << 8);
  scs_.add(MPU_CTRL, "MPU_CTRL", access::rw).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(MPU_CTRL, v & 7);
    mpu_written_ = true;
  });
  scs_.add(MPU_RNR, "MPU_RNR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(MPU_RNR, v % MPU_REGIONS);
  });
  scs_.add(MPU_RBAR, "MPU_RBAR", access::rw)
      .count(4, 8)
      .on_read([this](unsigned) {
        const std::uint32_t n = scs_.get(MPU_RNR);
        return (mpu_[n].rbar & ~0x1FU) | n;
      })
      .on_write([this](unsigned, std::uint32_t v) {
        if ((v & 0x10) != 0) scs_.set(MPU_RNR, v % MPU_REGIONS);  // VALID: takes the region's number along
        mpu_[scs_.get(MPU_RNR)].rbar = v & ~0x1FU;
        mpu_written_ = true;
      });
  scs_.add(MPU_RBAR + 4, "MPU_RASR", access::rw)
      .count(4, 8)
      .on_read([this](unsigned) { return mpu_[scs_.get(MPU_RNR)].rasr; })
      .on_write([this](unsigned, std::uint32_t v) {
        mpu_[scs_.get(MPU_RNR)].rasr = v & 0x173FFF3F;
        mpu_written_ = true;
      });
}

void nvic::define_fpu() {
  scs_.add(FPCCR, "FPCCR", access::rw, FPCCR_ASPEN_LSPEN).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(FPCCR, v & FPCCR_BITS);
  });
  scs_.add(FPCAR, "FPCAR", access::rw).on_write([this](unsigned, std::uint32_t v) { scs_.set(FPCAR, v & ~7U); });
  scs_.add(FPDSCR, "FPDSCR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    scs_.set(FPDSCR, v & FPDSCR_BITS);
  });
  scs_.add(MVFR0, "MVFR0", access::ro, 0x10110021);  // FPv4-SP: DDI 0439B, table 7-2
  scs_.add(MVFR1, "MVFR1", access::ro, 0x11000011);
}

void nvic::define_dwt() {
  dwt_.reads_as_zero(true);
  dwt_.add(DWT_CTRL, "DWT_CTRL", access::rw).on_write([this](unsigned, std::uint32_t v) {
    cyccnt_base_ = cycle_count();
    cyccnt_epoch_ = sc_core::sc_time_stamp();
    dwt_.set(DWT_CTRL, v & DWT_CYCCNTENA);
  });
  dwt_.add(DWT_CYCCNT, "DWT_CYCCNT", access::rw)
      .on_read([this](unsigned) { return cycle_count(); })
      .on_write([this](unsigned, std::uint32_t v) {
        cyccnt_base_ = v;
        cyccnt_epoch_ = sc_core::sc_time_stamp();
      });
}

void nvic::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::uint64_t address = payload.get_address();
  const bool scs_access = address - SCS_BASE < BLOCK_SIZE;
  register_bank& bank = scs_access ? scs_ : dwt_;
  const std::uint32_t offset = static_cast<std::uint32_t>(address - (scs_access ? SCS_BASE : DWT_BASE));
  const unsigned length = payload.get_data_length(), shift = offset % 4;
  // Armv7-M lets priorities and fault status be accessed by byte and halfword; CMSIS and handlers do.
  const bool priorities = offset - NVIC_IPR < INPUTS || offset - SHPR < 12;
  const bool part =
      scs_access && (length == 1 || length == 2) && shift + length <= 4 && (priorities || (offset & ~3U) == CFSR);
  if (!part) {
    payload.set_address(offset);
    bank.transport(payload, delay);
    payload.set_address(address);
    return;
  }
  unsigned char* const data = payload.get_data_ptr();
  std::uint32_t word = bank.get(offset & ~3U);
  if (payload.is_read()) {
    std::memcpy(data, reinterpret_cast<unsigned char*>(&word) + shift, length);
  } else if (priorities) {
    std::memcpy(reinterpret_cast<unsigned char*>(&word) + shift, data, length);
    bank.set(offset & ~3U, word & priority_mask_);
    changed_();
  } else {
    std::uint32_t ones = 0;
    std::memcpy(reinterpret_cast<unsigned char*>(&ones) + shift, data, length);
    bank.set(CFSR, word & ~ones);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void nvic::reset(const sc_core::sc_time& cycle) {
  cycle_ = cycle;
  scs_.reset();
  dwt_.reset();
  enabled_ = {};
  pending_ = {};
  active_ = {};
  mpu_ = {};
  pending_count_ = 0;
  stack_.clear();
  systick_on_ = systick_interrupt_ = systick_counted_ = false;
  reload_ = held_ = 0;
  systick_event_.cancel();
  cyccnt_base_ = 0;
  for (unsigned irq = 0; irq < INPUTS; ++irq) {
    if ((level_[irq / 32] >> (irq % 32) & 1) != 0) set_pending(EXTERNAL + irq);
  }
}

void nvic::set_pending(unsigned exception) {
  if (!pending_.at(exception)) {
    pending_[exception] = true;
    ++pending_count_;
  }
  changed_();
}

void nvic::clear_pending(unsigned exception) {
  if (pending_.at(exception)) {
    pending_[exception] = false;
    --pending_count_;
  }
}

void nvic::level_changed(unsigned irq, bool level) {
  const std::uint32_t bit = 1U << (irq % 32);
  if (level) {
    level_[irq / 32] |= bit;
    set_pending(EXTERNAL + irq);  // while its handler is active, too: it is pending and active then
  } else {
    level_[irq / 32] &= ~bit;
  }
}

std::uint32_t nvic::handler_state() const {
  std::uint32_t v = scs_.get(SHCSR);
  for (const handler_bits& h : HANDLERS) {
    if (active_[h.exception]) v |= 1U << h.active;
    if (h.pending != NO_BIT && pending_[h.exception]) v |= 1U << h.pending;
  }
  return v;
}

// The active bits are for an operating system that switches contexts inside handlers; they are not writable here.
void nvic::write_handler_state(std::uint32_t value) {
  scs_.set(SHCSR, value & SHCSR_ENABLES);
  for (const handler_bits& h : HANDLERS) {
    if (h.pending == NO_BIT) continue;
    if ((value >> h.pending & 1) != 0) {
      set_pending(h.exception);
    } else {
      clear_pending(h.exception);
    }
  }
}

// Of -2 (NMI), -1 (HardFault) and 0 … 255; lower is more urgent.
int nvic::priority(unsigned exception) const {
  if (exception == NMI) return -2;
  if (exception == HARD_FAULT) return -1;
  const std::uint32_t offset = exception >= EXTERNAL ? NVIC_IPR + exception - EXTERNAL : SHPR + exception - 4;
  return static_cast<int>(scs_.get(offset & ~3U) >> (8 * (offset % 4)) & 0xFF);
}

// AIRCR.PRIGROUP: the upper bits of a priority decide about pre-emption.
int nvic::group(int priority) const {
  const unsigned split = (scs_.get(AIRCR) & AIRCR_PRIGROUP) >> 8;
  return priority < 0 ? priority : priority & ~((2 << split) - 1);
}

int nvic::execution_priority(const masks& m) const {
  int current = THREAD_PRIORITY;
  for (const unsigned e : stack_) current = std::min(current, group(priority(e)));
  if (m.basepri != 0) current = std::min(current, group(m.basepri));
  if (m.primask) current = std::min(current, 0);
  if (m.faultmask) current = std::min(current, -1);
  return current;
}

unsigned nvic::highest_pending() const {
  unsigned best = 0;
  int best_priority = THREAD_PRIORITY;
  for (unsigned e = NMI, left = pending_count_; left != 0; ++e) {
    if (!pending_[e]) continue;
    --left;
    if (e >= EXTERNAL && !enabled(e - EXTERNAL)) continue;
    if (const int p = priority(e); p < best_priority) {  // equal: the lowest exception number
      best = e;
      best_priority = p;
    }
  }
  return best;
}

unsigned nvic::preempting(const masks& m) const {
  const unsigned best = highest_pending();
  return best != 0 && group(priority(best)) < execution_priority(m) ? best : 0;
}

void nvic::enter(unsigned exception) {
  clear_pending(exception);
  active_.at(exception) = true;
  stack_.push_back(exception);
}

void nvic::leave(unsigned exception) {
  active_.at(exception) = false;
  std::erase(stack_, exception);
  const unsigned irq = exception - EXTERNAL;
  if (exception >= EXTERNAL && (level_[irq / 32] >> (irq % 32) & 1) != 0) set_pending(exception);
}

std::uint32_t nvic::pending_word(unsigned index) const {
  std::uint32_t word = 0;
  for (unsigned b = 0; b < 32; ++b) word |= std::uint32_t{pending_[EXTERNAL + 32 * index + b]} << b;
  return word;
}

std::uint32_t nvic::icsr() const {
  std::uint32_t v = active() | highest_pending() << 12;
  if (stack_.size() <= 1) v |= 1U << 11;  // RETTOBASE
  for (unsigned e = EXTERNAL; e < EXCEPTIONS; ++e) {
    if (pending_[e]) v |= 1U << 22;  // ISRPENDING
  }
  if (pending_[SYSTICK]) v |= ICSR_PENDSTSET;
  if (pending_[PENDSV]) v |= ICSR_PENDSVSET;
  if (pending_[NMI]) v |= ICSR_NMIPENDSET;
  return v;
}

void nvic::write_icsr(std::uint32_t value) {
  if ((value & ICSR_PENDSTCLR) != 0) clear_pending(SYSTICK);
  if ((value & ICSR_PENDSVCLR) != 0) clear_pending(PENDSV);
  if ((value & ICSR_PENDSTSET) != 0) set_pending(SYSTICK);
  if ((value & ICSR_PENDSVSET) != 0) set_pending(PENDSV);
  if ((value & ICSR_NMIPENDSET) != 0) set_pending(NMI);
}

std::uint64_t nvic::cycles_between(const sc_core::sc_time& then, const sc_core::sc_time& now) const {
  return now <= then ? 0 : (now - then).value() / cycle_.value();
}

void nvic::write_systick_control(std::uint32_t value) {
  if (systick_on_) held_ = systick_value();
  systick_on_ = (value & CSR_ENABLE) != 0;
  systick_interrupt_ = (value & CSR_TICKINT) != 0;
  schedule_systick();
}

std::uint32_t nvic::systick_value(const sc_core::sc_time& now) const {
  if (!systick_on_) return held_;
  if (now < epoch_) return 0;  // written to 0, not yet reloaded
  const std::uint64_t counted = cycles_between(epoch_, now);
  return counted >= reload_ ? 0 : reload_ - static_cast<std::uint32_t>(counted);
}

/// From held_: what the counter does next.
void nvic::schedule_systick() {
  systick_event_.cancel();
  if (!systick_on_) return;
  reload_ = scs_.get(SYST_RVR);
  epoch_ = sc_core::sc_time_stamp();
  if (held_ == 0) {
    epoch_ += cycle_;
  } else {
    reload_ = held_;  // counts on from here
  }
  if (reload_ != 0) context_.notifier.after(systick_event_, epoch_ + cycle_ * reload_ - sc_core::sc_time_stamp());
}

/// The counter went from 1 to 0.
void nvic::systick() {
  systick_counted_ = true;
  held_ = 0;
  schedule_systick();
  if (systick_interrupt_) set_pending(SYSTICK);
}

std::uint32_t nvic::cycle_count(const sc_core::sc_time& now) const {
  if ((dwt_.get(DWT_CTRL) & DWT_CYCCNTENA) == 0) return cyccnt_base_;
  return cyccnt_base_ + static_cast<std::uint32_t>(cycles_between(cyccnt_epoch_, now));
}

std::optional<std::uint32_t> nvic::peek(std::uint32_t address, const sc_core::sc_time& now) const {
  if (address == SCS_BASE + SYST_CVR) return systick_value(now);
  if (address == SCS_BASE + ICSR) return icsr();
  return std::nullopt;
}

}  // namespace rpsim
