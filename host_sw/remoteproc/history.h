#pragma once
// Where the core's behaviour differs between its histories (histories.h tells them in words). The base class is what
// linux-source-6.12 does ("MAIN" in reference/remoteproc-core.md); a history overrides the points at which it does
// something else. Results are 0 or -errno.

#include <memory>
#include <string_view>

#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::remoteproc {

class history {
 public:
  enum class request : std::uint8_t { start, stop, detach };
  /// How far an attach came that failed.
  enum class attach_step : std::uint8_t { table, resources, carveouts, device };

  virtual ~history() = default;

  // ---- users' requests; the processor's lock is not held
  /// sysfs and the character device look at the state before they ask the core.
  virtual int refuse(rproc::impl&, request) { return 0; }
  /// What shutdown() returns to its caller for how it went.
  virtual int shutdown_result(int error) { return error; }
  /// The character device was closed with its flag on.
  virtual int released(rproc::impl& r);
  /// del: what becomes of the processor. Its result is del's.
  virtual int power_off_for_removal(rproc::impl& r);
  /// A DETACHED processor with auto_boot is added.
  virtual int auto_attach(rproc::impl& r);
  /// add is undone when its automatic boot fails.
  virtual bool undoes_failed_add() { return true; }

  // ---- shutdown and detach, the lock held
  virtual int refuse_shutdown(rproc_state state);
  virtual int refuse_detach(rproc_state state);
  virtual int other_users() { return 0; }
  /// Unprepares at the end of a shutdown, of a detach. An error fails the call, with the power given back.
  virtual int unprepare_after_stop(rproc::impl& r);
  virtual int unprepare_after_detach(rproc::impl& r);
  virtual void detach_op_failed(rproc::impl&) {}
  /// The processor is DETACHED, its resources are still there.
  virtual int detached(rproc::impl&) { return 0; }
  virtual void free_tables(rproc::impl& r);
  virtual bool stops_only_started_subdevices() { return true; }
  /// A whole life ended by request: nothing is held any more.
  virtual void stopped() {}

  // ---- the copies of the resource table
  virtual void table_parsed(rproc::impl&) {}
  virtual int no_table_at_attach(rproc::impl&) { return 0; }
  virtual void take_clean_copy(rproc::impl& r, const live_table& found);
  /// kfree(clean_table) has been called.
  virtual void clean_table_freed(rproc::impl& r);
  virtual int reset_table_before_stop_op(rproc::impl& r);
  virtual int reset_table_before_detach_op(rproc::impl& r);
  virtual std::uint32_t freed_vring_da() { return 0; }

  // ---- boot and attach that fail
  virtual int prepare_for_attach(rproc::impl& r);
  virtual void prepare_failed(rproc::impl&) {}  // or parse_fw
  virtual void subdevices_failed_in_attach(rproc::impl& r);
  virtual void attach_failed(rproc::impl& r, attach_step at);
  virtual int vdev_failed(int) { return 0; }
  virtual bool knows_missing_vrings() { return false; }

  // ---- crash and recovery
  /// A removal that has begun ends crash reports and recovery.
  virtual bool removal_stops_recovery() { return true; }
  virtual bool ignores_crash_in(rproc_state state);
  virtual bool attaches_on_recovery() { return true; }
  /// Another crash is handled while the state is CRASHED; the lock is held.
  virtual void crashed_again(rproc::impl&) {}
  /// Boot recovery brings the processor up again after its stop.
  virtual int restart(rproc::impl& r, const firmware& fw);
  /// Boot recovery failed after its stop.
  virtual void recovery_failed(rproc::impl&) {}
};

/// One of histories(). @throws std::invalid_argument for another name.
std::unique_ptr<history> make_history(std::string_view name);

}  // namespace rpsim::remoteproc
