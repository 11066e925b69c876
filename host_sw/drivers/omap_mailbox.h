#pragma once
// Driver of TI's mailbox cluster (omap-mailbox; compatible "ti,am64-mailbox"). Facts: drivers/mailbox/omap-mailbox.c of
// linux-source-6.12, reference/k3.md §1.5:
//  - one threaded, shared, one-shot interrupt per channel; it drains the receive queue into the client's callback and
//    only then acknowledges
//  - after every word written, and when the queue is full, the NOTFULL interrupt is enabled; its handler disables it
//  and
//    submits the next message of the ring. "Sent" means that there was room, not that anybody read it.
//  - system suspend is refused (-EBUSY) while any queue of the cluster holds a word

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

os::platform_driver omap_mailbox_driver(os::machine& machine);

}  // namespace rpsim::drivers
