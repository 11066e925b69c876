#include "host_sw/drivers/stm32_rproc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "host_sw/drivers/mailbox.h"
#include "host_sw/drivers/reset.h"
#include "host_sw/drivers/stm32_exti.h"
#include "host_sw/drivers/stm32_history.h"
#include "host_sw/drivers/syscon.h"
#include "host_sw/drivers/workqueue.h"
#include "host_sw/remoteproc/elf_loader.h"
#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::drivers {

using os::log_level;
using remoteproc::rproc_state;

namespace {

constexpr std::uint32_t HOLD_BOOT = 0, RELEASE_BOOT = 1;
constexpr std::uint32_t M4_OFF = 0, M4_CRUN = 2;  // reference/stm32mp1.md §4.4
constexpr int VIRTQUEUES = 2;
constexpr unsigned SHUTDOWN_TIMEOUT_MS = 500, DETACH_TIMEOUT_MS = 200;
/// Not what the table says of itself: the area that a detach rewinds (§5.1).
constexpr std::size_t LOADED_TABLE_BYTES = 1024;
constexpr int ELFCLASS32 = 1;
constexpr unsigned EM_NONE = 0;
constexpr int SMC_NOT_SUPPORTED = -1;

constexpr const char* COMPATIBLE = "st,stm32mp1-m4";

/// Declared before time starts, so that a scenario can set it, and found again by the device.
param& parse_time_param(os::machine& machine) {
  return machine.os().context().params.time(
      {machine.os().name() + ".stm32_rproc_parse", provenance::assumed, "assumed: property look-ups and a log line",
       "what probing the STM32MP1's M4 takes after its watchdog interrupt is requested"},
      {20, sc_core::SC_US});
}

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
        parse_time_(parse_time_param(machine)) {}
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
  struct mailbox {
    const char* name;
    int vq;  // -1: none
    unsigned timeout_ms;
    mbox_client client;
    mbox_chan* chan = nullptr;
    os::work vq_work;
  };
  enum mailbox_id : std::uint8_t { VQ0, VQ1, SHUTDOWN, DETACH, MAILBOXES };

  /// Linux probes nobody before those that its tree names as suppliers (drivers/of/property.c, fw_devlink).
  bool suppliers_ready();
  int acquire();
  int parse_tree();
  int get_hold_boot();
  int get_syscon(std::string_view property, syscon_field& field);
  int get_translations();
  int get_state(std::uint32_t& state);
  int request_mailboxes();
  void free_mailboxes();
  void on_release(std::function<void()> undo) { releases_.push_back(std::move(undo)); }
  void release_all();
  remoteproc::rproc_ops make_ops();

  int register_memory_regions();
  int start();
  int stop();
  int attach();
  int detach();
  void kick(int vqid);
  /// Rings, and sleeps until the M4 has acknowledged. < 0: -errno, -ETIME if it never did.
  int request(mailbox_id id);
  void receive(const mailbox& m);
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
  param& parse_time_;

  std::unique_ptr<reset_control> reset_, hold_boot_reset_;
  syscon_field hold_boot_, pdds_, m4_state_, table_address_;
  bool hold_boot_by_smc_ = false;
  std::vector<range> ranges_;
  std::optional<device_irq> watchdog_;
  bool driver_data_set_ = false;  // Linux's handler finds the processor through it
  std::uint64_t table_pa_ = 0;    // mapped by the first attach, for the driver's life
  std::unique_ptr<workqueue> workqueue_;
  std::array<mailbox, MAILBOXES> mailboxes_{vq("vq0", 0), vq("vq1", 1), request("shutdown", SHUTDOWN_TIMEOUT_MS),
                                            request("detach", DETACH_TIMEOUT_MS)};
  std::unique_ptr<remoteproc::rproc> rproc_;
  std::vector<std::function<void()>> releases_;

  mailbox vq(const char* name, int id) {
    return {name, id, 0, {}, nullptr, os::work([this, id] { receive(mailboxes_[static_cast<std::size_t>(id)]); })};
  }
  static mailbox request(const char* name, unsigned timeout_ms) {
    return {name, -1, timeout_ms, {}, nullptr, os::work({})};
  }
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

  workqueue_ = std::make_unique<workqueue>(kernel(), dev_.name);
  on_release([this] { workqueue_->destroy(); });
  driver_data_set_ = true;
  on_release([this] { free_mailboxes(); });
  if (const int error = request_mailboxes(); error != 0) return error;
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
  watchdog_ = device_irq::get(machine_, node, 0U, error);
  if (error == -os::EPROBE_DEFER) return error;
  if (watchdog_) {
    error = watchdog_->request(
        [this] {
          // An edge that EXTI kept from before this probe comes at once.
          if (driver_data_set_) {
            rproc_->report_crash(remoteproc::crash_type::watchdog);
          } else {
            kernel().printk(log_level::err, "", "NULL rproc pointer");
          }
          return os::irqreturn::handled;
        },
        os::IRQF_NONE, dev_.name);
    if (error != 0) return fail(error, "failed to request wdg irq");
    on_release([this] { watchdog_->free(dev_.name); });
    log(log_level::info, "wdg irq registered");
    kernel().busy(parse_time_.time());
  }

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

int stm32_rproc::request_mailboxes() {
  for (mailbox& m : mailboxes_) {
    if (&m == &mailboxes_[DETACH] && past_.detach != stm32_history::detach_op::mailbox) continue;
    m.client.device = dev_.name;
    m.client.tx_block = m.vq < 0;
    m.client.tx_tout_ms = m.timeout_ms;
    if (m.vq >= 0) m.client.rx_callback = [this, &m](const mbox_message&) { workqueue_->queue(m.vq_work); };
    int error = 0;
    m.chan = mbox_request_channel(machine_, dev_.node, m.client, m.name, error);
    if (m.chan != nullptr) continue;
    if (error == -os::EPROBE_DEFER) return fail(error, fmt::format("failed to request mailbox {}", m.name));
    rproc_log(log_level::warning, fmt::format("cannot get {} mbox", m.name));
  }
  return 0;
}

void stm32_rproc::free_mailboxes() {
  for (mailbox& m : mailboxes_) {
    if (m.chan != nullptr) mbox_free_channel(*std::exchange(m.chan, nullptr));
  }
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
  ops.kick = [this](rproc&, int vqid) { kick(vqid); };
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
  const auto regions = dev_.node.phandles("memory-region");
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const auto windows = regions[i].reg();
    if (windows.empty() || !regions[i].enabled() || regions[i].parent().name() != "reserved-memory") {
      log(log_level::err, "unable to acquire memory-region");
      return -EINVAL;
    }
    const dt::region region = windows[0];
    const auto da = pa_to_da(region.base);
    if (!da) {
      log(log_level::err, fmt::format("memory region not valid {:#010x}", region.base));
      return -EINVAL;
    }
    const std::string name = regions[i].base_name();
    if (name == "vdev0buffer") {
      rproc_->add_reserved_carveout(name, static_cast<unsigned>(i), static_cast<std::uint32_t>(region.base),
                                    region.size);
    } else {
      rproc_->coredump_add_segment(*da, region.size);
      rproc_->add_carveout(name, region.base, *da, region.size);
    }
  }
  return 0;
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

// ---------------------------------------------------------------------------------------------------------- mailboxes

void stm32_rproc::kick(int vqid) {
  if (vqid >= VIRTQUEUES) {
    log(log_level::warning, fmt::format("WARNING: kick of virtqueue {}", vqid));
    return;
  }
  for (const mailbox& m : mailboxes_) {
    if (m.vq != vqid) continue;
    if (m.chan == nullptr) return;
    const int error = m.chan->send_message({});
    if (error < 0) rproc_log(log_level::err, fmt::format("stm32_rproc_kick: failed ({}, err:{})", m.name, error));
    return;
  }
}

void stm32_rproc::receive(const mailbox& m) {
  const os::mutex_guard guard(rproc_->lock());
  if (rproc_->state() != rproc_state::running && rproc_->state() != rproc_state::attached) return;
  if (rproc_->vq_interrupt(m.vq) == os::irqreturn::none) {
    rproc_log(log_level::debug, fmt::format("no message found in vq{}", m.vq));
  }
}

int stm32_rproc::request(mailbox_id id) {
  const mailbox& m = mailboxes_[id];
  if (m.chan == nullptr) return 0;
  kernel().events().emit(fmt::format("remoteproc{}", rproc_->index()), "host.waits",
                         {{"what", m.name}, {"limit", sc_core::sc_time(m.timeout_ms, sc_core::SC_MS)}});
  return m.chan->send_message({});
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
  if (request(DETACH) < 0) {
    rproc_log(log_level::warning, "warning: remote FW detach without ack");
  }
  // So that it restarts by itself.
  return set_hold_boot(false);
}

int stm32_rproc::stop() {
  if (rproc_->state() != rproc_state::offline && rproc_->state() != rproc_state::crashed) {
    if (request(SHUTDOWN) < 0) {
      rproc_log(log_level::warning, "warning: remote FW shutdown without ack");
    }
  }
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
  if (!machine.tree().compatible(COMPATIBLE).empty()) parse_time_param(machine);
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
