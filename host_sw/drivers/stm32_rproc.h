#pragma once
// Driver of the STM32MP1's Cortex-M4 (stm32-rproc; compatible "st,stm32mp1-m4"): a core that a boot loader may have
// started, that is let go and attached to again. Facts: drivers/remoteproc/stm32_rproc.c of linux-source-6.12,
// reference/stm32mp1.md §1.1, §1.2, §3–§5.
//
// What differed at the time of a history of the core is in stm32_history.h.
// A tree without st,syscfg-rsc-tbl whose M4 runs makes the attach read through a null map: kernel::oops("null-regmap").
// Hold boot by SMC (st,syscfg-tz with the TrustZone bit set) is refused with EPERM, as the secure world does that does
// not know the call: 6.12 passes a register offset that it never read. A system sleep does not concern the M4; that its
// watchdog may be a wake-up source is left out.

#include "host_sw/os/driver.h"
#include "host_sw/remoteproc/rproc_ops.h"

namespace rpsim::drivers {

struct stm32_options {
  remoteproc::core_options core;
};

/// Parameter: <host>.stm32_rproc_parse, where the tree has such a core.
os::platform_driver stm32_rproc_driver(os::machine& machine, stm32_options options);

}  // namespace rpsim::drivers
