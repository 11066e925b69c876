#pragma once
// A core: the one interface behind which host and remote processors look the same from outside, whatever runs on
// them (native code, an Arm engine, a real kernel). And bus_port, the bus as the software on a native core sees it.

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "models/common/model.h"

namespace rpsim {

/// What a scenario does to a core from outside.
enum class core_fault : std::uint8_t {
  hang,           // stops executing without entering WFI; interrupts are not served
  lockup,         // as after a fault in a fault handler: core.lockup, WFI line stays low
  spurious_wake,  // leaves WFI once without an interrupt
};

/// Lines and sockets of a core (all of them `model` virtuals, so that the platform binds by name):
///   initiator()            its bus
///   input("irq", n)        interrupt inputs (M4F: NVIC external interrupts; A53: GIC SPIs)
///   input("local-reset",0) true = CPU held in local reset, its memories stay reachable
///   input("halt", 0)       true = a CPU that leaves reset waits before its first instruction (R5F: PROC_BOOT
///   CORE_HALT) power()                its module; anything but `enable` stops the CPU output("wfi", 0)       true
///   while the CPU waits in WFI: what TI-SCI reports as PROC_BOOT status bit 1
/// Events: core.start {app|entry} · core.wfi · core.wake {irq} · core.reset · core.lockup {reason} · core.hang
class core : public model {
 public:
  using model::model;
  virtual void inject(core_fault what) = 0;
  virtual bool in_wfi() const = 0;
};

enum class bus_status : std::uint8_t { ok, decode_error, error };

/// The bus as native software sees it: blocking, in simulated time. An access to a device synchronises first and
/// returns after its latency; memory that offers DMI is reached through it and costs annotated time only.
/// Little endian. Calls come from an SC_THREAD; any of them may throw the core's "killed" exception on reset.
class bus_port {
 public:
  virtual ~bus_port() = default;
  virtual bus_status read(std::uint64_t address, std::span<std::byte> data) = 0;
  virtual bus_status write(std::uint64_t address, std::span<const std::byte> data) = 0;
  /// Writes `length` bytes of `value`.
  virtual bus_status fill(std::uint64_t address, std::byte value, std::uint64_t length) = 0;
  /// Registers of 32 bits, one after the other, by which nobody else can tell when they are accessed: as many of them
  /// as nothing happens in between, so that the caller may look what did before it goes on. @return how many; 0: bus
  /// error.
  virtual std::size_t read_quietly(std::uint64_t address, std::span<std::uint32_t> registers) {
    return read(address, std::as_writable_bytes(registers.first(1))) == bus_status::ok ? 1 : 0;
  }
  virtual std::size_t write_quietly(std::uint64_t address, std::span<const std::uint32_t> registers) {
    return write(address, std::as_bytes(registers.first(1))) == bus_status::ok ? 1 : 0;
  }
};

/// A core that runs the host's native software (host_sw/os). The operating system supplies threads; the core supplies
/// the bus, the interrupt and its acknowledge, and the number of CPUs that may advance at once.
class host_core : public core {
 public:
  using core::core;
  virtual bus_port& bus() = 0;
  virtual unsigned cpus() const = 0;
  /// Notified (delta) when the highest pending interrupt changes from none to some.
  virtual sc_core::sc_event& interrupt_event() = 0;
  virtual bool interrupt_pending() const = 0;
  /// ICC_IAR1_EL1: the interrupt id (SPI n is 32 + n) now made active, or 1023 (spurious).
  virtual unsigned acknowledge() = 0;
  /// ICC_EOIR1_EL1.
  virtual void end_of_interrupt(unsigned intid) = 0;
};

}  // namespace rpsim
