#pragma once
// STM32MP1 extended interrupt and event controller: 76 lines between peripherals and the host's interrupt controller.
// A configurable line remembers an edge until software clears it. A direct line is the peripheral's own level, which
// passes: its mask only decides what may wake a sleeping processor. Facts: reference/stm32mp1.md §2.3; STM32CubeMP1's
// CMSIS header and HAL (which line is of which kind); Linux 6.12 irq-stm32mp-exti.c.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include "models/common/host_reset.h"
#include "models/common/model.h"
#include "models/common/register_bank.h"
#include "models/core/lines.h"

namespace rpsim {

/// input("irq", n) and output("irq", n), n = 0 … 75, exist where something asks for them.
/// Events: irq.raised, irq.lowered {line}.
class stm32_exti final : public model, public host_reset_listener, private target_port::handler {
 public:
  // Registers of bank b (lines 32 b … 32 b + 31), b = 0 … 2. Every other offset reads as zero and ignores writes.
  static constexpr std::uint32_t RTSR = 0x00;   // + 20h b: rising edges count
  static constexpr std::uint32_t FTSR = 0x04;   // + 20h b: falling edges count
  static constexpr std::uint32_t SWIER = 0x08;  // + 20h b: write 1: as a rising edge; reads 0
  static constexpr std::uint32_t RPR = 0x0C;    // + 20h b: rising edge pending; write 1: clear
  static constexpr std::uint32_t FPR = 0x10;    // + 20h b: falling edge pending; write 1: clear
  static constexpr std::uint32_t C1IMR = 0x80;  // + 10h b: 1 = passes to the Cortex-A7s
  static constexpr std::uint32_t C2IMR = 0xC0;  // + 10h b: wake-up of the M4; stored
  static constexpr std::uint32_t C2EMR = 0xC4;  // + 10h b: events to the M4; stored
  static constexpr std::uint32_t TRG = 0x3EC;   // - 4 b: 1 = the line is configurable, 0 = direct
  static constexpr unsigned LINES = 76, BANKS = 3;
  static constexpr std::uint32_t bit(unsigned line) { return 1U << (line % 32); }

  stm32_exti(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_in* input(std::string_view what, unsigned index) override { return what == "irq" ? inputs_.at(index) : nullptr; }
  line_out* output(std::string_view what, unsigned index) override;

  /// The block has no reset but power-on (Linux clears its masks at probe for that reason).
  void host_reset(host_reset_kind kind) override;

 private:
  using words = std::array<std::uint32_t, BANKS>;

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    bank_.transport(payload, delay);
  }
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override { return bank_.transport_debug(payload); }
  void end_of_elaboration() override { inputs_.start(); }
  void input_changed(unsigned line, bool level);
  void update_lines();

  register_bank bank_;
  line_inputs inputs_;
  words level_{};
  std::map<unsigned, std::unique_ptr<line_out>> outputs_;
  sc_core::sc_event lines_change_;
  target_port port_;
};

}  // namespace rpsim
