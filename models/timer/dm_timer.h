#pragma once
// TI's dual-mode timer (OMAP3 to K3), as far as an operating system's tick uses it: a 32-bit up-counter with prescaler,
// auto-reload, overflow and match interrupt. Facts: TI TRMs SPRUIV7B (AM62x), SPRUIM2H (AM64x) and SPRUH73H (AM335x),
// chapter DMTimer; Linux's timer-ti-dm.h for the register offsets of the second version.
//
// The counter is computed from simulated time when somebody looks; events exist only for interrupts that are enabled.

#include <cstdint>
#include <optional>

#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

/// Counts while its module is in `enable`, holds its value in `disable`, and is reset in the states below.
/// Property: clock-frequency. Parameter: <label>.clock. output("irq", 0): active high.
/// Events: irq.raised, irq.lowered {line}.
class dm_timer final : public model, private target_port::handler {
 public:
  // Registers.
  static constexpr std::uint32_t TIDR = 0x00;
  static constexpr std::uint32_t TIOCP_CFG = 0x10;      // [0] SOFTRESET
  static constexpr std::uint32_t IRQ_EOI = 0x20;        // taken and ignored: the interrupt is a level
  static constexpr std::uint32_t IRQSTATUS_RAW = 0x24;  // [0] match, [1] overflow, [2] capture; write 1: set
  static constexpr std::uint32_t IRQSTATUS = 0x28;      // those enabled; write 1: clear
  static constexpr std::uint32_t IRQENABLE_SET = 0x2C;
  static constexpr std::uint32_t IRQENABLE_CLR = 0x30;
  static constexpr std::uint32_t IRQWAKEEN = 0x34;  // stored only
  static constexpr std::uint32_t TCLR = 0x38;       // [0] ST, [1] AR, [4:2] PTV, [5] PRE, [6] CE
  static constexpr std::uint32_t TCRR = 0x3C;       // counter
  static constexpr std::uint32_t TLDR = 0x40;       // reload value
  static constexpr std::uint32_t TTGR = 0x44;       // any write loads TLDR into TCRR; reads all ones
  static constexpr std::uint32_t TWPS = 0x48;       // writes pending: none, ever
  static constexpr std::uint32_t TMAR = 0x4C;       // match value
  static constexpr std::uint32_t TCAR1 = 0x50;
  static constexpr std::uint32_t TSICR = 0x54;  // [1] SFT, [2] POSTED
  static constexpr std::uint32_t TCAR2 = 0x58;

  static constexpr std::uint32_t TCLR_ST = 1U << 0, TCLR_AR = 1U << 1, TCLR_PRE = 1U << 5, TCLR_CE = 1U << 6;
  static constexpr std::uint32_t IRQ_MATCH = 1U << 0, IRQ_OVERFLOW = 1U << 1;

  dm_timer(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override {
    return what == "irq" && index == 0 ? &irq_ : nullptr;
  }
  sc_core::sc_in<module_state>* power() override { return &power_; }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    bank_.transport(payload, delay);
  }
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  bool counting() const { return (control_ & TCLR_ST) != 0 && clocked_; }
  std::uint64_t prescaler() const;
  std::uint64_t ticks_at(const sc_core::sc_time& t) const;
  sc_core::sc_time time_of(std::uint64_t tick) const;
  void sync();
  void advance(std::uint64_t ticks);
  void pass(std::uint32_t first, std::uint32_t last);
  std::optional<std::uint64_t> next_interrupt() const;
  void rebase();
  void restart();
  void changed();
  void update_line();
  void reset();
  void power_changed();

  param& clock_;
  register_bank bank_;
  std::uint32_t control_ = 0, load_ = 0, match_ = 0, raw_ = 0, enable_ = 0;
  std::uint32_t counter_ = 0;  // at tick `consumed_` after `base_`
  sc_core::sc_time base_;      // when the prescaler last started from 0
  std::uint64_t consumed_ = 0;
  std::uint64_t frequency_hz_ = 1;  // at base_
  bool clocked_ = true;
  sc_core::sc_event due_, line_changed_;
  target_port port_;
  line_out irq_{"irq"};
  sc_core::sc_in<module_state> power_{"power"};
};

}  // namespace rpsim
