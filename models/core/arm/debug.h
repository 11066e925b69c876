#pragma once
// A core that executes instructions, as a debugger sees it. Everything here is called between two slices of the
// simulation, when every core stands between two instructions; a core may be ahead of simulated time by a straight run
// of them, but not where it has stopped by itself.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/core/arm/arm_engine.h"

namespace rpsim {

enum class debug_order : std::uint8_t {
  go,
  step,  // one instruction, then stop; an interrupt that is due is taken before it
  hold,
};

enum class debug_access : std::uint8_t { write, read, any };  // what a watchpoint looks for

struct debug_stop {
  enum class kind : std::uint8_t {
    step,         // as ordered
    breakpoint,   // at the instruction, before it
    watchpoint,   // before the access at `address`, or after it if an exception's entry or return made it
    instruction,  // BKPT, before it
    lockup,
  };
  kind why = kind::step;
  debug_access watched = debug_access::write;
  std::uint32_t address = 0;  // of the access
};

struct debug_register {
  std::string_view name;
  unsigned bits = 32;
};

class debug_target {
 public:
  virtual ~debug_target() = default;
  virtual const std::string& debug_label() const = 0;
  virtual arm_profile profile() const = 0;

  /// From now on the core obeys and says when it stops: in its thread, and executes no more until it is ordered to.
  using listener = std::function<void(debug_target&, const debug_stop&)>;
  virtual void attach(listener stopped) = 0;
  /// It goes on, without breakpoints and watchpoints.
  virtual void detach() = 0;
  virtual void order(debug_order what) = 0;
  virtual void reset_core() = 0;

  // ---- registers: r0 … r15, the status register, d0 … d15, FPSCR, then what the profile has
  static constexpr unsigned STATUS = 16, D0 = 17, FPSCR = 33, SYSTEM = 34;
  virtual std::vector<debug_register> system_registers() const = 0;
  virtual std::uint64_t read_register(unsigned n) = 0;
  /// false: it cannot be written in the core's present state.
  virtual bool write_register(unsigned n, std::uint64_t value) = 0;

  // ---- memory, at the core's own addresses and without side effects. @return how many bytes could be.
  virtual std::size_t read_memory(std::uint32_t address, std::span<std::byte> to) = 0;
  virtual std::size_t write_memory(std::uint32_t address, std::span<const std::byte> from) = 0;

  // ---- A breakpoint on an instruction that fails its condition is passed over, as the instruction is.
  virtual void set_breakpoint(std::uint32_t address) = 0;
  virtual void clear_breakpoint(std::uint32_t address) = 0;
  virtual void set_watchpoint(debug_access what, std::uint32_t address, std::uint32_t bytes) = 0;
  virtual void clear_watchpoint(debug_access what, std::uint32_t address, std::uint32_t bytes) = 0;
};

}  // namespace rpsim
