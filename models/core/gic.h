#pragma once
// Interrupt controller of the host: the part of an Arm GICv3 that shared peripheral interrupts need. The distributor is
// a register bank; the CPU interface is system registers, so the core it is attached to calls it (Arm IHI 0069,
// chapters 8.8 and 12.8). All interrupts are level sensitive (k3-am62-main.dtsi describes them so).

#include <array>
#include <cstdint>

#include "models/common/host_reset.h"
#include "models/common/register_bank.h"
#include "models/core/lines.h"

namespace rpsim {

class gic final : public model, public host_reset_listener {
 public:
  static constexpr unsigned FIRST_SPI = 32;
  static constexpr unsigned LINES = 288;  // interrupt ids in all: 256 SPIs
  static constexpr unsigned SPURIOUS = 1023;

  gic(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  /// input("irq", intid): SPI n is 32 + n.
  line_in* input(std::string_view what, unsigned index) override { return what == "irq" ? lines_.at(index) : nullptr; }

  /// True while an enabled interrupt is pending and not active.
  bool pending() const { return highest() != SPURIOUS; }
  /// Notified (delta) when pending() becomes true.
  sc_core::sc_event& pending_event() { return pending_event_; }
  /// ICC_IAR1_EL1: the pending interrupt of the lowest priority value, then the lowest id, is now active; 1023 if none.
  unsigned acknowledge();
  /// ICC_EOIR1_EL1: no longer active; pending again if its line is still high. An id that is not active is ignored.
  void end_of_interrupt(unsigned intid);

  /// Of every kind: it is the host's own.
  void host_reset(host_reset_kind kind) override;

 private:
  static constexpr unsigned WORDS = LINES / 32;
  using bits = std::array<std::uint32_t, WORDS>;

  void end_of_elaboration() override { lines_.start(); }
  unsigned highest() const;
  /// To be called after every change: tells the core when something has become pending.
  void update();

  register_bank bank_;
  target_port port_;
  line_inputs lines_;
  bits level_{}, enabled_{}, active_{};
  std::array<std::uint8_t, LINES> priority_{};
  bool was_pending_ = false;
  sc_core::sc_event pending_event_;
};

}  // namespace rpsim
