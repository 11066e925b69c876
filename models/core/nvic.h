#pragma once
// What an Armv7-M core has on its private peripheral bus, as far as firmware relies on it: NVIC, SysTick, the system
// control block with its fault and memory-protection registers, and the DWT cycle counter of a Cortex-M4 (Arm DDI
// 0403E, chapters B1.5, B3 and C1.8). It decides; the core asks what to take, and says when it enters and leaves a
// handler, so native and instruction-executing cores share it.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/common/register_bank.h"
#include "models/core/lines.h"

namespace rpsim {

/// What a core's implementer chose. A native core has no use for MPU and floating-point registers.
struct nvic_features {
  unsigned priority_bits = 3;  // TI's MCU M4F (reference/k3.md §6.2)
  bool mpu = false, fpu = false;
};

class nvic final : public sc_core::sc_module {
 public:
  static constexpr unsigned INPUTS = 160;  // STM32MP1 has 150
  static constexpr unsigned EXCEPTIONS = 16 + INPUTS;
  enum exception : unsigned {
    NMI = 2,
    HARD_FAULT = 3,
    MEM_MANAGE = 4,
    BUS_FAULT = 5,
    USAGE_FAULT = 6,
    SVCALL = 11,
    DEBUG_MONITOR = 12,
    PENDSV = 14,
    SYSTICK = 15,
    EXTERNAL = 16
  };
  /// Registers that the core acts on; offsets in the system control space.
  enum reg : std::uint32_t {
    SCR = 0xD10,
    CCR = 0xD14,
    SHCSR = 0xD24,
    CFSR = 0xD28,  // MMFSR, BFSR, UFSR
    HFSR = 0xD2C,
    DFSR = 0xD30,
    MMFAR = 0xD34,
    BFAR = 0xD38,
    CPACR = 0xD88,
    MPU_CTRL = 0xD94,
    FPCCR = 0xF34,
    FPCAR = 0xF38,
    FPDSCR = 0xF3C,
  };
  static constexpr std::uint32_t DWT_BASE = 0xE0001000, SCS_BASE = 0xE000E000, BLOCK_SIZE = 0x1000;

  struct mpu_region {
    std::uint32_t rbar = 0, rasr = 0;
  };
  static constexpr unsigned MPU_REGIONS = 8;

  /// The core's exception mask registers.
  struct masks {
    bool primask = false, faultmask = false;
    std::uint8_t basepri = 0;
  };

  /// `changed` is called when the answer of preempting() or wakes() may have become another; `reset_request` when
  /// AIRCR.SYSRESETREQ is written. Both from inside a register access, a line's change or a SysTick.
  nvic(sc_core::sc_module_name name, sim_context& context, const std::string& label, std::function<void()> changed,
       std::function<void()> reset_request, nvic_features has = {});

  line_in* input(unsigned irq) { return lines_.at(irq); }
  static bool owns(std::uint64_t address) { return address - SCS_BASE < BLOCK_SIZE || address - DWT_BASE < BLOCK_SIZE; }
  /// Addresses are the core's own. Word accesses; bytes and halfwords too where Armv7-M allows them (priorities).
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  static bool is_cycle_count(std::uint32_t address) { return address == DWT_BASE + 4; }
  /// CYCCNT at the core's own time, which may be ahead of simulated time.
  std::uint32_t cycle_count(const sc_core::sc_time& now = sc_core::sc_time_stamp()) const;
  /// What a read of SYST_CVR or ICSR would give at `now` if nothing happens in the simulation until then; nullopt: it
  /// has to be a read.
  std::optional<std::uint32_t> peek(std::uint32_t address, const sc_core::sc_time& now) const;

  /// The core's reset: everything but the level of the inputs is forgotten. `cycle` is the period of the core's clock.
  void reset(const sc_core::sc_time& cycle);
  void set_pending(unsigned exception);

  /// The exception to take now, above the current execution priority; 0 if none.
  unsigned preempting(const masks& m) const;
  /// What would be taken if PRIMASK were 0: what ends a WFI (Arm DDI 0403E B1.5.19); 0 if none.
  unsigned waking(const masks& m) const { return preempting({false, m.faultmask, m.basepri}); }
  /// Exception entry: active, and no longer pending.
  void enter(unsigned exception);
  /// Exception return: inactive; pending again if its input is still high.
  void leave(unsigned exception);
  /// Number of active exceptions: 0 in thread mode.
  unsigned nesting() const { return static_cast<unsigned>(stack_.size()); }
  /// 0 if none: what IPSR reads.
  unsigned active() const { return stack_.empty() ? 0 : stack_.back(); }
  std::uint32_t vector_table() const { return scs_.get(0xD08); }

  // ---- for a core that has faults
  std::uint32_t get(reg r) const { return scs_.get(r); }
  void set(reg r, std::uint32_t value) { scs_.set(r, value); }
  const std::array<mpu_region, MPU_REGIONS>& mpu_regions() const { return mpu_; }
  /// Whether an MPU register was written since this was last asked.
  bool take_mpu_written() { return std::exchange(mpu_written_, false); }
  bool any_pending() const { return pending_count_ != 0; }
  /// DEMCR.MON_EN.
  bool monitor_enabled() const;
  std::uint32_t implemented_priority(std::uint32_t value) const { return value & priority_mask_ & 0xFF; }
  bool pending(unsigned exception) const { return pending_.at(exception); }
  bool active(unsigned exception) const { return active_.at(exception); }
  /// Of an exception as it decides about pre-emption: -2 (NMI), -1 (HardFault), 0 … 255; lower is more urgent.
  int group_priority(unsigned exception) const { return group(priority(exception)); }
  /// What an exception has to be more urgent than.
  int execution_priority(const masks& m) const;

 private:
  SC_HAS_PROCESS(nvic);
  using words = std::array<std::uint32_t, INPUTS / 32>;

  void end_of_elaboration() override { lines_.start(); }
  void define_scs();
  void define_faults();
  void define_mpu();
  void define_fpu();
  void define_dwt();
  void define_debug();
  std::uint32_t handler_state() const;
  void write_handler_state(std::uint32_t value);
  bool enabled(unsigned irq) const { return (enabled_[irq / 32] >> (irq % 32) & 1) != 0; }
  int priority(unsigned exception) const;
  int group(int priority) const;
  unsigned highest_pending() const;
  void clear_pending(unsigned exception);
  void level_changed(unsigned irq, bool level);
  std::uint32_t pending_word(unsigned index) const;
  std::uint32_t icsr() const;
  void write_icsr(std::uint32_t value);
  void write_systick_control(std::uint32_t value);
  std::uint32_t systick_value(const sc_core::sc_time& now = sc_core::sc_time_stamp()) const;
  void schedule_systick();
  void systick();
  std::uint64_t cycles_between(const sc_core::sc_time& then, const sc_core::sc_time& now) const;

  sim_context& context_;
  std::function<void()> changed_, reset_request_;
  const nvic_features has_;
  const std::uint32_t priority_mask_;  // of the four in a word
  register_bank scs_, dwt_;
  line_inputs lines_;
  words level_{}, enabled_{};
  std::array<bool, EXCEPTIONS> pending_{}, active_{};
  unsigned pending_count_ = 0;
  std::vector<unsigned> stack_;  // active exceptions, innermost last
  sc_core::sc_time cycle_{1, sc_core::SC_NS};

  // SysTick: while it counts, its value is reload_ minus the cycles since epoch_; else held_.
  bool systick_on_ = false, systick_interrupt_ = false, systick_counted_ = false;
  std::uint32_t reload_ = 0, held_ = 0;
  sc_core::sc_time epoch_;
  sc_core::sc_event systick_event_;
  sc_core::sc_time cyccnt_epoch_;
  std::uint32_t cyccnt_base_ = 0;
  std::array<mpu_region, MPU_REGIONS> mpu_{};
  bool mpu_written_ = false;
};

}  // namespace rpsim
