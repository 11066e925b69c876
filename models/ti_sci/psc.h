#pragma once
// The modules (LPSC) of K3's power-sleep controller. Each feeds clock, power and resets of the devices in it. Its state
// follows from how many of those are enabled or in retention and from its module reset bit; a change takes time, during
// which the state is TRANS. No registers: the device manager, which owns them on the chip, calls this.
// (reference/k3.md §3.5; TI mcupsdk-rm-pm-hal pm/drivers/psc/psc.c)

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/common/model.h"

namespace rpsim {

/// What the modules of one controller have in common.
struct psc_timing {
  psc_timing(param_registry& params, const std::string& instance);
  param& lpsc_time;              // one module transition
  param& power_domain_time;      // what switching the module's power domain adds
  param& power_domain_spacing;   // a domain stays off at least this long
  param& trans_when_not_in_wfi;  // a CPU that runs does not acknowledge a clock stop
};

/// What MDSTAT decodes to: SyncReset, Disable and Enable all count as on (reference/k3.md §3.5).
inline bool is_off(module_state s) { return s == module_state::off || s == module_state::sw_rst_disable; }

class lpsc final : public sc_core::sc_module {
 public:
  /// `source` is what its events come from; `boot_references`: devices that are on when the device manager starts.
  lpsc(sc_core::sc_module_name name, sim_context& context, std::string source, const dt::node& node, psc_timing& timing,
       unsigned boot_references);

  /// A core that this module feeds, and its WFI line. Before the end of elaboration.
  void add_core(std::string label, sc_core::sc_in<bool>& wfi);
  /// The module through which this one gets its clock: it is on, and powered, while this one is (psc.c, LPSC_DEPENDS).
  /// Before the end of elaboration.
  void depend_on(lpsc& other);

  /// Changes the number of devices that are enabled and that are in retention; may start a transition.
  void reference(int enabled, int retained);
  /// MDCTL[8], in any state. Without the capability nothing happens.
  void set_local_reset(bool asserted);
  /// May start a transition. A module without module reset ignores it.
  void set_module_reset(bool asserted);
  /// The target state now, without a transition: what was done before time began.
  void settle();

  module_state state() const { return state_; }  // MDSTAT
  bool busy() const { return state_ == module_state::trans; }
  bool has_local_reset() const { return has_local_reset_; }
  bool local_reset() const { return local_reset_; }
  bool module_reset() const { return module_reset_; }
  unsigned context_losses() const { return context_losses_; }
  /// Notified (delta) when no further transition follows.
  const sc_core::sc_event& settled() const { return settled_; }

  sc_core::sc_signal<module_state>& state_line() { return state_line_; }
  sc_core::sc_signal<bool>& local_reset_line() { return local_reset_line_; }

 private:
  struct fed_core {
    std::string label;
    sc_core::sc_in<bool>* wfi;
  };

  SC_HAS_PROCESS(lpsc);
  void before_end_of_elaboration() override;
  module_state target() const;
  void sync();
  void begin();
  void schedule();
  void step();
  void drive_lines();
  void enter(module_state s);
  bool held() const;
  bool clock_stop_pending() const;
  void emit_reset(bool asserted, std::string_view kind);

  sim_context& context_;
  std::string source_;
  psc_timing& timing_;
  const unsigned number_;
  const bool has_local_reset_, has_power_domain_, always_on_, no_clock_gating_, no_module_reset_;
  std::vector<fed_core> cores_;
  lpsc* needs_ = nullptr;
  std::vector<lpsc*> dependants_;

  unsigned enabled_, retained_ = 0, context_losses_ = 0;
  bool local_reset_, module_reset_ = false;
  module_state state_, next_;  // MDSTAT, MDCTL.NEXT
  module_state from_, to_;     // of the transition under way
  bool stuck_ = false;         // the transition waits for a core's clock-stop acknowledge, or for another module's
  sc_core::sc_time ends_;
  std::optional<sc_core::sc_time> domain_off_since_;

  sc_core::sc_signal<module_state> state_line_;
  sc_core::sc_signal<bool> local_reset_line_;
  sc_core::sc_event step_, settled_, lines_;
};

}  // namespace rpsim
