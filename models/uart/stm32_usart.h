#pragma once
// ST's USART, its transmitter: what firmware prints with. Facts: STM32CubeMP1's CMSIS header (offsets, bits) and HAL
// (stm32mp1xx_hal_uart.c: which flags it waits for); reference/stock-firmware.md.

#include <cstdint>
#include <string_view>

#include "models/common/model.h"
#include "models/common/register_bank.h"
#include "models/uart/console_line.h"

namespace rpsim {

/// Nothing is ever received. A character takes ten bit times of what BRR says. Properties: clock-frequency, of the
/// kernel clock. Parameter: <label>.clock. output("irq", 0): high while an enabled flag is set. Events: fw.log {text};
/// irq.raised, irq.lowered {line}.
class stm32_usart final : public model, private target_port::handler {
 public:
  // Registers. What else the block has is stored, or reads as zero.
  static constexpr std::uint32_t CR1 = 0x00;  // [0] UE, [2] RE, [3] TE, [6] TCIE, [7] TXEIE, [15] OVER8, [29] FIFOEN
  static constexpr std::uint32_t CR2 = 0x04, CR3 = 0x08;
  static constexpr std::uint32_t BRR = 0x0C;  // clocks per bit; with OVER8 two eighths: see baud_clocks()
  static constexpr std::uint32_t GTPR = 0x10, RTOR = 0x14;
  static constexpr std::uint32_t RQR = 0x18;
  static constexpr std::uint32_t ISR = 0x1C;  // [6] TC, [7] TXE, [21] TEACK, [22] REACK
  static constexpr std::uint32_t ICR = 0x20;  // write 1: clear; [6] TCCF
  static constexpr std::uint32_t RDR = 0x24;
  static constexpr std::uint32_t TDR = 0x28;
  static constexpr std::uint32_t PRESC = 0x2C;  // [3:0] 1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256

  static constexpr std::uint32_t UE = 1U << 0, RE = 1U << 2, TE = 1U << 3, TCIE = 1U << 6, TXEIE = 1U << 7;
  static constexpr std::uint32_t OVER8 = 1U << 15;
  static constexpr std::uint32_t TC = 1U << 6, TXE = 1U << 7, TEACK = 1U << 21, REACK = 1U << 22;

  stm32_usart(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override {
    return what == "irq" && index == 0 ? &irq_ : nullptr;
  }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    bank_.transport(payload, delay);
  }
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  std::uint32_t status() const;
  std::uint32_t baud_clocks() const;
  void start_character();
  void character_sent();
  void changed();
  void update_line();

  param& clock_;
  register_bank bank_;
  console_line console_;
  bool waiting_ = false;  // TDR holds a character that has not begun
  bool busy_ = false;
  bool complete_ = true;  // TC
  char next_ = 0, shifting_ = 0;
  sc_core::sc_event sent_, line_changed_;
  target_port port_;
  line_out irq_{"irq"};
};

}  // namespace rpsim
