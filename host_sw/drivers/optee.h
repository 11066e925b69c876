#pragma once
// The driver of OP-TEE (node "linaro,optee-tz"), as far as it shows the TEE bus's one device that is of interest here:
// the remoteproc application, which becomes a service on the node that has the application's UUID as its `compatible`.
// Facts: drivers/tee/optee of linux-source-6.12; series v21 5/6 (host_sw/remoteproc/rproc_tee.h).

#include "host_sw/optee/secure_world.h"
#include "host_sw/os/driver.h"

namespace rpsim::drivers {

/// Cannot be unbound.
os::platform_driver optee_driver(os::machine& machine, optee::secure_world& secure);

}  // namespace rpsim::drivers
