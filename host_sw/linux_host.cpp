#include "host_sw/linux_host.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "host_sw/drivers/k3_dsp.h"
#include "host_sw/drivers/k3_m4.h"
#include "host_sw/drivers/k3_r5.h"
#include "host_sw/drivers/omap_mailbox.h"
#include "host_sw/drivers/optee.h"
#include "host_sw/drivers/stm32_exti.h"
#include "host_sw/drivers/stm32_ipcc.h"
#include "host_sw/drivers/stm32_rcc.h"
#include "host_sw/drivers/stm32_rproc.h"
#include "host_sw/drivers/stm32_rproc_tee.h"
#include "host_sw/drivers/ti_msgmgr.h"
#include "host_sw/drivers/ti_sci.h"
#include "host_sw/optee/secure_world.h"
#include "host_sw/remoteproc/history.h"
#include "host_sw/remoteproc/subsystem.h"
#include "host_sw/rpmsg/rpmsg.h"

namespace rpsim::host {

namespace {

constexpr std::string_view FIRMWARE = "/lib/firmware/";

os::kernel::options kernel_options(const dt::tree& tree) {
  os::kernel::options o;
  for (const dt::node& gic : tree.compatible("arm,gic-v3")) {
    if (gic.enabled() && !gic.reg().empty()) o.gicd_base = gic.reg()[0].base;
  }
  return o;
}

drivers::k3_options k3_options_of(const options& o) {
  if (o.crash != "log" && o.crash != "report") {
    throw std::invalid_argument(fmt::format("no crash handling \"{}\" (there are: log, report)", o.crash));
  }
  remoteproc::make_history(o.core);  // throws for an unknown one
  return {.shutdown = o.shutdown,
          .report_crashes = o.crash == "report",
          .auto_boot = o.auto_boot,
          .core = {.history = o.core}};
}

}  // namespace

struct linux_host::impl {
  impl(host_core& core, sim_context& context, const dt::tree& tree, const options& o)
      : kernel("host", core, context, kernel_options(tree)),
        machine(kernel, tree),
        secure_world(kernel, tree),
        rpmsg(machine) {
    os::vfs& fs = machine.fs();
    for (const char* directory : {"/lib/firmware", "/tmp", "/dev"}) fs.add_directory(directory);
    for (const auto& [name, content] : o.firmware) fs.add_regular(std::string(FIRMWARE) + name, content);
    add_proc_files();
    remoteproc::subsystem::of(machine);  // its parameters exist before time starts
    machine.add_driver(drivers::omap_mailbox_driver(machine));
    machine.add_driver(drivers::ti_msgmgr_driver(machine));
    machine.add_driver(drivers::ti_sci_driver(machine));
    machine.add_driver(drivers::ti_sci_reset_driver(machine));
    machine.add_driver(drivers::k3_m4_driver(machine, k3_options_of(o)));
    machine.add_driver(drivers::k3_r5_driver(machine, k3_options_of(o)));
    machine.add_driver(drivers::k3_dsp_driver(machine, k3_options_of(o)));
    machine.add_driver(drivers::stm32_exti_driver(machine));
    machine.add_driver(drivers::stm32_rcc_driver(machine));
    machine.add_driver(drivers::stm32_ipcc_driver(machine));
    machine.add_driver(drivers::stm32_rproc_driver(machine, {.core = {.history = o.core}}));
    machine.add_driver(drivers::stm32_rproc_tee_driver(machine, {.history = o.core}));
    machine.add_driver(drivers::optee_driver(machine, secure_world));
    kernel.add_panic_notifier([this] { wait_for_processors(); });
  }

  void add_proc_files() {
    os::vfs& fs = machine.fs();
    fs.add_attribute("/proc/sysrq-trigger", 0200, {}, [this](std::string_view text) -> os::expected<std::size_t> {
      if (text.starts_with('c')) {
        kernel.printk(os::log_level::info, "sysrq", "Trigger a crash");
        kernel.panic("sysrq triggered crash");
      }
      if (text.starts_with('b')) {
        kernel.printk(os::log_level::info, "sysrq", "Resetting");
        kernel.emergency_restart();
      }
      kernel.printk(os::log_level::info, "sysrq", "HELP : reboot(b) crash(c)");
      return text.size();
    });
    fs.add_attribute(
        "/proc/sys/kernel/panic", 0644,
        [this]() -> os::expected<std::string> { return fmt::format("{}\n", kernel.panic_timeout()); },
        [this](std::string_view text) -> os::expected<std::size_t> {
          int seconds = 0;
          const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
          if (error != std::errc() || (end != text.data() + text.size() && *end != '\n')) return tl::unexpected(EINVAL);
          kernel.set_panic_timeout(seconds);
          return text.size();
        });
  }

  /// The remoteproc core's panic notifier: whatever its processors' drivers asked for, busy
  /// (reference/remoteproc-core.md §1.12).
  void wait_for_processors() {
    if (const unsigned long ms = remoteproc::rproc::panic(machine); ms != 0)
      kernel.busy(sc_core::sc_time(static_cast<double>(ms), sc_core::SC_MS));
  }

  /// What user space left under /lib/firmware.
  std::map<std::string, std::shared_ptr<const std::string>> disk() {
    std::map<std::string, std::shared_ptr<const std::string>> files;
    for (const std::string& path : machine.fs().paths()) {
      if (!path.starts_with(FIRMWARE)) continue;
      if (auto content = machine.fs().content(path)) files[path.substr(FIRMWARE.size())] = std::move(content);
    }
    return files;
  }

  os::kernel kernel;
  os::machine machine;
  optee::secure_world secure_world;
  rpsim::rpmsg::bus rpmsg;
  bool booted = false;
};

linux_host::linux_host(host_core& core, sim_context& context, const dt::tree& tree, options o)
    : core_(core),
      context_(context),
      tree_(tree),
      options_(std::move(o)),
      bootloader_time_(context.params.time({"host.bootloader_time", provenance::assumed,
                                            "assumed: boot ROM, first-stage loader and U-Boot from an SD card",
                                            "from the host's reset to what its boot loader does about remote cores"},
                                           sc_core::sc_time(1500, sc_core::SC_MS))),
      kernel_time_(context.params.time({"host.kernel_time", provenance::assumed,
                                        "assumed: kernel image loaded and started, up to its device drivers",
                                        "from the boot loader's part to the first driver's probe, at a second boot"},
                                       sc_core::sc_time(1500, sc_core::SC_MS))),
      impl_(make()) {}

linux_host::~linux_host() = default;

std::unique_ptr<linux_host::impl> linux_host::make() {
  return std::make_unique<impl>(core_, context_, tree_, options_);
}

void linux_host::boot() {
  if (impl_->kernel.powered_off()) {
    options_.firmware = impl_->disk();
    impl_.reset();
    impl_ = make();
    impl_->kernel.on_restart(firmware_);
  }
  impl_->kernel.spawn("init", [i = impl_.get()] {
    i->secure_world.boot();
    i->kernel.init_irq();
    i->machine.probe_all();
    i->booted = true;
    i->kernel.events().emit(i->kernel.name(), "host.booted");
  });
}

void linux_host::power_off() { impl_->kernel.power_off(); }
void linux_host::on_restart(std::function<void()> firmware) {
  firmware_ = std::move(firmware);
  impl_->kernel.on_restart(firmware_);
}
sc_core::sc_time linux_host::bootloader_time() { return bootloader_time_.time(); }
sc_core::sc_time linux_host::kernel_time() { return kernel_time_.time(); }

os::machine& linux_host::machine() { return impl_->machine; }
os::kernel& linux_host::kernel() { return impl_->kernel; }
os::vfs& linux_host::fs() { return impl_->machine.fs(); }
bool linux_host::booted() const { return impl_->booted && !impl_->kernel.powered_off(); }

}  // namespace rpsim::host
