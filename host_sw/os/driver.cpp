#include "host_sw/os/driver.h"

#include <fmt/format.h>

#include <algorithm>

namespace rpsim::os {

namespace {

/// As drivers/of/device.c names a platform device: "<address>.<node>", and where there is no address
/// "<parent>:<node>".
std::string device_name(const dt::node& node) {
  std::string name;
  for (dt::node at = node; at && at.parent(); at = at.parent()) {
    const auto windows = at.has("reg") ? at.reg() : std::vector<dt::region>();
    if (!windows.empty())
      return fmt::format("{:x}.{}{}{}", windows[0].base, at.base_name(), name.empty() ? "" : ":", name);
    name = name.empty() ? at.name() : at.name() + ":" + name;
  }
  return name;
}

/// Interrupt controllers are set up before there are devices; reserved memory is not a device; what is named rpsim
/// alone is hardware that Linux has no binding for.
bool becomes_device(const dt::node& node) {
  // status = "reserved": the hardware is there, for somebody else.
  for (dt::node at = node; at; at = at.parent()) {
    if (!at.enabled()) return false;
  }
  const auto compatible = node.compatible();
  if (compatible.empty() || node.is_compatible("arm,gic-v3") || node.is_compatible("shared-dma-pool")) return false;
  return std::ranges::any_of(compatible, [](const std::string& c) { return !c.starts_with("rpsim,"); }) &&
         !compatible.front().starts_with("rpsim,");
}

std::string_view strip_newline(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<unsigned> interrupt_of(const dt::node& node, unsigned index) {
  constexpr unsigned CELLS = 3;  // arm,gic-v3: kind, number, trigger
  const auto cells = node.cells("interrupts");
  if (cells.size() < (index + 1) * CELLS) return std::nullopt;
  return cells[index * CELLS + 1] + (cells[index * CELLS] == 0 ? 32 : 16);
}

machine::machine(kernel& k, const dt::tree& tree)
    : kernel_(k),
      tree_(tree),
      suspend_time_(k.context().params.time({k.name() + ".suspend_time", provenance::assumed, "assumed",
                                             "from the last CPU asleep to the wake-up event of a system sleep"},
                                            sc_core::sc_time(1, sc_core::SC_SEC))),
      device_lock_(k, "device_lock") {
  vfs_.add_directory("/sys/bus/platform/devices");
  vfs_.add_directory("/sys/bus/platform/drivers");
  vfs_.add_directory("/sys/devices/platform");
  vfs_.add_attribute(
      "/sys/power/state", 0644, [] { return std::string("mem\n"); },
      [this](std::string_view text) -> expected<std::size_t> {
        if (strip_newline(text) != "mem") return tl::unexpected(EINVAL);
        if (const int error = suspend(); error != 0) return tl::unexpected(-error);
        return text.size();
      });
}

bool machine::matches(const platform_driver& d, const device& dev) const {
  return std::ranges::any_of(d.compatible, [&](const std::string& c) { return dev.node.is_compatible(c); });
}

void machine::add_driver(platform_driver added) {
  drivers_.push_back(std::move(added));
  platform_driver& d = drivers_.back();
  const std::string directory = "/sys/bus/platform/drivers/" + d.name;
  vfs_.add_directory(directory);
  if (d.suppress_bind_attrs) return;
  vfs_.add_attribute(directory + "/bind", 0200, {}, [this, &d](std::string_view text) -> expected<std::size_t> {
    if (const int error = bind(d, strip_newline(text)); error != 0) return tl::unexpected(-error);
    return text.size();
  });
  vfs_.add_attribute(directory + "/unbind", 0200, {}, [this, &d](std::string_view text) -> expected<std::size_t> {
    if (const int error = unbind(d, strip_newline(text)); error != 0) return tl::unexpected(-error);
    return text.size();
  });
}

void machine::create_devices() {
  for (const dt::node& node : tree_.all_enabled()) {
    if (!becomes_device(node)) continue;
    devices_.push_back({.name = device_name(node), .node = node});
    const device& dev = devices_.back();
    vfs_.add_directory(device_path(dev));
    vfs_.add_symlink("/sys/bus/platform/devices/" + dev.name, device_path(dev));
  }
}

int machine::really_probe(platform_driver& d, device& dev) {
  dev.driver = &d;
  int error = 0;
  try {
    error = d.probe(dev);
  } catch (const dt::error& e) {  // a property that of_*() would not find or not understand
    kernel_.printk(log_level::err, dev.name, e.what());
    error = -EINVAL;
  }
  if (error == 0) {
    const std::string directory = "/sys/bus/platform/drivers/" + d.name;
    vfs_.add_symlink(device_path(dev) + "/driver", directory);
    vfs_.add_symlink(directory + "/" + dev.name, device_path(dev));
    return 0;
  }
  dev.driver = nullptr;
  dev.driver_data.reset();
  if (error != -EPROBE_DEFER) {
    kernel_.printk(log_level::err, dev.name, fmt::format("probe with driver {} failed with error {}", d.name, error));
  }
  return error;
}

void machine::release(device& dev) {
  platform_driver& d = *dev.driver;
  vfs_.remove(device_path(dev) + "/driver");
  vfs_.remove("/sys/bus/platform/drivers/" + d.name + "/" + dev.name);
  if (d.remove) d.remove(dev);
  dev.driver_data.reset();
  dev.driver = nullptr;
}

void machine::probe_all() {
  const mutex_guard guard(device_lock_);
  create_devices();
  std::vector<device*> waiting;
  for (device& dev : devices_) waiting.push_back(&dev);
  for (bool progress = true; progress && !waiting.empty();) {
    progress = false;
    std::vector<device*> deferred;
    for (device* dev : waiting) {
      const auto d = std::ranges::find_if(drivers_, [&](const platform_driver& x) { return matches(x, *dev); });
      if (d == drivers_.end()) continue;
      const int error = really_probe(*d, *dev);
      progress = progress || error == 0;
      if (error == -EPROBE_DEFER) deferred.push_back(dev);
    }
    waiting = std::move(deferred);
  }
  for (const device* dev : waiting)
    kernel_.printk(log_level::warning, dev->name, "deferred probe pending: (reason unknown)");
}

device* machine::find_device(const dt::node& node) {
  const auto it = std::ranges::find_if(devices_, [&](const device& d) { return d.node == node; });
  return it == devices_.end() ? nullptr : &*it;
}

int machine::bind(platform_driver& d, std::string_view name) {
  const mutex_guard guard(device_lock_);
  const auto it = std::ranges::find_if(devices_, [&](const device& dev) { return dev.name == name; });
  if (it == devices_.end() || !matches(d, *it)) return -ENODEV;
  if (it->driver != nullptr) return -EBUSY;
  const int error = really_probe(d, *it);
  return error == -EPROBE_DEFER ? -EAGAIN : error;
}

int machine::unbind(platform_driver& d, std::string_view name) {
  const mutex_guard guard(device_lock_);
  const auto it = std::ranges::find_if(devices_, [&](const device& dev) { return dev.name == name; });
  if (it == devices_.end() || it->driver != &d) return -ENODEV;
  release(*it);
  return 0;
}

unsigned machine::add_pm_notifier(pm_notifier n) {
  notifiers_.emplace_back(next_token_, std::move(n));
  return next_token_++;
}

void machine::remove_pm_notifier(unsigned token) {
  std::erase_if(notifiers_, [&](const auto& n) { return n.first == token; });
}

unsigned machine::add_suspend_op(std::string device, std::function<int()> suspend, std::function<void()> resume) {
  sleepers_.push_back({next_token_, std::move(device), std::move(suspend), std::move(resume)});
  return next_token_++;
}

void machine::remove_suspend_op(unsigned token) {
  std::erase_if(sleepers_, [&](const sleeper& s) { return s.token == token; });
}

void machine::wake_devices(const std::vector<sleeper>& asleep) {
  for (auto s = asleep.rbegin(); s != asleep.rend(); ++s) {
    if (s->resume) s->resume();
  }
}

int machine::suspend() {
  const auto notifiers = notifiers_;
  std::size_t notified = 0;
  int error = 0;
  kernel_.printk(log_level::info, "PM", "suspend entry (deep)");
  while (notified < notifiers.size() && error == 0) {
    error = notifiers[notified].second(pm_event::suspend_prepare);
    if (error == 0) ++notified;
  }
  if (error == 0) {
    // The last device created goes first: a consumer before what it depends on.
    const auto position = [&](const sleeper& s) {
      return std::ranges::distance(devices_.begin(),
                                   std::ranges::find_if(devices_, [&](const device& d) { return d.name == s.device; }));
    };
    std::vector<sleeper> order = sleepers_, asleep;
    std::ranges::stable_sort(order, [&](const sleeper& a, const sleeper& b) { return position(a) > position(b); });
    for (const sleeper& s : order) {
      error = s.suspend ? s.suspend() : 0;
      if (error != 0) {
        kernel_.printk(log_level::err, s.device, fmt::format("PM: failed to suspend: error {}", error));
        kernel_.printk(log_level::err, "PM", "Some devices failed to suspend, or early wake event detected");
        break;
      }
      asleep.push_back(s);
    }
    if (error == 0) kernel_.sleep_machine(suspend_time_.time());
    wake_devices(asleep);
  }
  for (std::size_t i = 0; i < notified; ++i) notifiers[i].second(pm_event::post_suspend);
  kernel_.printk(log_level::info, "PM", "suspend exit");
  return error;
}

}  // namespace rpsim::os
