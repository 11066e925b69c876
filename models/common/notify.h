#pragma once
// The one place through which models and host_sw notify an event later. A race search adds a seeded skew of under a
// nanosecond here; SystemC itself offers no hook for it.

#include <systemc>

#include "models/common/random.h"

namespace rpsim {

class delayed_notifier {
 public:
  explicit delayed_notifier(random_registry& rng) : rng_(rng) {}

  /// Notifies after `delay`; a zero delay means the next delta cycle. As with sc_event, an earlier pending
  /// notification stands and a later one is replaced.
  void after(sc_core::sc_event& e, const sc_core::sc_time& delay) {
    if (delay == sc_core::SC_ZERO_TIME) {
      e.notify(sc_core::SC_ZERO_TIME);
    } else {
      e.notify(skew_on_ ? delay + skew() : delay);
    }
  }
  void next_delta(sc_core::sc_event& e) { e.notify(sc_core::SC_ZERO_TIME); }

  /// Adds a uniform skew in [0, 1 ns) to every timed notification, from the generator named "schedule".
  void enable_skew(bool on) { skew_on_ = on; }

 private:
  sc_core::sc_time skew() { return sc_core::sc_time::from_value(rng_.stream("schedule").below(1000)); }
  random_registry& rng_;
  bool skew_on_ = false;
};

}  // namespace rpsim
