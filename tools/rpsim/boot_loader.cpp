#include "tools/rpsim/boot_loader.h"

#include <algorithm>
#include <span>

#include "models/interconnect/r5f_tcm.h"
#include "models/stm32/stm32_pwr.h"
#include "models/ti_sci/device_manager.h"
#include "tools/rpsim/elf_image.h"

namespace rpsim::tool {

namespace {
constexpr std::uint64_t POWER_UP_REFERENCE = 1ull << 63;
/// What TI's boot loaders set for an R5F: both TCMs on, ATCM at 0 (mcupsdk-core, bootloader_soc.c).
constexpr std::uint32_t R5F_CONFIG =
    ti_sci::CONFIG_R5F_ATCM_EN | ti_sci::CONFIG_R5F_BTCM_EN | ti_sci::CONFIG_R5F_TCM_RSTBASE;
constexpr const char* STM32_RPROC = "st,stm32mp1-m4";
constexpr std::uint32_t STATE_OFF = 0, STATE_CRUN = 2;  // reference/stm32mp1.md §4.4
}  // namespace

device_manager* boot_loader::manager() const {
  for (model* m : platform_.models()) {
    if (auto* dm = dynamic_cast<device_manager*>(m)) return dm;
  }
  return nullptr;
}

dt::node boot_loader::stm32_rproc() const {
  const auto nodes = platform_.tree().compatible(STM32_RPROC);
  return nodes.empty() ? dt::node{} : nodes.front();
}

bool boot_loader::can_start() const { return manager() != nullptr || stm32_rproc(); }

void boot_loader::start(std::string_view label, std::string_view image) {
  const dt::node core = platform_.find_core(label)->node();
  if (device_manager* dm = manager()) {
    start_by_device_manager(*dm, core, image);
  } else {
    start_by_registers(core, image);
  }
}

void boot_loader::start_by_device_manager(device_manager& dm, const dt::node& core, std::string_view image) {
  const unsigned device = core.references("power-domains", "#power-domain-cells").at(0).args.at(0);
  processor* const settings = core.is_compatible("arm,cortex-r5f") ? dm.find_processor(core) : nullptr;
  if (settings != nullptr) settings->boot(0, R5F_CONFIG, true);
  dm.boot_device(device, POWER_UP_REFERENCE);
  // The image has to be there when the CPU looks: after the power is, and a delta before reset is seen to be released.
  while (dm.module_line(device).read() != module_state::enable)
    sc_core::wait(dm.module_line(device).value_changed_event());
  load_image(core, image);
  if (settings != nullptr) settings->boot(0, R5F_CONFIG, false);
  sc_core::wait(sc_core::SC_ZERO_TIME);
}

std::uint64_t boot_loader::syscon(const dt::node& rproc, std::string_view property) const {
  const std::vector<std::uint32_t> cells = rproc.cells(property);
  return cells.size() == 3 ? platform_.tree().by_phandle(cells[0]).reg().at(0).base + cells[1] : 0;
}

void boot_loader::write(std::uint64_t address, std::uint32_t value) {
  if (address != 0) (void)platform_.host().bus().write(address, std::as_bytes(std::span(&value, 1)));
}

/// U-Boot's stm32_copro: the image, BOOT_MCU pulsed, then what Linux reads at probe and at attach
/// (reference/stm32mp1.md §5.2).
void boot_loader::start_by_registers(const dt::node& core, std::string_view image) {
  load_image(core, image);
  const dt::node rproc = stm32_rproc();
  write(syscon(rproc, "st,syscfg-holdboot"), 1);
  write(syscon(rproc, "st,syscfg-holdboot"), 0);
  write(syscon(rproc, "st,syscfg-m4-state"), STATE_CRUN);
  const std::uint32_t table = elf_resource_table(image);
  write(syscon(rproc, "st,syscfg-rsc-tbl"), table);
  if (table != 0) table_address_ = system_address(core, table);
}

void boot_loader::after_reset() {
  const dt::node rproc = stm32_rproc();
  const auto blocks = platform_.tree().compatible("rpsim,stm32mp1-pwr");
  if (!rproc || blocks.empty()) return;  // K3: whoever reset the host has nothing to declare
  std::uint32_t mcucr = 0;
  (void)platform_.host().bus().read(blocks.front().reg().at(0).base + stm32_pwr::MCUCR,
                                    std::as_writable_bytes(std::span(&mcucr, 1)));
  const bool from_standby = (mcucr & stm32_pwr::SBF) != 0;
  if (!from_standby) {  // U-Boot arch/arm/mach-stm32mp, stm32mp_cpu_init()
    write(syscon(rproc, "st,syscfg-m4-state"), STATE_OFF);
    write(syscon(rproc, "st,syscfg-rsc-tbl"), 0);
  }
  events_.emit("bootloader", "bootloader.reset", {{"m4_state", from_standby ? "kept" : "off"}});
}

std::uint64_t boot_loader::system_address(const dt::node& core, std::uint32_t da) const {
  for (const dt::node& tcm : core.phandles("rpsim,tcm-view")) {
    const auto* memories = dynamic_cast<const r5f_tcm*>(platform_.find(tcm.label()));
    const std::uint64_t there = memories == nullptr ? 0 : memories->system_address(da, R5F_CONFIG);
    if (there != 0) return there;
  }
  const std::vector<std::uint32_t> view = core.cells("rpsim,view");
  for (std::size_t i = 0; i + 3 < view.size(); i += 4) {
    if (da >= view[i] && da - view[i] < view[i + 3])
      return ((std::uint64_t{view[i + 1]} << 32) | view[i + 2]) + (da - view[i]);
  }
  return da;
}

void boot_loader::load_image(const dt::node& core, std::string_view elf) {
  for (const elf_segment& s : elf_segments(elf)) {
    std::string bytes(s.content);
    bytes.resize(std::min<std::size_t>(s.size, 0x1000000));
    platform_.debug_write(system_address(core, s.address), bytes.data(), bytes.size());
  }
}

}  // namespace rpsim::tool
