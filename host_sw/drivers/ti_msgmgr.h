#pragma once
// Driver of the K3 Secure Proxy as a mailbox controller (ti-msgmgr; compatible "ti,am654-secure-proxy"). One channel
// per thread; the write to a thread's last data word sends, the read of it pops. One message per interrupt, in
// interrupt context. Facts: drivers/mailbox/ti-msgmgr.c of linux-source-6.12, reference/k3.md §3.3. (6.12 gives no
// error mask for this controller, so it never notices STATUS.ERROR. Its polled mode of late suspend is left out: no
// interrupt is off while host code of ours runs.)

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

os::platform_driver ti_msgmgr_driver(os::machine& machine);

}  // namespace rpsim::drivers
