#pragma once
// What every remote core has whatever executes on it: its bus socket, local reset, module and WFI lines, the thread
// that waits for release and is thrown out of the software by a reset, and injected faults.

#include <memory>
#include <optional>

#include "models/core/core.h"

namespace rpsim {

/// Parameter: <label>.clock. A deriving core implements boot() and input("irq", n).
class remote_core : public core, protected tlm::tlm_bw_transport_if<> {
 public:
  static constexpr unsigned STACK_BYTES = 256 * 1024;  // of its thread
  ~remote_core() override;

  tlm::tlm_initiator_socket<32>* initiator() override { return &socket_; }
  line_in* input(std::string_view what, unsigned index) override;
  line_out* output(std::string_view what, unsigned index) override;
  sc_core::sc_in<module_state>* power() override;

  void inject(core_fault what) override;
  bool in_wfi() const override { return in_wfi_; }
  /// True between leaving and entering reset, whatever the software does.
  bool running() const { return running_; }

 protected:
  remote_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  /// Out of reset: executes until it throws (reset, from a wait) or stops for good. cycle() is up to date.
  [[noreturn]] virtual void boot() = 0;
  /// It executes no more until reset, for this reason.
  virtual void stopped([[maybe_unused]] std::string_view event) {}
  virtual void direct_memory_withdrawn([[maybe_unused]] std::uint64_t first, [[maybe_unused]] std::uint64_t last) {}

  const sc_core::sc_time& cycle() const { return cycle_; }
  /// Waits out whatever keeps the core from executing. Throws out of the software if the core is reset.
  void settle();
  /// Executes no more, until reset.
  [[noreturn]] void stop(std::string_view event, std::string_view reason);
  void set_wfi(bool asleep);
  void wake() { context().notifier.next_delta(wake_); }
  sc_core::sc_event& wake_event() { return wake_; }
  /// The software asked for it; takes effect at the next settle().
  void request_reset();
  /// Whether the WFI in progress ends without an interrupt; asking takes the answer back.
  bool take_spurious_wake() { return std::exchange(spurious_wake_, false); }

  /// One bus access. @return whether it was answered.
  bool transfer(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length,
                sc_core::sc_time& delay);
  /// Where transfer() goes: the bus, unless the core has something of its own at that address.
  virtual void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    socket_->b_transport(payload, delay);
  }
  tlm::tlm_initiator_socket<32>& bus() { return socket_; }
  tlm::tlm_generic_payload& payload() { return payload_; }

 private:
  SC_HAS_PROCESS(remote_core);
  class reset_taken {};  // thrown from a wait: unwinds the software
  class ended {};        // likewise: what executes no more keeps nothing of where it was

  void end_of_elaboration() override;
  void run();            // the one thread
  bool held() const;     // in reset
  bool clocked() const;  // may execute
  bool halted() const { return halt_ != nullptr && halt_->read(); }
  void lines_changed();  // reset, halt or power

  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override;
  void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override {
    direct_memory_withdrawn(first, last);
  }

  tlm::tlm_initiator_socket<32> socket_;
  std::unique_ptr<line_in> local_reset_, halt_;
  std::unique_ptr<line_out> wfi_;
  std::unique_ptr<sc_core::sc_in<module_state>> power_;
  param& clock_;

  tlm::tlm_generic_payload payload_;
  initiator_extension initiator_;
  sc_core::sc_event wake_;
  sc_core::sc_time cycle_;
  bool running_ = false;
  bool reset_ = false;  // latched: the line went high, or the software asked for it
  bool in_wfi_ = false;
  bool spurious_wake_ = false;
  std::optional<core_fault> fault_;
};

}  // namespace rpsim
