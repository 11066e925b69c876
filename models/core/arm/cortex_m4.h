#pragma once
// A Cortex-M4F that executes instructions: Armv7E-M with FPv4-SP and an MPU of 8 regions, on an engine for the
// instruction set and the NVIC that native cores have, too. Facts: Arm DDI 0403E (Armv7-M), chapters B1, B2.2, B3; Arm
// DDI 0439B (Cortex-M4), table 3-1 (cycles).

#include <optional>

#include "models/core/arm/arm_core.h"
#include "models/core/nvic.h"

namespace rpsim {

/// Parameters: <label>.clock, .quantum, .exception_entry, .wake_latency.
/// Device tree: arm,num-irq-priority-bits (default 3), rpsim,bit-band.
class cortex_m4 final : public arm_core {
 public:
  cortex_m4(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  line_in* input(std::string_view what, unsigned index) override;

 private:
  /// What an instruction, or an exception's entry or return, did wrong.
  struct fault {
    unsigned exception;
    std::uint32_t status;  // bits of CFSR
    std::optional<std::uint32_t> address;
    std::string_view kind;
  };
  // ---- arm_core
  bool enter_reset_state() override;
  bool interrupted() const override { return nvic_.preempting(masks_) != 0; }
  void take_interrupt() override;
  void refresh() override;
  bool wakes(arm_hint asleep_in) const override;
  std::string wake_reason() const override;
  void abort(const access_fault& f) override;
  permissions permitted(std::uint32_t address) const override;
  bool private_address(std::uint32_t address) const override { return private_bus(address) || bit_alias(address); }
  bool unaligned_device_access_faults() const override { return true; }
  bool device_memory(std::uint32_t address) const override { return device(address); }
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  std::optional<std::uint32_t> own_register(std::uint32_t address, const sc_core::sc_time& now) override;

  // ---- debug_target
  std::vector<debug_register> system_registers() const override;
  std::uint32_t debug_status() override { return status(); }
  bool set_debug_status(std::uint32_t value) override;
  std::uint32_t debug_system(unsigned n) override;
  bool set_debug_system(unsigned n, std::uint32_t value) override;
  bool debug_private(tlm::tlm_command command, std::uint32_t address, void* word) override;

  // ---- arm_engine_client
  unsigned cycles(const arm_instruction& i) override;
  bool traps(const arm_instruction& i) override;
  arm_after trapped(const arm_instruction& i) override;
  arm_after supervisor_call(const arm_instruction& i) override;
  arm_after hint(arm_hint what, const arm_instruction& i) override;
  arm_after not_executable(std::uint32_t pc) override;

  // ---- registers
  bool handler() const { return ipsr_ != 0; }
  bool privileged() const { return (handler() || !unprivileged_) && !as_unprivileged_; }
  bool process_stack() const { return !handler() && select_process_stack_; }
  void bank_stack();    // r13 to where it belongs
  void unbank_stack();  // and back, after the mode has changed
  std::uint32_t status();
  void set_status(std::uint32_t xpsr);
  std::uint32_t special(unsigned number);
  std::uint32_t privileged_special(unsigned number);
  void set_special(unsigned number, unsigned mask, std::uint32_t value);
  arm_after unmasked() const;

  // ---- floating point
  bool fp_enabled() const;
  void system_changed();
  void update_fp_trap();
  arm_after floating_point(const arm_instruction& i);
  bool store_fp_state(std::uint32_t at);

  // ---- memory
  static bool private_bus(std::uint32_t address) { return address >> 20 == 0xE00; }
  static bool device(std::uint32_t address);
  bool bit_alias(std::uint32_t address) const;
  void transport_bit(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  bool mpu_on() const;
  void protection_changed();
  /// As the core's own: false: fault_ says why.
  bool load_word(std::uint32_t address, std::uint32_t& value);
  bool store_word(std::uint32_t address, std::uint32_t value);
  static fault fault_of(const access_fault& f);
  void access_unprivileged(const arm_instruction& i);

  // ---- exceptions
  void push_frame();
  void take(unsigned exception);
  void return_from_exception(std::uint32_t exc_return);
  bool pop_frame(std::uint32_t exc_return);
  void raise(const fault& f, std::uint32_t hard_status = 1U << 30);
  /// While stacking or unstacking: the fault that reaching memory caused counts as this one.
  void raise_derived(std::uint32_t bus_status, std::uint32_t memory_status);

  nvic nvic_;
  const bool bit_band_;
  param& exception_entry_;

  // r13 of the mode in use is the engine's.
  std::uint32_t main_stack_ = 0, process_stack_pointer_ = 0;
  std::uint32_t ipsr_ = 0;
  nvic::masks masks_;
  bool unprivileged_ = false, select_process_stack_ = false, fp_active_ = false;  // CONTROL
  std::uint32_t exc_return_ = 0;  // of the handler that is being entered
  bool event_ = false;
  bool as_unprivileged_ = false;  // during one access of an LDRT or STRT

  // What the instruction in step() caused.
  std::optional<fault> fault_;
  bool supervisor_call_ = false, breakpoint_ = false, system_touched_ = false;
  std::optional<std::uint32_t> returning_;

  // The memory protection that the engine's mappings and translations were made under.
  bool protected_ = false, protected_privileged_ = true;
  bool divide_traps_ = false;
};

}  // namespace rpsim
