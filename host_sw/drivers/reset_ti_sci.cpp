#include "host_sw/drivers/reset_ti_sci.h"

namespace rpsim::drivers {

namespace {

/// One reset of one device.
class device_reset final : public reset_control {
 public:
  device_reset(os::kernel& k, ti_sci& sci, std::uint32_t device, std::uint32_t mask)
      : sci_(sci), device_(device), mask_(mask), lock_(k, "reset") {}

  int assert_reset() override { return set(true); }
  int deassert_reset() override { return set(false); }
  int status() override {
    std::uint32_t resets = 0;
    const int error = sci_.get_device_resets(device_, resets);
    return error != 0 ? error : static_cast<int>(resets & mask_);
  }

 private:
  int set(bool asserted) {
    const os::mutex_guard guard(lock_);
    std::uint32_t resets = 0;
    if (const int error = sci_.get_device_resets(device_, resets); error != 0) return error;
    return sci_.set_device_resets(device_, asserted ? resets | mask_ : resets & ~mask_);
  }

  ti_sci& sci_;
  std::uint32_t device_, mask_;
  os::mutex lock_;
};

class ti_sci_reset final : public reset_controller {
 public:
  ti_sci_reset(os::kernel& k, ti_sci& sci) : kernel_(k), sci_(sci) {}
  std::unique_ptr<reset_control> get(const dt::phandle_args& specifier) override {
    return std::make_unique<device_reset>(kernel_, sci_, specifier.args.at(0), specifier.args.at(1));
  }

 private:
  os::kernel& kernel_;
  ti_sci& sci_;
};

}  // namespace

os::platform_driver ti_sci_reset_driver(os::machine& machine) {
  return {
      .name = "ti-sci-reset",
      .compatible = {"ti,sci-reset"},
      .probe =
          [&machine](os::device& dev) {
            auto* sci = machine.provider_of<ti_sci>(dev.node.parent());
            if (sci == nullptr) return -os::EPROBE_DEFER;
            auto controller = std::make_shared<ti_sci_reset>(machine.os(), *sci);
            machine.provide<reset_controller>(dev.node, controller.get());
            dev.driver_data = std::move(controller);
            return 0;
          },
      .remove =
          [&machine](os::device& dev) {
            machine.withdraw<reset_controller>(static_cast<ti_sci_reset*>(dev.driver_data.get()));
          },
  };
}

}  // namespace rpsim::drivers
