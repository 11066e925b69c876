#pragma once
// What runs on the host's processor before Linux, as far as remote cores notice: they are started, and on STM32MP1 a
// register says of them whether they still run. Its register accesses go over the host's bus.

#include <cstdint>
#include <string_view>

#include "platforms/platform.h"

namespace rpsim::tool {

class boot_loader {
 public:
  boot_loader(platform& p, trace& events) : platform_(p), events_(events) {}

  /// Whether it knows how a core of this platform is started.
  bool can_start() const;
  /// `start CORE with IMAGE`. From an SC_THREAD that is not the host's.
  void start(std::string_view core, std::string_view image);
  /// Where the started image's resource table is; 0: none was started, or it has none.
  std::uint64_t table_address() const { return table_address_; }
  /// What it does at every reset of the host but the first, before Linux. STM32MP1: U-Boot declares the M4 off, unless
  /// the wake-up is one from Standby (reference/stm32mp1.md §4.4). Emits bootloader.reset.
  void after_reset();

 private:
  void start_by_device_manager(device_manager& dm, const dt::node& core, std::string_view image);
  void start_by_registers(const dt::node& core, std::string_view image);
  /// Where a core's own address is for everybody else.
  std::uint64_t system_address(const dt::node& core, std::uint32_t da) const;
  void load_image(const dt::node& core, std::string_view elf);
  device_manager* manager() const;
  dt::node stm32_rproc() const;
  /// A register that the node names by a property: block, offset, mask. 0: it names none.
  std::uint64_t syscon(const dt::node& rproc, std::string_view property) const;
  void write(std::uint64_t address, std::uint32_t value);

  platform& platform_;
  trace& events_;
  std::uint64_t table_address_ = 0;
};

}  // namespace rpsim::tool
