#pragma once
// The tightly coupled memories of a Cortex-R5F core on K3 as that core sees them: which of them is at 0, the other one
// being at 0x41010000, and whether they are there at all, follows from the processor's boot configuration
// (reference/k3.md §3.7, §4.2). Where two cores act as one, a core's TCM is followed by that of the other core
// (ti,am64-r5fss in single-CPU mode, "TCM doubled" in §4.3). Everything else passes unchanged. The memories themselves
// are on the bus, where the host loads them whatever the configuration says.

#include <array>
#include <cstdint>
#include <vector>

#include "models/common/model.h"
#include "models/interconnect/translated_dmi.h"

namespace rpsim {

/// Properties: rpsim,atcm and rpsim,btcm: system address (2 cells) and size; a second such entry is the other core's.
class r5f_tcm final : public model, private target_port::handler, private tlm::tlm_bw_transport_if<> {
 public:
  static constexpr std::uint32_t HIGH = 0x41010000;

  r5f_tcm(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  /// What the core binds to.
  tlm::tlm_target_socket<32>& upstream() { return upstream_; }
  /// Towards the interconnect.
  tlm::tlm_initiator_socket<32>* initiator() override { return &downstream_; }
  /// The processor's CONFIG.
  sc_core::sc_in<std::uint32_t>& config() { return config_; }

  /// Where the host finds what this core has at the address with this configuration; 0 if no TCM is there.
  std::uint64_t system_address(std::uint32_t address, std::uint32_t config) const;

 private:
  struct piece {
    std::uint64_t base, size;
  };

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override;
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override;
  static std::vector<piece> pieces(const dt::node& node, std::string_view property);
  std::vector<moved_range> routes_for(std::uint32_t config) const;
  const moved_range* find(std::uint64_t address) const;
  void config_changed();

  std::array<std::vector<piece>, 2> memories_;  // ATCM, BTCM
  std::vector<moved_range> routes_;             // at most four, by address
  target_port upstream_;
  tlm::tlm_initiator_socket<32> downstream_{"downstream"};
  sc_core::sc_in<std::uint32_t> config_{"config"};
};

}  // namespace rpsim
