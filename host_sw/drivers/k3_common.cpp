#include "host_sw/drivers/k3_common.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "host_sw/drivers/rp_mbox.h"

namespace rpsim::drivers {

using os::log_level;
using remoteproc::rproc_state;

namespace {

/// An IPC-only core's table is at the base of memory-region 1 and taken to be this long (reference/k3.md §4.5).
constexpr std::size_t LOADED_TABLE_BYTES = 256;
/// TI's kernel, ti_k3_common.c: how long a core has to answer SUSPEND_SYSTEM.
constexpr unsigned SUSPEND_TIMEOUT_MS = 5000;

// The vendor entry with which firmware declares that it answers SHUTDOWN: modelled on the i.MX DSP's, assumed.
constexpr std::uint32_t VENDOR_RESOURCE = 128;
constexpr std::string_view VENDOR_MAGIC = "rpsm";
constexpr std::uint32_t VENDOR_VERSION = 0, VENDOR_ANSWERS_SHUTDOWN = 1u << 0;
constexpr std::size_t VENDOR_BYTES = 16;  // length, magic, version, features

std::uint32_t word_at(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

const shutdown_policy& policy_of(const std::string& name) {
  const shutdown_policy* p = find_shutdown_policy(name);
  if (p == nullptr) {
    throw std::invalid_argument(
        fmt::format("no shutdown variant \"{}\" (there are: {})", name, fmt::join(shutdown_policy_names(), ", ")));
  }
  return *p;
}

}  // namespace

k3_rproc::k3_rproc(os::machine& machine, os::device& dev, const k3_core_data& data, const k3_options& options)
    : machine_(machine),
      dev_(dev),
      data_(data),
      options_(options),
      policy_(policy_of(options.shutdown)),
      shutdown_acked_(machine.os()),
      suspend_answered_(machine.os()) {}

// ---------------------------------------------------------------------------------------------------- probe, remove

int k3_rproc::fail(int error, const std::string& text) {
  log(error == -os::EPROBE_DEFER ? log_level::debug : log_level::err,
      fmt::format("error -{}: {}", os::errno_name(error), text));
  return error;
}

int k3_rproc::probe() {
  const int error = probe_core();
  return error != 0 ? error : probe_rproc();
}

int k3_rproc::probe_core() {
  const int error = acquire_core();
  if (error != 0) release_all();
  return error;
}

int k3_rproc::probe_rproc() {
  const int error = acquire_rproc();
  if (error != 0) release_all();
  return error;
}

int k3_rproc::acquire_core() {
  const dt::node& node = dev_.node;
  const auto sci_node = node.phandles("ti,sci");
  sci_ = sci_node.empty() ? nullptr : machine_.provider_of<ti_sci>(sci_node[0]);
  if (sci_ == nullptr) return fail(sci_node.empty() ? -ENODEV : -os::EPROBE_DEFER, "failed to get ti-sci handle");
  const auto device_id = node.u32("ti,sci-dev-id");
  if (!device_id) return fail(-EINVAL, "missing 'ti,sci-dev-id' property");
  device_id_ = *device_id;
  int error = 0;
  reset_ = reset_control_get(machine_, node, error);
  if (reset_ == nullptr) return fail(error, "failed to get reset");
  const auto processor = node.cells("ti,sci-proc-ids");
  if (processor.size() < 2) return fail(-EINVAL, "failed to construct ti-sci proc control");
  processor_id_ = static_cast<std::uint8_t>(processor[0]);

  error = sci_->proc_request(processor_id_);
  if (error != 0) {
    log(log_level::err, fmt::format("ti-sci processor request failed: {}", error));
    return fail(error, "ti_sci_proc_request failed");
  }
  on_release([this] {
    if (const int e = sci_->proc_release(processor_id_); e != 0) {
      log(log_level::err, fmt::format("ti-sci processor release failed: {}", e));
    }
  });
  return get_memories();
}

int k3_rproc::find_mode(mode& m) {
  // A core that is powered is taken for a running one, even if it is held in reset or dead (reference/k3.md §4.4).
  bool requested = false, on = false;
  const int error = sci_->is_on(device_id_, requested, on);
  if (error != 0) return fail(error, "failed to get initial state, mode cannot be determined");
  m = on ? mode::ipc_only : mode::remoteproc;
  return 0;
}

int k3_rproc::acquire_rproc() {
  const auto firmware = dev_.node.string("firmware-name");
  if (!firmware) return fail(-EINVAL, "failed to parse firmware-name property");
  int error = 0;
  const auto get_channel = [&] {
    if (policy_.frees_channel) return 0;
    const int e = open_channel();
    return e != 0 ? fail(e, "mbox_request_channel failed") : 0;
  };
  if (data_.mailbox_first && (error = get_channel()) != 0) return error;
  mode m = mode::remoteproc;
  if (error = find_mode(m); error != 0) {
    free_mailbox();
    return error;
  }
  log(log_level::info,
      fmt::format("configured {} for {} mode", data_.label, m == mode::ipc_only ? "IPC-only" : "remoteproc"));

  rproc_ = remoteproc::rproc::alloc(machine_, dev_, dev_.name, make_ops(m), *firmware, options_.core);
  if (rproc_ == nullptr) return -ENOMEM;
  on_release([this] { rproc_.reset(); });
  rproc_->set_recovery_disabled(!options_.report_crashes);
  rproc_->set_auto_boot(options_.auto_boot);
  if (m == mode::ipc_only) rproc_->set_detached();
  // 6.12's M4F driver never frees its channel, so that a second bind fails with EBUSY; later ones do, and so does this.
  if (!data_.mailbox_first) on_release([this] { free_mailbox(); });
  if (error = get_reserved_memory(); error != 0) {
    free_mailbox();
    return fail(error, "reserved memory init failed");
  }
  if (!data_.mailbox_first && (error = get_channel()) != 0) return error;
  if (policy_.suspends && m == mode::remoteproc) {
    const unsigned token = machine_.add_pm_notifier([this](os::pm_event e) {
      if (e == os::pm_event::suspend_prepare) return suspend_prepare();
      post_suspend();
      return 0;
    });
    on_release([this, token] { machine_.remove_pm_notifier(token); });
  }
  error = rproc_->add();
  if (error != 0) {
    free_mailbox();
    return fail(error, "failed to register device with remoteproc core");
  }
  on_release([this] { rproc_->del(); });
  if (data_.mailbox_first) on_release([this] { free_mailbox(); });
  return 0;
}

void k3_rproc::remove() {
  if (rproc_ != nullptr && rproc_->state() == rproc_state::attached) {
    if (const int error = rproc_->detach(); error != 0) {
      log(log_level::err, fmt::format("failed to detach proc, ret = {}", error));
    }
  }
  release_all();
}

void k3_rproc::release_all() {
  while (!releases_.empty()) {
    const auto undo = std::move(releases_.back());
    releases_.pop_back();
    undo();
  }
}

int k3_rproc::get_memories() {
  for (const auto& m : data_.memories) {
    const auto window = dev_.node.reg(m.name);
    if (!window) {
      log(log_level::err, fmt::format("found no memory resource for {}", m.name));
      return -EINVAL;
    }
    memories_.push_back({window->base, m.device_address, window->size});
  }
  return 0;
}

int k3_rproc::get_reserved_memory() {
  const auto regions = dev_.node.phandles("memory-region");
  if (regions.size() < 2) {
    log(log_level::err,
        fmt::format("device needs at least two memory regions to be defined, num = {}", regions.size()));
    return -EINVAL;
  }
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const auto windows = regions[i].reg();
    if (windows.empty()) return -EINVAL;
    if (i == 0) {
      dma_pool_ = windows[0];
      rproc_->set_dma_pool(dma_pool_);
    } else {
      reserved_.push_back({windows[0].base, static_cast<std::uint32_t>(windows[0].base), windows[0].size});
    }
  }
  return 0;
}

remoteproc::rproc_ops k3_rproc::make_ops(mode m) {
  using remoteproc::rproc;
  remoteproc::rproc_ops ops;
  if (!data_.ops_of_mode || m == mode::remoteproc) {
    // Without a local reset nothing can be powered and yet held.
    if (data_.uses_local_reset) {
      ops.prepare = [this](rproc&) {
        answers_shutdown_ = false;  // until the resource table says so
        return prepare();
      };
      ops.unprepare = [this](rproc&) { return unprepare(); };
    }
    ops.start = [this](rproc&) { return start(); };
    ops.stop = [this](rproc&) { return stop(); };
  }
  if (!data_.ops_of_mode || m == mode::ipc_only) {
    ops.attach = [this](rproc&) { return attach(); };
    ops.detach = [this](rproc&) { return detach(); };
    ops.get_loaded_rsc_table = [this](rproc&) { return loaded_table(); };
  }
  ops.kick = [this](rproc&, int vqid) { kick(vqid); };
  ops.da_to_pa = [this](rproc&, std::uint64_t da, std::size_t len) { return da_to_pa(da, len); };
  if (policy_.reads_capability) {
    ops.handle_rsc = [this](rproc&, std::uint32_t type, std::span<const std::byte> payload, std::size_t) {
      return handle_resource(type, payload);
    };
  }
  return ops;
}

// ----------------------------------------------------------------------------------------------------------- mailbox

int k3_rproc::request_mailbox() {
  client_ = {.device = dev_.name, .rx_callback = [this](const mbox_message& m) { receive(m.word_at(0)); }};
  int error = 0;
  mbox_ = mbox_request_channel(machine_, dev_.node, client_, 0, error);
  return error;
}

void k3_rproc::free_mailbox() {
  if (mbox_ != nullptr) mbox_free_channel(*std::exchange(mbox_, nullptr));
}

void k3_rproc::receive(std::uint32_t word) {
  const std::string& name = dev_.name;  // the processor's, too
  log(log_level::debug, fmt::format("mbox msg: 0x{:x}", word));
  switch (word) {
    case rp_mbox::CRASH:
      log(log_level::err, fmt::format("K3 rproc {} crashed", name));
      if (options_.report_crashes && rproc_ != nullptr) rproc_->report_crash(remoteproc::crash_type::fatal_error);
      return;
    case rp_mbox::ECHO_REPLY:
      log(log_level::info, fmt::format("received echo reply from {}", name));
      return;
    case rp_mbox::SHUTDOWN_ACK:
      if (!policy_.asks) break;
      log(log_level::debug, fmt::format("received shutdown_ack from {}", name));
      shutdown_acked_.complete();
      return;
    case rp_mbox::SUSPEND_ACK:
    case rp_mbox::SUSPEND_AUTO:
    case rp_mbox::SUSPEND_CANCEL:
      if (!policy_.suspends) break;
      suspend_answer_ = word;
      suspend_answered_.complete();
      return;
    default:
      break;
  }
  const std::uint32_t end = policy_.asks ? rp_mbox::END_SHUTDOWN : rp_mbox::END_MAINLINE;
  if (word >= rp_mbox::READY && word < end) return;  // known, of no interest
  if (rproc_ == nullptr) return;                     // in the middle of probe: no ring could be meant
  // An unsigned comparison, as in Linux: before the first vring exists (-1) nothing is dropped here.
  if (word > static_cast<std::uint32_t>(rproc_->max_notifyid())) {
    log(log_level::debug, fmt::format("dropping unknown message 0x{:x}", word));
    return;
  }
  if (rproc_->vq_interrupt(static_cast<int>(word)) == os::irqreturn::none) {
    log(log_level::debug, fmt::format("no message was found in vqid {}", word));
  }
}

int k3_rproc::open_channel() {
  int error = request_mailbox();
  if (error == 0 && data_.mailbox_first && (error = ping()) != 0) free_mailbox();
  return error;
}

int k3_rproc::ping() {
  // Waits in the queue until the core has booted and looks.
  const int error = send(rp_mbox::ECHO_REQUEST);
  if (error >= 0) return 0;
  log(log_level::err, fmt::format("mbox_send_message failed: {}", error));
  return error;
}

void k3_rproc::kick(int vqid) {
  const int error = send(static_cast<std::uint32_t>(vqid));
  if (error < 0) log(log_level::err, fmt::format("failed to send mailbox message, status = {}", error));
}

// -------------------------------------------------------------------------------------------------- life-cycle hooks

int k3_rproc::reset() {
  const int error = data_.uses_local_reset ? reset_->assert_reset() : sci_->put_device(device_id_);
  if (error != 0) {
    log(log_level::err,
        fmt::format("{} assert failed, ret = {}", data_.uses_local_reset ? "local-reset" : "module-reset", error));
  }
  return error;
}

int k3_rproc::release() {
  const int error = data_.uses_local_reset ? reset_->deassert_reset() : sci_->get_device(device_id_);
  if (error != 0) {
    log(log_level::err,
        fmt::format("{} deassert failed, ret = {}", data_.uses_local_reset ? "local-reset" : "module-reset", error));
  }
  return error;
}

int k3_rproc::prepare() {
  if (rproc_->state() == rproc_state::detached || !data_.uses_local_reset) return 0;
  // The module is powered for loading while the CPU is held.
  if (const int error = reset_->assert_reset(); error != 0) {
    log(log_level::err, "could not assert local reset");
    return error;
  }
  if (const int asserted = reset_->status(); asserted <= 0) {
    log(log_level::err, "local reset still not asserted");
    return asserted;  // 0, success, where the reset is not asserted: as in Linux (reference/k3.md §4.4, quirk)
  }
  const int error = sci_->get_device(device_id_);
  if (error != 0) log(log_level::err, "could not deassert module-reset for internal RAM loading");
  return error;
}

int k3_rproc::unprepare() {
  if (rproc_->state() == rproc_state::detached || !data_.uses_local_reset) return 0;
  const int error = sci_->put_device(device_id_);
  if (error != 0) log(log_level::err, "module-reset assert failed");
  return error;
}

int k3_rproc::start() {
  if (policy_.frees_channel) {
    if (const int error = open_channel(); error != 0) {
      log(log_level::err, fmt::format("mbox_request_channel failed: {}", error));
      return error;
    }
  }
  int error = data_.mailbox_first ? 0 : ping();
  if (error == 0) error = run();
  if (error != 0 && policy_.frees_channel) free_mailbox();
  return error;
}

bool k3_rproc::wants_shutdown_request() const {
  if (!policy_.asks) return false;
  if (policy_.resets_crashed_unasked && rproc_->state() == rproc_state::crashed) return false;
  return !policy_.needs_capability || answers_shutdown_;
}

int k3_rproc::stop() {
  if (wants_shutdown_request()) {
    const shutdown_link link{
        .kernel = kernel(),
        .device = dev_.name,
        .acknowledged = shutdown_acked_,
        .send_shutdown = [this] { return send(rp_mbox::SHUTDOWN); },
        .in_wfi =
            [this] {
              ti_sci::processor_status status;
              return sci_->proc_get_status(processor_id_, status) == 0 && (status.status & ti_sci::STATUS_WFI) != 0;
            },
        .free_channel = [this] { free_mailbox(); },
        .handshake = [this](std::string_view phase, sc_core::sc_time limit) { handshake(phase, limit); },
    };
    if (const int error = shutdown_handshake(policy_, link); error != 0) return error;
  } else if (policy_.asks) {
    handshake("skipped");
  }
  const int error = halt();
  if (error != 0 && !policy_.ignores_reset_result) return error;
  answers_shutdown_ = false;
  return 0;
}

int k3_rproc::attach() {
  if (policy_.frees_channel) {
    if (const int error = open_channel(); error != 0) {
      log(log_level::err, fmt::format("mbox_request_channel failed: {}", error));
      return error;
    }
  }
  const int error = data_.mailbox_first ? 0 : ping();
  if (error != 0 && policy_.frees_channel) free_mailbox();
  return error;
}

int k3_rproc::detach() {
  if (policy_.frees_channel) free_mailbox();
  return 0;
}

std::uint64_t k3_rproc::da_to_pa(std::uint64_t da, std::size_t len) const {
  if (len == 0) return 0;
  const auto inside = [&](std::uint64_t base, std::uint64_t size) { return da >= base && da + len <= base + size; };
  for (const memory& m : memories_) {
    if (inside(m.device_address, m.size)) return m.bus_address + (da - m.device_address);
    if (inside(m.bus_address, m.size)) return da;
  }
  for (const memory& m : reserved_) {
    if (inside(m.device_address, m.size)) return m.bus_address + (da - m.device_address);
  }
  return 0;
}

remoteproc::live_table k3_rproc::loaded_table() const {
  return {.pa = reserved_.at(0).bus_address, .size = LOADED_TABLE_BYTES};
}

int k3_rproc::handle_resource(std::uint32_t type, std::span<const std::byte> payload) {
  constexpr int HANDLED = 0, IGNORED = 1;
  // `payload` reaches to the end of the table; length, magic and version come first.
  if (type != VENDOR_RESOURCE || payload.size() < 12) return IGNORED;
  if (std::memcmp(payload.data() + 4, VENDOR_MAGIC.data(), VENDOR_MAGIC.size()) != 0) return IGNORED;
  if (payload.size() < VENDOR_BYTES || word_at(payload, 0) != VENDOR_BYTES) {
    log(log_level::err, "vendor rsc entry has a wrong length");
    return -EINVAL;
  }
  if (word_at(payload, 8) != VENDOR_VERSION) {
    log(log_level::warning, fmt::format("vendor rsc entry of unknown version {}", word_at(payload, 8)));
    return IGNORED;
  }
  answers_shutdown_ = (word_at(payload, 12) & VENDOR_ANSWERS_SHUTDOWN) != 0;
  return HANDLED;
}

void k3_rproc::handshake(std::string_view phase, sc_core::sc_time limit) {
  const field fields[] = {
      {"phase", phase}, {"variant", policy_.name}, {"processor", unsigned{processor_id_}}, {"limit", limit}};
  kernel().events().emit(trace_level::protocol, fmt::format("remoteproc{}", rproc_->index()), "handshake",
                         {fields, limit == sc_core::SC_ZERO_TIME ? 3u : 4u});
}

// ------------------------------------------------------------------------------------------------------ system sleep

// The decisions are those of TI's kernel (ti_k3_common.c, 6.12 based); it takes them in its suspend_late callback,
// where older ones used the notifier as here. The state "suspended" that it writes into the core's state is a flag of
// this driver: what it shows in sysfs meanwhile is not modelled.

int k3_rproc::suspend_prepare() {
  if (rproc_->state() != rproc_state::running) return 0;
  suspend_answered_.reinit();
  if (const int error = send(rp_mbox::SUSPEND_SYSTEM); error < 0) {
    log(log_level::err, fmt::format("PM mbox_send_message failed: {}", error));
    return error;
  }
  if (suspend_answered_.wait_timeout(kernel().msecs_to_jiffies(SUSPEND_TIMEOUT_MS)) == 0) {
    // TI's kernel then only asks for the device to be kept on (PM QoS) and sleeps.
    log(log_level::err, "timedout waiting for rproc suspend ack");
    return 0;
  }
  switch (suspend_answer_) {
    case rp_mbox::SUSPEND_ACK:
      if (const int error = rproc_->shutdown(); error != 0) {
        log(log_level::err, fmt::format("rproc_shutdown failed, ret = {}", error));
        return -EBUSY;
      }
      suspended_ = true;
      return 0;
    case rp_mbox::SUSPEND_AUTO:  // stays on through the sleep
      suspended_ = true;
      return 0;
    default:
      log(log_level::err, fmt::format("received suspend_cancel from {}", rproc_->name()));
      return -EBUSY;
  }
}

void k3_rproc::post_suspend() {
  if (!std::exchange(suspended_, false)) return;
  bool requested = false, on = false;
  if (const int error = sci_->is_on(device_id_, requested, on); error != 0) {
    log(log_level::err, fmt::format("failed to get core status: {}", error));
    return;
  }
  if (on) return;
  reset();
  if (const int error = rproc_->boot(); error != 0)
    log(log_level::err, fmt::format("rproc_boot failed, ret = {}", error));
}

void check_shutdown_variant(const k3_options& options) { policy_of(options.shutdown); }

os::platform_driver k3_driver(std::string name, std::vector<std::string> compatible, const k3_options& options,
                              k3_maker make) {
  check_shutdown_variant(options);
  return {
      .name = std::move(name),
      .compatible = std::move(compatible),
      .probe =
          [make = std::move(make)](os::device& dev) {
            auto core = make(dev);
            const int error = core->probe();
            if (error == 0) dev.driver_data = std::move(core);
            return error;
          },
      .remove = [](os::device& dev) { static_cast<k3_rproc*>(dev.driver_data.get())->remove(); },
  };
}

}  // namespace rpsim::drivers
