#pragma once
// What every model and the host software share in one run. No globals: a run owns one of these.

#include <memory>
#include <set>
#include <string>

#include "models/common/fault.h"
#include "models/common/notify.h"
#include "models/common/params.h"
#include "models/common/random.h"
#include "models/common/trace.h"

namespace rpsim {

class arm_exclusive_monitor;

struct sim_context {
  explicit sim_context(std::uint64_t seed = 0) : rng(seed), params(rng) {}
  sim_context(const sim_context&) = delete;
  sim_context& operator=(const sim_context&) = delete;

  rpsim::trace trace;
  random_registry rng;
  param_registry params;
  delayed_notifier notifier{rng};
  no_faults none;
  fault_hook* faults = &none;  // never null
  /// Where native firmware images are: <directory>/<application id>.so
  std::string native_image_directory;
  /// The module that executes Arm instructions (models/core/arm/arm_engine.h), and the cores, by label, that do.
  std::string arm_engine;
  /// Of all Arm cores that execute instructions; the first of them makes it.
  std::shared_ptr<arm_exclusive_monitor> exclusive_monitor;
  unsigned exclusive_processors = 0;  // that have a place in it
  std::set<std::string, std::less<>> arm_cores;
};

}  // namespace rpsim
