#pragma once
// ST's general-purpose timer with a 32-bit counter (TIM2, TIM5 of the STM32MP1), as a time base: up-counter, prescaler,
// auto-reload, update interrupt. Facts: STM32CubeMP1's CMSIS header and HAL (stm32mp1xx_hal_tim.c).
//
// The counter is computed from simulated time when somebody looks; events exist only for an interrupt that is enabled.

#include <cstdint>

#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

/// Property: clock-frequency, of the timer's kernel clock. Parameter: <label>.clock. output("irq", 0): high while UIF
/// and UIE are set. Events: irq.raised, irq.lowered {line}.
class stm32_tim final : public model, private target_port::handler {
 public:
  // Registers. What is about capture, compare, break and DMA is stored. Every other offset reads as zero.
  static constexpr std::uint32_t CR1 = 0x00;  // [0] CEN, [1] UDIS, [2] URS, [3] OPM, [7] ARPE
  static constexpr std::uint32_t CR2 = 0x04, SMCR = 0x08;
  static constexpr std::uint32_t DIER = 0x0C;  // [0] UIE
  static constexpr std::uint32_t SR = 0x10;    // [0] UIF; write 0: clear
  static constexpr std::uint32_t EGR = 0x14;   // [0] UG: start anew from 0; reads 0
  static constexpr std::uint32_t CCMR1 = 0x18, CCMR2 = 0x1C, CCER = 0x20;
  static constexpr std::uint32_t CNT = 0x24;
  static constexpr std::uint32_t PSC = 0x28;  // [15:0]: clock / (PSC + 1); takes effect at the next update
  static constexpr std::uint32_t ARR = 0x2C;  // last value; with ARPE it takes effect at the next update
  static constexpr std::uint32_t CCR1 = 0x34, DCR = 0x48, TISEL = 0x68;

  static constexpr std::uint32_t CEN = 1U << 0, UDIS = 1U << 1, URS = 1U << 2, OPM = 1U << 3, ARPE = 1U << 7;
  static constexpr std::uint32_t UIE = 1U << 0, UIF = 1U << 0, UG = 1U << 0;

  stm32_tim(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override {
    return what == "irq" && index == 0 ? &irq_ : nullptr;
  }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  bool counting() const { return (bank_.get(CR1) & CEN) != 0 && last_ != 0; }
  std::uint64_t ticks_at(const sc_core::sc_time& t) const;
  sc_core::sc_time time_of(std::uint64_t tick) const;
  std::uint64_t to_wrap() const;
  void sync();
  void update();
  void load();
  void rebase(const sc_core::sc_time& t);
  void changed() { context().notifier.next_delta(line_changed_); }
  void update_line();

  param& clock_;
  register_bank bank_;
  std::uint64_t divider_ = 1;        // PSC + 1, as it counts now
  std::uint32_t last_ = 0xFFFFFFFF;  // ARR, as it counts now
  std::uint32_t count_ = 0;          // at tick consumed_ after base_
  sc_core::sc_time base_;
  std::uint64_t consumed_ = 0;
  std::uint64_t frequency_hz_ = 1;  // at base_
  sc_core::sc_event due_, line_changed_;
  target_port port_;
  line_out irq_{"irq"};
};

}  // namespace rpsim
