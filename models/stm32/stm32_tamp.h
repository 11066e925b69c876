#pragma once
// STM32MP1 tamper and backup registers: the 32 words of the backup domain in which boot loader, Linux and firmware
// leave notes for each other; BKP17R is the resource table's address, BKP18R the M4's state. Facts:
// reference/stm32mp1.md §4.1, §4.4. Tamper detection is left out.

#include <cstdint>

#include "models/common/host_reset.h"
#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

class stm32_tamp final : public model, public host_reset_listener {
 public:
  // Registers. Every other offset reads as zero and ignores writes.
  static constexpr std::uint32_t BKP0R = 0x100;  // + 4n
  static constexpr unsigned BACKUP_REGISTERS = 32;
  static constexpr std::uint32_t bkp(unsigned n) { return BKP0R + 4 * n; }

  stm32_tamp(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }

  /// They are lost with the power only.
  void host_reset(host_reset_kind kind) override;

 private:
  register_bank bank_;
  target_port port_;
};

}  // namespace rpsim
