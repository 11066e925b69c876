#include "host_sw/drivers/stm32_rproc_tee.h"

#include <fmt/format.h>

#include <algorithm>

#include "host_sw/drivers/stm32_rproc_common.h"
#include "host_sw/remoteproc/rproc_tee.h"

namespace rpsim::drivers {

using os::log_level;

namespace {

constexpr const char* COMPATIBLE = "st,stm32mp1-m4-tee";
constexpr std::uint32_t RETRAM = 0x38000000, RETRAM_BYTES = 0x10000;  // the M4 sees it at 0

class stm32_rproc_tee {
 public:
  stm32_rproc_tee(os::machine& machine, os::device& dev) : machine_(machine), dev_(dev) {}
  stm32_rproc_tee(const stm32_rproc_tee&) = delete;
  stm32_rproc_tee& operator=(const stm32_rproc_tee&) = delete;

  /// 0 or -errno; a failed probe has given back what it took.
  int probe(const remoteproc::core_options& options) {
    if (!suppliers_ready()) return -os::EPROBE_DEFER;
    const int error = acquire(options);
    if (error != 0) release();
    return error;
  }
  void remove() { release(); }

 private:
  /// Linux probes nobody before those that its tree names as suppliers (drivers/of/property.c, fw_devlink).
  bool suppliers_ready() {
    int error = 0;
    (void)device_irq::get(machine_, dev_.node, 0U, error);
    const auto mailboxes = dev_.node.references("mboxes", "#mbox-cells");
    return error != -os::EPROBE_DEFER && std::ranges::all_of(mailboxes, [this](const auto& m) {
             return machine_.provider_of<mbox_controller>(m.target);
           });
  }

  int acquire(const remoteproc::core_options& options) {
    int error = watchdog_.request(machine_, dev_, [this] { return driver_data_set_ ? rproc_.get() : nullptr; });
    if (error != 0) return error;
    session_ = remoteproc::rproc_tee::open(machine_, dev_, error);
    if (session_ == nullptr) {
      machine_.os().printk(error == -os::EPROBE_DEFER ? log_level::debug : log_level::err, dev_.name,
                           fmt::format("error -{}: signed firmware not supported by TEE", os::errno_name(error)));
      return error;
    }
    rproc_ = remoteproc::rproc::alloc(machine_, dev_, dev_.node.base_name(), make_ops(),
                                      dev_.node.string("firmware-name").value_or(""), options);
    rproc_->set_auto_boot(dev_.node.has("st,auto-boot"));
    if (error = rproc_->add(); error != 0) return error;
    added_ = true;
    driver_data_set_ = true;
    return mailboxes_.request(*rproc_, stm32_mailboxes::DETACH, [this](std::string_view name) {
      machine_.os().printk(log_level::info, fmt::format("remoteproc remoteproc{}", rproc_->index()),
                           fmt::format("mailbox {} mbox not used", name));
    });
  }

  void release() {
    mailboxes_.free();
    if (std::exchange(added_, false)) rproc_->del();
    watchdog_.free();
    driver_data_set_ = false;
    rproc_.reset();
    session_.reset();
  }

  remoteproc::rproc_ops make_ops() {
    using remoteproc::rproc;
    remoteproc::rproc_ops ops = session_->ops();
    ops.prepare = [](rproc& r) { return register_stm32_memory_regions(r, device_address); };
    ops.stop = [this](rproc& r) {
      mailboxes_.ask_for_shutdown();
      return session_->stop(r);
    };
    ops.kick = [this](rproc&, int vqid) { mailboxes_.kick(vqid); };
    return ops;
  }

  static std::optional<std::uint32_t> device_address(dt::region r) {
    if (r.base < RETRAM || r.base - RETRAM >= RETRAM_BYTES) return static_cast<std::uint32_t>(r.base);
    if (r.base - RETRAM + r.size > RETRAM_BYTES) return std::nullopt;
    return static_cast<std::uint32_t>(r.base - RETRAM);
  }

  os::machine& machine_;
  os::device& dev_;
  std::unique_ptr<remoteproc::rproc_tee> session_;
  std::unique_ptr<remoteproc::rproc> rproc_;
  bool added_ = false, driver_data_set_ = false;
  stm32_watchdog watchdog_;
  stm32_mailboxes mailboxes_{machine_, dev_, "stm32_rproc_tee_kick"};
};

}  // namespace

os::platform_driver stm32_rproc_tee_driver(os::machine& machine, remoteproc::core_options options) {
  if (!machine.tree().compatible(COMPATIBLE).empty()) stm32_parse_time_param(machine);
  return {
      .name = "stm32-rproc-tee",
      .compatible = {COMPATIBLE},
      .probe =
          [&machine, options = std::move(options)](os::device& dev) {
            auto core = std::make_shared<stm32_rproc_tee>(machine, dev);
            const int error = core->probe(options);
            if (error == 0) dev.driver_data = std::move(core);
            return error;
          },
      .remove = [](os::device& dev) { static_cast<stm32_rproc_tee*>(dev.driver_data.get())->remove(); },
  };
}

}  // namespace rpsim::drivers
