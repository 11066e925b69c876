#include "host_sw/drivers/k3_m4.h"

namespace rpsim::drivers {

os::platform_driver k3_m4_driver(os::machine& machine, k3_options options) {
  k3_core_data data{.label = "M4F", .memories = {{"iram", 0x00000000}, {"dram", 0x00030000}}};
  return k3_driver("k3-m4-rproc", {"ti,am64-m4fss"}, options, [&machine, data, options](os::device& dev) {
    return std::make_shared<k3_rproc>(machine, dev, data, options);
  });
}

}  // namespace rpsim::drivers
