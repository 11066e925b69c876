#pragma once
// A remote core whose firmware is compiled for the build machine: the same C sources as the Arm image, on the HAL's
// native side (remote_fw/hal/native). One context, as on the chip: an interrupt handler runs on the stack of what it
// interrupts, at HAL calls and at the edges that -fsanitize-coverage=trace-pc marks, which also cost the cycles that
// straight-line code takes. A reset unwinds that stack from wherever it is.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "models/common/quiet_access.h"
#include "models/core/interrupts.h"
#include "models/core/remote_core.h"

namespace rpsim {

class native_image;

class native_core final : public remote_core {
 public:
  native_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
  ~native_core() override;

  line_in* input(std::string_view what, unsigned index) override;

 private:
  struct firmware_calls;  // what the image calls: the ops table of remote_fw/hal/native/native_image.h

  [[noreturn]] void boot() override;
  native_image& load();
  void read_application_note();

  void elapse(const sc_core::sc_time& t);  // whatever comes
  void spend(sc_core::sc_time t);          // CPU time; serves interrupts meanwhile and at its end
  sc_core::sc_time owed() const;
  bool unnoticed() const {
    return owed_cycles_ < quantum_cycles_ && owed() < undisturbed_;
  }                    // that it is not yet spent
  void synchronise();  // spends it
  void serve_interrupts();
  sc_core::sc_time exception_time();
  void access(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length);
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void wait_for_interrupt();
  void edge();
  [[noreturn]] void spin();

  std::unique_ptr<interrupts> interrupts_;
  std::uint32_t note_address_;

  param& cycles_per_edge_;
  param& quantum_;
  param& exception_entry_;
  param& wake_latency_;

  // Members and not locals of the thread: a simulation that ends abandons the thread's stack.
  std::string application_, reason_;
  std::map<std::string, std::unique_ptr<native_image>> images_;
  native_image* image_ = nullptr;

  bool masked_ = false;  // PRIMASK, CPSR.I
  // Not yet spent: what accesses took, and what the code behind them did. An access is paid for with what follows it,
  // if nothing else happens in the simulation meanwhile: then nobody can tell, not even an interrupt.
  sc_core::sc_time owed_;
  std::uint64_t owed_cycles_ = 0;
  sc_core::sc_time undisturbed_;  // from the last access on nothing happens for so long
  // What the last access's target said of those that come next: they may be made before their time has come.
  quiet_access hint_;
  tlm::tlm_command quiet_command_ = tlm::TLM_IGNORE_COMMAND;
  std::uint32_t quiet_from_ = 0;
  std::uint64_t edge_cycles_ = 1, quantum_cycles_ = 1;
  const char* stack_base_ = nullptr;
};

}  // namespace rpsim
