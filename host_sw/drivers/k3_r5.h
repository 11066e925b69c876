#pragma once
// Driver of the K3 Cortex-R5F clusters (k3_r5_rproc): one or two cores behind one node, in split, lockstep, single-CPU
// or single-core mode. Facts: reference/k3.md §4.2, §4.3, §4.4; drivers/remoteproc/ti_k3_r5_remoteproc.c of
// linux-source-6.12.
//
// In split mode core 1 is powered after core 0 and off before it: prepare of core 1 and unprepare of core 0 wait for
// that up to 2000 ms, then fail with EPERM. Halting does not stop a core that runs; the reset, in unprepare, does.

#include "host_sw/drivers/k3_common.h"

namespace rpsim::drivers {

/// @throws std::invalid_argument for an unknown shutdown variant.
os::platform_driver k3_r5_driver(os::machine& machine, k3_options options);

}  // namespace rpsim::drivers
