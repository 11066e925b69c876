#pragma once
// Driver of an STM32MP1 Cortex-M4 that a TEE loads, starts and stops (stm32-rproc-tee; compatible
// "st,stm32mp1-m4-tee"). Facts: series v21 6/6 (March 2026, not merged); reference/stm32mp1.md §8.1.
//
// There is no attach and no detach. The driver touches no register of the M4: not its state, and since v20 not PDDS.
// Its translation of addresses is its own, not dma-ranges: RETRAM is at 0, all else where the host sees it. At its
// removal it lets the mailboxes go before it stops the M4, which is therefore never asked.
//
// As posted, the processor is registered before the operations prepare, stop and kick are set; here they are complete.

#include "host_sw/os/driver.h"
#include "host_sw/remoteproc/rproc_ops.h"

namespace rpsim::drivers {

os::platform_driver stm32_rproc_tee_driver(os::machine& machine, remoteproc::core_options options);

}  // namespace rpsim::drivers
