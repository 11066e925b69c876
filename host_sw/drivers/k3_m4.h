#pragma once
// Driver of the K3 MCU domain's Cortex-M4F (k3-m4-rproc; compatible "ti,am64-m4fss"). It always boots from 0x0, no boot
// vector is set. Facts: reference/k3.md §4.1–4.5.

#include "host_sw/drivers/k3_common.h"

namespace rpsim::drivers {

/// @throws std::invalid_argument for an unknown shutdown variant.
os::platform_driver k3_m4_driver(os::machine& machine, k3_options options);

}  // namespace rpsim::drivers
