#pragma once
// How a scenario tells our own firmware what to do: a block of registers that no chip has, in the remote core's view.
// The layout is remote_fw/lib/scenario_control.h. Each parameter of that list is a simulation parameter
// `<core>.fw.<name>`, read when the firmware reads its register: a scenario may change it while the firmware runs.

#include <string>
#include <vector>

#include "models/common/register_bank.h"

namespace rpsim {

class scenario_control final : public model {
 public:
  scenario_control(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }

 private:
  std::uint32_t value(unsigned index);
  void mark(std::uint32_t value);
  void log(std::uint32_t characters);

  static constexpr std::size_t LONGEST_LINE = 256;
  std::string core_;  // label: the source of the events
  register_bank bank_;
  target_port port_;
  std::vector<param*> params_;
  std::string line_;
};

}  // namespace rpsim
