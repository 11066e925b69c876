#pragma once
// The host side of a chip can lose its software, or its power, while a remote core works on. Whoever makes that happen
// (the scenario engine) tells every block that it concerns.

#include <cstdint>

namespace rpsim {

enum class host_reset_kind : std::uint8_t {
  reset,    // the host's CPUs and what they alone own; the remote core and the memories notice nothing
  standby,  // the same, but the wake-up comes from Standby: STM32MP1's PWR says so (reference/stm32mp1.md §4.4, §5.2)
  power_loss,  // the supply went away, the backup domain's too: everything as at power-on, the remote core held
};

class host_reset_listener {
 public:
  virtual ~host_reset_listener() = default;
  virtual void host_reset(host_reset_kind kind) = 0;
};

}  // namespace rpsim
