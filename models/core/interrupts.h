#pragma once
// What stands between a native core and its interrupt inputs. Which controller it is follows from the core's
// `compatible`: NVIC (Cortex-M), VIM (Cortex-R5F), or plain event inputs (C66x, C71x).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "models/common/model.h"

namespace rpsim {

class interrupts {
 public:
  virtual ~interrupts() = default;
  virtual line_in* input(unsigned irq) = 0;
  /// Its registers, at addresses of the core's own view.
  virtual bool owns(std::uint64_t address) const = 0;
  virtual void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) = 0;
  /// The core's reset: everything but the level of the inputs is forgotten. `cycle` is the period of the core's clock.
  virtual void reset(const sc_core::sc_time& cycle) = 0;

  /// What the image's exception() is to be called with now; 0: nothing. `masked`: by PRIMASK, CPSR.I or their like.
  virtual unsigned preempting(bool masked) const = 0;
  /// Whether a WFI ends, or does not begin: no mask of the core holds that back.
  virtual bool waking() const = 0;
  /// The field `irq` of core.wake.
  virtual field wake_cause() const = 0;
  /// The core takes the exception, and returns from it.
  virtual void enter(unsigned exception) = 0;
  virtual void leave(unsigned exception) = 0;
};

/// How a kind of core takes interrupts.
struct interrupt_kind {
  const char* compatible;
  double entry_cycles;  // from a taken interrupt to its handler, and back
  bool entry_published;
  const char* source;
  const char* entry_range;
};

/// By the node's `compatible`; a core that names none of them is a Cortex-M.
const interrupt_kind& interrupt_kind_of(const dt::node& core);

/// The controller of that core, a child of the module under construction. `changed` is called when an answer may have
/// become another one, `reset_request` when software asks for a reset of the core through it.
std::unique_ptr<interrupts> make_interrupts(sim_context& context, const std::string& label, const dt::node& core,
                                            std::function<void()> changed, std::function<void()> reset_request);

}  // namespace rpsim
