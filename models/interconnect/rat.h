#pragma once
// K3 region-based address translation, between a core with 32 address bits and an interconnect with 48. Facts: TI TRM
// SPRUIU1C/SPRUIV7B "Region-based Address Translation (RAT)"; register offsets and use by firmware:
// reference/stock-firmware.md "AM62x M4F".
//
// An access that lies whole in an enabled region has its upper address bits replaced (the lowest-numbered region wins);
// one that lies outside all of them passes unchanged; one that crosses into or out of a region is annulled with a bus
// error and logged. The core finds the registers at the node's `reg`, where no region translates; nobody else does.

#include <array>
#include <cstdint>
#include <vector>

#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

/// Module reset or power-off of the core's module disables every region; a local reset of the core does not.
class rat final : public model, private target_port::handler, private tlm::tlm_bw_transport_if<> {
 public:
  // Registers. Region i has its four at 0x10 * i further.
  static constexpr std::uint32_t PID = 0x000;
  static constexpr std::uint32_t CONFIG = 0x004;           // [7:0] regions, [23:16] output address bits
  static constexpr std::uint32_t CTRL = 0x020;             // [31] enable, [5:0] log2 of the size in bytes
  static constexpr std::uint32_t BASE = 0x024;             // input address, aligned to the size
  static constexpr std::uint32_t TRANS_L = 0x028;          // output address [31:0]
  static constexpr std::uint32_t TRANS_U = 0x02C;          // output address [47:32]
  static constexpr std::uint32_t DESTINATION_ID = 0x804;   // of error messages; stored only
  static constexpr std::uint32_t LOGGING_CONTROL = 0x820;  // [0] disables logging
  static constexpr std::uint32_t LOGGING_HEADER0 = 0x824;
  static constexpr std::uint32_t LOGGING_HEADER1 = 0x828;
  static constexpr std::uint32_t LOGGING_DATA0 = 0x82C;  // input address [31:0] of the access that was annulled
  static constexpr std::uint32_t LOGGING_DATA1 = 0x830;  // [47:32]
  static constexpr std::uint32_t LOGGING_DATA2 = 0x834;  // [13] write, [12] read
  static constexpr std::uint32_t LOGGING_DATA3 = 0x838;  // [9:0] bytes; reading it lets the next error be logged
  static constexpr std::uint32_t PEND_SET = 0x840;       // [0] an error is logged
  static constexpr std::uint32_t PEND_CLEAR = 0x844;     // [0] write 1: lets the next error be logged
  static constexpr std::uint32_t ENABLE_SET = 0x848;     // interrupt enable; stored only
  static constexpr std::uint32_t ENABLE_CLEAR = 0x84C;
  static constexpr std::uint32_t EOI = 0x850;

  rat(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  /// What the core binds to.
  tlm::tlm_target_socket<32>& upstream() { return upstream_; }
  /// Towards the interconnect.
  tlm::tlm_initiator_socket<32>* initiator() override { return &downstream_; }
  sc_core::sc_in<module_state>* power() override { return &power_; }

 private:
  struct region {
    unsigned index;
    std::uint64_t base, last;  // input addresses
    std::uint64_t output;      // what `base` becomes
  };
  struct route {
    const region* in;           // nullptr: passes unchanged
    std::uint64_t first, last;  // input addresses around the one asked for that take the same route
  };

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override;
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override;

  bool is_register(std::uint64_t address) const { return address - window_.base < window_.size; }
  const region* find(std::uint64_t address) const;
  route around(std::uint64_t address) const;
  void annul(tlm::tlm_generic_payload& payload, const region& crossed);
  void reload();
  void power_changed();

  const dt::region window_;
  const unsigned regions_;
  register_bank bank_;
  std::vector<region> enabled_;  // by number
  bool dmi_granted_ = false;
  target_port upstream_;
  tlm::tlm_initiator_socket<32> downstream_{"downstream"};
  sc_core::sc_in<module_state> power_{"power"};
};

}  // namespace rpsim
