#pragma once
// A block of which nothing is known but that software touches it. It answers as its device-tree node says, so that
// firmware gets past it, and every access is an event: `rpsim run --unmodelled` lists what was reached.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/common/model.h"

namespace rpsim {

/// Properties: rpsim,policy = "remember" (reads give what was last written), "constant" (reads give the reset value) or
/// "bus-error"; rpsim,value: what a word reads that is not listed; rpsim,registers = <offset reset-value>…, with
/// rpsim,register-names; rpsim,kicks: partitions of 16 KiB, in each of which writes are ignored until the magic values
/// are in KICK0 and KICK1 (K3's control modules; TI's mcupsdk-core, soc.c); rpsim,unlocked: the partitions that a boot
/// loader has left open. Accesses may have any width. Without power it answers no more than any other block, and module
/// reset gives back the reset values. Events: unmodelled.access; bus.error.
class stub final : public model, private target_port::handler {
 public:
  stub(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  sc_core::sc_in<module_state>* power() override { return &power_; }

 private:
  enum class policy : std::uint8_t { remember, constant, bus_error };
  struct known_register {
    std::uint32_t reset = 0;
    std::string name;
  };

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  static policy policy_of(const dt::node& node);
  void read_registers();
  std::uint32_t word(std::uint64_t offset) const;  // offset: a multiple of 4
  bool is_kick(std::uint64_t offset) const;
  bool locked(std::uint64_t offset) const;
  void copy_out(tlm::tlm_generic_payload& payload) const;
  void store(const tlm::tlm_generic_payload& payload);
  void power_changed();

  policy policy_;
  std::uint32_t otherwise_;
  std::uint64_t size_;
  std::map<std::uint64_t, known_register> registers_;
  std::map<std::uint64_t, std::uint32_t> written_;
  bool has_kicks_;
  target_port port_;
  sc_core::sc_in<module_state> power_{"power"};
};

}  // namespace rpsim
