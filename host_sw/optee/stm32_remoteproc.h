#pragma once
// OP-TEE's driver of the STM32MP1's Cortex-M4: hold boot, reset and memories, reached over the bus of the host core,
// whose secure world this runs in. Facts: OP-TEE core/drivers/remoteproc/stm32_remoteproc.c and
// core/drivers/rstctrl/stm32_rstctrl.c; reference/stm32mp1.md §8.2.
//
// The node (compatible "st,stm32mp1-m4-tee") has what OP-TEE's own device tree has: `resets` named mcu_rst and
// hold_boot, `memory-region`, and the bus's `dma-ranges`.

#include <cstdint>
#include <span>
#include <vector>

#include "host_sw/optee/tee_result.h"
#include "host_sw/os/os.h"
#include "models/common/device_tree.h"

namespace rpsim::optee {

class stm32_remoteproc {
 public:
  stm32_remoteproc(os::kernel& k, dt::node node) : kernel_(k), node_(node) {}
  /// Reads the tree, then holds and resets the M4, whatever it was doing.
  tee_result probe();

  /// Out of hold boot, and back into it: a later reset parks the M4.
  tee_result start();
  tee_result stop();
  /// ACCESS_DENIED where the range is in none of the memory regions, also for one of no bytes.
  tee_result da_to_pa(std::uint64_t da, std::uint64_t size, std::uint64_t& pa) const;
  // GENERIC: a bus error.
  tee_result write(std::uint64_t pa, std::span<const std::byte> bytes);
  tee_result read(std::uint64_t pa, std::span<std::byte> to);
  tee_result clear(std::uint64_t pa, std::uint64_t size);
  /// Zeroes every memory region.
  tee_result clean_up_memories();

 private:
  struct region {
    std::uint64_t pa = 0, da = 0, size = 0;
  };
  struct reset_line {
    std::uint64_t rcc = 0;
    std::uint32_t id = 0;
  };
  tee_result parse_memories();
  tee_result device_address(region& r) const;
  tee_result get_reset(std::string_view name, reset_line& line) const;
  tee_result set_hold_boot(bool hold);
  void log(std::string_view level, std::string text);

  os::kernel& kernel_;
  dt::node node_;
  std::vector<region> regions_;
  reset_line mcu_reset_, hold_boot_;
};

}  // namespace rpsim::optee
