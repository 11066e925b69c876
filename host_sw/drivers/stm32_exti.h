#pragma once
// The STM32MP1's EXTI as an interrupt controller in front of the GIC (irq-stm32mp-exti; compatible "st,stm32mp1-exti"),
// and the interrupts of devices wherever they arrive. Facts: drivers/irqchip/irq-stm32mp-exti.c of linux-source-6.12,
// reference/stm32mp1.md §2.3:
//  - a configurable line latches the edge that its trigger selects; the latch is cleared when its handler has returned
//  - a direct line is the GIC's, EXTI only masks and unmasks it alongside
//  - the masks are cleared at probe: no reset of the block does it

#include <optional>
#include <string>

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

class stm32_exti {
 public:
  stm32_exti(os::machine& machine, const dt::node& node, dt::region window);

  /// As kernel::request_threaded_irq; -EINVAL for a line that does not reach the GIC, or for a trigger (the second
  /// cell, 1 rising, 2 falling, 3 both) that is no edge on a configurable line.
  int request_threaded_irq(unsigned line, unsigned trigger, os::kernel::irq_handler hard,
                           os::kernel::irq_handler thread_fn, unsigned flags, const std::string& name);
  void free_irq(unsigned line, const std::string& name);

 private:
  std::optional<unsigned> parent_irq(unsigned line) const;
  bool configurable(unsigned line);
  int set_trigger(unsigned line, unsigned trigger);
  void set_masked(unsigned line, bool masked);
  void end(unsigned line);

  os::machine& machine_;
  os::kernel& kernel_;
  dt::node node_;
  std::uint64_t base_;
  os::spinlock lock_;
};

os::platform_driver stm32_exti_driver(os::machine& machine);

/// An interrupt of a device: `interrupts-extended`, or `interrupts` with the nearest interrupt-parent.
class device_irq {
 public:
  /// nullopt with `error`: -ENXIO where the device has no such interrupt, -EPROBE_DEFER without its controller.
  static std::optional<device_irq> get(os::machine& machine, const dt::node& device, unsigned index, int& error);
  /// By `interrupt-names`.
  static std::optional<device_irq> get(os::machine& machine, const dt::node& device, std::string_view name, int& error);

  int request_threaded(os::kernel::irq_handler hard, os::kernel::irq_handler thread_fn, unsigned flags,
                       const std::string& name);
  int request(os::kernel::irq_handler hard, unsigned flags, const std::string& name) {
    return request_threaded(std::move(hard), {}, flags, name);
  }
  void free(const std::string& name);

 private:
  device_irq(os::kernel& k, stm32_exti* exti, unsigned number, unsigned trigger)
      : kernel_(&k), exti_(exti), number_(number), trigger_(trigger) {}
  os::kernel* kernel_;
  stm32_exti* exti_;  // nullptr: the GIC
  unsigned number_, trigger_;
};

}  // namespace rpsim::drivers
