#include "host_sw/linux_host.h"

#include <fmt/format.h>

#include <stdexcept>

#include "host_sw/drivers/k3_m4.h"
#include "host_sw/drivers/omap_mailbox.h"
#include "host_sw/drivers/stm32_exti.h"
#include "host_sw/drivers/stm32_ipcc.h"
#include "host_sw/drivers/stm32_rcc.h"
#include "host_sw/drivers/stm32_rproc.h"
#include "host_sw/drivers/ti_msgmgr.h"
#include "host_sw/drivers/ti_sci.h"
#include "host_sw/remoteproc/history.h"
#include "host_sw/remoteproc/subsystem.h"
#include "host_sw/rpmsg/rpmsg.h"

namespace rpsim::host {

namespace {

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
      : kernel("host", core, context, kernel_options(tree)), machine(kernel, tree), rpmsg(machine) {
    os::vfs& fs = machine.fs();
    for (const char* directory : {"/lib/firmware", "/tmp", "/dev"}) fs.add_directory(directory);
    for (const auto& [name, content] : o.firmware) fs.add_regular("/lib/firmware/" + name, content);
    remoteproc::subsystem::of(machine);  // its parameters exist before time starts
    machine.add_driver(drivers::omap_mailbox_driver(machine));
    machine.add_driver(drivers::ti_msgmgr_driver(machine));
    machine.add_driver(drivers::ti_sci_driver(machine));
    machine.add_driver(drivers::ti_sci_reset_driver(machine));
    machine.add_driver(drivers::k3_m4_driver(machine, k3_options_of(o)));
    machine.add_driver(drivers::stm32_exti_driver(machine));
    machine.add_driver(drivers::stm32_rcc_driver(machine));
    machine.add_driver(drivers::stm32_ipcc_driver(machine));
    machine.add_driver(drivers::stm32_rproc_driver(machine, {.core = {.history = o.core}}));
  }

  os::kernel kernel;
  os::machine machine;
  rpsim::rpmsg::bus rpmsg;
  bool booted = false;
};

linux_host::linux_host(host_core& core, sim_context& context, const dt::tree& tree, options o)
    : impl_(std::make_unique<impl>(core, context, tree, o)) {}

linux_host::~linux_host() = default;

void linux_host::boot() {
  impl_->kernel.spawn("init", [i = impl_.get()] {
    i->kernel.init_irq();
    i->machine.probe_all();
    i->booted = true;
    i->kernel.events().emit(i->kernel.name(), "host.booted");
  });
}

os::machine& linux_host::machine() { return impl_->machine; }
os::kernel& linux_host::kernel() { return impl_->kernel; }
os::vfs& linux_host::fs() { return impl_->machine.fs(); }
bool linux_host::booted() const { return impl_->booted; }

}  // namespace rpsim::host
