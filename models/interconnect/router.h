#pragma once
// The interconnect: an address map with one view per initiator. The system map is what every initiator sees; a view may
// lay windows of its own over it (an M4F finds its IRAM at 0x0, the host finds it at 0x0500_0000; reference/k3.md
// §4.2). Real interconnects are trees of bridges and firewalls; what software can tell of that is a decode, an error
// and a delay.

#include <cstdint>
#include <memory>
#include <string>
#include <systemc>
#include <tlm>
#include <vector>

#include "models/common/context.h"
#include "models/common/model.h"

namespace rpsim {

/// Never misroutes: an access that no window holds whole is answered with TLM_ADDRESS_ERROR_RESPONSE and a `bus.error`.
/// Views and windows are added before elaboration ends. A target may be mapped any number of times.
/// Parameter: bus.latency. Events: bus.error; at bus level bus.write before and bus.read after the target has answered.
class router final : public sc_core::sc_module {
 public:
  router(sc_core::sc_module_name name, sim_context& context);
  ~router() override;

  /// The address map of one initiator. @return its index.
  unsigned add_view(const std::string& name);
  /// What the initiator binds to.
  tlm::tlm_target_socket<32>& view(unsigned index);

  /// Maps [base, base + size) into every view; `target_offset` is what the target calls `base`.
  /// @throws std::invalid_argument for an empty window, one past the end of the address space, and one that overlaps
  /// another, with the names and ranges of both.
  void map(std::uint64_t base, std::uint64_t size, tlm::tlm_target_socket<32>& target, std::uint64_t target_offset,
           const std::string& name);
  /// The same into one view, where it wins over the system map.
  void map(unsigned view, std::uint64_t base, std::uint64_t size, tlm::tlm_target_socket<32>& target,
           std::uint64_t target_offset, const std::string& name);

  /// Debug access through a view; goes on from one window into the next. @return bytes done.
  unsigned transport_debug(unsigned view, tlm::tlm_generic_payload& payload);

 private:
  struct mapping;
  struct window;
  class downstream;
  class view_port;

  void add(std::vector<mapping>& layer, mapping m);
  downstream& reach(tlm::tlm_target_socket<32>& target);
  void flatten();
  void invalidate(const downstream& from, std::uint64_t start, std::uint64_t end);
  void end_of_elaboration() override;

  sim_context& context_;
  std::string label_;
  param& latency_;
  std::vector<std::unique_ptr<downstream>> downstreams_;
  std::vector<mapping> system_;
  std::vector<std::unique_ptr<view_port>> views_;
  bool flat_ = false;
};

}  // namespace rpsim
