#pragma once
// TI's 16550-like UART (OMAP3 to K3), its transmitter: what firmware prints with. Facts: TI TRM SPRUIV7B (AM62x),
// chapter UART; Linux 6.12 8250_omap.c and serial_reg.h for offsets and bits; reference/stock-firmware.md for what is
// looked at.

#include <cstdint>
#include <string_view>

#include "models/common/model.h"
#include "models/common/register_bank.h"
#include "models/uart/console_line.h"

namespace rpsim {

/// Registers are a word apart and may be accessed as bytes. Nothing is ever received. A character takes ten bit times
/// of what the divisor says; with divisor 0 or MDR1 = 7 (disabled) characters stay in the FIFO. Property:
/// clock-frequency. Parameter: <label>.clock. output("irq", 0): high while an interrupt is identified. Events: fw.log
/// {text}; irq.raised, irq.lowered {line}.
class k3_uart final : public model, private target_port::handler {
 public:
  // Registers.
  static constexpr std::uint32_t RHR = 0x00;  // read: received; write, THR: to send; with DLAB: DLL, divisor [7:0]
  static constexpr std::uint32_t IER = 0x04;  // [0] RHR, [1] THR, [2] line, [3] modem; with DLAB: DLH, divisor [13:8]
  static constexpr std::uint32_t IIR = 0x08;  // read: [0] nothing pending, [5:1] what; write, FCR; LCR = BFh: EFR
  static constexpr std::uint32_t LCR = 0x0C;  // [7] DLAB
  static constexpr std::uint32_t MCR = 0x10;
  static constexpr std::uint32_t LSR = 0x14;  // [5] transmit FIFO empty, [6] transmitter empty, too
  static constexpr std::uint32_t MSR = 0x18;
  static constexpr std::uint32_t SPR = 0x1C;
  static constexpr std::uint32_t MDR1 = 0x20;  // [2:0] mode: 0 16x, 3 13x, 7 disabled
  static constexpr std::uint32_t SCR = 0x40;   // [3] interrupt when the transmitter is empty, too
  static constexpr std::uint32_t SSR = 0x44;   // [0] transmit FIFO full
  static constexpr std::uint32_t MVR = 0x50;
  static constexpr std::uint32_t SYSC = 0x54;  // [1] soft reset
  static constexpr std::uint32_t SYSS = 0x58;  // [0] reset done
  static constexpr std::uint32_t TXFIFO_LVL = 0x68;

  static constexpr unsigned FIFO_CHARACTERS = 64;
  static constexpr std::uint32_t IER_THR = 1U << 1;
  static constexpr std::uint32_t IIR_NONE = 1, IIR_THR = 1U << 1, IIR_FIFO = 3U << 6;
  static constexpr std::uint32_t FCR_ENABLE = 1, FCR_CLEAR_TX = 1U << 2;
  static constexpr std::uint32_t LCR_DLAB = 1U << 7, LCR_MODE_B = 0xBF;
  static constexpr std::uint32_t LSR_THRE = 1U << 5, LSR_TEMT = 1U << 6;
  static constexpr std::uint32_t MDR1_DISABLED = 7;
  static constexpr std::uint32_t SYSC_SOFTRESET = 1U << 1;

  k3_uart(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override {
    return what == "irq" && index == 0 ? &irq_ : nullptr;
  }
  sc_core::sc_in<module_state>* power() override { return &power_; }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    bank_.transport(payload, delay);
  }
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override { return bank_.transport_debug(payload); }
  std::uint32_t lcr() const { return bank_.get(LCR); }
  bool latch_access() const { return (lcr() & LCR_DLAB) != 0; }
  unsigned depth() const { return (fcr_ & FCR_ENABLE) != 0 ? FIFO_CHARACTERS : 1; }
  std::uint32_t read_iir();
  void write_fcr(std::uint32_t value);
  void write_thr(std::uint32_t value);
  void start_character();
  void character_sent();
  sc_core::sc_time character_time();
  void changed();
  void update_line();
  void reset();
  void power_changed();

  param& clock_;
  register_bank bank_;
  console_line console_;
  std::uint32_t divisor_ = 0, ier_ = 0, fcr_ = 0, efr_ = 0;
  std::string fifo_;
  char shifting_ = 0;
  bool busy_ = false;       // a character is in the shift register
  bool thr_empty_ = false;  // the interrupt of an emptied FIFO, until IIR is read or something is written
  sc_core::sc_event sent_, line_changed_;
  target_port port_;
  line_out irq_{"irq"};
  sc_core::sc_in<module_state> power_{"power"};
};

}  // namespace rpsim
