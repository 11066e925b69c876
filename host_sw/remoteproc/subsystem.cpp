#include "host_sw/remoteproc/subsystem.h"

#include <charconv>

namespace rpsim::remoteproc {

subsystem::subsystem(os::machine& m)
    : machine(m),
      dumps(m),
      firmware_request(m.os().context().params.time(
          {"host.request_firmware", provenance::assumed, "assumed: path look-up and a read from the page cache",
           "request_firmware(), from the call to the image in memory"},
          sc_core::sc_time(300, sc_core::SC_US))) {}

std::shared_ptr<subsystem> subsystem::of(os::machine& machine) {
  const dt::node root = machine.tree().root();
  if (auto* there = machine.provider_of<subsystem>(root)) return there->shared_from_this();

  const auto made = std::make_shared<subsystem>(machine);
  machine.provide<subsystem>(root, made.get());
  machine.fs().add_directory("/sys/class/remoteproc");
  machine.fs().add_directory("/sys/kernel/debug/remoteproc");
  machine.fs().add_directory("/sys/class/devcoredump");
  // The class's own attribute holds the object: it lives as long as the file system.
  machine.fs().add_attribute(
      "/sys/class/devcoredump/disabled", 0644,
      [made]() -> os::expected<std::string> { return made->dumps.disabled() ? "1\n" : "0\n"; },
      [made](std::string_view data) -> os::expected<std::size_t> {
        int value = 0;
        std::from_chars(data.data(), data.data() + data.size(), value);
        if (value != 1) return tl::unexpected(EINVAL);
        made->dumps.disable();
        return data.size();
      });
  return made;
}

}  // namespace rpsim::remoteproc
