#include "models/core/arm/arm_core.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace rpsim {

namespace {
constexpr std::uint64_t PAGE_BYTES = 4096;  // of arm_engine::map()
/// What the engine is given at a time. A core that touches a corner of 2 GiB of DDR pays for the corner.
constexpr std::uint32_t CHUNK_BYTES = 1 << 20;
/// Deltas that a line needs from a model to the core, with room. Bounded: two cores at the same instant would wait for
/// each other.
constexpr unsigned SETTLING_DELTAS = 8;
constexpr unsigned MOST_CORES = 16;
/// Without a wait. Bounded: where nothing else is to happen, the time limit of a run still ends it.
constexpr unsigned QUANTA_IN_A_ROW = 64;
}  // namespace

arm_core::arm_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node, arm_profile profile)
    : remote_core(name, context, node),
      profile_(profile),
      quantum_(
          context.params.time({label() + ".quantum", provenance::assumed, "accuracy of the simulation, not hardware",
                               "how far code that touches nothing may run ahead of simulated time"},
                              sc_core::sc_time(10, sc_core::SC_US))),
      wake_latency_(context.params.number({label() + ".wake_latency", provenance::assumed, "assumed",
                                           "cycles from the end of a WFI to the next instruction"},
                                          4)) {
  arm_engine_options options;
  options.profile = profile;
  const arm_engine_module& module = load_arm_engine(context.arm_engine);
  if (context.exclusive_monitor == nullptr) context.exclusive_monitor = module.make_monitor(MOST_CORES);
  if (context.exclusive_processors == MOST_CORES)
    throw std::runtime_error("too many Arm cores for one exclusive monitor");
  options.monitor = context.exclusive_monitor;
  options.processor = context.exclusive_processors++;
  engine_ = module.make(*this, options);
}

arm_core::~arm_core() = default;

void arm_core::boot() {
  asleep_.reset();
  lockup_.reset();
  quantum_time_ = std::max(quantum_.time(), cycle());
  ahead_ = sc_core::SC_ZERO_TIME;
  counted_ = engine_->cycles();
  engine_->check_code();  // another image may have been loaded
  engine_->clear_exclusive();
  exact_ = true;
  exact_wanted_ = settled_ = false;
  if (debug_ != nullptr) debug_->reached.reset();
  while (!enter_reset_state()) {
    sc_core::wait(wake_event());
    settle();
  }
  emit("core.start", {field::hex("entry", engine_->regs()[15])});
  for (;;) {
    settle();
    refresh();
    renew_memory();
    if (debug_ != nullptr) obey_debugger();
    if (lockup_) {
      catch_up();
      stop("core.lockup", *lockup_);
    }
    if (interrupted()) {
      catch_up();
      asleep_.reset();
      exact_ = true;
      take_interrupt();
    } else if (asleep_) {
      sleep();
    } else if (debug_ != nullptr && debug_->order == debug_order::step) {
      catch_up();
      if (!interrupted() && step()) debug_->reached = debug_stop{};
    } else if (const std::uint64_t cycles = budget(); cycles != 0) {
      exact_ = false;
      const arm_engine::stop why = engine_->run(cycles);
      account();
      if (why == arm_engine::stop::synchronise && (debug_ == nullptr || !debug_->reached)) step();
    }
  }
}

/// @return whether it was executed: not where an interrupt comes first, or a watchpoint stops it.
bool arm_core::step() {
  if (exact_wanted_ || engine_->stores_exclusively()) {
    exact_wanted_ = false;
    catch_up();
    if (interrupted()) return false;
  }
  for (;;) {
    exact_ = ahead_ == sc_core::SC_ZERO_TIME;
    come_again_ = false;
    step_pc_ = engine_->regs()[15];
    step_status_ = engine_->cpsr();
    stepping_ = true;
    const arm_engine::stepped how = engine_->step();
    stepping_ = false;
    if (how == arm_engine::stepped::done || !come_again_) {
      account();
      if (debug_ != nullptr) debug_->passed_over.reset();
      if (how == arm_engine::stepped::done) return true;
      catch_up();
      exact_ = true;
      abort(fault_);
      return true;
    }
    counted_ = engine_->cycles();  // annulled: it took no time
    if (debug_ != nullptr && debug_->reached) return false;
    catch_up();
    if (interrupted()) return false;
  }
}

void arm_core::sleep() {
  catch_up();
  const arm_hint how = *asleep_;
  if (!wakes(how)) {
    set_wfi(how == arm_hint::wfi);
    emit(how == arm_hint::wfi ? "core.wfi" : "core.wfe");
    do {
      sc_core::wait(wake_event());
      settle();
    } while (!wakes(how) && !take_spurious_wake());
    set_wfi(false);
    const std::string why = wake_reason();
    unsigned irq = 0;
    const bool numbered = std::from_chars(why.data(), why.data() + why.size(), irq).ec == std::errc{};
    emit("core.wake", {numbered ? field{"irq", irq} : field{"irq", why}});
    spend(wake_latency_.count());
  }
  asleep_.reset();
  woken(how);
}

// ---- time

std::uint64_t arm_core::now_cycles() const {
  return (sc_core::sc_time_stamp() + ahead_).value() / cycle().value() + (engine_->cycles() - counted_);
}

void arm_core::account() {
  const std::uint64_t executed = engine_->cycles();
  spend(executed - counted_);
  counted_ = executed;
}

/// Whatever else happens at the instant that is reached happens before the core goes on, whichever way it got there.
void arm_core::catch_up() {
  while (ahead_ > sc_core::SC_ZERO_TIME) {
    const sc_core::sc_time before = sc_core::sc_time_stamp();
    sc_core::wait(ahead_, wake_event());
    ahead_ -= std::min(ahead_, sc_core::sc_time_stamp() - before);
    settle();
  }
  others_at_work();
  exact_ = true;
}

/// Lets them finish. @return whether there were any.
bool arm_core::others_at_work() {
  unsigned deltas = 0;
  for (; deltas < SETTLING_DELTAS && sc_core::sc_pending_activity_at_current_time(); ++deltas) {
    sc_core::wait(sc_core::SC_ZERO_TIME);
    settle();
  }
  return deltas != 0;
}

/// How many cycles to run now: a quantum, or less to the next thing that happens in the simulation. Where that is
/// further away, the core runs on without a wait: nobody else would have anything to do. 0: waited instead.
std::uint64_t arm_core::budget() {
  if (ahead_ == sc_core::SC_ZERO_TIME && !settled_ && others_at_work()) {
    settled_ = true;  // asked once an instant
    return 0;
  }
  settled_ = false;
  const sc_core::sc_time limit =
      std::min(quantum_time_ * static_cast<double>(QUANTA_IN_A_ROW), sc_core::sc_time_to_pending_activity());
  if (ahead_ != sc_core::SC_ZERO_TIME && ahead_ >= limit) {
    catch_up();
    return 0;
  }
  const sc_core::sc_time now = std::min(quantum_time_, std::max(limit, ahead_) - ahead_);
  return std::max<std::uint64_t>(1, now.value() / cycle().value());
}

// ---- memory

void arm_core::memory_changed() { memory_stale_ = true; }

void arm_core::direct_memory_withdrawn(std::uint64_t, std::uint64_t) {
  // Perhaps from inside an access of the engine: it lets go before it executes anything else.
  windows_.clear();
  memory_stale_ = true;
}

arm_core::memory_window arm_core::window(std::uint32_t address) {
  const auto known =
      std::find_if(windows_.begin(), windows_.end(), [&](const memory_window& w) { return w.where.contains(address); });
  if (known != windows_.end()) return *known;
  range around;
  const std::uint64_t there = bus_address(address, around);
  tlm::tlm_dmi dmi;
  payload().set_command(tlm::TLM_READ_COMMAND);
  payload().set_address(there);
  payload().set_data_length(4);
  if (!bus()->get_direct_mem_ptr(payload(), dmi)) return {};
  const std::uint64_t first = std::max<std::uint64_t>(dmi.get_start_address(), there - (address - around.first));
  const std::uint64_t last = std::min<std::uint64_t>(dmi.get_end_address(), there + (around.last - address));
  const memory_window w{
      {static_cast<std::uint32_t>(address - (there - first)), static_cast<std::uint32_t>(address + (last - there))},
      dmi.get_dmi_ptr() + (first - dmi.get_start_address()),
      dmi.is_read_allowed(),
      dmi.is_write_allowed()};
  windows_.push_back(w);
  return w;
}

/// Plain memory was reached the slow way: from the next time on the engine does it.
void arm_core::want(const memory_window& w, std::uint32_t address) {
  const std::uint32_t at = std::max(w.where.first, address & ~(CHUNK_BYTES - 1));
  if (!given_.contains(at)) wanted_.insert(at);
}

/// Lets the engine reach a chunk of memory by itself, as far as whole pages of one kind go. The rest goes through
/// step().
void arm_core::give_memory(std::uint32_t address) {
  const memory_window w = window(address);
  if (w.host == nullptr || !w.readable) return;
  const std::uint64_t chunk = address & ~(CHUNK_BYTES - 1);
  const std::uint64_t end_of_it = std::min<std::uint64_t>(w.where.last, chunk + CHUNK_BYTES - 1);
  for (std::uint64_t at = std::max<std::uint64_t>(w.where.first, chunk); at <= end_of_it;) {
    const permissions p = permitted(static_cast<std::uint32_t>(at));
    const std::uint64_t last = std::min<std::uint64_t>(end_of_it, p.where.last);
    const std::uint64_t first = (at + PAGE_BYTES - 1) & -PAGE_BYTES, end = (last + 1) & -PAGE_BYTES;
    if (p.read && !p.device && first < end) {
      engine_->map(
          static_cast<std::uint32_t>(first), end - first, w.host + (first - w.where.first),
          w.writable && p.write ? arm_engine::memory_access::read_write : arm_engine::memory_access::read_only);
    }
    at = last + 1;
  }
}

/// Between instructions.
void arm_core::renew_memory() {
  if (memory_stale_) {
    memory_stale_ = false;
    windows_.clear();
    given_.clear();
    engine_->unmap_all();
  }
  if (wanted_.empty()) return;
  for (const std::uint32_t address : wanted_) give_memory(address);
  if (debug_ != nullptr) hide_watched_memory();
  given_.merge(wanted_);
  wanted_.clear();
}

std::optional<std::uint32_t> arm_core::fetch(std::uint32_t address) {
  std::uint32_t word = 0;
  if (!permitted(address).fetch || private_address(address)) return std::nullopt;
  const memory_window w = window(address);
  if (w.host != nullptr && w.where.contains(address + 3)) {
    std::memcpy(&word, w.host + (address - w.where.first), sizeof word);
    want(w, address);
    return word;
  }
  // Memory that wants to see every access (a watched buffer in the same page) still is memory.
  range around;
  payload().set_command(tlm::TLM_READ_COMMAND);
  payload().set_address(bus_address(address, around));
  payload().set_data_ptr(reinterpret_cast<unsigned char*>(&word));
  payload().set_data_length(sizeof word);
  payload().set_streaming_width(sizeof word);
  payload().set_byte_enable_ptr(nullptr);
  if (bus()->transport_dbg(payload()) != sizeof word) return std::nullopt;
  return word;
}

/// As transfer() does it, but without catching up.
std::optional<arm_engine_client::own_value> arm_core::read_own(std::uint32_t address) {
  if (debug_ != nullptr || !private_address(address)) return std::nullopt;
  const std::uint64_t uncounted = engine_->cycles() - counted_;
  const auto ahead = sc_core::sc_time::from_value(ahead_.value() + uncounted * cycle().value());
  const auto value = own_register(address, sc_core::sc_time_stamp() + ahead);
  if (!value) return std::nullopt;
  return own_value{*value, 1};
}

bool arm_core::read(std::uint32_t address, void* data, unsigned bytes) {
  if (debug_ != nullptr && stops_before(access_kind::read, address, bytes)) return false;
  return access(access_kind::read, address, data, bytes) == outcome::done;
}

bool arm_core::write(std::uint32_t address, const void* data, unsigned bytes) {
  if (debug_ != nullptr && stops_before(access_kind::write, address, bytes)) return false;
  return access(access_kind::write, address, const_cast<void*>(data), bytes) == outcome::done;
}

arm_core::outcome arm_core::access(access_kind kind, std::uint32_t address, void* data, unsigned bytes) {
  const bool writes = kind == access_kind::write;
  const std::uint32_t last = address + bytes - 1;  // an access around the top of the address space is two
  const bool unaligned = address % std::min(bytes, 4U) != 0;
  for (std::uint32_t at = address;;) {
    const permissions p = permitted(at);
    if (!(writes ? p.write : p.read)) {
      fault_ = {p.otherwise, kind, at};
      return outcome::faulted;
    }
    if (p.device && unaligned) {
      fault_ = {fault_kind::alignment, kind, address};
      return outcome::faulted;
    }
    if (p.where.contains(last) || last < address) break;
    at = p.where.last + 1;
  }
  if (!private_address(address)) {
    const memory_window w = window(address);
    if (w.host != nullptr && last >= address && w.where.contains(last) && (writes ? w.writable : w.readable)) {
      unsigned char* const host = w.host + (address - w.where.first);
      std::memcpy(writes ? host : data, writes ? data : host, bytes);
      want(w, address);
      return outcome::done;
    }
  }
  if (!exact_) {
    come_again_ = true;
    return outcome::missed;
  }
  return access_device(kind, address, data, bytes);
}

arm_core::outcome arm_core::access_device(access_kind kind, std::uint32_t address, void* data, unsigned bytes) {
  unsigned size = std::min(bytes, 4U);
  if (address % size != 0) {
    fault_ = {fault_kind::alignment, kind, address};
    if (unaligned_device_access_faults() && device_memory(address)) return outcome::faulted;
    size = 1;
  }
  const auto command = kind == access_kind::write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND;
  for (unsigned done = 0; done < bytes; done += size) {
    sc_core::sc_time delay;
    const bool ok = transfer(command, address + done, static_cast<unsigned char*>(data) + done, size, delay);
    ahead_ += delay;
    if (ok) continue;
    const bool nobody = payload().get_response_status() == tlm::TLM_ADDRESS_ERROR_RESPONSE;
    fault_ = {nobody ? fault_kind::decode_error : fault_kind::bus_error, kind, address + done};
    return outcome::faulted;
  }
  return outcome::done;
}

// ---- for a debugger

void arm_core::attach(listener stopped) {
  if (debug_ == nullptr) debug_ = std::make_unique<debugging>();
  debug_->stopped = std::move(stopped);
  debug_->order = debug_order::hold;
}

void arm_core::detach() {
  if (debug_ == nullptr) return;
  debug_->stopped = nullptr;
  while (!debug_->breakpoints.empty()) clear_breakpoint(*debug_->breakpoints.begin());
  while (!debug_->watchpoints.empty()) {
    const watchpoint w = debug_->watchpoints.back();
    clear_watchpoint(w.what, w.address, w.bytes);
  }
  debug_->reached.reset();
  order(debug_order::go);
}

void arm_core::order(debug_order what) {
  debug_->order = what;
  wake();
}

bool arm_core::stops_for_debugger(const debug_stop& why) {
  if (debug_ == nullptr || debug_->stopped == nullptr) return false;
  debug_->reached = why;
  return true;
}

arm_after arm_core::at_breakpoint(const arm_instruction& i) {
  debug_->reached = debug_stop{.why = debug_stop::kind::breakpoint, .address = i.pc};
  return arm_after::synchronise;
}

void arm_core::stopped(std::string_view event) {
  if (event != "core.lockup" || debug_ == nullptr || debug_->stopped == nullptr) return;
  debug_->order = debug_order::hold;
  debug_->stopped(*this, {.why = debug_stop::kind::lockup});
}

/// Between instructions: tells what was reached, and waits while the core is held.
void arm_core::obey_debugger() {
  if (debug_->reached) {
    catch_up();
    const debug_stop why = *debug_->reached;
    debug_->reached.reset();
    // An interrupt comes first; its handler returns to the breakpoint.
    if (why.why == debug_stop::kind::breakpoint && interrupted()) return;
    if (debug_->stopped != nullptr) {
      if (why.why == debug_stop::kind::watchpoint) debug_->passed_over = engine_->regs()[15];
      debug_->order = debug_order::hold;
      debug_->stopped(*this, why);
    }
  }
  if (debug_->order != debug_order::hold) return;
  do {
    sc_core::wait(wake_event());
    settle();
  } while (debug_->order == debug_order::hold);
  refresh();
  renew_memory();
}

const arm_core::watchpoint* arm_core::watching(access_kind kind, std::uint32_t address, unsigned bytes) const {
  for (const watchpoint& w : debug_->watchpoints) {
    const bool meant = w.what == debug_access::any || (w.what == debug_access::write) == (kind == access_kind::write);
    const std::uint64_t end = std::uint64_t{address} + bytes, watched_end = std::uint64_t{w.address} + w.bytes;
    if (meant && end > w.address && address < watched_end) return &w;
  }
  return nullptr;
}

/// An instruction's own access.
bool arm_core::stops_before(access_kind kind, std::uint32_t address, unsigned bytes) {
  if (debug_->passed_over == step_pc_) return false;
  const watchpoint* w = watching(kind, address, bytes);
  if (w == nullptr) return false;
  debug_->reached = debug_stop{debug_stop::kind::watchpoint, w->what, std::max(address, w->address)};
  come_again_ = true;
  return true;
}

/// One on the core's own account, which cannot be held up for a debugger: it is told afterwards.
arm_core::outcome arm_core::own_access(access_kind kind, std::uint32_t address, void* data, unsigned bytes) {
  const watchpoint* w = debug_ == nullptr ? nullptr : watching(kind, address, bytes);
  if (w == nullptr) return access(kind, address, data, bytes);
  if (!exact_) {
    come_again_ = true;
    return outcome::missed;
  }
  const outcome o = access(kind, address, data, bytes);
  if (o == outcome::done)
    debug_->reached = debug_stop{debug_stop::kind::watchpoint, w->what, std::max(address, w->address)};
  return o;
}

/// The engine does not reach it by itself.
void arm_core::hide_watched_memory() {
  for (const watchpoint& w : debug_->watchpoints) engine_->unmap(w.address, w.bytes);
}

void arm_core::set_breakpoint(std::uint32_t address) {
  debug_->breakpoints.insert(address);
  engine_->invalidate(address, 4);
}

void arm_core::clear_breakpoint(std::uint32_t address) {
  debug_->breakpoints.erase(address);
  engine_->invalidate(address, 4);
}

void arm_core::set_watchpoint(debug_access what, std::uint32_t address, std::uint32_t bytes) {
  debug_->watchpoints.push_back({what, address, bytes});
  memory_changed();
}

void arm_core::clear_watchpoint(debug_access what, std::uint32_t address, std::uint32_t bytes) {
  std::erase(debug_->watchpoints, watchpoint{what, address, bytes});
  debug_->passed_over.reset();
  memory_changed();
  engine_->clear_cache();  // and with it what it has learnt of instructions that it had to stop at
}

std::uint64_t arm_core::read_register(unsigned n) {
  if (n < STATUS) return engine_->regs()[n];
  if (n == STATUS) return debug_status();
  if (n == FPSCR) return engine_->fpscr();
  if (n >= SYSTEM) return debug_system(n - SYSTEM);
  const auto& words = engine_->fp_regs();
  return words[2 * (n - D0)] | std::uint64_t{words[2 * (n - D0) + 1]} << 32;
}

bool arm_core::write_register(unsigned n, std::uint64_t value) {
  const auto word = static_cast<std::uint32_t>(value);
  if (n >= SYSTEM) return set_debug_system(n - SYSTEM, word);
  if (n == STATUS) return set_debug_status(word);
  if (n < STATUS) {
    engine_->regs()[n] = n == 15 ? word & ~1U : word;
  } else if (n == FPSCR) {
    engine_->set_fpscr(word);
  } else {
    auto& words = engine_->fp_regs();
    words[2 * (n - D0)] = word;
    words[2 * (n - D0) + 1] = static_cast<std::uint32_t>(value >> 32);
  }
  return true;
}

std::size_t arm_core::read_memory(std::uint32_t address, std::span<std::byte> to) {
  return debug_access_memory(tlm::TLM_READ_COMMAND, address, reinterpret_cast<unsigned char*>(to.data()), to.size());
}

std::size_t arm_core::write_memory(std::uint32_t address, std::span<const std::byte> from) {
  std::vector<std::byte> data(from.begin(), from.end());
  const std::size_t done =
      debug_access_memory(tlm::TLM_WRITE_COMMAND, address, reinterpret_cast<unsigned char*>(data.data()), data.size());
  engine_->invalidate(address, done);
  return done;
}

/// Word by word: each may be in another place, and a register is one.
std::size_t arm_core::debug_access_memory(tlm::tlm_command command, std::uint32_t address, unsigned char* data,
                                          std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const auto at = static_cast<std::uint32_t>(address + done);
    const auto part = static_cast<unsigned>(std::min<std::size_t>(4 - at % 4, bytes - done));
    if (private_address(at)) {
      unsigned char word[4];
      if ((part < 4 || command == tlm::TLM_READ_COMMAND) && !debug_private(tlm::TLM_READ_COMMAND, at & ~3U, word))
        break;
      if (command == tlm::TLM_READ_COMMAND) {
        std::memcpy(data + done, word + at % 4, part);
      } else {
        std::memcpy(word + at % 4, data + done, part);
        if (!debug_private(command, at & ~3U, word)) break;
      }
    } else {
      range around;
      tlm::tlm_generic_payload p;
      p.set_command(command);
      p.set_address(bus_address(at, around));
      p.set_data_ptr(data + done);
      p.set_data_length(part);
      p.set_streaming_width(part);
      if (bus()->transport_dbg(p) != part) break;
    }
    done += part;
  }
  return done;
}

}  // namespace rpsim
