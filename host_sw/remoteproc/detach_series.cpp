#include "host_sw/remoteproc/detach_series.h"

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {

constexpr const char* AUTONOMOUS = "autonomous-on-core-shutdown";  // what the code reads; §2.1 has the other name

bool busy(rproc_state s) { return s == rproc_state::running || s == rproc_state::attached; }

// Each version inherits from the next one and takes back what that one changed. Facts: the patches as posted
// (18 December 2020 to 12 March 2021), reference/remoteproc-core.md §2.

/// Merged for v5.13. What main has changed since is taken back here.
class v8 : public history {
 public:
  int refuse(rproc::impl& r, request what) override {
    switch (what) {
      case request::start:
        return busy(r.state) ? -EBUSY : 0;
      case request::stop:
        return busy(r.state) ? 0 : -EINVAL;
      case request::detach:
        return r.state == rproc_state::attached ? 0 : -EINVAL;
    }
    return 0;
  }

  // A void function without a look at the state.
  int refuse_shutdown(rproc_state) override { return 0; }
  int shutdown_result(int) override { return 0; }
  int refuse_detach(rproc_state) override { return 0; }
  bool stops_only_started_subdevices() override { return false; }

  int power_off_for_removal(rproc::impl& r) override {
    const int result = release_processor(r);
    const os::mutex_guard guard(r.lock);
    r.set_state(rproc_state::deleted);
    r.deleting = true;
    return result;
  }
  int auto_attach(rproc::impl& r) override { return r.boot(); }
  bool undoes_failed_add() override { return false; }

  // A table or an entry that is refused skips resource_cleanup, and nobody frees the clean copy.
  void attach_failed(rproc::impl& r, attach_step at) override {
    if (at >= attach_step::carveouts) r.resource_cleanup();
    r.unprepare_device();
  }
  int vdev_failed(int error) override { return error; }  // done inline before the rproc-virtio platform device

  bool removal_stops_recovery() override { return false; }
  bool attaches_on_recovery() override { return false; }

 protected:
  /// What del does to the processor.
  virtual int release_processor(rproc::impl& r) {
    r.shutdown();
    return 0;
  }
};

class v7 : public v8 {
 public:
  // __rproc_detach() does not look at the result.
  int reset_table_before_detach_op(rproc::impl& r) override {
    r.reset_rsc_table_on_detach();
    return 0;
  }
};

class v6 : public v7 {
 public:
  void take_clean_copy(rproc::impl& r, const live_table& found) override {
    if (r.ops.detach) v7::take_clean_copy(r, found);
  }
  int reset_table_before_stop_op(rproc::impl& r) override { return reset(r); }
  int reset_table_before_detach_op(rproc::impl& r) override {
    reset(r);
    return 0;
  }

 protected:
  int release_processor(rproc::impl& r) override {
    if (r.state == rproc_state::running) return v7::release_processor(r);
    return r.state == rproc_state::attached ? r.detach() : 0;
  }

 private:
  /// One function for stop and detach. A processor that Linux booted and that is CRASHED by now is not RUNNING: it has
  /// no clean copy, and its recovery ends here.
  static int reset(rproc::impl& r) {
    if (r.state != rproc_state::running) return r.reset_rsc_table_on_detach();
    r.table = r.cached_table;
    return 0;
  }
};

class v5 : public v6 {
 public:
  int refuse(rproc::impl& r, request what) override {
    if (what == request::detach) return busy(r.state) ? 0 : -EINVAL;
    return v6::refuse(r, what);
  }
  int released(rproc::impl& r) override { return autonomous(r) ? r.detach() : r.shutdown(); }

  int refuse_shutdown(rproc_state s) override { return busy(s) ? 0 : -EPERM; }
  int shutdown_result(int error) override { return error; }
  int refuse_detach(rproc_state s) override { return busy(s) ? 0 : -EPERM; }
  int other_users() override { return -EBUSY; }
  int unprepare_after_stop(rproc::impl& r) override { return r.unprepare_device(); }

  void table_parsed(rproc::impl& r) override {
    if (r.ops.detach) r.clean_table = std::make_shared<std::vector<std::byte>>(*r.cached_table);
  }
  int no_table_at_attach(rproc::impl& r) override {
    r.err("can't load resource table: {}", -EINVAL);
    return -EINVAL;
  }
  int reset_table_before_stop_op(rproc::impl& r) override {
    r.table = r.cached_table;
    return 0;
  }
  int reset_table_before_detach_op(rproc::impl&) override { return 0; }
  /// The platform knows of the detach already, and the processor counts as DETACHED whatever comes out of this.
  int detached(rproc::impl& r) override {
    if (r.clean_table == nullptr) {
      r.log(os::log_level::warning, "WARNING: detach without a clean copy of the resource table");
      return -EINVAL;
    }
    r.restore_clean_table(r.table);
    r.table = r.cached_table;
    detaching_ = true;
    return 0;
  }
  void free_tables(rproc::impl& r) override {
    if (std::exchange(detaching_, false) && r.cached_table != nullptr) {
      r.os.oops("double-free", "the cached copy of the resource table is freed twice");
    }
    r.clean_table.reset();
    v6::free_tables(r);
  }
  // Where it is freed its pointer is cleared, too.
  void clean_table_freed(rproc::impl&) override {}

 protected:
  int release_processor(rproc::impl& r) override { return released(r); }

 private:
  static bool autonomous(const rproc::impl& r) { return r.parent.node && r.parent.node.has(AUTONOMOUS); }
  bool detaching_ = false;
};

class v4 : public v5 {
 public:
  void table_parsed(rproc::impl&) override {}
  int no_table_at_attach(rproc::impl&) override { return 0; }
  void take_clean_copy(rproc::impl&, const live_table&) override {}
  int reset_table_before_detach_op(rproc::impl& r) override {
    if (r.cached_table != nullptr) r.table = r.cached_table;
    return 0;
  }
  void detach_op_failed(rproc::impl& r) override { r.start_subdevices(); }
  int detached(rproc::impl&) override { return 0; }

  int prepare_for_attach(rproc::impl&) override { return 0; }
  int unprepare_after_detach(rproc::impl&) override { return 0; }
  void attach_failed(rproc::impl& r, attach_step at) override {
    if (at >= attach_step::carveouts) r.resource_cleanup();
  }
};

/// Test patches 1/3, which is the driver's, and 2/3.
class v4_arnaud_2 : public v4 {
 public:
  int prepare_for_attach(rproc::impl& r) override { return r.prepare_device(); }
  int unprepare_after_detach(rproc::impl& r) override { return r.unprepare_device(); }
};

class v4_arnaud final : public v4_arnaud_2 {
 public:
  std::uint32_t freed_vring_da() override { return rsc::ADDR_ANY; }
};

}  // namespace

std::unique_ptr<history> make_detach_series(std::string_view version) {
  if (version == "v4" || version == "v4+arnaud-1") return std::make_unique<v4>();
  if (version == "v4+arnaud-2") return std::make_unique<v4_arnaud_2>();
  if (version == "v4+arnaud") return std::make_unique<v4_arnaud>();
  if (version == "v5") return std::make_unique<v5>();
  if (version == "v6") return std::make_unique<v6>();
  if (version == "v7") return std::make_unique<v7>();
  if (version == "v8") return std::make_unique<v8>();
  return nullptr;
}

}  // namespace rpsim::remoteproc
