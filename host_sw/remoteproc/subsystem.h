#pragma once
// What all remote processors of one machine share: Linux's file-scope state of the remoteproc core, the virtio index
// and the device-coredump class.

#include <list>
#include <memory>
#include <set>

#include "host_sw/os/driver.h"
#include "host_sw/remoteproc/devcoredump.h"
#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::remoteproc {

/// Lowest free number.
class id_allocator {
 public:
  unsigned get() {
    unsigned id = 0;
    while (taken_.contains(id)) ++id;
    taken_.insert(id);
    return id;
  }
  void put(unsigned id) { taken_.erase(id); }

 private:
  std::set<unsigned> taken_;
};

struct subsystem : std::enable_shared_from_this<subsystem> {
  explicit subsystem(os::machine& machine);
  /// The machine's; made with its first remote processor, lives as long as the machine's file system.
  static std::shared_ptr<subsystem> of(os::machine& machine);

  os::machine& machine;
  id_allocator rprocs, vdevs, virtio_devices;
  std::uint64_t next_identity = 1;
  std::list<rproc::impl*> published;  // rproc_list, in order of add
  devcoredump dumps;
  param& firmware_request;
};

}  // namespace rpsim::remoteproc
