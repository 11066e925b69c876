#include "host_sw/drivers/syscon.h"

namespace rpsim::drivers {

namespace {

constexpr std::uint32_t STRIDE = 4;

}  // namespace

int regmap::check(std::uint32_t reg) const {
  if (reg % STRIDE != 0) return -EINVAL;
  return std::uint64_t{reg} + STRIDE > window_.size ? -EIO : 0;
}

int regmap::read(std::uint32_t reg, std::uint32_t& value) {
  if (const int error = check(reg); error != 0) return error;
  const os::spinlock_guard guard(lock_);
  value = kernel_.readl(window_.base + reg);
  return 0;
}

int regmap::update_bits(std::uint32_t reg, std::uint32_t mask, std::uint32_t value) {
  if (const int error = check(reg); error != 0) return error;
  const os::spinlock_guard guard(lock_);
  const std::uint32_t before = kernel_.readl(window_.base + reg);
  const std::uint32_t after = (before & ~mask) | (value & mask);
  if (after != before) kernel_.writel(after, window_.base + reg);
  return 0;
}

std::shared_ptr<regmap> syscon_regmap_lookup_by_phandle(os::machine& machine, const dt::node& consumer,
                                                        std::string_view property, int& error) {
  const auto cells = consumer.cells(property);
  const dt::node target = cells.empty() ? dt::node() : machine.tree().by_phandle(cells[0]);
  const auto windows = target ? target.reg() : std::vector<dt::region>();
  error = !target ? -ENODEV : !target.is_compatible("syscon") ? -EINVAL : windows.empty() ? -ENOMEM : 0;
  if (error != 0) return nullptr;
  if (auto* known = machine.provider_of<regmap>(target); known != nullptr) return known->shared_from_this();
  std::shared_ptr<regmap> map(new regmap(machine.os(), windows[0]), [&machine](regmap* m) {
    machine.withdraw<regmap>(m);
    delete m;
  });
  machine.provide<regmap>(target, map.get());
  return map;
}

}  // namespace rpsim::drivers
