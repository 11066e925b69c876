#pragma once
// Driver of the K3 DSPs (k3-dsp-rproc): C66x, which has a local reset, and C71x, which is powered for the start and off
// after the stop. Facts: reference/k3.md §4.1, §4.2, §4.4; drivers/remoteproc/ti_k3_dsp_remoteproc.c of
// linux-source-6.12.

#include "host_sw/drivers/k3_common.h"

namespace rpsim::drivers {

/// @throws std::invalid_argument for an unknown shutdown variant.
os::platform_driver k3_dsp_driver(os::machine& machine, k3_options options);

}  // namespace rpsim::drivers
