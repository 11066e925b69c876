#include "host_sw/drivers/stm32_exti.h"

namespace rpsim::drivers {

namespace {

// Of bank b, which has lines 32 b … 32 b + 31.
constexpr std::uint32_t RTSR = 0x00, FTSR = 0x04, RPR = 0x0C, FPR = 0x10;  // + 20h b
constexpr std::uint32_t C1IMR = 0x80;                                      // + 10h b
constexpr std::uint32_t TRG = 0x3EC;                                       // - 4 b: 1 = configurable
constexpr std::uint32_t TRIGGER_STRIDE = 0x20, MASK_STRIDE = 0x10;
constexpr unsigned BANKS = 3, LINES_PER_BANK = 32;
constexpr unsigned RISING = 1, FALLING = 2, BOTH = RISING | FALLING;
constexpr unsigned GIC_CELLS = 3;

unsigned bank(unsigned line) { return line / LINES_PER_BANK; }
std::uint32_t bit(unsigned line) { return 1u << (line % LINES_PER_BANK); }
unsigned gic_irq(std::uint32_t kind, std::uint32_t number) { return number + (kind == 0 ? 32 : 16); }

/// An entry of `interrupts-extended`, where a single 0 stands for none, or of `interrupts`.
dt::phandle_args interrupt_specifier(const dt::tree& tree, const dt::node& node, unsigned index) {
  const auto extended = node.cells("interrupts-extended");
  for (std::size_t at = 0; at < extended.size();) {
    const dt::node controller = extended[at] != 0 ? tree.by_phandle(extended[at]) : dt::node();
    const std::size_t count = controller ? controller.u32("#interrupt-cells").value_or(0) : 0;
    if (at + 1 + count > extended.size()) return {};
    if (index-- == 0) {
      const auto first = extended.begin() + static_cast<std::ptrdiff_t>(at) + 1;
      return {controller, {first, first + static_cast<std::ptrdiff_t>(count)}};
    }
    at += 1 + count;
  }
  if (!extended.empty()) return {};
  dt::node from = node;
  while (from && !from.has("interrupt-parent")) from = from.parent();
  const dt::node controller = from ? tree.by_phandle(from.cells("interrupt-parent").at(0)) : dt::node();
  const std::size_t count = controller ? controller.u32("#interrupt-cells").value_or(0) : 0;
  const auto cells = node.cells("interrupts");
  if (count == 0 || cells.size() < (index + 1) * count) return {};
  const auto first = cells.begin() + static_cast<std::ptrdiff_t>(index * count);
  return {controller, {first, first + static_cast<std::ptrdiff_t>(count)}};
}

}  // namespace

stm32_exti::stm32_exti(os::machine& machine, const dt::node& node, dt::region window)
    : machine_(machine), kernel_(machine.os()), node_(node), base_(window.base), lock_(kernel_) {
  for (unsigned b = 0; b < BANKS; ++b) kernel_.writel(0, base_ + C1IMR + b * MASK_STRIDE);
}

std::optional<unsigned> stm32_exti::parent_irq(unsigned line) const {
  const dt::phandle_args parent = interrupt_specifier(machine_.tree(), node_, line);
  if (parent.args.size() != GIC_CELLS) return std::nullopt;
  return gic_irq(parent.args[0], parent.args[1]);
}

bool stm32_exti::configurable(unsigned line) { return (kernel_.readl(base_ + TRG - 4 * bank(line)) & bit(line)) != 0; }

int stm32_exti::set_trigger(unsigned line, unsigned trigger) {
  if (trigger == 0 || (trigger & ~BOTH) != 0) return -EINVAL;
  const os::spinlock_guard guard(lock_);
  for (const auto& [offset, edge] : {std::pair{RTSR, RISING}, std::pair{FTSR, FALLING}}) {
    const std::uint64_t address = base_ + offset + bank(line) * TRIGGER_STRIDE;
    const std::uint32_t others = kernel_.readl(address) & ~bit(line);
    kernel_.writel((trigger & edge) != 0 ? others | bit(line) : others, address);
  }
  return 0;
}

void stm32_exti::set_masked(unsigned line, bool masked) {
  const os::spinlock_guard guard(lock_);
  const std::uint64_t address = base_ + C1IMR + bank(line) * MASK_STRIDE;
  const std::uint32_t others = kernel_.readl(address) & ~bit(line);
  kernel_.writel(masked ? others : others | bit(line), address);
}

void stm32_exti::end(unsigned line) {
  const os::spinlock_guard guard(lock_);
  for (const std::uint32_t pending : {RPR, FPR}) {
    kernel_.writel(bit(line), base_ + pending + bank(line) * TRIGGER_STRIDE);
  }
}

int stm32_exti::request_threaded_irq(unsigned line, unsigned trigger, os::kernel::irq_handler hard,
                                     os::kernel::irq_handler thread_fn, unsigned flags, const std::string& name) {
  const auto irq = parent_irq(line);
  if (!irq) return -EINVAL;
  const bool latches = configurable(line), oneshot = (flags & os::IRQF_ONESHOT) != 0;
  if (latches) {
    if (const int error = set_trigger(line, trigger); error != 0) return error;
  }
  const auto on_interrupt = [this, line, latches, oneshot, hard = std::move(hard)] {
    if (oneshot) set_masked(line, true);
    const os::irqreturn result = hard ? hard() : os::irqreturn::wake_thread;
    if (latches) end(line);
    if (oneshot && result != os::irqreturn::wake_thread) set_masked(line, false);
    return result;
  };
  os::kernel::irq_handler in_thread;
  if (thread_fn) {
    in_thread = [this, line, oneshot, thread_fn = std::move(thread_fn)] {
      const os::irqreturn result = thread_fn();
      if (oneshot) set_masked(line, false);
      return result;
    };
  }
  const int error = kernel_.request_threaded_irq(*irq, on_interrupt, std::move(in_thread), flags, name);
  if (error == 0) set_masked(line, false);
  return error;
}

void stm32_exti::free_irq(unsigned line, const std::string& name) {
  const auto irq = parent_irq(line);
  if (!irq) return;
  kernel_.free_irq(*irq, name);
  set_masked(line, true);
}

os::platform_driver stm32_exti_driver(os::machine& machine) {
  return {
      .name = "stm32mp_exti",
      .compatible = {"st,stm32mp1-exti"},
      .probe =
          [&machine](os::device& dev) {
            const auto windows = dev.node.reg();
            if (windows.empty()) return -EINVAL;
            auto exti = std::make_shared<stm32_exti>(machine, dev.node, windows[0]);
            machine.provide<stm32_exti>(dev.node, exti.get());
            dev.driver_data = std::move(exti);
            return 0;
          },
      .remove = [&machine](
                    os::device& dev) { machine.withdraw<stm32_exti>(static_cast<stm32_exti*>(dev.driver_data.get())); },
      .suppress_bind_attrs = true,  // those who hold one of its interrupts would not know
  };
}

std::optional<device_irq> device_irq::get(os::machine& machine, const dt::node& device, unsigned index, int& error) {
  const dt::phandle_args specifier = interrupt_specifier(machine.tree(), device, index);
  error = -ENXIO;
  if (!specifier.target) return std::nullopt;
  if (specifier.args.size() == GIC_CELLS) {
    error = 0;
    return device_irq(machine.os(), nullptr, gic_irq(specifier.args[0], specifier.args[1]), specifier.args[2]);
  }
  auto* exti = machine.provider_of<stm32_exti>(specifier.target);
  error = exti == nullptr ? -os::EPROBE_DEFER : specifier.args.size() != 2 ? -EINVAL : 0;
  if (error != 0) return std::nullopt;
  return device_irq(machine.os(), exti, specifier.args[0], specifier.args[1]);
}

std::optional<device_irq> device_irq::get(os::machine& machine, const dt::node& device, std::string_view name,
                                          int& error) {
  if (const auto index = device.index_of("interrupt-names", name)) return get(machine, device, *index, error);
  error = -ENXIO;
  return std::nullopt;
}

int device_irq::request_threaded(os::kernel::irq_handler hard, os::kernel::irq_handler thread_fn, unsigned flags,
                                 const std::string& name) {
  if (exti_ == nullptr) {
    return kernel_->request_threaded_irq(number_, std::move(hard), std::move(thread_fn), flags, name);
  }
  return exti_->request_threaded_irq(number_, trigger_, std::move(hard), std::move(thread_fn), flags, name);
}

void device_irq::free(const std::string& name) {
  if (exti_ == nullptr) {
    kernel_->free_irq(number_, name);
  } else {
    exti_->free_irq(number_, name);
  }
}

}  // namespace rpsim::drivers
