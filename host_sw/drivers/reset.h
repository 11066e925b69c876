#pragma once
// The reset framework: lines of a reset controller, found through `resets` and `reset-names`. Facts:
// drivers/reset/core.c of linux-source-6.12.

#include <memory>
#include <string_view>

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

/// One reset line.
class reset_control {
 public:
  virtual ~reset_control() = default;
  virtual int assert_reset() = 0;
  virtual int deassert_reset() = 0;
  /// > 0 while asserted, 0 while not, -errno.
  virtual int status() = 0;
};

/// What a reset controller provides to its consumers.
class reset_controller {
 public:
  virtual ~reset_controller() = default;
  /// nullptr for a line that it does not have.
  virtual std::unique_ptr<reset_control> get(const dt::phandle_args& specifier) = 0;
};

/// Entry `index` of the consumer's `resets`. nullptr with `error`: -ENOENT where there is none, -EPROBE_DEFER without
/// its controller, -EINVAL where the controller has no such line.
std::unique_ptr<reset_control> reset_control_get(os::machine& machine, const dt::node& consumer, int& error,
                                                 unsigned index = 0);
/// By `reset-names`; nullptr without an error where the consumer has no such name.
std::unique_ptr<reset_control> reset_control_get_optional(os::machine& machine, const dt::node& consumer,
                                                          std::string_view name, int& error);

}  // namespace rpsim::drivers
