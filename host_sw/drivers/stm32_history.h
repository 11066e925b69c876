#pragma once
// Where the STM32MP1's driver differed at the time of a history of the remoteproc core. Facts: the detach series as
// posted (v4 06/17, v5 08/19 and 09/19), threads/000, reference/stm32mp1.md §4.2, §5.1; linux-source-6.12 for the rest.
//
// A tree of those days had st,syscfg-tz, and the driver insisted on it; here it stays optional, so that one tree serves
// all histories.

#include <cstdint>
#include <string_view>

namespace rpsim::drivers {

struct stm32_history {
  /// When the memory regions become carveouts.
  enum class regions : std::uint8_t {
    once,      // by the probe if the core runs, and by every parse_fw: what a detach drops is not registered again
    prepared,  // by the prepare op of every boot and attach
  };
  enum class detach_op : std::uint8_t {
    none,
    dummy,    // Arnaud Pouliquen's test patch 1/3
    mailbox,  // commit edf696f26855: the firmware is told over a fourth channel, and hold boot released
  };
  regions memory_regions = regions::prepared;
  detach_op detach = detach_op::mailbox;
  bool attaches_without_table = false;  // table register 0 is no table; since v5 it is ENOENT
  bool knows_named_resets = true;       // mcu_rst and hold_boot, of SCMI
};

/// `core` is a name of remoteproc::histories().
stm32_history stm32_history_of(std::string_view core);

}  // namespace rpsim::drivers
