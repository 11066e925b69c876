#pragma once
// How a target tells an initiator that runs ahead of simulated time which accesses may come with it.

#include <cstdint>
#include <tlm>

namespace rpsim {

/// On a payload of an initiator that wants to know. From the address that was accessed on, so many bytes are registers
/// that an access in the same direction only reads, or only keeps a value in: nobody else can tell when it is made.
struct quiet_access final : tlm::tlm_extension<quiet_access> {
  std::uint32_t bytes = 0;
  tlm_extension_base* clone() const override { return new quiet_access(*this); }
  void copy_from(const tlm_extension_base& other) override { bytes = static_cast<const quiet_access&>(other).bytes; }
};

}  // namespace rpsim
