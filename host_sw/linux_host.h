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
  /// /lib/firmware: name -> file content.
  std::map<std::string, std::shared_ptr<const std::string>> firmware;
};

class linux_host {
 public:
  linux_host(host_core& core, sim_context& context, const dt::tree& tree, options o);
  ~linux_host();
  /// Spawns the thread that registers drivers and probes; emits host.booted when done.
  void boot();
  os::machine& machine();
  os::kernel& kernel();
  os::vfs& fs();
  /// True after host.booted.
  bool booted() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace rpsim::host
