#pragma once
// TI's real-time interrupt module as the K3 SoCs use it: a digital windowed watchdog. Facts: reference/k3.md §6.3; TI
// TRMs SPRUJ28E (AM68) "DWWD", SPRUJC6A (AM275x) registers, SPNU503C (RM48) for the key sequence and reset values.
//
// Once enabled it runs until a reset of its module. A 25-bit counter runs down from the preload; the service keys
// reload it, and must come while the window is open. Too late, too early or a wrong key is a violation.

#include <cstdint>
#include <string_view>

#include "models/common/model.h"
#include "models/common/register_bank.h"
#include "models/common/watchdog.h"

namespace rpsim {

/// Counts while its module is in `enable`, holds in `disable`, and is reset in the states below.
/// Property: clock-frequency. Parameter: <label>.clock.
/// output("irq", 0): the NMI, high from a violation until its status is cleared. output("reset-request", 0): high from
/// a violation until the module is reset. Events: watchdog.expired {reaction, cause}; irq.raised, irq.lowered {line}.
class rti final : public model, public watchdog, private target_port::handler {
 public:
  // Registers. Those of the real-time interrupt part (below 0x90) are not used on K3: they read as zero.
  static constexpr std::uint32_t DWDCTRL = 0x90;      // ENABLE_KEY enables, for good
  static constexpr std::uint32_t DWDPRLD = 0x94;      // [11:0]; period = (DWDPRLD + 1) * 2^13 clocks
  static constexpr std::uint32_t WDSTATUS = 0x98;     // write 1: clear
  static constexpr std::uint32_t WDKEY = 0x9C;        // KEY_0, then KEY_1
  static constexpr std::uint32_t DWDCNTR = 0xA0;      // [24:0] down counter
  static constexpr std::uint32_t WWDRXCTRL = 0xA4;    // REACTION_NMI, anything else: reset; from the next service on
  static constexpr std::uint32_t WWDSIZECTRL = 0xA8;  // 0x5 100 %, 0x50 50 %, … 0x50000 6.25 %, else 3.125 %; likewise

  static constexpr std::uint32_t ENABLE_KEY = 0xA98559DA, DISABLED = 0x5312ACED;
  static constexpr std::uint32_t KEY_0 = 0xE51A, KEY_1 = 0xA35C;
  static constexpr std::uint32_t REACTION_RESET = 0x5, REACTION_NMI = 0xA;
  static constexpr std::uint32_t STATUS_DWD = 1U << 1;    // ran out
  static constexpr std::uint32_t STATUS_KEY = 1U << 2;    // wrong key
  static constexpr std::uint32_t STATUS_START = 1U << 3;  // served before the window
  static constexpr std::uint32_t STATUS_END = 1U << 4;    // copy of DWD
  static constexpr std::uint32_t STATUS_DWWD = 1U << 5;   // any violation; clearing it clears them all

  rti(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override;
  sc_core::sc_in<module_state>* power() override { return &power_; }

  /// Nothing while its module has no clock.
  void bite() override {
    if (clocked_) violate(STATUS_DWD | STATUS_END, "injected");
  }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    bank_.transport(payload, delay);
  }
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  bool counting() const { return enabled_ && clocked_ && !reset_requested_; }
  std::uint64_t elapsed() const;  // clocks since the counter was loaded
  std::uint32_t counter() const;
  void enable();
  void load();
  void count_down(std::uint64_t clocks);
  void run();
  void write_key(std::uint32_t key);
  void serve();
  void expire();
  void violate(std::uint32_t status, std::string_view cause);
  void clear_status(std::uint32_t bits);
  void update_lines();
  void reset();
  void power_changed();

  param& clock_;
  register_bank bank_;
  bool enabled_ = false, armed_ = false, clocked_ = true;
  bool forgive_window_ = false;  // from a violation to the next service
  bool nmi_ = false, reset_requested_ = false;
  std::uint32_t reaction_ = REACTION_RESET;  // in force
  std::uint64_t period_ = 0;                 // clocks from loading to the end
  std::uint64_t opens_ = 0;                  // clocks from loading to the window's opening
  std::uint64_t held_ = 0;                   // clocks counted before since_
  std::uint64_t frequency_hz_ = 1;           // since since_
  sc_core::sc_time since_;
  sc_core::sc_event expires_, lines_change_;
  target_port port_;
  line_out irq_{"irq"}, reset_request_{"reset_request"};
  sc_core::sc_in<module_state> power_{"power"};
};

}  // namespace rpsim
