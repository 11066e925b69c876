#include "models/core/remote_core.h"

#include "models/core/lines.h"

namespace rpsim {

remote_core::remote_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : core(name, context, node),
      socket_("bus"),
      clock_(context.params.frequency_hz(
          {label() + ".clock", provenance::code, "reference/k3.md §7: clocks", "clock of the core"},
          node.required_u32("clock-frequency"))) {
  socket_.bind(*static_cast<tlm::tlm_bw_transport_if<>*>(this));
  initiator_.name = label().c_str();
  payload_.set_extension(&initiator_);
  SC_THREAD(run);
  set_stack_size(STACK_BYTES);
}

remote_core::~remote_core() { payload_.clear_extension(&initiator_); }

line_in* remote_core::input(std::string_view what, unsigned index) {
  if ((what != "local-reset" && what != "halt") || index != 0) return nullptr;
  std::unique_ptr<line_in>& line = what == "halt" ? halt_ : local_reset_;
  if (line == nullptr) {
    const child_scope scope(*this);
    line = std::make_unique<line_in>(what == "halt" ? "halt" : "local_reset");
  }
  return line.get();
}

line_out* remote_core::output(std::string_view what, unsigned index) {
  if (what != "wfi" || index != 0) return nullptr;
  if (wfi_ == nullptr) {
    const child_scope scope(*this);
    wfi_ = std::make_unique<line_out>("wfi");
  }
  return wfi_.get();
}

sc_core::sc_in<module_state>* remote_core::power() {
  if (power_ == nullptr) {
    const child_scope scope(*this);
    power_ = std::make_unique<sc_core::sc_in<module_state>>("power");
  }
  return power_.get();
}

void remote_core::end_of_elaboration() {
  sc_core::sc_spawn_options options;
  options.spawn_method();
  options.dont_initialize();
  if (local_reset_ != nullptr) options.set_sensitivity(&local_reset_->value_changed_event());
  if (halt_ != nullptr) options.set_sensitivity(&halt_->value_changed_event());
  if (power_ != nullptr) options.set_sensitivity(&power_->value_changed_event());
  const child_scope scope(*this);
  sc_core::sc_spawn([this] { lines_changed(); }, "lines_changed", &options);
}

bool remote_core::held() const {
  if (local_reset_ != nullptr && local_reset_->read()) return true;
  if (power_ == nullptr) return false;
  const module_state s = power_->read();
  return s == module_state::off || s == module_state::sw_rst_disable || s == module_state::sync_reset;
}

bool remote_core::clocked() const {
  if (power_ == nullptr || power_->read() == module_state::enable) return true;
  // On its way out of Enable a module waits for its CPU to stop; until then it executes.
  return running_ && power_->read() == module_state::trans;
}

void remote_core::lines_changed() {
  if (held()) reset_ = true;
  wake();
}

void remote_core::request_reset() {
  reset_ = true;
  wake();
}

void remote_core::inject(core_fault what) {
  if (!running_) return;
  if (what == core_fault::spurious_wake) {
    spurious_wake_ = in_wfi_;
  } else {
    fault_ = what;
  }
  wake();
}

void remote_core::settle() {
  for (;;) {
    if (reset_) throw reset_taken{};
    if (clocked()) break;
    sc_core::wait(wake_);
  }
  if (!fault_) return;
  const core_fault f = *fault_;
  fault_.reset();
  stop(f == core_fault::hang ? "core.hang" : "core.lockup", "injected");
}

void remote_core::stop(std::string_view event, std::string_view reason) {
  emit(event, {{"reason", reason}});
  set_wfi(false);
  stopped(event);
  throw ended{};
}

void remote_core::set_wfi(bool asleep) {
  in_wfi_ = asleep;
  if (wfi_ != nullptr) wfi_->write(asleep);
}

void remote_core::run() {
  for (;;) {
    // Only a core that leaves reset is halted: what runs goes on (reference/k3.md §4.4, R5F stop).
    while (held() || !clocked() || halted()) sc_core::wait(wake_);
    reset_ = false;
    try {
      spurious_wake_ = false;
      fault_.reset();
      cycle_ = sc_core::sc_time(1.0 / clock_.real(), sc_core::SC_SEC);
      running_ = true;
      boot();
    } catch (const ended&) {
    } catch (const reset_taken&) {
    }
    while (!reset_) sc_core::wait(wake_);
    running_ = false;
    set_wfi(false);
    emit("core.reset");
  }
}

bool remote_core::transfer(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length,
                           sc_core::sc_time& delay) {
  payload_.set_command(command);
  payload_.set_address(address);
  payload_.set_data_ptr(static_cast<unsigned char*>(data));
  payload_.set_data_length(length);
  payload_.set_streaming_width(length);
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_dmi_allowed(false);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  transport(payload_, delay);
  delay += cycle_;
  return payload_.is_response_ok();
}

tlm::tlm_sync_enum remote_core::nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) {
  return tlm::TLM_COMPLETED;  // a core only uses the blocking transport
}

}  // namespace rpsim
