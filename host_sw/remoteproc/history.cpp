#include "host_sw/remoteproc/history.h"

#include <stdexcept>

#include "host_sw/remoteproc/detach_series.h"
#include "host_sw/remoteproc/histories.h"
#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {

/// What threads/001 proposes: resources are released in boot recovery's error paths and on a repeated crash. For the
/// processor to be startable afterwards a failed recovery also ends the life that the boot began (power 0, device
/// unprepared), and a recovery after the release is a whole boot.
class cleanup final : public history {
 public:
  void crashed_again(rproc::impl& r) override {
    if (held_ != held::everything) return;
    r.stop_subdevices(true);
    if (const int error = r.reset_rsc_table_on_stop(); error != 0) return;
    r.resource_cleanup();
    r.cached_table.reset();
    r.table.clear();
    r.table_sz = 0;
    held_ = held::device;
  }

  int restart(rproc::impl& r, const firmware& fw) override {
    if (held_ == held::everything) return history::restart(r, fw);
    r.unprepare_device();
    held_ = held::nothing;
    const int error = r.fw_boot(fw);
    if (error == 0) held_ = held::everything;
    return error;
  }

  void recovery_failed(rproc::impl& r) override {
    if (held_ == held::everything) r.release_resources();
    if (held_ == held::device) r.unprepare_device();
    r.table_sz = 0;
    r.power = 0;
    held_ = held::everything;
  }

  void stopped() override { held_ = held::everything; }

 private:
  enum class held : std::uint8_t { everything, device, nothing };
  held held_ = held::everything;  // of what a life holds
};

/// main with the hazards H1 to H8 closed; each override is one fix.
class fixed final : public history {
 public:
  // H1: a recovery that fails after its stop ends the life: a start boots again.
  void recovery_failed(rproc::impl& r) override {
    if (!released_) r.release_resources();
    r.table_sz = 0;
    r.power = 0;
    released_ = false;
  }

  // H2: after an attach there is no cached ELF table to start with: the recovery is a whole boot.
  int restart(rproc::impl& r, const firmware& fw) override {
    if (!r.attached_life) return history::restart(r, fw);
    r.release_resources();
    const int error = r.fw_boot(fw);
    released_ = error != 0;
    return error;
  }

  // H3: what happens to a processor that was let go is not ours to handle.
  bool ignores_crash_in(rproc_state s) override { return s == rproc_state::detached || history::ignores_crash_in(s); }

  // H4: the pointer is cleared with the memory, the copy kept until the processor is off, and what is tried again
  // finds its work done.
  void clean_table_freed(rproc::impl&) override {}
  int reset_table_before_stop_op(rproc::impl& r) override {
    if (!r.attached_life || r.cached_table != nullptr || !r.table) return history::reset_table_before_stop_op(r);
    installed_.emplace(r.use_scratch_table());
    return 0;
  }
  int reset_table_before_detach_op(rproc::impl& r) override {
    if (!r.attached_life || r.cached_table == nullptr) return history::reset_table_before_detach_op(r);
    if (r.clean_table != nullptr) r.restore_clean_table(*installed_);
    return 0;
  }
  void free_tables(rproc::impl& r) override {
    r.clean_table.reset();
    history::free_tables(r);
  }

  // H5: a failed attach gives the processor back as it was found, not stopped, its table as at the attach.
  void subdevices_failed_in_attach(rproc::impl& r) override {
    give_table_back(r);
    r.call("detach", r.ops.detach);
  }
  void attach_failed(rproc::impl& r, attach_step at) override {
    give_table_back(r);
    history::attach_failed(r, at);
    free_tables(r);
  }

  // H6: what a failed prepare or parse_fw has registered goes.
  void prepare_failed(rproc::impl& r) override { r.resource_cleanup(); }

  // H7: rings that the vdev entry does not have are left alone.
  bool knows_missing_vrings() override { return true; }

  // H8: a vdev that cannot be made fails the boot.
  int vdev_failed(int error) override { return error; }

 private:
  static void give_table_back(rproc::impl& r) {
    if (!r.table.live()) return;
    rsc::table_pointer live = r.use_scratch_table();
    if (r.clean_table != nullptr) r.restore_clean_table(live);
  }
  bool released_ = false;                        // by the whole boot that failed
  std::optional<rsc::table_pointer> installed_;  // where the table is of an attached processor that would not stop
};

}  // namespace

int history::released(rproc::impl& r) {
  if (r.state == rproc_state::running) {
    r.shutdown();
    return 0;
  }
  return r.state == rproc_state::attached ? r.detach() : 0;
}

int history::power_off_for_removal(rproc::impl& r) {
  r.deleting = true;
  r.os.cancel_work_sync(r.crash_work);
  r.shutdown();  // once only: with power > 1 the processor stays running
  return 0;
}

int history::auto_attach(rproc::impl& r) {
  r.os.schedule_work(r.attach_work);
  return 0;
}

int history::refuse_shutdown(rproc_state s) {
  return s == rproc_state::running || s == rproc_state::attached || s == rproc_state::crashed ? 0 : -EINVAL;
}

int history::refuse_detach(rproc_state s) { return s == rproc_state::attached ? 0 : -EINVAL; }

int history::unprepare_after_stop(rproc::impl& r) {
  r.unprepare_device();
  return 0;
}

int history::unprepare_after_detach(rproc::impl& r) {
  r.unprepare_device();
  return 0;
}

void history::free_tables(rproc::impl& r) {
  r.cached_table.reset();
  r.table.clear();
}

void history::take_clean_copy(rproc::impl& r, const live_table& found) {
  r.clean_table.reset();
  r.clean_table_dangling = false;
  if (!r.ops.detach) return;
  r.clean_table = std::make_shared<std::vector<std::byte>>(found.size);
  r.os.memcpy_fromio(r.clean_table->data(), found.pa, found.size);
}

void history::clean_table_freed(rproc::impl& r) { r.clean_table_dangling = true; }
int history::reset_table_before_stop_op(rproc::impl& r) { return r.reset_rsc_table_on_stop(); }
int history::reset_table_before_detach_op(rproc::impl& r) { return r.reset_rsc_table_on_detach(); }
int history::prepare_for_attach(rproc::impl& r) { return r.prepare_device(); }
void history::subdevices_failed_in_attach(rproc::impl& r) { r.call("stop", r.ops.stop); }  // not detach: H5

void history::attach_failed(rproc::impl& r, attach_step) {
  r.resource_cleanup();
  r.unprepare_device();
  r.free_clean_table();
}

bool history::ignores_crash_in(rproc_state s) { return s == rproc_state::offline; }

int history::restart(rproc::impl& r, const firmware& fw) { return r.start(fw); }

std::unique_ptr<history> make_history(std::string_view name) {
  if (name == "main") return std::make_unique<history>();
  if (name == "cleanup") return std::make_unique<cleanup>();
  if (name == "fixed") return std::make_unique<fixed>();
  if (auto version = make_detach_series(name)) return version;
  throw std::invalid_argument(
      fmt::format("no history '{}' of the remoteproc core (there are: {})", name, history_names()));
}

}  // namespace rpsim::remoteproc
