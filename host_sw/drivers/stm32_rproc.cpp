#include "host_sw/drivers/stm32_rproc.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "host_sw/drivers/reset.h"
#include "host_sw/drivers/stm32_history.h"
#include "host_sw/drivers/stm32_rproc_common.h"
#include "host_sw/drivers/syscon.h"
#include "host_sw/remoteproc/elf_loader.h"
#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::drivers {

using os::log_level;
namespace {

constexpr std::uint32_t HOLD_BOOT = 0, RELEASE_BOOT = 1;
constexpr std::uint32_t M4_OFF = 0, M4_CRUN = 2;  // reference/stm32mp1.md §4.4
/// Not what the table says of itself: the area that a detach rewinds (§5.1).
constexpr std::size_t LOADED_TABLE_BYTES = 1024;
constexpr int ELFCLASS32 = 1;
constexpr unsigned EM_NONE = 0;
constexpr int SMC_NOT_SUPPORTED = -1;

constexpr const char* COMPATIBLE = "st,stm32mp1-m4";

/// Register and bits that a property names: phandle, offset, mask.
struct syscon_field {
  std::shared_ptr<regmap> map;
  std::uint32_t reg = 0, mask = 0;

  int update(std::uint32_t value) const { return map->update_bits(reg, mask, value); }
};

class stm32_rproc {
 public:
  stm32_rproc(os::machine& machine, os::device& dev, stm32_options options)
      : machine_(machine),
        dev_(dev),
        options_(std::move(options)),
        past_(stm32_history_of(options_.core.history)),
        mailboxes_(machine, dev, "stm32_rproc_kick") {}
  stm32_rproc(const stm32_rproc&) = delete;
  stm32_rproc& operator=(const stm32_rproc&) = delete;

  /// 0 or -errno; a failed probe has given back what it took.
  int probe() {
    if (!suppliers_ready()) return -os::EPROBE_DEFER;
    const int error = acquire();
    if (error != 0) release_all();
    return error;
  }
  void remove() {
    // An attached M4 is powered off with it, a detached one works on (§5).
    if (rproc_->power() > 0) rproc_->shutdown();
    release_all();
  }

 private:
  struct range {
    std::uint32_t device = 0, bus = 0, size = 0;
  };
  /// Linux probes nobody before those that its tree names as suppliers (drivers/of/property.c, fw_devlink).
  bool suppliers_ready();
  int acquire();
  int parse_tree();
  int get_hold_boot();
  int get_syscon(std::string_view property, syscon_field& field);
  int get_translations();
  int get_state(std::uint32_t& state);
  void on_release(std::function<void()> undo) { releases_.push_back(std::move(undo)); }
  void release_all();
  remoteproc::rproc_ops make_ops();

  int register_memory_regions();
  int start();
  int stop();
  int attach();
  int detach();
  remoteproc::live_table loaded_table();
  int set_hold_boot(bool hold);
  std::optional<std::uint64_t> da_to_pa(std::uint32_t da);
  std::optional<std::uint32_t> pa_to_da(std::uint64_t pa) const;
  bool mappable(std::uint64_t pa) const;

  os::kernel& kernel() const { return machine_.os(); }
  void log(log_level level, std::string text) { kernel().printk(level, dev_.name, std::move(text)); }
  /// Lines of the remoteproc device, not of its parent.
  void rproc_log(log_level level, std::string text) {
    kernel().printk(level, fmt::format("remoteproc remoteproc{}", rproc_->index()), std::move(text));
  }
  int fail(int error, const std::string& text) {
    log(error == -os::EPROBE_DEFER ? log_level::debug : log_level::err,
        fmt::format("error -{}: {}", os::errno_name(error), text));
    return error;
  }

  os::machine& machine_;
  os::device& dev_;
  const stm32_options options_;
  const stm32_history past_;

  std::unique_ptr<reset_control> reset_, hold_boot_reset_;
  syscon_field hold_boot_, pdds_, m4_state_, table_address_;
  bool hold_boot_by_smc_ = false;
  std::vector<range> ranges_;
  stm32_watchdog watchdog_;
  bool driver_data_set_ = false;
  std::uint64_t table_pa_ = 0;  // mapped by the first attach, for the driver's life
  stm32_mailboxes mailboxes_;
  std::unique_ptr<remoteproc::rproc> rproc_;
  std::vector<std::function<void()>> releases_;
};

// ---------------------------------------------------------------------------------------------------- probe, remove

bool stm32_rproc::suppliers_ready() {
  int error = 0;
  (void)device_irq::get(machine_, dev_.node, 0U, error);
  const auto mailboxes = dev_.node.references("mboxes", "#mbox-cells");
  const auto resets = dev_.node.references("resets", "#reset-cells");
  return error != -os::EPROBE_DEFER &&
         std::ranges::all_of(mailboxes,
                             [this](const auto& m) { return machine_.provider_of<mbox_controller>(m.target); }) &&
         std::ranges::all_of(resets,
                             [this](const auto& r) { return machine_.provider_of<reset_controller>(r.target); });
}

int stm32_rproc::acquire() {
  rproc_ = remoteproc::rproc::alloc(machine_, dev_, dev_.node.base_name(), make_ops(), "", options_.core);
  on_release([this] { rproc_.reset(); });
  rproc_->coredump_set_elf_info(ELFCLASS32, EM_NONE);

  if (const int error = parse_tree(); error != 0) return error;
  if (const int error = get_translations(); error != 0) return error;
  std::uint32_t state = M4_OFF;
  if (const int error = get_state(state); error != 0) return error;
  if (state == M4_CRUN) {
    rproc_->set_detached();
    if (past_.memory_regions == stm32_history::regions::once) {
      if (const int error = register_memory_regions(); error != 0) return error;
    }
  }

  driver_data_set_ = true;
  const unsigned mailboxes =
      past_.detach == stm32_history::detach_op::mailbox ? stm32_mailboxes::COUNT : stm32_mailboxes::DETACH;
  const auto missing = [this](std::string_view name) {
    rproc_log(log_level::warning, fmt::format("cannot get {} mbox", name));
  };
  if (const int error = mailboxes_.request(*rproc_, mailboxes, missing); error != 0) return error;
  on_release([this] { mailboxes_.free(); });
  if (const int error = rproc_->add(); error != 0) return error;
  on_release([this] { rproc_->del(); });
  return 0;
}

void stm32_rproc::release_all() {
  while (!releases_.empty()) {
    const auto undo = std::move(releases_.back());
    releases_.pop_back();
    undo();
  }
}

int stm32_rproc::parse_tree() {
  const dt::node& node = dev_.node;
  int error = 0;
  // Linux's handler finds the processor through the driver data.
  error = watchdog_.request(machine_, dev_, [this] { return driver_data_set_ ? rproc_.get() : nullptr; });
  if (error != 0) return error;
  on_release([this] { watchdog_.free(); });

  if (past_.knows_named_resets) reset_ = reset_control_get_optional(machine_, node, "mcu_rst", error);
  if (reset_ == nullptr && error == 0) reset_ = reset_control_get(machine_, node, error);
  if (reset_ == nullptr) return fail(error, "failed to get mcu_reset");
  if (error = get_hold_boot(); error != 0) return error;
  if (get_syscon("st,syscfg-pdds", pdds_) != 0) log(log_level::info, "failed to get pdds");
  rproc_->set_auto_boot(node.has("st,auto-boot"));
  if (get_syscon("st,syscfg-m4-state", m4_state_) != 0) {
    m4_state_.map.reset();
    log(log_level::warning, "m4 state not supported");
    return 0;
  }
  if (get_syscon("st,syscfg-rsc-tbl", table_address_) != 0) log(log_level::warning, "rsc tbl syscon not supported");
  return 0;
}

int stm32_rproc::get_hold_boot() {
  int error = 0;
  if (past_.knows_named_resets) {
    hold_boot_reset_ = reset_control_get_optional(machine_, dev_.node, "hold_boot", error);
  }
  if (error != 0) return fail(error, "failed to get hold_boot reset");
  if (hold_boot_reset_ != nullptr) return 0;
  if (syscon_field trust_zone; get_syscon("st,syscfg-tz", trust_zone) == 0) {
    std::uint32_t value = 0;
    if (error = trust_zone.map->read(trust_zone.reg, value); error != 0) {
      log(log_level::err, "failed to read tzen");
      return error;
    }
    hold_boot_by_smc_ = (value & trust_zone.mask) != 0;
  }
  if (hold_boot_by_smc_) return 0;
  error = get_syscon("st,syscfg-holdboot", hold_boot_);
  if (error != 0) log(log_level::err, "failed to get hold boot");
  return error;
}

int stm32_rproc::get_syscon(std::string_view property, syscon_field& field) {
  int error = 0;
  field.map = syscon_regmap_lookup_by_phandle(machine_, dev_.node, property, error);
  if (error != 0) return error;
  const auto cells = dev_.node.cells(property);
  if (cells.size() > 1) field.reg = cells[1];
  if (cells.size() > 2) field.mask = cells[2];
  return cells.size() > 2 ? 0 : -EOVERFLOW;
}

int stm32_rproc::get_translations() {
  const auto cells = dev_.node.parent().cells("dma-ranges");
  if (cells.empty() || cells.size() % 3 != 0) {
    log(log_level::err, "stm32_rproc_of_memory_translations: dma-ranges property not defined");
    return -EINVAL;
  }
  for (std::size_t i = 0; i < cells.size(); i += 3) ranges_.push_back({cells[i], cells[i + 1], cells[i + 2]});
  return 0;
}

int stm32_rproc::get_state(std::uint32_t& state) {
  return m4_state_.map != nullptr ? m4_state_.map->read(m4_state_.reg, state) : 0;  // the whole register, as Linux
}

remoteproc::rproc_ops stm32_rproc::make_ops() {
  using remoteproc::firmware;
  using remoteproc::rproc;
  remoteproc::rproc_ops ops;
  const bool regions_prepared = past_.memory_regions == stm32_history::regions::prepared;
  if (regions_prepared) ops.prepare = [this](rproc&) { return register_memory_regions(); };
  ops.start = [this](rproc&) { return start(); };
  ops.stop = [this](rproc&) { return stop(); };
  ops.attach = [this](rproc&) { return attach(); };
  if (past_.detach != stm32_history::detach_op::none) ops.detach = [this](rproc&) { return detach(); };
  ops.kick = [this](rproc&, int vqid) { mailboxes_.kick(vqid); };
  ops.load = remoteproc::elf::load_segments;
  ops.parse_fw = [this, regions_prepared](rproc& r, const firmware& fw) {
    if (!regions_prepared) {
      if (const int error = register_memory_regions(); error != 0) return error;
    }
    if (remoteproc::elf::load_rsc_table(r, fw) != 0) {
      rproc_log(log_level::warning, "no resource table found for this firmware");
    }
    return 0;
  };
  ops.find_loaded_rsc_table = remoteproc::elf::find_loaded_rsc_table;
  ops.get_loaded_rsc_table = [this](rproc&) { return loaded_table(); };
  ops.sanity_check = remoteproc::elf::sanity_check;
  ops.get_boot_addr = remoteproc::elf::get_boot_addr;
  return ops;
}

// ------------------------------------------------------------------------------------------------------------ memory

std::optional<std::uint64_t> stm32_rproc::da_to_pa(std::uint32_t da) {
  for (const range& r : ranges_) {
    if (da >= r.device && da - r.device < r.size) return std::uint64_t{da - r.device} + r.bus;
  }
  log(log_level::err, fmt::format("can't translate da {:x}", da));
  return std::nullopt;
}

std::optional<std::uint32_t> stm32_rproc::pa_to_da(std::uint64_t pa) const {
  for (const range& r : ranges_) {
    if (pa >= r.bus && pa - r.bus < r.size) return static_cast<std::uint32_t>(pa - r.bus) + r.device;
  }
  return std::nullopt;
}

/// Linux maps no memory that is its own, and nothing that wraps around (arch/arm/mm/ioremap.c).
bool stm32_rproc::mappable(std::uint64_t pa) const {
  if (pa + LOADED_TABLE_BYTES - 1 > 0xFFFFFFFF) return false;
  const auto inside = [pa](const dt::node& n) {
    return std::ranges::any_of(n.reg(), [pa](const dt::region& r) { return pa >= r.base && pa - r.base < r.size; });
  };
  const auto nodes = machine_.tree().all_enabled();
  const bool ram = std::ranges::any_of(
      nodes, [&](const dt::node& n) { return n.string("device_type").value_or("") == "memory" && inside(n); });
  return !ram || std::ranges::any_of(nodes, [&](const dt::node& n) { return n.has("no-map") && inside(n); });
}

int stm32_rproc::register_memory_regions() {
  return register_stm32_memory_regions(*rproc_, [this](dt::region r) { return pa_to_da(r.base); });
}

remoteproc::live_table stm32_rproc::loaded_table() {
  if (table_pa_ == 0) {
    if (table_address_.map == nullptr) {
      kernel().oops("null-regmap", "the resource table's address is read without st,syscfg-rsc-tbl");
    }
    std::uint32_t da = 0;
    if (table_address_.map->read(table_address_.reg, da) != 0) {
      log(log_level::err, "failed to read rsc tbl addr");
      return {.error = -EINVAL};
    }
    if (da == 0)
      return past_.attaches_without_table ? remoteproc::live_table{} : remoteproc::live_table{.error = -ENOENT};
    const auto pa = da_to_pa(da);
    if (!pa) return {.error = -EINVAL};
    if (!mappable(*pa)) {
      log(log_level::err, fmt::format("Unable to map memory region: {:#010x}+{:x}", *pa, LOADED_TABLE_BYTES));
      return {.error = -ENOMEM};
    }
    table_pa_ = *pa;
  }
  return {.pa = table_pa_, .size = LOADED_TABLE_BYTES};
}

// -------------------------------------------------------------------------------------------------- life-cycle hooks

int stm32_rproc::set_hold_boot(bool hold) {
  int error = SMC_NOT_SUPPORTED;
  if (hold_boot_reset_ != nullptr) {
    error = hold ? hold_boot_reset_->assert_reset() : hold_boot_reset_->deassert_reset();
  } else if (!hold_boot_by_smc_) {
    error = hold_boot_.update(hold ? HOLD_BOOT : RELEASE_BOOT);
  }
  if (error != 0) rproc_log(log_level::err, "failed to set hold boot");
  return error;
}

int stm32_rproc::start() {
  rproc_->coredump_add_traces();
  if (pdds_.map != nullptr) {
    if (const int error = pdds_.update(0); error != 0) {
      rproc_log(log_level::err, "failed to clear pdds");
      return error;
    }
  }
  // A pulse: the M4 leaves hold boot, and its next reset parks it there again.
  if (const int error = set_hold_boot(false); error != 0) return error;
  return set_hold_boot(true);
}

int stm32_rproc::attach() {
  rproc_->coredump_add_traces();
  return set_hold_boot(true);
}

int stm32_rproc::detach() {
  if (past_.detach == stm32_history::detach_op::dummy) {
    rproc_->rests_on("detach-op");
    return 0;
  }
  if (mailboxes_.ask(stm32_mailboxes::DETACH) < 0) {
    rproc_log(log_level::warning, "warning: remote FW detach without ack");
  }
  // So that it restarts by itself.
  return set_hold_boot(false);
}

int stm32_rproc::stop() {
  mailboxes_.ask_for_shutdown();
  if (const int error = set_hold_boot(true); error != 0) return error;
  if (const int error = reset_->assert_reset(); error != 0) {
    rproc_log(log_level::err, "failed to assert the reset");
    return error;
  }
  // So that the platform may go to Standby.
  if (pdds_.map != nullptr) {
    if (const int error = pdds_.update(1); error != 0) {
      rproc_log(log_level::err, "failed to set pdds");
      return error;
    }
  }
  if (m4_state_.map != nullptr) {
    if (const int error = m4_state_.update(M4_OFF); error != 0) {
      rproc_log(log_level::err, "failed to set copro state");
      return error;
    }
  }
  return 0;
}

}  // namespace

os::platform_driver stm32_rproc_driver(os::machine& machine, stm32_options options) {
  if (!machine.tree().compatible(COMPATIBLE).empty()) stm32_parse_time_param(machine);
  return {
      .name = "stm32-rproc",
      .compatible = {COMPATIBLE},
      .probe =
          [&machine, options = std::move(options)](os::device& dev) {
            auto core = std::make_shared<stm32_rproc>(machine, dev, options);
            const int error = core->probe();
            if (error == 0) dev.driver_data = std::move(core);
            return error;
          },
      .remove = [](os::device& dev) { static_cast<stm32_rproc*>(dev.driver_data.get())->remove(); },
  };
}

}  // namespace rpsim::drivers
