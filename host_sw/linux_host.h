#pragma once
// The host's whole software on one native core: kernel, file system, drivers, remoteproc, rpmsg.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "host_sw/os/driver.h"
#include "models/core/core.h"

namespace rpsim::host {

struct options {
  std::string core = "main";      // history of the remoteproc core: main, cleanup
  std::string shutdown = "none";  // none, v1, v2, ti-sdk, v3, v3-acks-unflagged
  std::string crash = "log";      // log (as Linux: RP_MBOX_CRASH is logged), report (reaches rproc_report_crash)
  /// As Linux 6.12: no K3 driver clears rproc->auto_boot, so at probe a core whose firmware file exists boots, and
  /// `echo start` then only raises its power count (H9). false: start is left to user space, as where the root file
  /// system with the firmware comes after the probe.
  bool auto_boot = true;
  /// /lib/firmware: name -> file content.
  std::map<std::string, std::shared_ptr<const std::string>> firmware;
};

class linux_host {
 public:
  /// @throws std::invalid_argument naming an option's value that does not exist, and those that do.
  linux_host(host_core& core, sim_context& context, const dt::tree& tree, options o);
  ~linux_host();
  linux_host(const linux_host&) = delete;
  linux_host& operator=(const linux_host&) = delete;
  /// Spawns the thread that registers drivers and probes; emits host.booted when done. After power_off(), and once the
  /// kernel is quiet: a fresh kernel, of the old one only the disk is left (/lib/firmware).
  void boot();
  /// Power or reset takes the whole software away, wherever it is.
  void power_off();
  /// What the machine's firmware does when the kernel restarts the machine.
  void on_restart(std::function<void()> firmware);
  /// From reset to the boot loader's first look at the remote cores, and from its end to the first driver.
  sc_core::sc_time bootloader_time();
  sc_core::sc_time kernel_time();
  os::machine& machine();
  os::kernel& kernel();
  os::vfs& fs();
  /// True after host.booted, until power_off() or a panic.
  bool booted() const;

 private:
  struct impl;
  std::unique_ptr<impl> make();

  host_core& core_;
  sim_context& context_;
  const dt::tree& tree_;
  options options_;
  param &bootloader_time_, &kernel_time_;
  std::function<void()> firmware_;
  std::unique_ptr<impl> impl_;
};

}  // namespace rpsim::host
