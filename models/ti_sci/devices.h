#pragma once
// The devices that the device manager controls: who holds a reference, who has it for itself, and the LPSC behind it.
// (reference/k3.md §3.5; TI mcupsdk-rm-pm-hal pm/drivers/device/)

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/ti_sci/psc.h"
#include "models/ti_sci/verdict.h"

namespace rpsim {

/// Hosts in a reference mask: bit n is host n; bit 63 the reference that a device has from power-up.
inline constexpr unsigned POWER_UP_HOST = 63;
inline constexpr std::uint64_t host_bit(unsigned host) { return std::uint64_t{1} << host; }

enum class device_request : std::uint8_t { auto_off, retention, on };

class managed_device {
 public:
  managed_device(sim_context& context, std::string source, const dt::node& node, rpsim::lpsc& module);

  unsigned id() const { return id_; }
  const std::string& name() const { return name_; }
  rpsim::lpsc& module() const { return module_; }
  std::uint64_t holders() const { return holders_; }
  bool retention() const { return retention_; }

  /// A host that does not have an exclusive device may not change it.
  verdict modifiable_by(unsigned host) const;
  /// The rest of SET_DEVICE but for the wait for the hardware. @return why it is refused
  verdict set(unsigned host, device_request what, bool exclusive);
  /// Sets the hosts' bits as if they had asked; the power-up reference stays.
  void boot(std::uint64_t hosts);
  void drop_power_up_reference();

 private:
  void hold(std::uint64_t holders, bool retention);

  sim_context& context_;
  std::string source_;
  unsigned id_;
  std::string name_;
  rpsim::lpsc& module_;
  std::uint64_t holders_;
  bool retention_ = false;
  std::optional<unsigned> exclusive_;
};

/// Built from the `lpscs` and `devices` nodes.
class device_table {
 public:
  device_table(sim_context& context, const std::string& source, const dt::node& device_manager);

  managed_device* find(std::uint32_t id);
  void drop_power_up_references();

 private:
  psc_timing timing_;
  std::vector<std::unique_ptr<lpsc>> modules_;
  std::map<std::uint32_t, std::unique_ptr<managed_device>> devices_;
};

}  // namespace rpsim
