#pragma once
// ST's window watchdog, as WWDG1 guards the STM32MP1's Cortex-M4. Facts: STM32CubeMP1's CMSIS header and HAL
// (stm32mp1xx_ hal_wwdg.c); reference/stm32mp1.md §2.3, §5.3.
//
// Once activated it runs until it is reset itself. A counter of seven bits falls by one every 4096 * 2^WDGTB clocks;
// the step from 0x40 to 0x3F resets the M4, as does a reload while the counter is above the window, or with a value
// below 0x40.

#include <cstdint>
#include <string_view>

#include "models/common/host_reset.h"
#include "models/common/model.h"
#include "models/common/register_bank.h"
#include "models/common/watchdog.h"

namespace rpsim {

/// Property: clock-frequency, of APB1. Parameters: <label>.clock, <label>.reset_pulse.
/// output("irq", 0): the early wake-up interrupt, high while EWIF and EWI are set. output("wwdg-reset", 0), the same
/// line as output("irq", 1): a pulse that resets the M4 and tells the host. input("local-reset", 0): high holds the
/// watchdog at its reset values. Events: watchdog.expired {reaction, cause}; irq.raised, irq.lowered {line}.
class stm32_wwdg final : public model, public host_reset_listener, public watchdog, private target_port::handler {
 public:
  // Registers.
  static constexpr std::uint32_t CR = 0x00;   // [6:0] T: counter; [7] WDGA: runs, only a reset takes it back
  static constexpr std::uint32_t CFR = 0x04;  // [6:0] W: window; [9] EWI, only a reset takes it back; [13:11] WDGTB
  static constexpr std::uint32_t SR = 0x08;   // [0] EWIF: the counter reached 0x40; write 0: clear
  static constexpr std::uint32_t T = 0x7F, WDGA = 1U << 7, W = 0x7F, EWI = 1U << 9, WDGTB = 7U << 11, EWIF = 1U << 0;
  static constexpr unsigned WDGTB_SHIFT = 11;

  stm32_wwdg(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override;
  line_in* input(std::string_view what, unsigned index) override;

  /// It belongs to the M4: only a loss of power concerns it.
  void host_reset(host_reset_kind kind) override;
  /// Nothing while its core is held in reset.
  void bite() override;

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    bank_.transport(payload, delay);
  }
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  bool active() const { return (bank_.get(CR) & WDGA) != 0; }
  std::uint32_t counter() const;
  void write_cr(std::uint32_t value);
  void write_cfr(std::uint32_t value);
  void count_from(std::uint32_t value);
  void step();
  void expire(std::string_view cause);
  void end_pulse();
  void held_changed();
  void reset();
  void update_lines();

  param& clock_;
  param& reset_pulse_;
  register_bank bank_;
  std::uint32_t start_ = T;  // the counter at since_
  sc_core::sc_time since_;
  sc_core::sc_time tick_{1, sc_core::SC_NS};  // of one count, since since_
  bool reset_out_ = false;
  sc_core::sc_event step_, pulse_ends_, lines_change_;
  target_port port_;
  line_out irq_{"irq"}, reset_line_{"wwdg_reset"};
  line_in local_reset_{"local_reset"};
};

}  // namespace rpsim
