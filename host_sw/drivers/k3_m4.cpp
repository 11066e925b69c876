#include "host_sw/drivers/k3_m4.h"

namespace rpsim::drivers {

os::platform_driver k3_m4_driver(os::machine& machine, k3_options options) {
  return k3_driver(machine, "k3-m4-rproc", {"ti,am64-m4fss"},
                   {.label = "M4F",
                    .memories = {{"iram", 0x00000000}, {"dram", 0x00030000}},
                    .uses_local_reset = true,
                    .pings = true},
                   std::move(options));
}

}  // namespace rpsim::drivers
