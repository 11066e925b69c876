// /sys/class/remoteproc/remoteproc<N>. Facts: reference/remoteproc-core.md §5.1.

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {

using shown = os::expected<std::string>;
using stored = os::expected<std::size_t>;
using owner = std::shared_ptr<rproc::impl>;

constexpr unsigned READ_WRITE = 0644, READ_ONLY = 0444;

stored taken(std::string_view data, int error) {
  if (error != 0) return tl::unexpected(-error);
  return data.size();
}

stored store_state(rproc::impl& r, std::string_view data) {
  using request = history::request;
  if (sysfs_streq(data, "start")) {
    if (const int error = r.past->refuse(r, request::start); error != 0) return taken(data, error);
    const int error = r.boot();
    if (error != 0) r.err("Boot failed: {}", error);
    return taken(data, error);
  }
  if (sysfs_streq(data, "stop")) {
    const int error = r.past->refuse(r, request::stop);
    return taken(data, error != 0 ? error : r.shutdown());
  }
  if (sysfs_streq(data, "detach")) {
    const int error = r.past->refuse(r, request::detach);
    return taken(data, error != 0 ? error : r.detach());
  }
  r.err("Unrecognised option: {}", data);
  return tl::unexpected(EINVAL);
}

/// An attribute that is still open after the device has gone answers ENODEV. One that a failed add left behind is
/// one of freed memory.
bool there(rproc::impl& r) {
  if (r.in_sysfs && r.self == nullptr) r.os.oops("driver-gone", "an attribute of a processor that was freed");
  return r.in_sysfs;
}

stored store_recovery(rproc::impl& r, std::string_view data) {
  if (sysfs_streq(data, "enabled")) {
    r.recovery_disabled = false;
    r.trigger_recovery();
  } else if (sysfs_streq(data, "disabled")) {
    r.recovery_disabled = true;
  } else if (sysfs_streq(data, "recover")) {
    r.trigger_recovery();
  } else {
    return tl::unexpected(EINVAL);
  }
  return data.size();
}

stored store_coredump(rproc::impl& r, std::string_view data) {
  if (r.state == rproc_state::crashed) {
    r.err("can't change coredump configuration");
    return tl::unexpected(EBUSY);
  }
  for (const dump_mode m : {dump_mode::disabled, dump_mode::enabled, dump_mode::inline_}) {
    if (!sysfs_streq(data, to_string(m))) continue;
    r.dump_conf = m;
    return data.size();
  }
  r.err("Invalid coredump configuration");
  return tl::unexpected(EINVAL);
}

}  // namespace

bool sysfs_streq(std::string_view written, std::string_view word) {
  written = written.substr(0, written.find('\0'));
  if (written.ends_with('\n')) written.remove_suffix(1);
  return written == word;
}

void rproc::impl::add_sysfs() {
  os::vfs& fs = machine.fs();
  const unsigned mode = sysfs_read_only ? READ_ONLY : READ_WRITE;
  const auto attribute = [&](std::string_view file, unsigned permissions, std::string (*show)(const impl&),
                             stored (*store)(impl&, std::string_view)) {
    os::vfs::show read = [r = shared_from_this(), show]() -> shown {
      if (!there(*r)) return tl::unexpected(ENODEV);
      return show(*r) + "\n";
    };
    os::vfs::store write;
    if (store != nullptr && permissions == READ_WRITE) {
      write = [r = shared_from_this(), store](std::string_view data) -> stored {
        if (!there(*r)) return tl::unexpected(ENODEV);
        return store(*r, data);
      };
    }
    fs.add_attribute(fmt::format("{}/{}", sysfs_path(), file), permissions, std::move(read), std::move(write));
  };
  in_sysfs = true;
  fs.add_directory(sysfs_path());
  attribute(
      "coredump", mode, [](const impl& r) -> std::string { return to_string(r.dump_conf); }, store_coredump);
  attribute(
      "recovery", mode, [](const impl& r) -> std::string { return r.recovery_disabled ? "disabled" : "enabled"; },
      store_recovery);
  attribute(
      "firmware", mode,
      [](const impl& r) { return r.state == rproc_state::attached ? std::string("unknown") : r.firmware_name; },
      [](impl& r, std::string_view data) { return taken(data, r.set_firmware(data)); });
  attribute(
      "state", mode, [](const impl& r) -> std::string { return to_string(r.state); }, store_state);
  attribute(
      "name", READ_ONLY, [](const impl& r) { return r.name; }, nullptr);
}

void rproc::impl::remove_sysfs() {
  in_sysfs = false;
  machine.fs().remove(sysfs_path());
}

}  // namespace rpsim::remoteproc
