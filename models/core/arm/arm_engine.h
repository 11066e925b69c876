#pragma once
// What executes Arm instructions, seen from the core around it. The engine knows the instruction set, registers, flags
// and memory; the core (Cortex-M4, Cortex-R5) supplies everything that is the system's: exceptions, system
// instructions, interrupts, time, the bus. One engine serves one core. No SystemC here: the implementation is a module
// of its own, loaded when a scenario asks for an Arm core (load_arm_engine).
//
// How the two work together: run() executes until a cycle budget is used up. It makes no access to anything that the
// core has not given it as memory (map()); it stops *before* an instruction that would (stop::synchronise), and the
// core, once simulated time has caught up with cycles(), executes that one with step(), in which read() and write() of
// the client answer. No client call may wait for simulated time or throw: there is generated code on the stack below
// it.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace rpsim {

enum class arm_profile : std::uint8_t { m, r };  // Thumb only, Armv7E-M; Arm and Thumb, Armv7-R

struct arm_instruction {
  std::uint32_t pc = 0;
  /// Arm: the word. Thumb: 16 bits, or 32 with the first halfword above the second.
  std::uint32_t code = 0;
  bool thumb = true;
  unsigned length() const { return thumb && code < 0x10000 ? 2 : 4; }
};

enum class arm_hint : std::uint8_t { wfi, wfe, sev };

/// What a client's answer to an event in run() makes the engine do.
enum class arm_after : std::uint8_t {
  go_on,        // executes on, from wherever the registers now say
  stop,         // run() returns stop::requested, with the registers as they are
  again,        // executes the same instruction again (after the client changed what it depends on)
  synchronise,  // run() returns stop::synchronise before this instruction; it happens again in step(), where this
                // answer means go_on
  counted,      // the client is asked again, still in run(), when cycles() has every instruction before this one
};

class arm_engine_client {
 public:
  virtual ~arm_engine_client() = default;

  // ---- when code is translated
  /// The word of code at `address` (a multiple of 4), or nullopt if it must not be executed: not_executable() then
  /// says so when execution gets there. Called in run() and step(); makes no simulated bus access.
  virtual std::optional<std::uint32_t> fetch(std::uint32_t address) = 0;
  /// What an instruction costs, in the core's clock cycles. One that fails its condition costs 1.
  virtual unsigned cycles(const arm_instruction& i) = 0;
  /// Whether this one goes to trapped() although the engine could execute it (a breakpoint, a trap that the core has
  /// switched on). Asked when it is translated: invalidate() or clear_cache() when the answer changes.
  virtual bool traps(const arm_instruction& i) {
    (void)i;
    return false;
  }

  // ---- in run() and step(); regs()[15] is already the next instruction's, the condition has passed
  /// Every instruction that concerns the system and every undefined one: CPS, MRS and MSR but of the flags, coprocessor
  /// and co., SRS/RFE/LDM^/SUBS pc, BKPT, NEON, double precision on M; floating point while fp_trapped().
  virtual arm_after trapped(const arm_instruction& i) = 0;
  virtual arm_after supervisor_call(const arm_instruction& i) = 0;
  virtual arm_after hint(arm_hint what, const arm_instruction& i) = 0;
  /// Execution got to `pc`, for which fetch() has no code (or which is EXC_RETURN: the caller knows). Thumb state is
  /// cpsr()'s. `pc` has bit 0 clear.
  virtual arm_after not_executable(std::uint32_t pc) = 0;

  // ---- in run(), between two instructions: cycles() is exact
  struct own_value {
    std::uint32_t value;
    unsigned cycles;  // that the access takes besides the instruction
  };
  /// The word at `address`, which is not mapped, if nobody but this core can tell that it is read, nor has to catch up
  /// for it: a counter of the core's own cycles, say. nullopt: step() does it.
  virtual std::optional<own_value> read_own(std::uint32_t address) {
    (void)address;
    return std::nullopt;
  }

  // ---- in step() only
  /// One access of 1, 2, 4 or 8 bytes, perhaps unaligned, to what is not mapped. false: the instruction is annulled and
  /// step() returns stepped::aborted. The client remembers what was accessed.
  virtual bool read(std::uint32_t address, void* data, unsigned bytes) = 0;
  virtual bool write(std::uint32_t address, const void* data, unsigned bytes) = 0;
  /// The instruction may not access `address`, which is not aligned as it wants it: annulled as above. Always those
  /// that transfer several words or are exclusive, and those of floating point; any while trap_unaligned().
  virtual void unaligned(std::uint32_t address, bool writes) = 0;
};

/// The exclusive monitor that several engines share. Made by the engine's module.
class arm_exclusive_monitor {
 public:
  virtual ~arm_exclusive_monitor() = default;
};

class arm_engine {
 public:
  enum class stop : std::uint8_t {
    budget,       // the cycles are used up (overrun by one straight run of instructions at most)
    synchronise,  // the next instruction is one for step()
    requested,    // a client call answered arm_after::stop
  };
  enum class stepped : std::uint8_t {
    done,
    aborted,  // a read() or write() failed: registers are as before the instruction, regs()[15] is its address
  };
  enum class memory_access : std::uint8_t { read_only, read_write };

  virtual ~arm_engine() = default;

  virtual stop run(std::uint64_t cycles) = 0;
  /// Executes one instruction, whatever it is.
  virtual stepped step() = 0;
  /// Executed so far, since the engine was made. In a client call the current run of straight code is not yet counted,
  /// unless exact().
  virtual std::uint64_t cycles() const = 0;
  virtual bool exact() const = 0;

  /// r0 … r15, of the current mode; r15 is the next instruction's address. The reference is good for the engine's life.
  virtual std::array<std::uint32_t, 16>& regs() = 0;
  /// s0 … s31 in words, d16 and up behind them.
  virtual std::array<std::uint32_t, 64>& fp_regs() = 0;
  /// A32 layout: NZCVQ, GE, IT bits, E, A, I, F, T, mode. On M the T bit and the mode are kept by the core as Thumb,
  /// user.
  virtual std::uint32_t cpsr() const = 0;
  virtual void set_cpsr(std::uint32_t value) = 0;
  /// LEN and STRIDE always read as 0: short vectors are not supported (neither core has them).
  virtual std::uint32_t fpscr() const = 0;
  virtual void set_fpscr(std::uint32_t value) = 0;
  /// While on, floating-point instructions go to trapped() (coprocessor access disabled, FPCA clear, lazy state to
  /// save). Costs nothing to switch: code is translated apart for either.
  virtual void trap_fp(bool on) = 0;
  virtual bool fp_trapped() const = 0;
  /// CCR.UNALIGN_TRP, SCTLR.A.
  virtual void trap_unaligned(bool on) = 0;
  virtual void clear_exclusive() = 0;
  /// The next instruction is an exclusive store: one that is annulled has spent its reservation, so that step() has to
  /// be called when its write can be carried out.
  virtual bool stores_exclusively() = 0;

  /// Memory that run() reaches directly, in pages of 4 KiB: [base, base + bytes) at `host`. Replaces what was there.
  /// Not in a client call.
  virtual void map(std::uint32_t base, std::uint64_t bytes, unsigned char* host, memory_access access) = 0;
  virtual void unmap(std::uint32_t base, std::uint64_t bytes) = 0;
  virtual void unmap_all() = 0;

  /// Code in this range may have changed, or fetch()'s and traps()' answers for it. In a client call it takes effect
  /// when that returns arm_after::stop.
  virtual void invalidate(std::uint32_t address, std::uint64_t bytes) = 0;
  virtual void clear_cache() = 0;
  /// Invalidates what was translated and now reads differently: what a guest relies on that wrote code and executes an
  /// instruction barrier or an instruction cache operation. (The engine itself does it at each ISB.)
  virtual void check_code() = 0;
};

struct arm_engine_options {
  arm_profile profile = arm_profile::m;
  /// Shared by cores that exclude each other with LDREX and STREX; nullptr: one of its own.
  std::shared_ptr<arm_exclusive_monitor> monitor;
  unsigned processor = 0;  // index in the monitor
};

/// What the engine's module exports, as `rpsim_arm_engine_module`.
struct arm_engine_module {
  std::uint32_t version;  // ARM_ENGINE_VERSION of the header it was built with
  std::unique_ptr<arm_engine> (*make)(arm_engine_client& client, const arm_engine_options& options);
  std::shared_ptr<arm_exclusive_monitor> (*make_monitor)(unsigned processors);
};
constexpr std::uint32_t ARM_ENGINE_VERSION = 4;

/// Loads the module (once a process; it stays). @throws std::runtime_error with the reason if it cannot be loaded.
const arm_engine_module& load_arm_engine(const std::string& path);

}  // namespace rpsim
