#include "models/core/native_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "models/core/native_image.h"

namespace rpsim {

namespace {
constexpr unsigned STACK_BYTES = 256 * 1024;
// A firmware that has used this much has no business doing so: half is left for what the simulator does below it.
constexpr std::ptrdiff_t STACK_LIMIT_BYTES = STACK_BYTES / 2;
constexpr std::uint32_t LONGEST_ID_BYTES = 128;

bool plausible_id(std::string_view id) {
  return !id.empty() && id.front() != '/' && id.find("..") == std::string_view::npos &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '/' || c == '.';
         });
}
}  // namespace

/// What the firmware image calls, on the core's thread.
struct native_core::firmware_calls {
  static native_core& of(void* core) { return *static_cast<native_core*>(core); }
  static constexpr rpsim_core_calls TABLE = {
      .edge = [](void* core) { of(core).edge(); },
      .read = [](void* core, std::uint32_t address, void* to,
                 std::uint32_t length) { of(core).access(tlm::TLM_READ_COMMAND, address, to, length); },
      .write =
          [](void* core, std::uint32_t address, const void* from, std::uint32_t length) {
            of(core).access(tlm::TLM_WRITE_COMMAND, address, const_cast<void*>(from), length);
          },
      .set_primask =
          [](void* core, bool masked) {
            of(core).synchronise();
            of(core).masks_.primask = masked;
            of(core).serve_interrupts();
          },
      .wait_for_interrupt = [](void* core) { of(core).wait_for_interrupt(); },
      .delay =
          [](void* core, std::uint64_t cycles) {
            of(core).owed_cycles_ += cycles;
            of(core).synchronise();
          },
      .spin = [](void* core) { of(core).spin(); },
      .lockup = [](void* core) { of(core).stop("core.lockup", "undefined instruction"); },
  };
};

native_core::native_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : core(name, context, node),
      socket_("bus"),
      nvic_(
          "nvic", context, label(), [this] { wake(); },
          [this] {
            reset_ = true;
            wake();
          }),
      note_address_(node.required_u32("rpsim,application-note")),
      clock_(context.params.frequency_hz(
          {label() + ".clock", provenance::code, "reference/k3.md §7: clocks", "clock of the core"},
          node.required_u32("clock-frequency"))),
      cycles_per_edge_(context.params.number(
          {label() + ".cycles_per_edge", provenance::assumed, "assumed: a handful of instructions between branches",
           "cycles of straight-line code for each control-flow edge of a native image"},
          6)),
      quantum_(
          context.params.time({label() + ".quantum", provenance::assumed, "accuracy of the simulation, not hardware",
                               "how far native code that touches nothing may run ahead of simulated time"},
                              sc_core::sc_time(10, sc_core::SC_US))),
      exception_entry_(context.params.number(
          {label() + ".exception_entry", provenance::published, "reference/k3.md §7: 12 cycles without wait states",
           "cycles from a taken interrupt to its handler, and back"},
          12)),
      wake_latency_(context.params.number({label() + ".wake_latency", provenance::assumed, "assumed",
                                           "cycles from the end of a WFI to the next instruction"},
                                          4)) {
  socket_.bind(*static_cast<tlm::tlm_bw_transport_if<>*>(this));
  initiator_.name = label().c_str();
  payload_.set_extension(&initiator_);
  SC_THREAD(run);
  set_stack_size(STACK_BYTES);
}

native_core::~native_core() { payload_.clear_extension(&initiator_); }

line_in* native_core::input(std::string_view what, unsigned index) {
  if (what == "irq") return nvic_.input(index);
  if (what != "local-reset" || index != 0) return nullptr;
  if (local_reset_ == nullptr) {
    const child_scope scope(*this);
    local_reset_ = std::make_unique<line_in>("local_reset");
  }
  return local_reset_.get();
}

line_out* native_core::output(std::string_view what, unsigned index) {
  if (what != "wfi" || index != 0) return nullptr;
  if (wfi_ == nullptr) {
    const child_scope scope(*this);
    wfi_ = std::make_unique<line_out>("wfi");
  }
  return wfi_.get();
}

sc_core::sc_in<module_state>* native_core::power() {
  if (power_ == nullptr) {
    const child_scope scope(*this);
    power_ = std::make_unique<sc_core::sc_in<module_state>>("power");
  }
  return power_.get();
}

void native_core::end_of_elaboration() {
  sc_core::sc_spawn_options options;
  options.spawn_method();
  options.dont_initialize();
  if (local_reset_ != nullptr) options.set_sensitivity(&local_reset_->value_changed_event());
  if (power_ != nullptr) options.set_sensitivity(&power_->value_changed_event());
  const child_scope scope(*this);
  sc_core::sc_spawn([this] { lines_changed(); }, "lines_changed", &options);
}

// ---- reset, clock, faults

bool native_core::held() const {
  if (local_reset_ != nullptr && local_reset_->read()) return true;
  if (power_ == nullptr) return false;
  const module_state s = power_->read();
  return s == module_state::off || s == module_state::sw_rst_disable || s == module_state::sync_reset;
}

bool native_core::clocked() const {
  if (power_ == nullptr || power_->read() == module_state::enable) return true;
  // On its way out of Enable a module waits for its CPU to stop; until then it executes.
  return running_ && power_->read() == module_state::trans;
}

void native_core::lines_changed() {
  if (held()) reset_ = true;
  wake();
}

void native_core::wake() { context().notifier.next_delta(wake_); }

void native_core::inject(core_fault what) {
  if (!running_) return;
  if (what == core_fault::spurious_wake) {
    spurious_wake_ = in_wfi_;
  } else {
    fault_ = what;
  }
  wake();
}

void native_core::settle() {
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

void native_core::stop(std::string_view event, std::string_view reason) {
  emit(event, {{"reason", reason}});
  set_wfi(false);
  for (;;) {
    sc_core::wait(wake_);
    if (reset_) throw reset_taken{};
  }
}

void native_core::set_wfi(bool asleep) {
  in_wfi_ = asleep;
  if (wfi_ != nullptr) wfi_->write(asleep);
}

// ---- the thread

void native_core::run() {
  for (;;) {
    while (held() || !clocked()) sc_core::wait(wake_);
    reset_ = false;
    try {
      boot();
    } catch (const reset_taken&) {
      running_ = false;
      set_wfi(false);
      emit("core.reset");
    }
  }
}

void native_core::boot() {
  stack_base_ = static_cast<const char*>(__builtin_frame_address(0));
  image_ = nullptr;
  masks_ = {};
  spurious_wake_ = false;
  fault_.reset();
  owed_cycles_ = 0;
  cycle_ = sc_core::sc_time(1.0 / clock_.real(), sc_core::SC_SEC);
  edge_cycles_ = std::max<std::uint64_t>(1, cycles_per_edge_.count());
  quantum_cycles_ = std::max<std::uint64_t>(1, quantum_.time().value() / cycle_.value());
  nvic_.reset(cycle_);
  running_ = true;

  read_application_note();
  // Nothing may wait inside a catch: the run-time library's stack of caught exceptions is per operating-system thread.
  reason_.clear();
  try {
    image_ = &load();
  } catch (const std::runtime_error& e) {
    reason_ = e.what();
  }
  if (image_ == nullptr) stop("core.lockup", reason_);
  image_->restore();
  image_->descriptor().calls = &firmware_calls::TABLE;
  image_->descriptor().core = this;
  masks_.primask = true;  // what the start-up code of the Arm image does first
  emit("core.start", {{"app", application_}});
  image_->descriptor().start();
  synchronise();
  stop("core.lockup", "the application returned");
}

native_image& native_core::load() {
  auto& image = images_[application_];
  if (image == nullptr) {
    image = std::make_unique<native_image>(fmt::format("{}/{}.so", context().native_image_directory, application_));
  }
  return *image;
}

void native_core::read_application_note() {
  const auto fetch = [this](std::uint32_t address, void* to, std::uint32_t length) {
    sc_core::sc_time delay;
    const bool ok = transfer(tlm::TLM_READ_COMMAND, address, to, length, delay);
    spend(delay);
    if (ok) return;
    reason_ = fmt::format("bus error at {:#x} on the way out of reset", address);
    stop("core.lockup", reason_);
  };
  struct {
    std::uint32_t name_bytes, id_bytes, type;
    std::array<char, 8> name;
  } note{};
  fetch(note_address_, &note, sizeof(note));
  const bool ours = note.name_bytes == sizeof(RPSIM_NOTE_NAME) && note.type == RPSIM_NOTE_APPLICATION &&
                    std::memcmp(note.name.data(), RPSIM_NOTE_NAME, sizeof(RPSIM_NOTE_NAME)) == 0;
  if (!ours) {
    reason_ = fmt::format("no application note at {:#x}", note_address_);
    stop("core.lockup", reason_);
  }
  std::array<char, LONGEST_ID_BYTES> text{};
  const std::uint32_t length = std::min(note.id_bytes, LONGEST_ID_BYTES);
  if (length != 0) fetch(note_address_ + sizeof(note), text.data(), length);
  application_.assign(text.begin(), std::find(text.begin(), text.end(), '\0'));
  if (!plausible_id(application_)) stop("core.lockup", "the application note names no application");
}

// ---- time

void native_core::spend(sc_core::sc_time t) {
  settle();
  while (t > sc_core::SC_ZERO_TIME) {
    const sc_core::sc_time before = sc_core::sc_time_stamp();
    sc_core::wait(t, wake_);
    t -= std::min(t, sc_core::sc_time_stamp() - before);
    settle();
    serve_interrupts();
  }
  serve_interrupts();
}

void native_core::synchronise() {
  const std::uint64_t cycles = owed_cycles_;
  owed_cycles_ = 0;
  spend(cycle_ * static_cast<double>(cycles));
}

void native_core::edge() {
  owed_cycles_ += edge_cycles_;
  const auto* const here = static_cast<const char*>(__builtin_frame_address(0));
  if (stack_base_ - here > STACK_LIMIT_BYTES) [[unlikely]]
    stop("core.lockup", "stack overflow");
  if (owed_cycles_ >= quantum_cycles_) [[unlikely]]
    synchronise();
}

void native_core::spin() {
  synchronise();
  for (;;) {
    sc_core::wait(wake_);
    settle();
    serve_interrupts();
  }
}

// ---- interrupts

sc_core::sc_time native_core::exception_time() {
  return cycle_ * std::max(1.0, exception_entry_.real());  // never none: an input stuck high must not stop time
}

void native_core::serve_interrupts() {
  if (image_ == nullptr) return;
  while (const unsigned exception = nvic_.preempting(masks_)) {
    nvic_.enter(exception);
    spend(exception_time());
    image_->descriptor().exception(exception);
    synchronise();
    nvic_.leave(exception);
    spend(exception_time());
  }
}

void native_core::wait_for_interrupt() {
  ++owed_cycles_;
  synchronise();
  // Armv7-M: an interrupt that PRIMASK alone holds back ends the WFI, too.
  if (nvic_.waking(masks_) != 0) return;
  set_wfi(true);
  emit("core.wfi");
  do {
    sc_core::wait(wake_);
    settle();
  } while (nvic_.waking(masks_) == 0 && !spurious_wake_);
  const unsigned by = nvic_.waking(masks_);
  spurious_wake_ = false;
  set_wfi(false);
  if (by >= nvic::EXTERNAL) {
    emit("core.wake", {{"irq", by - nvic::EXTERNAL}});
  } else {
    emit("core.wake", {{"irq", by == 0 ? "none" : by == nvic::SYSTICK ? "systick" : "exception"}});
  }
  spend(cycle_ * wake_latency_.real());
}

// ---- the bus

bool native_core::transfer(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length,
                           sc_core::sc_time& delay) {
  payload_.set_command(command);
  payload_.set_address(address);
  payload_.set_data_ptr(static_cast<unsigned char*>(data));
  payload_.set_data_length(length);
  payload_.set_streaming_width(length);
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_dmi_allowed(false);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  if (nvic::owns(address)) {
    nvic_.transport(payload_, delay);
  } else {
    socket_->b_transport(payload_, delay);
  }
  delay += cycle_;
  return payload_.is_response_ok();
}

void native_core::access(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length) {
  if (length == 0) return;
  synchronise();
  sc_core::sc_time delay;
  const bool ok = transfer(command, address, data, length, delay);
  spend(delay);
  if (ok) return;
  emit("core.fault", {{"kind", command == tlm::TLM_READ_COMMAND ? "read" : "write"}, field::hex("address", address)});
  reason_ = fmt::format("bus error at {:#x}: no fault handler in a native image", address);
  stop("core.lockup", reason_);
}

tlm::tlm_sync_enum native_core::nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) {
  return tlm::TLM_COMPLETED;  // this core only uses the blocking transport
}

}  // namespace rpsim
