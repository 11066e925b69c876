#pragma once
// Where the core's behaviour differs between its histories. MAIN is the base; a history overrides the points at which
// it does something else.

#include <memory>
#include <string_view>

#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::remoteproc {

/// linux-source-6.12.
class history {
 public:
  virtual ~history() = default;
  /// Another crash is handled while the state is CRASHED; the lock is held.
  virtual void crashed_again(rproc::impl&) {}
  /// Boot recovery brings the processor up again after its stop.
  virtual int restart(rproc::impl& r, const firmware& fw);
  /// Boot recovery failed after its stop.
  virtual void recovery_failed(rproc::impl&) {}
  /// The processor was stopped by request: nothing is held any more.
  virtual void stopped() {}
};

/// One of histories(). @throws std::invalid_argument for another name.
std::unique_ptr<history> make_history(std::string_view name);

}  // namespace rpsim::remoteproc
