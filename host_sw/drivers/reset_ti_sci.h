#pragma once
// Reset controller over TI-SCI (ti-sci-reset; compatible "ti,sci-reset"). A reset is a bit of a device's reset word; to
// change it the word is read and written, two round trips (reference/k3.md §3.5).

#include "host_sw/drivers/reset.h"
#include "host_sw/drivers/ti_sci.h"

namespace rpsim::drivers {

os::platform_driver ti_sci_reset_driver(os::machine& machine);

}  // namespace rpsim::drivers
