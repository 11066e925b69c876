#pragma once
// Reset controller over TI-SCI (ti-sci-reset; compatible "ti,sci-reset"). A reset is a bit of a device's reset word; to
// change it the word is read and written, two round trips (reference/k3.md §3.5).

#include <memory>

#include "host_sw/drivers/ti_sci.h"
#include "host_sw/os/driver.h"

namespace rpsim::drivers {

/// One reset of one device.
class reset_control {
 public:
  reset_control(os::kernel& k, ti_sci& sci, std::uint32_t device, std::uint32_t mask)
      : sci_(sci), device_(device), mask_(mask), lock_(k, "reset") {}

  int assert_reset() { return set(true); }
  int deassert_reset() { return set(false); }
  /// > 0 while asserted, 0 while not, -errno.
  int status();

 private:
  int set(bool asserted);
  ti_sci& sci_;
  std::uint32_t device_, mask_;
  os::mutex lock_;
};

/// What a reset controller provides to its consumers.
class reset_controller {
 public:
  virtual ~reset_controller() = default;
  virtual std::unique_ptr<reset_control> get(const dt::phandle_args& specifier) = 0;
};

/// The consumer's first reset. nullptr with `error`: -ENOENT without one, -EPROBE_DEFER without its controller.
std::unique_ptr<reset_control> reset_control_get(os::machine& machine, const dt::node& consumer, int& error);

os::platform_driver ti_sci_reset_driver(os::machine& machine);

}  // namespace rpsim::drivers
