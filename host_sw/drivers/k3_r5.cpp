#include "host_sw/drivers/k3_r5.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>

namespace rpsim::drivers {

using os::log_level;

namespace {

enum class cluster_mode : std::uint8_t { split, lockstep, single_cpu, single_core };

/// PROC_BOOT flags (reference/k3.md §3.7).
constexpr std::uint32_t CONFIG_LOCKSTEP = 1u << 8, CONFIG_TEINIT = 1u << 9, CONFIG_TCM_RSTBASE = 1u << 11,
                        CONFIG_BTCM_EN = 1u << 12, CONFIG_ATCM_EN = 1u << 13, CONFIG_MEM_INIT_DIS = 1u << 14,
                        CONFIG_SINGLE_CORE = 1u << 15;
constexpr std::uint32_t CONTROL_HALT = 1u << 0;
constexpr std::uint32_t STATUS_LOCKSTEP_PERMITTED = 1u << 8, STATUS_SINGLE_CORE_ONLY = 1u << 9;

/// Where the TCM is that is not at 0.
constexpr std::uint32_t TCM_HIGH = 0x41010000;
constexpr unsigned TRANSITION_TIMEOUT_MS = 2000;

/// reference/k3.md §4.3
struct soc_data {
  const char* compatible;
  bool tcm_is_double;      // where two cores act as one, core 1's TCMs follow core 0's
  bool tcm_auto_init;      // the hardware clears the TCMs
  bool single_cpu_mode;    // instead of lockstep
  bool one_core;           // there is one core
  cluster_mode otherwise;  // without ti,cluster-mode
};
constexpr std::array SOCS = std::to_array<soc_data>({
    {"ti,am654-r5fss", false, false, false, false, cluster_mode::lockstep},
    {"ti,j721e-r5fss", false, false, false, false, cluster_mode::lockstep},
    {"ti,j7200-r5fss", true, true, false, false, cluster_mode::lockstep},
    {"ti,j721s2-r5fss", true, true, false, false, cluster_mode::lockstep},
    {"ti,am64-r5fss", true, true, true, false, cluster_mode::split},
    {"ti,am62-r5fss", false, true, false, true, cluster_mode::single_core},
});

class r5_core;

/// What the cores of a cluster share.
struct r5_cluster {
  r5_cluster(os::machine& m, os::device& d) : machine(m), dev(d), core_transition(m.os()) {}

  int probe(const k3_options& options);
  void remove();

  r5_core& first() { return *cores.front(); }
  r5_core& last() { return *cores.back(); }
  bool one_processor() const { return mode != cluster_mode::split; }
  bool resets_together() const { return mode == cluster_mode::lockstep || mode == cluster_mode::single_cpu; }
  void log(log_level level, std::string text) { machine.os().printk(level, dev.name, std::move(text)); }

  os::machine& machine;
  os::device& dev;
  const soc_data* soc = nullptr;
  cluster_mode mode = cluster_mode::split;
  std::vector<std::unique_ptr<r5_core>> cores;
  os::wait_queue core_transition;
};

class r5_core final : public k3_rproc {
 public:
  r5_core(r5_cluster& cluster, os::device& dev, const k3_options& options)
      : k3_rproc(cluster.machine, dev, {.label = "R5F", .mailbox_first = true, .ops_of_mode = true}, options),
        cluster_(cluster) {
    atcm_enable_ = dev.node.u32("ti,atcm-enable").value_or(0) != 0;
    btcm_enable_ = dev.node.u32("ti,btcm-enable").value_or(1) != 0;
    atcm_low_ = dev.node.u32("ti,loczrama").value_or(1) != 0;
  }

 private:
  int get_memories() override;
  int find_mode(mode& m) override;
  int prepare() override;
  int unprepare() override;
  int run() override;
  int halt() override;

  int configure();
  void place_tcms();
  void halve_tcms();
  bool wait_for_transition(const std::function<bool()>& reached);
  int set_halted(bool halted) {
    return sci_->proc_set_control(processor_id_, halted ? CONTROL_HALT : 0, halted ? 0 : CONTROL_HALT);
  }
  int assert_local() {
    const int error = reset_->assert_reset();
    if (error != 0) log(log_level::err, fmt::format("local-reset assert failed, ret = {}", error));
    return error;
  }
  int deassert_local() {
    const int error = reset_->deassert_reset();
    if (error != 0) log(log_level::err, fmt::format("local-reset deassert failed, ret = {}", error));
    return error;
  }
  int power_on() {
    const int error = sci_->get_device(device_id_);
    if (error != 0) log(log_level::err, fmt::format("module-reset deassert failed, ret = {}", error));
    return error;
  }
  int power_off() {
    const int error = sci_->put_device(device_id_);
    if (error != 0) log(log_level::err, fmt::format("module-reset assert failed, ret = {}", error));
    return error;
  }
  void warn(int error, const char* what) {
    if (error != 0) log(log_level::warning, what);
  }
  int split_reset();
  int split_release();
  int together_reset();
  int together_release();

  r5_cluster& cluster_;
  bool atcm_enable_, btcm_enable_, atcm_low_;
  bool released_from_reset_ = false;
};

// ---- probe

int r5_core::get_memories() {
  for (const char* name : {"atcm", "btcm"}) {
    const auto window = dev_.node.reg(name);
    if (!window) {
      log(log_level::err, fmt::format("found no memory resource for {}", name));
      return -EINVAL;
    }
    memories_.push_back({window->base, 0, window->size});
  }
  place_tcms();
  // On-chip RAM that the core may use, at its system address.
  for (const dt::node& sram : dev_.node.phandles("sram")) {
    if (!sram.enabled() || sram.reg().empty()) return -EINVAL;
    const dt::region r = sram.reg()[0];
    memories_.push_back({r.base, static_cast<std::uint32_t>(r.base), r.size});
  }
  return 0;
}

void r5_core::place_tcms() {
  memories_[0].device_address = atcm_low_ ? 0 : TCM_HIGH;
  memories_[1].device_address = atcm_low_ ? TCM_HIGH : 0;
}

/// In split mode core 0 has its own half of the doubled windows.
void r5_core::halve_tcms() {
  if (cluster_.one_processor() || !cluster_.soc->tcm_is_double || this != &cluster_.first()) return;
  memories_[0].size /= 2;
  memories_[1].size /= 2;
}

int r5_core::find_mode(mode& m) {
  bool requested = false, on = false;
  if (const int error = sci_->is_on(device_id_, requested, on); error != 0) {
    log(log_level::err, fmt::format("failed to get initial state, mode cannot be determined, ret = {}", error));
    return error;
  }
  if (requested != on) {
    log(log_level::warning,
        fmt::format("R5F core may have been powered on by a different host, programmed state ({:d}) "
                    "!= actual state ({:d})",
                    requested, on));
  }
  const int local_reset = reset_->status();
  if (local_reset < 0) {
    log(log_level::err, fmt::format("failed to get initial local reset status, ret = {}", local_reset));
    return local_reset;
  }
  released_from_reset_ = on;  // booted by somebody else: nothing to wait for
  ti_sci::processor_status status;
  if (const int error = sci_->proc_get_status(processor_id_, status); error != 0) {
    log(log_level::err, fmt::format("failed to get initial processor status, ret = {}", error));
    return error;
  }
  const bool halted = (status.control & CONTROL_HALT) != 0;
  if (on && local_reset == 0 && !halted) {
    m = mode::ipc_only;
    // The settings are what the boot loader made them.
    if (this == &cluster_.first()) {
      if ((status.config & CONFIG_SINGLE_CORE) != 0 && cluster_.mode != cluster_mode::single_core)
        cluster_.mode = cluster_mode::single_cpu;
      if ((status.config & CONFIG_LOCKSTEP) != 0) cluster_.mode = cluster_mode::lockstep;
    }
    atcm_enable_ = (status.config & CONFIG_ATCM_EN) != 0;
    btcm_enable_ = (status.config & CONFIG_BTCM_EN) != 0;
    atcm_low_ = (status.config & CONFIG_TCM_RSTBASE) != 0;
    place_tcms();
  } else if (!on) {
    m = mode::remoteproc;
    if (const int error = configure(); error != 0) {
      cluster_.log(log_level::err, fmt::format("initial configure failed, ret = {}", error));
      return error;
    }
  } else {
    log(log_level::err, fmt::format("mismatched mode: local_reset = {}, module_reset = deasserted, core_state = {}",
                                    local_reset == 0 ? "deasserted" : "asserted", halted ? "halted" : "unhalted"));
    return -EINVAL;
  }
  halve_tcms();
  return 0;
}

int r5_core::configure() {
  const bool is_first = this == &cluster_.first();
  ti_sci::processor_status status;
  if (const int error = sci_->proc_get_status(processor_id_, status); error != 0) return error;
  const bool lockstep_permitted = (status.status & STATUS_LOCKSTEP_PERMITTED) != 0;
  if ((status.status & STATUS_SINGLE_CORE_ONLY) != 0 && cluster_.mode == cluster_mode::split) {
    cluster_.log(log_level::err, "split-mode not permitted, force configuring for single-cpu mode");
    cluster_.mode = cluster_mode::single_cpu;
  }
  if (!lockstep_permitted && cluster_.mode == cluster_mode::lockstep) {
    cluster_.log(log_level::err, "lockstep mode not permitted, force configuring for split-mode");
    cluster_.mode = cluster_mode::split;
  }

  // The boot vector is 0 until the start, and exceptions are taken in Arm state.
  std::uint32_t set = 0, clear = 0;
  if (is_first) {
    clear = CONFIG_TEINIT;
    if (cluster_.mode == cluster_mode::single_cpu || cluster_.mode == cluster_mode::single_core) {
      set = CONFIG_SINGLE_CORE;
    } else if (lockstep_permitted) {
      clear |= CONFIG_LOCKSTEP;  // refused where the fuses permit none
    }
  }
  (atcm_enable_ ? set : clear) |= CONFIG_ATCM_EN;
  (btcm_enable_ ? set : clear) |= CONFIG_BTCM_EN;
  (atcm_low_ ? set : clear) |= CONFIG_TCM_RSTBASE;

  if (cluster_.mode != cluster_mode::lockstep) {
    if (const int error = set_halted(true); error != 0) return error;
    return sci_->proc_set_config(processor_id_, 0, set, clear);
  }
  // Both cores get the same settings, which takes them out of lockstep for the while.
  for (const auto& core : cluster_.cores) {
    if (const int error = core->set_halted(true); error != 0) return error;
    if (core.get() != this) clear &= ~(CONFIG_LOCKSTEP | CONFIG_TEINIT);
    if (const int error = sci_->proc_set_config(core->processor_id_, 0, set, clear); error != 0) return error;
  }
  return sci_->proc_set_config(processor_id_, 0, CONFIG_LOCKSTEP, 0);
}

// ---- power

bool r5_core::wait_for_transition(const std::function<bool()>& reached) {
  return cluster_.core_transition.wait_event_timeout(reached, kernel().msecs_to_jiffies(TRANSITION_TIMEOUT_MS)) != 0;
}

int r5_core::prepare() {
  const r5_core& core0 = cluster_.first();
  if (cluster_.mode == cluster_mode::split && this == &cluster_.last() && !core0.released_from_reset_ &&
      !wait_for_transition([&] { return core0.released_from_reset_; })) {
    log(log_level::err, "can not power up core1 before core0");
    return -EPERM;
  }
  ti_sci::processor_status status;
  if (const int error = sci_->proc_get_status(processor_id_, status); error != 0) return error;
  if (const int error = cluster_.resets_together() ? together_release() : split_release(); error != 0) {
    log(log_level::err, fmt::format("unable to enable cores for TCM loading, ret = {}", error));
    return error;
  }
  released_from_reset_ = true;
  if (this == &core0) cluster_.core_transition.wake_up_all();
  if (cluster_.soc->tcm_auto_init && (status.config & CONFIG_MEM_INIT_DIS) == 0) return 0;
  // So that every word has a valid ECC. The enables do not concern the host.
  for (std::size_t i = 0; i < 2; ++i) kernel().memset_io(memories_[i].bus_address, 0, memories_[i].size);
  return 0;
}

int r5_core::unprepare() {
  const r5_core& core1 = cluster_.last();
  if (cluster_.mode == cluster_mode::split && this == &cluster_.first() && core1.released_from_reset_ &&
      !wait_for_transition([&] { return !core1.released_from_reset_; })) {
    log(log_level::err, "can not power down core0 before core1");
    return -EPERM;
  }
  const int error = cluster_.resets_together() ? together_reset() : split_reset();
  if (error != 0) log(log_level::err, fmt::format("unable to disable cores, ret = {}", error));
  released_from_reset_ = false;  // whatever came of it, as in Linux
  if (this == &core1) cluster_.core_transition.wake_up_all();
  return error;
}

int r5_core::split_reset() {
  if (const int error = assert_local(); error != 0) return error;
  const int error = power_off();
  if (error != 0) warn(reset_->deassert_reset(), "local-reset deassert back failed");
  return error;
}

int r5_core::split_release() {
  if (const int error = power_on(); error != 0) return error;
  const int error = deassert_local();
  if (error != 0) warn(sci_->put_device(device_id_), "module-reset assert back failed");
  return error;
}

/// Local resets, core 0 first, then power, core 0 first. Undone in reverse, but for one thing: what was powered off is
/// not powered on again but put once more (reference/k3.md §4.4, "Rollback bug").
int r5_core::together_reset() {
  const auto& cores = cluster_.cores;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    const int error = cores[i]->assert_local();
    if (error == 0) continue;
    while (i-- > 0) warn(cores[i]->reset_->deassert_reset(), "local-reset deassert back failed");
    return error;
  }
  for (std::size_t i = 0; i < cores.size(); ++i) {
    const int error = cores[i]->power_off();
    if (error == 0) continue;
    while (i-- > 0) warn(sci_->put_device(cores[i]->device_id_), "module-reset assert back failed");
    for (const auto& core : cores | std::views::reverse)
      warn(core->reset_->deassert_reset(), "local-reset deassert back failed");
    return error;
  }
  return 0;
}

/// Power, core 1 first, then local resets, core 1 first.
int r5_core::together_release() {
  const auto& cores = cluster_.cores;
  for (std::size_t i = cores.size(); i-- > 0;) {
    const int error = cores[i]->power_on();
    if (error == 0) continue;
    while (++i < cores.size()) warn(sci_->put_device(cores[i]->device_id_), "module-reset assert back failed");
    return error;
  }
  for (std::size_t i = cores.size(); i-- > 0;) {
    const int error = cores[i]->deassert_local();
    if (error == 0) continue;
    while (++i < cores.size()) warn(cores[i]->reset_->assert_reset(), "local-reset assert back failed");
    for (const auto& core : cores) warn(sci_->put_device(core->device_id_), "module-reset assert back failed");
    return error;
  }
  return 0;
}

// ---- start and stop

int r5_core::run() {
  const auto boot_address = static_cast<std::uint32_t>(rproc_->boot_address());
  if (const int error = sci_->proc_set_config(processor_id_, boot_address, 0, 0); error != 0) return error;
  if (cluster_.mode != cluster_mode::lockstep) return set_halted(false);
  const auto& cores = cluster_.cores;
  for (std::size_t i = cores.size(); i-- > 0;) {
    const int error = cores[i]->set_halted(false);
    if (error == 0) continue;
    while (++i < cores.size()) warn(cores[i]->set_halted(true), "core halt back failed");
    return error;
  }
  return 0;
}

int r5_core::halt() {
  if (cluster_.mode != cluster_mode::lockstep) return set_halted(true);
  const auto& cores = cluster_.cores;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    const int error = cores[i]->set_halted(true);
    if (error == 0) continue;
    while (i-- > 0) warn(cores[i]->set_halted(false), "core run back failed");
    return error;
  }
  return 0;
}

// ---- the cluster

int r5_cluster::probe(const k3_options& options) {
  const auto it = std::ranges::find_if(SOCS, [&](const soc_data& s) { return dev.node.is_compatible(s.compatible); });
  soc = &*it;  // matched by one of them
  const std::uint32_t wanted = dev.node.u32("ti,cluster-mode").value_or(static_cast<std::uint32_t>(soc->otherwise));
  mode = static_cast<cluster_mode>(wanted);
  if (wanted > static_cast<std::uint32_t>(cluster_mode::single_core) ||
      (mode == cluster_mode::single_cpu && !soc->single_cpu_mode) ||
      (mode == cluster_mode::single_core && !soc->one_core)) {
    log(log_level::err, fmt::format("Cluster mode = {} is not supported on this SoC", wanted));
    return -EINVAL;
  }
  std::vector<dt::node> children;
  for (const dt::node& child : dev.node.children()) {
    if (child.enabled()) children.push_back(child);
  }
  if (children.size() != (soc->one_core ? 1u : 2u)) {
    log(log_level::err, fmt::format("{} but num_cores is set to {}{}",
                                    soc->one_core ? "SoC supports only single core R5"
                                                  : "MCU cluster requires both R5F cores to be enabled",
                                    soc->one_core ? "" : "= ", children.size()));
    return -ENODEV;
  }
  for (const dt::node& child : children) {
    os::device* const core_dev = machine.find_device(child);
    if (core_dev == nullptr) {
      log(log_level::err, "could not get R5 core platform device");
      remove();
      return -ENODEV;
    }
    auto core = std::make_unique<r5_core>(*this, *core_dev, options);
    if (const int error = core->probe_core(); error != 0) {
      remove();
      return error;
    }
    cores.push_back(std::move(core));
  }
  // The mode may become another one while the first core is looked at.
  for (std::size_t i = 0; i < cores.size() && (i == 0 || !one_processor()); ++i) {
    if (const int error = cores[i]->probe_rproc(); error != 0) {
      log(log_level::err, fmt::format("k3_r5_cluster_rproc_init failed, ret = {}", error));
      remove();
      return error;
    }
  }
  return 0;
}

void r5_cluster::remove() {
  for (const auto& core : cores | std::views::reverse) core->remove();
}

}  // namespace

os::platform_driver k3_r5_driver(os::machine& machine, k3_options options) {
  check_shutdown_variant(options);
  std::vector<std::string> compatible;
  for (const soc_data& s : SOCS) compatible.emplace_back(s.compatible);
  return {
      .name = "k3_r5_rproc",
      .compatible = std::move(compatible),
      .probe =
          [&machine, options = std::move(options)](os::device& dev) {
            auto cluster = std::make_shared<r5_cluster>(machine, dev);
            const int error = cluster->probe(options);
            if (error == 0) dev.driver_data = std::move(cluster);
            return error;
          },
      .remove = [](os::device& dev) { static_cast<r5_cluster*>(dev.driver_data.get())->remove(); },
  };
}

}  // namespace rpsim::drivers
