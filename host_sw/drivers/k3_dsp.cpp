#include "host_sw/drivers/k3_dsp.h"

#include <fmt/format.h>

namespace rpsim::drivers {

using os::log_level;

namespace {

constexpr std::uint32_t C66X_ALIGNMENT = 0x400, C71X_ALIGNMENT = 0x200000;  // of the boot address

class k3_dsp final : public k3_rproc {
 public:
  k3_dsp(os::machine& machine, os::device& dev, const k3_core_data& data, std::uint32_t alignment,
         const k3_options& options)
      : k3_rproc(machine, dev, data, options), alignment_(alignment) {}

 private:
  int find_mode(mode& m) override {
    const int error = k3_rproc::find_mode(m);
    if (error != 0 || m == mode::ipc_only || !data_.uses_local_reset) return error;
    // Or it would execute whatever is there once its module is on for loading.
    const int asserted = reset_->status();
    if (asserted < 0) return fail(asserted, "failed to get reset status");
    if (asserted == 0) {
      log(log_level::warning, "local reset is deasserted for device");
      reset_core();
    }
    return 0;
  }

  int prepare() override {
    const int error = sci_->get_device(device_id_);
    if (error != 0) log(log_level::err, "module-reset deassert failed, cannot enable internal RAM loading");
    return error;
  }

  int run() override {
    const auto boot_address = static_cast<std::uint32_t>(rproc_->boot_address());
    if ((boot_address & (alignment_ - 1)) != 0) {
      log(log_level::err,
          fmt::format("invalid boot address 0x{:x}, must be aligned on a 0x{:x} boundary", boot_address, alignment_));
      return -EINVAL;
    }
    if (const int error = sci_->proc_set_config(processor_id_, boot_address, 0, 0); error != 0) return error;
    return release_core();
  }

  int halt() override {
    const int error = reset_core();
    return policy_.asks ? error : 0;  // 6.12's stop does not look
  }

  int reset_core() {
    if (const int error = reset_->assert_reset(); error != 0) {
      log(log_level::err, fmt::format("local-reset assert failed, ret = {}", error));
      return error;
    }
    if (data_.uses_local_reset) return 0;
    const int error = sci_->put_device(device_id_);
    if (error != 0) {
      log(log_level::err, fmt::format("module-reset assert failed, ret = {}", error));
      if (reset_->deassert_reset() != 0) log(log_level::warning, "local-reset deassert back failed");
    }
    return error;
  }

  int release_core() {
    if (!data_.uses_local_reset) {
      if (const int error = sci_->get_device(device_id_); error != 0) {
        log(log_level::err, fmt::format("module-reset deassert failed, ret = {}", error));
        return error;
      }
    }
    const int error = reset_->deassert_reset();
    if (error != 0) {
      log(log_level::err, fmt::format("local-reset deassert failed, ret = {}", error));
      if (sci_->put_device(device_id_) != 0) log(log_level::warning, "module-reset assert back failed");
    }
    return error;
  }

  const std::uint32_t alignment_;
};

}  // namespace

os::platform_driver k3_dsp_driver(os::machine& machine, k3_options options) {
  const auto make = [&machine, options](os::device& dev) -> std::shared_ptr<k3_rproc> {
    const bool c66x = dev.node.is_compatible("ti,j721e-c66-dsp");
    k3_core_data data{.label = "DSP",
                      .memories = {{"l2sram", 0x00800000}, {"l1dram", 0x00E00000}},
                      .uses_local_reset = c66x,
                      .mailbox_first = true,
                      .ops_of_mode = true};
    if (c66x) data.memories = {{"l2sram", 0x00800000}, {"l1pram", 0x00E00000}, {"l1dram", 0x00F00000}};
    return std::make_shared<k3_dsp>(machine, dev, data, c66x ? C66X_ALIGNMENT : C71X_ALIGNMENT, options);
  };
  return k3_driver("k3-dsp-rproc", {"ti,j721e-c66-dsp", "ti,j721e-c71-dsp"}, options, make);
}

}  // namespace rpsim::drivers
