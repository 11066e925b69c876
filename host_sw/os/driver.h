#pragma once
// Platform devices and drivers: matching by `compatible`, probe and remove, bind and unbind through sysfs
// (/sys/bus/platform/drivers/<driver>/{bind,unbind}), suspend notifiers.

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <vector>

#include "host_sw/os/os.h"
#include "host_sw/os/vfs.h"
#include "models/common/device_tree.h"

namespace rpsim::os {

class machine;

/// A platform device: one enabled device-tree node, e.g. "5000000.m4fss" as Linux names it.
struct device {
  std::string name;
  dt::node node;
  std::shared_ptr<void> driver_data;  // released on remove
  struct platform_driver* driver = nullptr;
};

/// Interrupt id of entry `index` of `interrupts`: SPI n is 32 + n, PPI n is 16 + n. The parent is the GIC.
std::optional<unsigned> interrupt_of(const dt::node& node, unsigned index);

struct platform_driver {
  std::string name;  // "k3-m4-rproc"
  std::vector<std::string> compatible;
  /// 0 or -errno; -EPROBE_DEFER is retried after every successful probe of another device.
  std::function<int(device&)> probe;
  std::function<void(device&)> remove;  // may be empty; driver_data is released after it
  bool suppress_bind_attrs = false;     // no bind and unbind files
};

/// Suspend notifiers, as register_pm_notifier(): PM_SUSPEND_PREPARE may refuse with -errno.
enum class pm_event : std::uint8_t { suspend_prepare, post_suspend };

/// The host machine's software: kernel, file system, device tree, drivers.
class machine {
 public:
  /// Declares the parameter host.suspend_time; makes /sys/power/state.
  machine(kernel& k, const dt::tree& tree);
  kernel& os() { return kernel_; }
  vfs& fs() { return vfs_; }
  const dt::tree& tree() const { return tree_; }

  void add_driver(platform_driver d);
  /// Creates devices from the tree, probes them in tree order (deferred ones again). From a host thread.
  void probe_all();
  device* find_device(const dt::node& node);
  /// What bind/unbind do. 0 or -errno (ENODEV for no such device, EBUSY if bound).
  int bind(platform_driver& d, std::string_view device_name);
  int unbind(platform_driver& d, std::string_view device_name);

  using pm_notifier = std::function<int(pm_event)>;
  /// Returns a token for remove.
  unsigned add_pm_notifier(pm_notifier n);
  void remove_pm_notifier(unsigned token);
  /// A driver's system-sleep suspend callback (dev_pm_ops.suspend): 0 or -errno; called after the notifiers.
  unsigned add_suspend_op(std::string device, std::function<int()> suspend, std::function<void()> resume);
  void remove_suspend_op(unsigned token);
  /// echo mem > /sys/power/state: 0 or -errno; wakes again after host.suspend_time.
  int suspend();

  /// Reserved memory and devices that other drivers provide, by device-tree node: mailbox controllers, reset
  /// controllers, TI-SCI handles. A provider registers in probe, a consumer asks in probe (absent: -EPROBE_DEFER).
  template <typename T>
  void provide(const dt::node& node, T* interface) {
    providers_.push_back({node, typeid(T), interface});
  }
  template <typename T>
  void withdraw(T* interface) {
    std::erase_if(providers_, [&](const provider& p) { return p.interface == interface; });
  }
  template <typename T>
  T* provider_of(const dt::node& node) {
    for (const provider& p : providers_) {
      if (p.node == node && p.type == typeid(T)) return static_cast<T*>(p.interface);
    }
    return nullptr;
  }

 private:
  struct provider {
    dt::node node;
    std::type_index type;
    void* interface;
  };
  struct sleeper {
    unsigned token;
    std::string device;
    std::function<int()> suspend;
    std::function<void()> resume;
  };
  bool matches(const platform_driver& d, const device& dev) const;
  int really_probe(platform_driver& d, device& dev);
  void create_devices();
  void release(device& dev);
  std::string device_path(const device& dev) const { return "/sys/devices/platform/" + dev.name; }
  void wake_devices(const std::vector<sleeper>& asleep);

  kernel& kernel_;
  const dt::tree& tree_;
  param& suspend_time_;
  mutex device_lock_;
  vfs vfs_;
  std::list<platform_driver> drivers_;
  std::vector<provider> providers_;
  std::vector<std::pair<unsigned, pm_notifier>> notifiers_;
  std::vector<sleeper> sleepers_;
  unsigned next_token_ = 1;
  std::list<device> devices_;  // last: what a driver keeps goes before what it was registered with
};

}  // namespace rpsim::os
