#pragma once
// A Cortex-R5F that executes instructions: the system side of Armv7-R (Arm DDI 0406C part B) as the Cortex-R5 has it
// (Arm DDI 0460): modes and banked registers, exceptions, CP15 with the memory protection unit, TCM region registers
// and the performance monitors, VFPv3-D16's enables; and TI's vectored interrupt manager in front of its nIRQ, nFIQ and
// VIC port (reference/k3.md §6.1). The engine executes everything else.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "models/core/arm/arm_core.h"
#include "models/core/arm/armv7_pmu.h"
#include "models/core/arm/pmsav7.h"
#include "models/core/vim.h"

namespace rpsim {

/// Properties: rpsim,vim (0x2FFF0000): the VIM's base; rpsim,cluster-cpu: numbers in MPIDR; rpsim,tcm: bus address and
/// size of the ATCM, then of the BTCM.
/// Lines besides those of a remote core:
///   input("irq", n)           the VIM's inputs
///   input("loczrama", 0)      sampled at reset, as the next three: true = ATCM at 0, BTCM at 0x41010000; false = the
///                             other way round
///   input("atcm-enable", 0), input("btcm-enable", 0), input("teinit", 0)
///   input("event", 0), output("event", 0)    EVENTI, EVENTO: each change is an event (SEV)
/// Without a line: what follows from a power-on reset (reference/k3.md §4.2), ATCM's place at 0, ATCM off, BTCM on.
class cortex_r5 final : public arm_core {
 public:
  cortex_r5(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  line_in* input(std::string_view what, unsigned index) override;
  line_out* output(std::string_view what, unsigned index) override;

 private:
  enum mode : std::uint32_t {
    USER = 0x10,
    FIQ = 0x11,
    IRQ = 0x12,
    SUPERVISOR = 0x13,
    ABORT = 0x17,
    UNDEFINED = 0x1B,
    SYSTEM = 0x1F
  };
  enum vector : std::uint32_t {
    UND = 0x04,
    SVC = 0x08,
    PABT = 0x0C,
    DABT = 0x10,
    IRQ_VECTOR = 0x18,
    FIQ_VECTOR = 0x1C
  };
  enum strap : unsigned { LOCZRAMA, ATCM_ENABLE, BTCM_ENABLE, TEINIT, STRAPS };
  struct tcm {
    std::uint32_t bus_address = 0;
    std::uint32_t bytes = 0;
    std::optional<std::uint32_t> home;  // where the straps had it
    std::uint32_t region = 0;           // c9: base, size, enable
    bool enabled() const { return (region & 1) != 0; }
    range where() const;
  };

  // ---- arm_core (cortex_r5.cpp)
  void start_of_simulation() override;
  bool enter_reset_state() override;
  bool interrupted() const override;
  void take_interrupt() override;
  void refresh() override;
  bool wakes(arm_hint asleep_in) const override;
  void woken(arm_hint asleep_in) override;
  std::string wake_reason() const override;
  void abort(const access_fault& fault) override;
  permissions permitted(std::uint32_t address) const override;
  std::uint64_t bus_address(std::uint32_t address, range& around) const override;
  bool private_address(std::uint32_t address) const override { return vim_.owns(address); }
  bool unaligned_device_access_faults() const override { return true; }
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  bool set_debug_status(std::uint32_t value) override;
  bool strapped(strap s) const;
  void place_tcm();

  // ---- arm_engine_client (cortex_r5_system.cpp)
  unsigned cycles(const arm_instruction& i) override;
  arm_after trapped(const arm_instruction& i) override;
  arm_after supervisor_call(const arm_instruction& i) override;
  arm_after hint(arm_hint what, const arm_instruction& i) override;
  arm_after not_executable(std::uint32_t pc) override;

  // ---- modes and exceptions
  static unsigned bank(std::uint32_t m);
  static bool is_mode(std::uint32_t m);
  std::uint32_t current_mode() const { return engine().cpsr() & 0x1F; }
  bool privileged() const { return current_mode() != USER; }
  void switch_mode(std::uint32_t to);
  void write_cpsr(std::uint32_t value, std::uint32_t mask);
  void enter(mode m, std::uint32_t vector, std::uint32_t link, std::string_view what);
  void enter_at(mode m, std::uint32_t address, std::uint32_t link, std::string_view what);
  arm_after return_from_exception(std::uint32_t pc, std::uint32_t status);
  arm_after undefined(const arm_instruction& i);
  arm_after prefetch_abort(std::uint32_t pc, std::uint32_t status);
  void watch_for_endless_exceptions(std::uint32_t link, std::string_view what);
  bool fp_permitted() const;  // by CPACR
  void update_fp_trap();
  std::uint32_t& saved_status() { return spsr_[bank(current_mode())]; }
  /// The answer after a system instruction: on, unless something has to be seen to first.
  arm_after onward() const;
  arm_after finish(outcome o, const arm_instruction& i);

  // ---- system instructions; nothing: not one of them
  using answer = std::optional<arm_after>;
  answer arm_unconditional(const arm_instruction& i);
  answer arm_conditional(const arm_instruction& i);
  answer thumb(const arm_instruction& i);
  answer coprocessor(const arm_instruction& i);
  arm_after change_state(bool enable, bool disable, std::uint32_t masks, std::optional<std::uint32_t> to_mode);
  arm_after move_to_status(std::uint32_t value, std::uint32_t fields, bool saved);
  arm_after store_return_state(const arm_instruction& i, bool before, bool up);
  arm_after load_return_state(const arm_instruction& i, bool before, bool up);
  arm_after block_transfer(const arm_instruction& i);
  arm_after unprivileged_transfer(const arm_instruction& i);
  std::uint32_t operand(unsigned r, std::uint32_t pc) { return r == 15 ? pc + 8 : engine().regs()[r]; }
  std::uint32_t shifted_operand(std::uint32_t code, std::uint32_t pc);
  arm_after move_to_pc(const arm_instruction& i);

  // ---- CP15 (cortex_r5_cp15.cpp)
  void reset_cp15();
  answer cp15(const arm_instruction& i);
  std::optional<std::uint32_t> read_cp15(std::uint32_t key);
  bool write_cp15(std::uint32_t key, std::uint32_t value);
  bool user_may(std::uint32_t key, bool reads) const;
  void write_sctlr(std::uint32_t value);
  bool sctlr(std::uint32_t bit) const { return (sctlr_ & bit) != 0; }

  vim vim_;
  param& exception_entry_;
  std::uint32_t mpidr_;
  std::array<std::unique_ptr<line_in>, STRAPS> straps_;
  std::unique_ptr<line_in> event_in_;
  std::unique_ptr<line_out> event_out_;
  bool event_level_ = false;

  // Banks: user and system, FIQ, IRQ, SVC, ABT, UND. The current mode's registers are the engine's.
  std::array<std::uint32_t, 6> sp_{}, lr_{}, spsr_{};
  std::array<std::uint32_t, 5> user_r8_{}, fiq_r8_{};
  bool event_ = false;  // the event register
  bool was_privileged_ = true;
  bool protection_changed_ = false, translation_changed_ = false;
  bool user_code_view_ = false;  // what was translated was translated for user mode

  std::uint32_t sctlr_ = 0, actlr_ = 0, cpacr_ = 0, fpexc_ = 0, csselr_ = 0;
  std::uint32_t dfsr_ = 0, ifsr_ = 0, adfsr_ = 0, aifsr_ = 0, dfar_ = 0, ifar_ = 0;
  std::uint32_t region_number_ = 0, slave_port_ = 0, context_id_ = 0;
  std::array<std::uint32_t, 3> thread_ids_{};              // TPIDRURW, TPIDRURO, TPIDRPRW
  std::map<std::uint32_t, std::uint32_t> implementation_;  // c15
  std::array<tcm, 2> tcm_;                                 // ATCM, BTCM
  pmsav7 mpu_;
  armv7_pmu pmu_;

  struct {
    std::uint32_t link = 0;
    std::string_view what;
    std::array<std::uint32_t, 16> regs{};
    unsigned count = 0;
  } repeated_;
};

}  // namespace rpsim
