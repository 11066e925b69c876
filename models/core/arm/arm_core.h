#pragma once
// What every core that executes Arm instructions has in common, whatever its architecture profile: the engine, its view
// of memory, and time. A derived core supplies the system side: exceptions, system instructions, the interrupt
// controller, memory protection.
//
// Time: instructions run ahead of simulated time, never further than the next thing that is to happen in the
// simulation, nor than the quantum; every access to something that is not plain memory waits for simulated time to
// catch up first. After each quantum the core looks up; while nothing else is to happen it goes on, without a wait. So
// the quantum changes nothing that can be seen.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/core/arm/arm_engine.h"
#include "models/core/arm/debug.h"
#include "models/core/remote_core.h"

namespace rpsim {

/// Parameters: <label>.quantum, <label>.wake_latency.
class arm_core : public remote_core, public debug_target, protected arm_engine_client {
 public:
  ~arm_core() override;

  // ---- debug_target
  const std::string& debug_label() const override { return label(); }
  arm_profile profile() const override { return profile_; }
  void attach(listener stopped) override;
  void detach() override;
  void order(debug_order what) override;
  void reset_core() override { request_reset(); }
  std::vector<debug_register> system_registers() const override { return {}; }
  std::uint64_t read_register(unsigned n) override;
  bool write_register(unsigned n, std::uint64_t value) override;
  std::size_t read_memory(std::uint32_t address, std::span<std::byte> to) override;
  std::size_t write_memory(std::uint32_t address, std::span<const std::byte> from) override;
  void set_breakpoint(std::uint32_t address) override;
  void clear_breakpoint(std::uint32_t address) override;
  void set_watchpoint(debug_access what, std::uint32_t address, std::uint32_t bytes) override;
  void clear_watchpoint(debug_access what, std::uint32_t address, std::uint32_t bytes) override;

 protected:
  enum class access_kind : std::uint8_t { read, write, fetch };
  enum class fault_kind : std::uint8_t { decode_error, bus_error, alignment, permission, background };
  struct access_fault {
    fault_kind kind = fault_kind::decode_error;
    access_kind access = access_kind::read;
    std::uint32_t address = 0;
  };
  /// A range of the core's own addresses in which one rule holds.
  struct range {
    std::uint32_t first = 0, last = ~0U;
    bool contains(std::uint32_t a) const { return a >= first && a <= last; }
  };
  struct permissions {
    range where;
    bool read = true, write = true, fetch = true;
    bool device = false;  // protection calls it Device or strongly ordered: unaligned accesses fault
    fault_kind otherwise = fault_kind::permission;
  };

  /// Loads the engine. @throws std::runtime_error if its module is not there.
  arm_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node, arm_profile profile);

  // ---- the derived core
  /// Registers and state as the architecture's reset leaves them; may load(), and lock_up() if it cannot start.
  /// `false`: an input keeps the CPU from beginning; asked again at each wake().
  virtual bool enter_reset_state() = 0;
  /// An interrupt is pending that is to be taken now.
  virtual bool interrupted() const = 0;
  /// Takes it. Between instructions; time has caught up.
  virtual void take_interrupt() = 0;
  /// Between instructions, before anything is executed: what changes of the engine's memory or code were put off.
  virtual void refresh() {}
  /// Something is pending that ends the sleep of a WFI or WFE.
  virtual bool wakes(arm_hint asleep_in) const = 0;
  /// It has ended.
  virtual void woken([[maybe_unused]] arm_hint asleep_in) {}
  /// The `irq` field of core.wake.
  virtual std::string wake_reason() const = 0;
  /// The instruction at regs()[15] was annulled for this fault. Between instructions; time has caught up.
  virtual void abort(const access_fault& fault) = 0;
  /// What is permitted around `address` at present.
  virtual permissions permitted(std::uint32_t address) const = 0;
  /// Where on the bus the address is; narrows `around` to where the same translation holds.
  virtual std::uint64_t bus_address(std::uint32_t address, [[maybe_unused]] range& around) const { return address; }
  /// A register block inside the core, which transport() serves; nothing of it is memory.
  virtual bool private_address(std::uint32_t address) const = 0;
  /// Whether an unaligned access to a device is a fault. If not, the core splits it into bytes.
  virtual bool unaligned_device_access_faults() const = 0;
  /// Whether the architecture has device memory there; what is not mapped may also be memory that wants to see
  /// accesses.
  virtual bool device_memory([[maybe_unused]] std::uint32_t address) const { return true; }

  /// The word of a register at a private_address(), as of `now`, the core's time, if reading it changes nothing.
  virtual std::optional<std::uint32_t> own_register([[maybe_unused]] std::uint32_t address,
                                                    [[maybe_unused]] const sc_core::sc_time& now) {
    return std::nullopt;
  }
  /// Nothing happens in the simulation until `then`: what others have set is as it is.
  static bool quiet_until(const sc_core::sc_time& then) {
    return !sc_core::sc_pending_activity_at_current_time() &&
           then - sc_core::sc_time_stamp() < sc_core::sc_time_to_pending_activity();
  }

  // ---- what a debugger sees besides, by the derived core
  virtual std::uint32_t debug_status() { return engine_->cpsr(); }
  virtual bool set_debug_status(std::uint32_t value) = 0;
  virtual std::uint32_t debug_system([[maybe_unused]] unsigned n) { return 0; }
  virtual bool set_debug_system([[maybe_unused]] unsigned n, [[maybe_unused]] std::uint32_t value) { return false; }
  /// One word of a private_address(), without side effects. false: it cannot be.
  virtual bool debug_private(tlm::tlm_command, std::uint32_t, void*) { return false; }

  // ---- for the derived core
  arm_engine& engine() { return *engine_; }
  const arm_engine& engine() const { return *engine_; }
  /// Where the core is in time, in cycles of its clock. In a client call of run() that is the start of the straight run
  /// of instructions under way, unless the engine is exact().
  std::uint64_t now_cycles() const;
  bool stepping() const { return stepping_; }
  /// r15 and the status register before the instruction that was stepped last.
  std::uint32_t step_pc() const { return step_pc_; }
  std::uint32_t step_status() const { return step_status_; }
  /// Between instructions: waits for simulated time; load() and store() may then go anywhere.
  void catch_up();
  /// The core spends `n` more cycles before the next instruction.
  void spend(std::uint64_t n) { ahead_ += cycle() * static_cast<double>(n); }
  /// Once what was executed has been accounted for; wakes() ends it.
  void fall_asleep(arm_hint how) { asleep_ = how; }
  /// Executes no more until reset, and says why.
  void lock_up(std::string reason) { lockup_ = std::move(reason); }
  bool locked_up() const { return lockup_.has_value(); }
  /// permitted() or bus_address() answers otherwise now. Between instructions.
  void memory_changed();
  /// Data accesses that an instruction or an exception makes on the core's own account. Plain memory at any time; else
  /// only while time has caught up. `missed`: neither; answer the engine exactly() and come again.
  enum class outcome : std::uint8_t { done, missed, faulted };
  outcome load(std::uint32_t address, void* data, unsigned bytes) {
    return own_access(access_kind::read, address, data, bytes);
  }
  outcome store(std::uint32_t address, const void* data, unsigned bytes) {
    return own_access(access_kind::write, address, const_cast<void*>(data), bytes);
  }
  const access_fault& last_fault() const { return fault_; }
  /// The answer of a client call in run() whose instruction is to be executed when simulated time has caught up: it
  /// comes again in step().
  arm_after exactly() {
    exact_wanted_ = true;
    return arm_after::synchronise;
  }

  /// A debugger's breakpoint is there: first asked by trapped(), which answers at_breakpoint().
  bool traps(const arm_instruction& i) override {
    return debug_ != nullptr && !stepping_ && debug_->breakpoints.contains(i.pc);
  }
  arm_after at_breakpoint(const arm_instruction& i);
  /// Between instructions: a debugger is there, and is told before anything else is executed.
  bool stops_for_debugger(const debug_stop& why);

  // ---- arm_engine_client
  std::optional<std::uint32_t> fetch(std::uint32_t address) override;
  std::optional<own_value> read_own(std::uint32_t address) override;
  bool read(std::uint32_t address, void* data, unsigned bytes) override;
  bool write(std::uint32_t address, const void* data, unsigned bytes) override;
  void unaligned(std::uint32_t address, bool writes) override {
    fault_ = {fault_kind::alignment, writes ? access_kind::write : access_kind::read, address};
  }

 private:
  struct memory_window {
    range where;
    unsigned char* host = nullptr;  // of where.first; nullptr: a device, or nothing
    bool readable = false, writable = false;
  };

  struct watchpoint {
    debug_access what = debug_access::write;
    std::uint32_t address = 0, bytes = 0;
    bool operator==(const watchpoint&) const = default;
  };
  /// What a debugger wants of this core. It stays when the debugger has gone: the core's thread may be waiting in here.
  struct debugging {
    listener stopped;
    debug_order order = debug_order::go;
    std::set<std::uint32_t> breakpoints;
    std::vector<watchpoint> watchpoints;
    std::optional<debug_stop> reached;         // to be told
    std::optional<std::uint32_t> passed_over;  // the instruction whose watched access was told and now happens
  };

  [[noreturn]] void boot() override;
  void stopped(std::string_view event) override;
  void obey_debugger();
  const watchpoint* watching(access_kind kind, std::uint32_t address, unsigned bytes) const;
  bool stops_before(access_kind kind, std::uint32_t address, unsigned bytes);
  void hide_watched_memory();
  std::size_t debug_access_memory(tlm::tlm_command command, std::uint32_t address, unsigned char* data,
                                  std::size_t bytes);
  void direct_memory_withdrawn(std::uint64_t first, std::uint64_t last) override;
  void account();
  bool others_at_work();
  std::uint64_t budget();
  bool step();
  void sleep();

  outcome own_access(access_kind kind, std::uint32_t address, void* data, unsigned bytes);
  outcome access(access_kind kind, std::uint32_t address, void* data, unsigned bytes);
  outcome access_device(access_kind kind, std::uint32_t address, void* data, unsigned bytes);
  memory_window window(std::uint32_t address);
  void want(const memory_window& w, std::uint32_t address);
  void give_memory(std::uint32_t address);
  void renew_memory();

  const arm_profile profile_;
  param& quantum_;
  param& wake_latency_;
  std::unique_ptr<arm_engine> engine_;

  std::vector<memory_window> windows_;
  std::set<std::uint32_t>
      wanted_;  // where chunks of memory begin that the engine could reach by itself and does not yet
  std::set<std::uint32_t> given_;  // chunks that it does
  bool memory_stale_ = true;

  std::optional<arm_hint> asleep_;
  std::optional<std::string> lockup_;
  sc_core::sc_time quantum_time_;
  sc_core::sc_time ahead_;     // of simulated time, by what has been accounted
  std::uint64_t counted_ = 0;  // of the engine's cycles
  bool stepping_ = false;
  std::uint32_t step_pc_ = 0, step_status_ = 0;
  bool exact_ = false;  // simulated time is where the core is: devices may be accessed
  bool exact_wanted_ = false;
  bool settled_ = false;     // others have had this instant
  bool come_again_ = false;  // the instruction was annulled because exact_ was false
  access_fault fault_;
  std::unique_ptr<debugging> debug_;  // since a debugger has been there
};

}  // namespace rpsim
