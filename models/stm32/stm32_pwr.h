#pragma once
// STM32MP1 power controller: the two control registers that say how deep each side may sleep, and whether the system
// comes from Stop or Standby. No low-power mode is entered here. Facts: reference/stm32mp1.md §4.1; STM32CubeMP1's
// CMSIS header.

#include <cstdint>

#include "models/common/host_reset.h"
#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

class stm32_pwr final : public model, public host_reset_listener {
 public:
  // Registers. Every other offset reads as zero and ignores writes.
  static constexpr std::uint32_t MPUCR = 0x10;  // the Cortex-A7s': [0] PDDS, [3] CSTBYDIS, flags as below
  static constexpr std::uint32_t MCUCR = 0x14;  // the M4's: [0] PDDS: 1 = may go to Standby, 0 = no deeper than Stop
  static constexpr std::uint32_t PDDS = 1U << 0, CSTBYDIS = 1U << 3;
  static constexpr std::uint32_t STOPF = 1U << 5, SBF = 1U << 6;  // read only: the system was in Stop, in Standby
  static constexpr std::uint32_t CSSF = 1U << 9;                  // write 1: clear both flags; reads 0
  static constexpr std::uint32_t DEEPSLEEP = 1U << 15;            // read only in MCUCR: never set here

  stm32_pwr(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }

  /// Standby sets SBF on both sides. The flags stay until software clears them or power is lost: a boot loader that
  /// looks after a later plain reset still finds them.
  void host_reset(host_reset_kind kind) override;

 private:
  void write(std::uint32_t offset, std::uint32_t value, std::uint32_t stored);

  register_bank bank_;
  target_port port_;
};

}  // namespace rpsim
