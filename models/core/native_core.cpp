#include "models/core/native_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "models/core/native_image.h"

namespace rpsim {

namespace {
// A firmware that has used this much has no business doing so: half is left for what the simulator does below it.
constexpr std::ptrdiff_t STACK_LIMIT_BYTES = native_core::STACK_BYTES / 2;
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
            of(core).masked_ = masked;
            of(core).serve_interrupts();
          },
      .wait_for_interrupt = [](void* core) { of(core).wait_for_interrupt(); },
      .delay =
          [](void* core, std::uint64_t cycles) {
            of(core).owed_cycles_ += cycles;
            if (!of(core).unnoticed()) of(core).synchronise();
          },
      .spin = [](void* core) { of(core).spin(); },
      .lockup =
          [](void* core) {
            of(core).synchronise();
            of(core).stop("core.lockup", "undefined instruction");
          },
  };
};

native_core::native_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : remote_core(name, context, node),
      interrupts_(make_interrupts(
          context, label(), node, [this] { wake(); }, [this] { request_reset(); })),
      note_address_(node.required_u32("rpsim,application-note")),
      cycles_per_edge_(context.params.number(
          {label() + ".cycles_per_edge", provenance::assumed, "assumed: a handful of instructions between branches",
           "cycles of straight-line code for each control-flow edge of a native image"},
          6)),
      quantum_(
          context.params.time({label() + ".quantum", provenance::assumed, "accuracy of the simulation, not hardware",
                               "how far native code that touches nothing may run ahead of simulated time"},
                              sc_core::sc_time(10, sc_core::SC_US))),
      exception_entry_(context.params.number(
          {label() + ".exception_entry",
           interrupt_kind_of(node).entry_published ? provenance::published : provenance::assumed,
           interrupt_kind_of(node).source, "cycles from a taken interrupt to its handler, and back",
           interrupt_kind_of(node).entry_range},
          interrupt_kind_of(node).entry_cycles)),
      wake_latency_(context.params.number({label() + ".wake_latency", provenance::assumed, "assumed",
                                           "cycles from the end of a WFI to the next instruction"},
                                          4)) {
  payload().set_extension(&hint_);
}

native_core::~native_core() { payload().clear_extension(&hint_); }

line_in* native_core::input(std::string_view what, unsigned index) {
  return what == "irq" ? interrupts_->input(index) : remote_core::input(what, index);
}

void native_core::boot() {
  stack_base_ = static_cast<const char*>(__builtin_frame_address(0));
  image_ = nullptr;
  owed_ = sc_core::SC_ZERO_TIME;
  owed_cycles_ = 0;
  edge_cycles_ = std::max<std::uint64_t>(1, cycles_per_edge_.count());
  quantum_cycles_ = std::max<std::uint64_t>(1, quantum_.time().value() / cycle().value());
  interrupts_->reset(cycle());

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
  masked_ = true;  // what the start-up code of the Arm image does first
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

void native_core::elapse(const sc_core::sc_time& t) {
  const sc_core::sc_time end = sc_core::sc_time_stamp() + t;
  while (sc_core::sc_time_stamp() < end) {
    sc_core::wait(end - sc_core::sc_time_stamp(), wake_event());
    settle();
  }
}

void native_core::spend(sc_core::sc_time t) {
  undisturbed_ = sc_core::SC_ZERO_TIME;
  settle();
  do {
    if (t > sc_core::SC_ZERO_TIME) {
      const sc_core::sc_time before = sc_core::sc_time_stamp();
      sc_core::wait(t, wake_event());
      t -= std::min(t, sc_core::sc_time_stamp() - before);
      settle();
    }
    serve_interrupts();
  } while (t > sc_core::SC_ZERO_TIME);
}

sc_core::sc_time native_core::owed() const { return owed_ + cycle() * static_cast<double>(owed_cycles_); }

void native_core::synchronise() {
  const sc_core::sc_time t = owed();
  owed_ = sc_core::SC_ZERO_TIME;
  owed_cycles_ = 0;
  spend(t);
}

void native_core::edge() {
  owed_cycles_ += edge_cycles_;
  const auto* const here = static_cast<const char*>(__builtin_frame_address(0));
  if (stack_base_ - here > STACK_LIMIT_BYTES) [[unlikely]] {
    synchronise();
    stop("core.lockup", "stack overflow");
  }
  if (owed_cycles_ >= quantum_cycles_) [[unlikely]]
    synchronise();
}

void native_core::spin() {
  synchronise();
  for (;;) {
    sc_core::wait(wake_event());
    settle();
    serve_interrupts();
  }
}

// ---- interrupts

sc_core::sc_time native_core::exception_time() {
  return cycle() * std::max(1.0, exception_entry_.real());  // never none: an input stuck high must not stop time
}

void native_core::serve_interrupts() {
  if (image_ == nullptr) return;
  while (const unsigned exception = interrupts_->preempting(masked_)) {
    interrupts_->enter(exception);
    spend(exception_time());
    image_->descriptor().exception(exception);
    synchronise();
    interrupts_->leave(exception);
    elapse(exception_time());  // what comes now is not nested in this one
  }
}

void native_core::wait_for_interrupt() {
  ++owed_cycles_;
  synchronise();
  if (interrupts_->waking()) return;
  set_wfi(true);
  emit("core.wfi");
  bool spurious = false;
  do {
    sc_core::wait(wake_event());
    settle();
    spurious = take_spurious_wake();
  } while (!interrupts_->waking() && !spurious);
  const field by = interrupts_->wake_cause();
  set_wfi(false);
  emit("core.wake", {by});
  spend(cycle() * wake_latency_.real());
}

// ---- the bus

void native_core::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (interrupts_->owns(payload.get_address())) {
    interrupts_->transport(payload, delay);
  } else {
    remote_core::transport(payload, delay);
  }
}

void native_core::access(tlm::tlm_command command, std::uint32_t address, void* data, std::uint32_t length) {
  if (length == 0) return;
  const bool quiet = command == quiet_command_ && address >= quiet_from_ && address - quiet_from_ < hint_.bytes &&
                     length <= hint_.bytes - (address - quiet_from_);
  // Not where it would be seen: bus accesses in a trace bear their time.
  const bool ahead = quiet && unnoticed() && !context().trace.on(trace_level::bus);
  if (!ahead) synchronise();
  hint_.bytes = 0;
  const bool ok = transfer(command, address, data, length, owed_);
  quiet_command_ = command;
  quiet_from_ = address;
  if (!ahead) undisturbed_ = sc_core::sc_time_to_pending_activity();
  if (!ok || interrupts_->owns(address) || !unnoticed()) synchronise();  // an interrupt may have been enabled
  if (ok) return;
  emit("core.fault", {{"kind", command == tlm::TLM_READ_COMMAND ? "read" : "write"}, field::hex("address", address)});
  reason_ = fmt::format("bus error at {:#x}: no fault handler in a native image", address);
  stop("core.lockup", reason_);
}

}  // namespace rpsim
