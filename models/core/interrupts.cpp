#include "models/core/interrupts.h"

#include <algorithm>
#include <array>

#include "models/core/event_inputs.h"
#include "models/core/nvic.h"
#include "models/core/vim.h"

namespace rpsim {

namespace {

class nvic_interrupts final : public interrupts {
 public:
  nvic_interrupts(sim_context& context, const std::string& label, std::function<void()> changed,
                  std::function<void()> reset_request)
      : nvic_("nvic", context, label, std::move(changed), std::move(reset_request)) {}

  line_in* input(unsigned irq) override { return nvic_.input(irq); }
  bool owns(std::uint64_t address) const override { return nvic::owns(address); }
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override { nvic_.transport(p, delay); }
  void reset(const sc_core::sc_time& cycle) override { nvic_.reset(cycle); }
  unsigned preempting(bool masked) const override { return nvic_.preempting({.primask = masked}); }
  // Armv7-M: an interrupt that PRIMASK alone holds back ends the WFI, too.
  bool waking() const override { return nvic_.waking({}) != 0; }
  field wake_cause() const override {
    const unsigned by = nvic_.waking({});
    if (by >= nvic::EXTERNAL) return {"irq", by - nvic::EXTERNAL};
    return {"irq", by == 0 ? "none" : by == nvic::SYSTICK ? "systick" : "exception"};
  }
  void enter(unsigned exception) override { nvic_.enter(exception); }
  void leave(unsigned exception) override { nvic_.leave(exception); }

 private:
  nvic nvic_;
};

/// A core with one interrupt line, which it masks on the way into the handler: the handler asks the controller which
/// interrupt it is.
template <class Controller>
class one_line : public interrupts {
 public:
  template <class... Arguments>
  explicit one_line(Arguments&&... arguments) : controller_(std::forward<Arguments>(arguments)...) {}

  line_in* input(unsigned irq) override { return controller_.input(irq); }
  bool owns(std::uint64_t address) const override { return controller_.owns(address); }
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override { controller_.transport(p, delay); }
  void reset(const sc_core::sc_time&) override {
    handling_ = false;
    controller_.reset();
  }
  unsigned preempting(bool masked) const override { return !masked && !handling_ && waking() ? 1 : 0; }
  bool waking() const override { return pending() != Controller::NONE; }
  field wake_cause() const override { return waking() ? field("irq", pending()) : field("irq", "none"); }
  void enter(unsigned) override { handling_ = true; }
  void leave(unsigned) override { handling_ = false; }

 private:
  unsigned pending() const {
    if constexpr (std::is_same_v<Controller, vim>) {
      return controller_.pending(vim::kind::irq);
    } else {
      return controller_.pending();
    }
  }

  Controller controller_;
  bool handling_ = false;
};

constexpr const char* CORTEX_R5F = "arm,cortex-r5f";
constexpr std::array DSPS = {"ti,c66x", "ti,c71x"};

constexpr std::array KINDS = std::to_array<interrupt_kind>({
    {"arm,cortex-m4f", 12, true, "reference/k3.md §7: 12 cycles without wait states", ""},
    {CORTEX_R5F, 25, false, "reference/k3.md §7: 20..30 cycles, unconfirmed", "20 .. 30"},
    {"ti,c66x", 25, false, "assumed: as a Cortex-R5F", "20 .. 30"},
    {"ti,c71x", 25, false, "assumed: as a Cortex-R5F", "20 .. 30"},
});

}  // namespace

const interrupt_kind& interrupt_kind_of(const dt::node& core) {
  const auto it =
      std::ranges::find_if(KINDS, [&](const interrupt_kind& k) { return core.is_compatible(k.compatible); });
  return it == KINDS.end() ? KINDS.front() : *it;
}

std::unique_ptr<interrupts> make_interrupts(sim_context& context, const std::string& label, const dt::node& core,
                                            std::function<void()> changed, std::function<void()> reset_request) {
  if (core.is_compatible(CORTEX_R5F)) {
    return std::make_unique<one_line<vim>>("vim", context, label, core.required_u32("rpsim,vim"), std::move(changed));
  }
  if (std::ranges::any_of(DSPS, [&](const char* dsp) { return core.is_compatible(dsp); })) {
    return std::make_unique<one_line<event_inputs>>("events", context, label, core.required_u32("rpsim,event-inputs"),
                                                    std::move(changed));
  }
  return std::make_unique<nvic_interrupts>(context, label, std::move(changed), std::move(reset_request));
}

}  // namespace rpsim
