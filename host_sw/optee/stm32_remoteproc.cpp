#include "host_sw/optee/stm32_remoteproc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace rpsim::optee {

namespace {

constexpr std::uint32_t BOOT_MCU = 1;  // of MP_GCR: hold boot while it is 0 (reference/stm32mp1.md §4.1)
constexpr std::uint64_t PAGE_BYTES = 0x1000;
constexpr std::array<std::byte, PAGE_BYTES> ZEROES{};

bool inside(std::uint64_t at, std::uint64_t size, std::uint64_t base, std::uint64_t length) {
  return size != 0 && at >= base && size <= length && at - base <= length - size;
}

}  // namespace

void stm32_remoteproc::log(std::string_view level, std::string text) {
  kernel_.events().emit("optee", "optee.log", {{"level", level}, {"text", text}});
}

tee_result stm32_remoteproc::probe() {
  tee_result r = parse_memories();
  if (r == tee_result::success) r = get_reset("mcu_rst", mcu_reset_);
  if (r == tee_result::success) r = get_reset("hold_boot", hold_boot_);
  if (r == tee_result::success) r = stop();
  if (r != tee_result::success) {
    log("error", fmt::format("stm32-rproc: probe of {} failed: {}", node_.name(), to_string(r)));
    return r;
  }
  // RCC_TZCR is not modelled and reads as zero: RCC is not secure. A build without CFG_INSECURE would stop here.
  log("info", "WARNING: insecure rproc isolation, RCC is not secure");
  log("info", "Warning: the remoteproc memories are not protected by firewall");
  return r;
}

tee_result stm32_remoteproc::parse_memories() {
  regions_.clear();
  const auto nodes = node_.phandles("memory-region");
  if (nodes.empty()) return tee_result::generic;
  for (const dt::node& n : nodes) {
    const auto windows = n.reg();
    if (windows.empty()) return tee_result::generic;
    region r{.pa = windows[0].base, .size = windows[0].size};
    if (const tee_result error = device_address(r); error != tee_result::success) return error;
    if (r.pa == 0 || r.size == 0) return tee_result::bad_parameters;
    regions_.push_back(r);
  }
  return tee_result::success;
}

tee_result stm32_remoteproc::device_address(region& r) const {
  r.da = r.pa;
  if (!node_.parent().has("dma-ranges")) return tee_result::success;
  const auto cells = node_.parent().cells("dma-ranges");
  if (cells.size() % 3 != 0) return tee_result::generic;
  for (std::size_t i = 0; i < cells.size(); i += 3) {
    if (!inside(r.pa, r.size, cells[i + 1], cells[i + 2])) continue;
    r.da = r.pa - cells[i + 1] + cells[i];
    return tee_result::success;
  }
  return tee_result::bad_parameters;
}

tee_result stm32_remoteproc::get_reset(std::string_view name, reset_line& line) const {
  const auto index = node_.index_of("reset-names", name);
  const auto resets = node_.references("resets", "#reset-cells");
  if (!index || *index >= resets.size()) return tee_result::item_not_found;
  const dt::phandle_args& reset = resets[*index];
  const auto windows = reset.target.reg();
  if (windows.empty() || reset.args.size() != 1) return tee_result::bad_parameters;
  line = {windows[0].base, reset.args[0]};
  return tee_result::success;
}

tee_result stm32_remoteproc::set_hold_boot(bool hold) {
  const std::uint64_t address = hold_boot_.rcc + hold_boot_.id / 32 * 4;
  std::uint32_t value = 0;
  if (!kernel_.try_read(address, &value, sizeof value)) return tee_result::generic;
  value = hold ? value & ~BOOT_MCU : value | BOOT_MCU;
  return kernel_.try_write(address, &value, sizeof value) ? tee_result::success : tee_result::generic;
}

tee_result stm32_remoteproc::start() {
  const tee_result r = set_hold_boot(false);
  return r == tee_result::success ? set_hold_boot(true) : r;
}

tee_result stm32_remoteproc::stop() {
  if (const tee_result r = set_hold_boot(true); r != tee_result::success) return r;
  const std::uint32_t bit = 1u << (mcu_reset_.id % 32);  // clears itself when the reset is through
  const bool written = kernel_.try_write(mcu_reset_.rcc + mcu_reset_.id / 32 * 4, &bit, sizeof bit);
  return written ? tee_result::success : tee_result::generic;
}

tee_result stm32_remoteproc::da_to_pa(std::uint64_t da, std::uint64_t size, std::uint64_t& pa) const {
  for (const region& r : regions_) {
    if (!inside(da, size, r.da, r.size)) continue;
    pa = da - r.da + r.pa;
    return tee_result::success;
  }
  return tee_result::access_denied;
}

tee_result stm32_remoteproc::write(std::uint64_t pa, std::span<const std::byte> bytes) {
  return kernel_.try_write(pa, bytes.data(), bytes.size()) ? tee_result::success : tee_result::generic;
}

tee_result stm32_remoteproc::read(std::uint64_t pa, std::span<std::byte> to) {
  return kernel_.try_read(pa, to.data(), to.size()) ? tee_result::success : tee_result::generic;
}

tee_result stm32_remoteproc::clear(std::uint64_t pa, std::uint64_t size) {
  for (std::uint64_t done = 0; done < size; done += PAGE_BYTES) {
    const auto part = std::span(ZEROES).first(std::min(PAGE_BYTES, size - done));
    if (const tee_result r = write(pa + done, part); r != tee_result::success) return r;
  }
  return tee_result::success;
}

tee_result stm32_remoteproc::clean_up_memories() {
  for (const region& r : regions_) {
    if (const tee_result error = clear(r.pa, r.size); error != tee_result::success) return error;
  }
  return tee_result::success;
}

}  // namespace rpsim::optee
