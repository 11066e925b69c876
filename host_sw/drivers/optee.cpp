#include "host_sw/drivers/optee.h"

#include <fmt/format.h>

#include "host_sw/remoteproc/rproc_tee.h"

namespace rpsim::drivers {

os::platform_driver optee_driver(os::machine& machine, optee::secure_world& secure) {
  return {
      .name = "optee",
      .compatible = {"linaro,optee-tz"},
      .probe =
          [&machine, &secure](os::device& dev) {
            if (!secure.has_remoteproc()) return 0;
            auto service = std::make_shared<remoteproc::rproc_tee_service>(machine.os(), secure);
            const std::string uuid(optee::remoteproc_ta::UUID);
            const auto nodes = machine.tree().compatible(uuid);
            if (nodes.empty()) {  // the client driver's probe fails with ENODEV, not this one
              service->log(fmt::format("Device node not found for UUID: {}", uuid));
              return 0;
            }
            machine.provide<remoteproc::rproc_tee_service>(nodes.front(), service.get());
            dev.driver_data = std::move(service);
            return 0;
          },
      .suppress_bind_attrs = true,
  };
}

}  // namespace rpsim::drivers
