#pragma once
// The device-coredump class (linux-source-6.12 drivers/base/devcoredump.c): /sys/class/devcoredump/devcd<N>/data holds
// a dump until something is written to it or 5 minutes have passed.

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "host_sw/os/driver.h"

namespace rpsim::remoteproc {

class devcoredump {
 public:
  explicit devcoredump(os::machine& machine) : machine_(machine) {}

  struct dump {
    std::uint64_t device = 0;  // identity of the failing device
    std::string device_path;   // its directory in /sys
    std::function<std::string()> read;
    std::function<void()> free;  // when the dump goes; at once if it is refused
  };
  /// Refused while the device has a dump that is not freed, and once the class is disabled.
  void add(dump d);
  bool disabled() const { return disabled_; }
  /// Writing 1 to /sys/class/devcoredump/disabled: for good, frees every dump.
  void disable();

 private:
  struct entry;
  class data_file;
  void remove(const std::shared_ptr<entry>& e);
  os::machine& machine_;
  std::list<std::shared_ptr<entry>> entries_;
  unsigned count_ = 0;
  bool disabled_ = false;
};

}  // namespace rpsim::remoteproc
