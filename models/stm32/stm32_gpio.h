#pragma once
// ST's GPIO port: 16 pins that firmware configures and drives. Nothing is outside: an output reads back what it drives,
// every other pin reads 0. Facts: STM32CubeMP1's CMSIS header and HAL (stm32mp1xx_hal_gpio.c).

#include <cstdint>

#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

class stm32_gpio final : public model {
 public:
  // Registers. Every other offset reads as zero and ignores writes.
  static constexpr std::uint32_t MODER = 0x00;   // two bits a pin: 0 input, 1 output, 2 alternate function, 3 analog
  static constexpr std::uint32_t OTYPER = 0x04;  // stored, like OSPEEDR, PUPDR, LCKR, AFRL, AFRH
  static constexpr std::uint32_t OSPEEDR = 0x08;
  static constexpr std::uint32_t PUPDR = 0x0C;
  static constexpr std::uint32_t IDR = 0x10;   // [15:0] levels of the pins
  static constexpr std::uint32_t ODR = 0x14;   // [15:0] what outputs drive
  static constexpr std::uint32_t BSRR = 0x18;  // write: [15:0] set in ODR, [31:16] clear; set wins
  static constexpr std::uint32_t LCKR = 0x1C;
  static constexpr std::uint32_t AFRL = 0x20, AFRH = 0x24;
  static constexpr std::uint32_t BRR = 0x28;  // write: [15:0] clear in ODR

  stm32_gpio(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }

 private:
  std::uint32_t levels() const;

  register_bank bank_;
  target_port port_;
};

}  // namespace rpsim
