#pragma once
// Driver of ST's inter-processor communication controller (stm32-ipcc; compatible "st,stm32mp1-ipcc"). Facts:
// drivers/mailbox/stm32-ipcc.c of linux-source-6.12, reference/stm32mp1.md §2.4:
//  - mailbox k is the hardware's channel k + 1; a doorbell carries no data
//  - a received doorbell is acknowledged as soon as the client's callback has returned
//  - "sent" means that the other side has acknowledged: the transmit-free interrupt is unmasked by a send, and masked
//  by
//    its handler
// Its clock is not modelled: it runs.

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

os::platform_driver stm32_ipcc_driver(os::machine& machine);

}  // namespace rpsim::drivers
