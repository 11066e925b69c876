#include "host_sw/remoteproc/remoteproc.h"

#include <algorithm>

#include "host_sw/remoteproc/coredump.h"
#include "host_sw/remoteproc/elf_loader.h"
#include "host_sw/remoteproc/histories.h"
#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

const char* to_string(rproc_state s) {
  switch (s) {
    case rproc_state::offline:
      return "offline";
    case rproc_state::suspended:
      return "suspended";
    case rproc_state::running:
      return "running";
    case rproc_state::crashed:
      return "crashed";
    case rproc_state::attached:
      return "attached";
    case rproc_state::detached:
      return "detached";
    case rproc_state::deleted:
      return "deleted";
  }
  return "invalid";
}

namespace {

const char* crash_name(crash_type t) {
  switch (t) {
    case crash_type::mmufault:
      return "mmufault";
    case crash_type::watchdog:
      return "watchdog";
    case crash_type::fatal_error:
      return "fatal error";
  }
  return "unknown";
}

rproc_ops with_defaults(rproc_ops ops) {
  if (!ops.coredump) ops.coredump = coredump;
  // All five or none: a driver's own parse_fw without a load of its own is overwritten (§1.1).
  if (!ops.load) {
    ops.load = elf::load_segments;
    ops.parse_fw = elf::load_rsc_table;
    ops.find_loaded_rsc_table = elf::find_loaded_rsc_table;
    ops.sanity_check = elf::sanity_check;
    ops.get_boot_addr = elf::get_boot_addr;
  }
  return ops;
}

}  // namespace

rproc::impl::impl(os::machine& m, os::device& p, std::string n, rproc_ops o, std::string fw, core_options options)
    : machine(m),
      os(m.os()),
      parent(p),
      sys(subsystem::of(m)),
      identity(sys->next_identity++),
      index(sys->rprocs.get()),
      name(std::move(n)),
      dev_name(fmt::format("remoteproc{}", index)),
      log_name("remoteproc " + dev_name),
      firmware_name(fw.empty() ? "rproc-" + name + "-fw" : std::move(fw)),
      ops(with_defaults(std::move(o))),
      history_name(options.history),
      past(make_history(history_name)),
      lock(os, dev_name),
      table(os),
      crash_work([this] { handle_crash(); }),
      attach_work([this] { boot(); }),
      // The image that was fetched for the start is not used: the boot asks for it again.
      boot_work([this] {
        firmware unused;
        request_firmware(unused);
        boot();
      }) {}

rproc::impl::~impl() { sys->rprocs.put(index); }

int rproc::impl::call(std::string_view op, const std::function<int(rproc&)>& f) {
  if (!f) return 0;
  if (self == nullptr) os.oops("driver-gone", fmt::format("{} op of a driver that was removed", op));
  const int result = f(*self);
  report_op(op, result);
  return result;
}

void rproc::impl::report_op(std::string_view op, int result) {
  emit("rproc.op", {{"op", op}, {"result", os::errno_name(result)}});
}

void rproc::impl::set_state(rproc_state s) {
  emit("rproc.state", {{"from", to_string(state)}, {"to", to_string(s)}});
  state = s;
}

std::uint64_t rproc::impl::da_to_pa(std::uint64_t da, std::size_t len) const {
  if (ops.da_to_pa && self != nullptr) {
    if (const std::uint64_t pa = ops.da_to_pa(*self, da, len); pa != 0) return pa;
  }
  for (const carveout& c : carveouts) {
    // Linux keeps the distance in an int and compares it with lengths as unsigned.
    const auto offset = static_cast<std::int32_t>(static_cast<std::uint32_t>(da - c.da));
    if (c.pa == 0 || offset < 0) continue;
    if (static_cast<std::uint64_t>(offset) + len > c.len) continue;
    return c.pa + static_cast<std::uint64_t>(offset);
  }
  return 0;
}

int rproc::impl::request_firmware(firmware& fw) {
  os.busy(sys->firmware_request.time());
  int error = 0;
  if (firmware_name.empty()) return -EINVAL;
  if (("/" + firmware_name + "/").find("/../") != std::string::npos) {
    log(os::log_level::warning, "Firmware load for '{}' refused, path contains '..' component", firmware_name);
    return -EINVAL;
  }
  fw = machine.fs().content("/lib/firmware/" + firmware_name);
  if (fw == nullptr) error = -ENOENT;
  if (fw != nullptr && fw->empty()) error = -EINVAL;
  if (error != 0) log(os::log_level::warning, "Direct firmware load for {} failed with error {}", firmware_name, error);
  return error;
}

// ---- subdevices

int rproc::impl::prepare_subdevices() {
  for (auto it = subdevs.begin(); it != subdevs.end(); ++it) {
    if (!(*it)->prepare) continue;
    const int error = (*it)->prepare();
    if (error == 0) continue;
    while (it != subdevs.begin()) {
      --it;
      if ((*it)->unprepare) (*it)->unprepare();
    }
    return error;
  }
  return 0;
}

int rproc::impl::start_subdevices() {
  for (auto it = subdevs.begin(); it != subdevs.end(); ++it) {
    if (!(*it)->start) continue;
    const int error = (*it)->start();
    if (error == 0) continue;
    while (it != subdevs.begin()) {
      --it;
      if ((*it)->stop) (*it)->stop(true);
    }
    return error;
  }
  subdevs_started = true;
  return 0;
}

void rproc::impl::stop_subdevices(bool crashed) {
  if (!subdevs_started && past->stops_only_started_subdevices()) return;
  for (auto it = subdevs.rbegin(); it != subdevs.rend(); ++it) {
    if ((*it)->stop) (*it)->stop(crashed);
  }
  subdevs_started = false;
}

void rproc::impl::unprepare_subdevices() {
  for (auto it = subdevs.rbegin(); it != subdevs.rend(); ++it) {
    if ((*it)->unprepare) (*it)->unprepare();
  }
}

// ---- the resource table's copies (§1.8 s2, §1.9 a3, §1.10)

void rproc::impl::free_clean_table() {
  if (clean_table_dangling) os.oops("H4", "clean_table is freed twice");
  if (clean_table == nullptr) return;
  clean_table.reset();
  past->clean_table_freed(*this);
}

int rproc::impl::set_rsc_table() {
  const live_table found = ops.get_loaded_rsc_table ? ops.get_loaded_rsc_table(*self) : live_table{};
  if (found.error != 0) {
    err("can't load resource table: {}", found.error);
    return found.error;
  }
  if (found.pa == 0) return past->no_table_at_attach(*this);

  past->take_clean_copy(*this, found);
  cached_table.reset();
  table.point_to_live(found.pa);
  table_sz = found.size;
  emit("rproc.table", {{"what", "attached"}, field::hex("pa", found.pa), {"size", found.size}});
  return 0;
}

rsc::table_pointer rproc::impl::use_scratch_table() {
  rsc::table_pointer installed = table;
  cached_table = std::make_shared<std::vector<std::byte>>(table.copy(0, table_sz));
  table = cached_table;
  return installed;
}

void rproc::impl::restore_clean_table(rsc::table_pointer& installed) {
  if (clean_table_dangling) os.oops("H4", "the resource table is restored from a clean_table that was freed");
  installed.write(0, std::span(*clean_table).first(std::min(table_sz, clean_table->size())));
  emit("rproc.table", {{"what", "restored"}, field::hex("pa", installed.pa()), {"size", table_sz}});
  free_clean_table();
}

int rproc::impl::reset_rsc_table_on_detach() {
  if (!table) return 0;
  if (clean_table == nullptr && !clean_table_dangling) {
    log(os::log_level::warning, "WARNING: detach without a clean copy of the resource table");
    return -EINVAL;
  }
  rsc::table_pointer installed = use_scratch_table();
  restore_clean_table(installed);
  return 0;
}

int rproc::impl::reset_rsc_table_on_stop() {
  if (!table) return 0;
  if (cached_table == nullptr) {
    use_scratch_table();
    free_clean_table();
  }
  table = cached_table;
  return 0;
}

// ---- start and attach

int rproc::impl::start(const firmware& fw) {
  int error = ops.load ? ops.load(*self, fw) : -EINVAL;
  report_op("load", error);
  if (error != 0) {
    err("Failed to load program segments: {}", error);
    return error;
  }

  if (const std::uint64_t pa = ops.find_loaded_rsc_table ? ops.find_loaded_rsc_table(*self, fw) : 0; pa != 0) {
    if (table_sz != 0) {
      if (cached_table == nullptr) {
        os.oops(crashed_in == rproc_state::detached ? "H3" : "no-cached-table",
                "copy of a resource table that was never cached");
      }
      if (cached_table->size() < table_sz) os.oops("table-overread", "copy of more than the cached resource table");
      os.memcpy_toio(pa, cached_table->data(), table_sz);
    }
    table.point_to_live(pa);
    emit("rproc.table", {{"what", "loaded"}, field::hex("pa", pa), {"size", table_sz}});
  }

  error = prepare_subdevices();
  if (error != 0) {
    err("failed to prepare subdevices for {}: {}", name, error);
    table = cached_table;
    return error;
  }

  error = call("start", ops.start);
  if (error != 0) {
    err("can't start rproc {}: {}", name, error);
    unprepare_subdevices();
    table = cached_table;
    return error;
  }

  error = start_subdevices();
  if (error != 0) {
    err("failed to probe subdevices for {}: {}", name, error);
    call("stop", ops.stop);
    unprepare_subdevices();
    table = cached_table;
    return error;
  }

  set_state(rproc_state::running);
  log(os::log_level::info, "remote processor {} is now up", name);
  return 0;
}

int rproc::impl::attach_device() {
  int error = prepare_subdevices();
  if (error != 0) {
    err("failed to prepare subdevices for {}: {}", name, error);
    return error;
  }

  error = call("attach", ops.attach);
  if (error != 0) {
    err("can't attach to rproc {}: {}", name, error);
    unprepare_subdevices();
    return error;
  }

  error = start_subdevices();
  if (error != 0) {
    err("failed to probe subdevices for {}: {}", name, error);
    past->subdevices_failed_in_attach(*this);
    unprepare_subdevices();
    return error;
  }

  set_state(rproc_state::attached);
  log(os::log_level::info, "remote processor {} is now attached", name);
  return 0;
}

int rproc::impl::fw_boot(const firmware& fw) {
  if (ops.sanity_check) {
    const int error = ops.sanity_check(*self, fw);
    report_op("sanity_check", error);
    if (error != 0) return error;
  }
  log(os::log_level::info, "Booting fw image {}, size {}", firmware_name, fw->size());

  attached_life = false;
  int error = prepare_device();
  if (error != 0) {
    err("can't prepare rproc {}: {}", name, error);
    past->prepare_failed(*this);
    return error;
  }

  boot_address = ops.get_boot_addr ? ops.get_boot_addr(*self, fw) : 0;
  if (ops.parse_fw) {
    error = ops.parse_fw(*self, fw);
    report_op("parse_fw", error);
    if (error != 0) {
      past->prepare_failed(*this);
      unprepare_device();
      return error;
    }
  }

  max_notifyid = -1;
  nb_vdev = 0;
  error = handle_resources();
  if (error != 0) {
    err("Failed to process resources: {}", error);
  } else if (error = alloc_registered_carveouts(); error != 0) {
    err("Failed to allocate associated carveouts: {}", error);
  } else {
    error = start(fw);
  }
  if (error == 0) return 0;

  release_resources();
  return error;
}

int rproc::impl::attach() {
  using step = history::attach_step;
  int error = past->prepare_for_attach(*this);
  if (error != 0) {
    err("can't prepare rproc {}: {}", name, error);
    past->prepare_failed(*this);
    return error;
  }

  attached_life = true;
  step at = step::table;
  error = set_rsc_table();
  if (error != 0) {
    err("can't load resource table: {}", error);
  } else {
    max_notifyid = -1;
    nb_vdev = 0;
    if (at = step::resources, error = handle_resources(); error != 0) {
      err("Failed to process resources: {}", error);
    } else if (at = step::carveouts, error = alloc_registered_carveouts(); error != 0) {
      err("Failed to allocate associated carveouts: {}", error);
    } else {
      at = step::device;
      error = attach_device();
    }
  }
  if (error == 0) return 0;
  const std::uint64_t live = at == step::table ? 0 : table.pa();
  past->attach_failed(*this, at);
  if (live != 0) emit("rproc.table", {{"what", "given-up"}, field::hex("pa", live), {"size", table_sz}});
  return error;
}

// ---- stop and detach

int rproc::impl::stop_device(bool crashed) {
  if (!ops.stop) return -EINVAL;
  stop_subdevices(crashed);

  int error = past->reset_table_before_stop_op(*this);
  if (error != 0) {
    err("can't reset resource table: {}", error);
    return error;
  }
  error = call("stop", ops.stop);
  if (error != 0) {
    err("can't stop rproc: {}", error);
    return error;
  }
  unprepare_subdevices();
  set_state(rproc_state::offline);
  log(os::log_level::info, "stopped remote processor {}", name);
  return 0;
}

int rproc::impl::detach_device() {
  if (!ops.detach) return -EINVAL;
  stop_subdevices(false);

  int error = past->reset_table_before_detach_op(*this);
  if (error != 0) {
    err("can't reset resource table: {}", error);
    return error;
  }
  error = call("detach", ops.detach);
  if (error != 0) {
    err("can't detach from rproc: {}", error);
    past->detach_op_failed(*this);
    return error;
  }
  unprepare_subdevices();
  set_state(rproc_state::detached);
  log(os::log_level::info, "detached remote processor {}", name);
  return 0;
}

void rproc::impl::resource_cleanup() {
  for (const trace_buffer& t : traces) machine.fs().remove(t.path);
  traces.clear();
  for (; !carveouts.empty(); carveouts.pop_front()) release_carveout(carveouts.front());
  while (!vdevs.empty()) {
    const std::shared_ptr<vdev> v = vdevs.front();
    v->remove();
    vdevs.pop_front();
  }
  dump_segments.clear();
}

void rproc::impl::release_firmware() {
  if (ops.release_fw && self != nullptr) ops.release_fw(*self);
}

void rproc::impl::release_resources() {
  resource_cleanup();
  unprepare_device();
  past->free_tables(*this);
}

// ---- boot, shutdown, detach

int rproc::impl::boot() {
  if (const int error = lock.lock_interruptible(); error != 0) {
    err("can't lock rproc {}: {}", name, error);
    return error;
  }
  const os::mutex_guard guard(lock, std::adopt_lock);
  if (deleting) {
    err("can't boot deleting rproc {}", name);
    return -ENODEV;
  }
  if (++power > 1) return 0;  // H9, H1

  int error = 0;
  if (state == rproc_state::detached) {
    log(os::log_level::info, "attaching to {}", name);
    error = attach();
  } else {
    log(os::log_level::info, "powering up {}", name);
    firmware fw;
    error = request_firmware(fw);
    if (error != 0) {
      err("request_firmware failed: {}", error);
    } else {
      error = fw_boot(fw);
      if (error != 0) release_firmware();
    }
  }
  if (error != 0) --power;
  return error;
}

int rproc::impl::shutdown() {
  if (const int error = lock.lock_interruptible(); error != 0) {
    err("can't lock rproc {}: {}", name, error);
    return past->shutdown_result(error);
  }
  const os::mutex_guard guard(lock, std::adopt_lock);
  if (const int error = past->refuse_shutdown(state); error != 0) return error;
  if (--power != 0) return past->shutdown_result(past->other_users());

  int error = stop_device(state == rproc_state::crashed);
  if (error == 0) {
    resource_cleanup();
    error = past->unprepare_after_stop(*this);
  }
  if (error != 0) {
    ++power;
    return past->shutdown_result(error);
  }
  release_firmware();
  past->free_tables(*this);
  table_sz = 0;
  past->stopped();
  return 0;
}

int rproc::impl::detach() {
  if (const int error = lock.lock_interruptible(); error != 0) {
    err("can't lock rproc {}: {}", name, error);
    return error;
  }
  const os::mutex_guard guard(lock, std::adopt_lock);
  if (const int error = past->refuse_detach(state); error != 0) return error;
  if (--power != 0) return past->other_users();

  int error = detach_device();
  if (error == 0) error = past->detached(*this);
  if (error == 0) {
    resource_cleanup();
    error = past->unprepare_after_detach(*this);
  }
  if (error != 0) {
    ++power;
    return error;
  }
  past->free_tables(*this);
  return 0;
}

int rproc::impl::set_firmware(std::string_view text) {
  if (const int error = lock.lock_interruptible(); error != 0) {
    err("can't lock rproc {}: {}", name, error);
    return -EINVAL;
  }
  const os::mutex_guard guard(lock, std::adopt_lock);
  if (state != rproc_state::offline) {
    err("can't change firmware while running");
    return -EBUSY;
  }
  text = text.substr(0, text.find('\0'));
  text = text.substr(0, text.find('\n'));
  if (text.empty()) {
    err("can't provide empty string for firmware name");
    return -EINVAL;
  }
  firmware_name = text;
  return 0;
}

// ---- crash and recovery

void rproc::impl::report_crash(crash_type type) {
  if (deleting && past->removal_stops_recovery()) return;
  emit("rproc.crash", {{"type", crash_name(type)}});
  os.schedule_work(crash_work);
  err("crash detected in {}: type {}", name, crash_name(type));
}

void rproc::impl::handle_crash() {
  {
    const os::mutex_guard guard(lock);
    if ((deleting && past->removal_stops_recovery()) || past->ignores_crash_in(state)) return;
    if (state == rproc_state::crashed) return past->crashed_again(*this);
    crashed_in = state;
    set_state(rproc_state::crashed);
    err("handling crash #{} in {}", ++crash_count, name);
  }
  if (!recovery_disabled) trigger_recovery();
}

int rproc::impl::trigger_recovery() {
  if (const int error = lock.lock_interruptible(); error != 0) return error;
  const os::mutex_guard guard(lock, std::adopt_lock);
  if (deleting && past->removal_stops_recovery()) return -ENODEV;
  if (state != rproc_state::crashed) return 0;
  err("recovering {}", name);
  const int error = attach_on_recovery && past->attaches_on_recovery() ? attach_recovery() : boot_recovery();
  emit("rproc.recovery", {{"result", os::errno_name(error)}});
  return error;
}

int rproc::impl::boot_recovery() {
  int error = stop_device(true);
  if (error != 0) return error;
  ops.coredump(*self);

  firmware fw;
  error = request_firmware(fw);
  if (error != 0) {
    err("request_firmware failed: {}", error);
  } else {
    error = past->restart(*this, fw);
    if (error != 0) release_firmware();
  }
  if (error != 0) past->recovery_failed(*this);
  return error;
}

int rproc::impl::attach_recovery() {
  if (const int error = detach_device(); error != 0) return error;
  release_resources();
  return attach();
}

// ---- registration

int rproc::impl::validate() const {
  if (state == rproc_state::offline) return ops.start ? 0 : -EINVAL;
  if (state == rproc_state::detached) return ops.attach && cached_table == nullptr ? 0 : -EINVAL;
  return -EINVAL;
}

int rproc::impl::add() {
  if (const int error = validate(); error != 0) return error;
  add_cdev();
  add_sysfs();
  log(os::log_level::info, "{} is available", name);
  add_debugfs();
  if (auto_boot) {
    if (state == rproc_state::detached) {
      if (const int error = past->auto_attach(*this); error != 0) {
        if (past->undoes_failed_add()) unregister();
        return error;
      }
    } else {
      os.schedule_work(boot_work);
    }
  }
  sys->published.push_back(this);
  return 0;
}

int rproc::impl::del() {
  const int result = past->power_off_for_removal(*this);
  std::erase(sys->published, this);
  unregister();
  // Linux leaves these to find the removal noticed; here they must not outlive the object.
  for (os::work* w : {&crash_work, &attach_work, &boot_work}) os.cancel_work_sync(*w);
  return result;
}

void rproc::impl::unregister() {
  remove_debugfs();
  remove_sysfs();
  remove_cdev();
}

void rproc::impl::rests_on(std::string_view topic) {
  const auto found = std::ranges::find(histories(), history_name, &history_description::name);
  if (std::ranges::find(found->rests_on, topic, &unconfirmed::topic) == found->rests_on.end()) return;
  emit("rproc.unconfirmed", {{"history", history_name}, {"topic", topic}});
}

// ---- public face

rproc::rproc(std::shared_ptr<impl> i) : impl_(std::move(i)) { impl_->self = this; }

std::unique_ptr<rproc> rproc::alloc(os::machine& machine, os::device& parent, std::string name, rproc_ops ops,
                                    std::string firmware, core_options options) {
  return std::unique_ptr<rproc>(new rproc(std::make_shared<impl>(machine, parent, std::move(name), std::move(ops),
                                                                 std::move(firmware), std::move(options))));
}

rproc::~rproc() {
  std::erase(impl_->sys->published, impl_.get());
  impl_->self = nullptr;
}

int rproc::add() { return impl_->add(); }
int rproc::del() { return impl_->del(); }
int rproc::boot() { return impl_->boot(); }
int rproc::shutdown() { return impl_->shutdown(); }
int rproc::detach() { return impl_->detach(); }
int rproc::set_firmware(std::string_view name) { return impl_->set_firmware(name); }
int rproc::trigger_recovery() { return impl_->trigger_recovery(); }
void rproc::report_crash(crash_type type) { impl_->report_crash(type); }
void rproc::rests_on(std::string_view topic) { impl_->rests_on(topic); }

os::irqreturn rproc::vq_interrupt(int notifyid) {
  const auto it = impl_->notifyids.find(notifyid);
  if (it == impl_->notifyids.end()) return os::irqreturn::none;
  // Kept while its callback runs: a stop can delete the queue meanwhile.
  const std::shared_ptr<virtio::virtqueue> queue = it->second->queue;
  return queue == nullptr ? os::irqreturn::none : queue->interrupt();
}

unsigned long rproc::panic(os::machine& machine) {
  unsigned long longest = 0;
  for (impl* r : subsystem::of(machine)->published) {
    if (!r->ops.panic || (r->state != rproc_state::running && r->state != rproc_state::attached)) continue;
    longest = std::max(longest, r->ops.panic(*r->self));
  }
  return longest;
}

void rproc::set_detached() { impl_->set_state(rproc_state::detached); }
void rproc::set_auto_boot(bool on) { impl_->auto_boot = on; }
void rproc::set_recovery_disabled(bool on) { impl_->recovery_disabled = on; }
void rproc::set_sysfs_read_only(bool on) { impl_->sysfs_read_only = on; }
void rproc::set_attach_on_recovery(bool on) { impl_->attach_on_recovery = on; }
void rproc::set_dma_pool(dt::region region) { impl_->pool = impl_->pool_of(region); }
void rproc::add_subdev(subdev& s) { impl_->subdevs.push_back(&s); }
void rproc::remove_subdev(subdev& s) { std::erase(impl_->subdevs, &s); }

void rproc::add_carveout(std::string name, std::uint64_t pa, std::uint32_t da, std::size_t len) {
  impl_->register_carveout({.name = std::move(name), .pa = pa, .dma = pa, .len = len, .da = da});
}

void rproc::add_reserved_carveout(std::string name, unsigned index, std::uint32_t da, std::size_t len) {
  impl_->register_carveout({.name = std::move(name), .len = len, .da = da, .reserved_memory = index});
}

void rproc::coredump_add_segment(std::uint64_t da, std::size_t size) {
  impl_->dump_segments.push_back({da, size, {}, {}});
}

void rproc::coredump_add_traces() {
  for (const trace_buffer& t : impl_->traces) {
    if (std::ranges::find(impl_->dump_segments, t.da, &dump_segment::da) == impl_->dump_segments.end()) {
      coredump_add_segment(t.da, t.len);
    }
  }
}

void rproc::coredump_add_custom_segment(std::uint64_t da, std::size_t size, dump_function dump, std::string name) {
  impl_->dump_segments.push_back({da, size, std::move(dump), std::move(name)});
}

int rproc::coredump_set_elf_info(int elf_class, unsigned machine) {
  if (elf_class != 1 && elf_class != 2) return -EINVAL;
  impl_->elf_class = elf_class;
  impl_->elf_machine = static_cast<std::uint16_t>(machine);
  return 0;
}

const std::string& rproc::name() const { return impl_->name; }
unsigned rproc::index() const { return impl_->index; }
os::mutex& rproc::lock() { return impl_->lock; }
rproc_state rproc::state() const { return impl_->state; }
int rproc::power() const { return impl_->power; }
int rproc::max_notifyid() const { return impl_->max_notifyid; }
std::uint64_t rproc::boot_address() const { return impl_->boot_address; }
os::device& rproc::parent() const { return impl_->parent; }
os::machine& rproc::machine() const { return impl_->machine; }
std::uint64_t rproc::da_to_pa(std::uint64_t da, std::size_t len) const { return impl_->da_to_pa(da, len); }

}  // namespace rpsim::remoteproc
