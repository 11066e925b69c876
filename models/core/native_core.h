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

#include "models/core/core.h"
#include "models/core/nvic.h"

namespace rpsim {

class native_image;

class native_core final : public core, private tlm::tlm_bw_transport_if<> {
 public:
  native_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
  ~native_core() override;

  tlm::tlm_initiator_socket<32>* initiator() override { return &socket_; }
  line_in* input(std::string_view what, unsigned index) override;
  line_out* output(std::string_view what, unsigned index) override;
  sc_core::sc_in<module_state>* power() override;

  void inject(core_fault what) override;
  bool in_wfi() const override { return in_wfi_; }
  /// True between leaving and entering reset, whatever the software does.
  bool running() const { return running_; }

 private:
  SC_HAS_PROCESS(native_core);
  struct firmware_calls;  // what the image calls: the ops table of remote_fw/hal/native/native_image.h
  class reset_taken {};   // thrown from a wait: unwinds the firmware

  void end_of_elaboration() override;
  void run();  // the one thread: waits for release, boots, until reset
  [[noreturn]] void boot();
  native_image& load();
  void read_application_note();

  bool held() const;     // in reset
  bool clocked() const;  // may execute
  void lines_changed();  // reset or power
  void wake();
  void settle();                   // after every wait: reset, clock, injected faults
  void spend(sc_core::sc_time t);  // CPU time; serves interrupts meanwhile and at its end
  void synchronise();              // spends what straight-line code has cost
  void serve_interrupts();
  sc_core::sc_time exception_time();
  void access(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length);
  bool transfer(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length,
                sc_core::sc_time& delay);
  void wait_for_interrupt();
  void edge();
  [[noreturn]] void spin();
  void set_wfi(bool asleep);
  /// Executes no more, until reset.
  [[noreturn]] void stop(std::string_view event, std::string_view reason);

  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override;
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}  // takes no DMI

  tlm::tlm_initiator_socket<32> socket_;
  nvic nvic_;
  std::unique_ptr<line_in> local_reset_;
  std::unique_ptr<line_out> wfi_;
  std::unique_ptr<sc_core::sc_in<module_state>> power_;
  std::uint32_t note_address_;

  param& clock_;
  param& cycles_per_edge_;
  param& quantum_;
  param& exception_entry_;
  param& wake_latency_;

  // Members and not locals of the thread: a simulation that ends abandons the thread's stack.
  std::string application_, reason_;
  std::map<std::string, std::unique_ptr<native_image>> images_;
  native_image* image_ = nullptr;
  tlm::tlm_generic_payload payload_;
  initiator_extension initiator_;
  sc_core::sc_event wake_;

  bool running_ = false;
  bool reset_ = false;  // latched: the line went high, or the firmware asked for it
  bool in_wfi_ = false;
  bool spurious_wake_ = false;
  std::optional<core_fault> fault_;
  nvic::masks masks_;
  sc_core::sc_time cycle_;
  std::uint64_t owed_cycles_ = 0;  // executed, not yet spent
  std::uint64_t edge_cycles_ = 1, quantum_cycles_ = 1;
  const char* stack_base_ = nullptr;
};

}  // namespace rpsim
