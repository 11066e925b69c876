#include "host_sw/drivers/stm32_rcc.h"

#include "host_sw/drivers/reset.h"

namespace rpsim::drivers {

namespace {

constexpr std::uint32_t CLEAR_OFFSET = 4;

class line_reset final : public reset_control {
 public:
  line_reset(os::kernel& k, std::uint64_t address, std::uint32_t bit) : kernel_(k), address_(address), bit_(bit) {}
  int assert_reset() override {
    kernel_.writel(bit_, address_);
    return 0;
  }
  int deassert_reset() override {
    kernel_.writel(bit_, address_ + CLEAR_OFFSET);
    return 0;
  }
  int status() override { return (kernel_.readl(address_) & bit_) != 0 ? 1 : 0; }

 private:
  os::kernel& kernel_;
  std::uint64_t address_;
  std::uint32_t bit_;
};

class stm32_rcc final : public reset_controller {
 public:
  stm32_rcc(os::kernel& k, dt::region window) : kernel_(k), window_(window) {}
  std::unique_ptr<reset_control> get(const dt::phandle_args& specifier) override {
    const std::uint32_t id = specifier.args.at(0), offset = id / 32 * 4;
    if (offset + CLEAR_OFFSET >= window_.size) return nullptr;
    return std::make_unique<line_reset>(kernel_, window_.base + offset, 1u << (id % 32));
  }

 private:
  os::kernel& kernel_;
  dt::region window_;
};

}  // namespace

os::platform_driver stm32_rcc_driver(os::machine& machine) {
  return {
      .name = "stm32mp1_rcc",
      .compatible = {"st,stm32mp1-rcc"},
      .probe =
          [&machine](os::device& dev) {
            const auto windows = dev.node.reg();
            if (windows.empty()) return -EINVAL;
            auto controller = std::make_shared<stm32_rcc>(machine.os(), windows[0]);
            machine.provide<reset_controller>(dev.node, controller.get());
            dev.driver_data = std::move(controller);
            return 0;
          },
      .remove =
          [&machine](os::device& dev) {
            machine.withdraw<reset_controller>(static_cast<stm32_rcc*>(dev.driver_data.get()));
          },
  };
}

}  // namespace rpsim::drivers
