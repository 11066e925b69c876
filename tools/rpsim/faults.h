#pragma once
// The faults a scenario arms, at the points where models ask (models/common/fault.h). Each has to take effect before
// the run ends.

#include <list>
#include <string>
#include <vector>

#include "models/common/fault.h"
#include "tools/rpsim/scenario.h"

namespace rpsim::tool {

class fault_injector final : public fault_hook {
 public:
  explicit fault_injector(trace& t) : trace_(t) {}

  /// From now on. Reference kept.
  void arm(const fault_spec& spec);
  fault_action decide(std::string_view point, std::string_view source, std::initializer_list<field> what) override;

  /// Those that did not take effect as often as they were to.
  struct missed {
    const fault_spec* spec;
    std::string why;
  };
  std::vector<missed> unfired() const;

 private:
  struct armed_fault {
    const fault_spec* spec;
    unsigned seen = 0, fired = 0;
  };
  static bool fits(const fault_spec& spec, std::string_view source, std::initializer_list<field> what);

  trace& trace_;
  std::list<armed_fault> faults_;
};

}  // namespace rpsim::tool
