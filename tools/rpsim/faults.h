#pragma once
// The faults a scenario arms, at the points where models ask (models/common/fault.h). Each has to take effect before
// the run ends.

#include <array>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "models/common/fault.h"
#include "tools/rpsim/scenario.h"

namespace rpsim::tool {

class fault_injector final : public fault_hook {
 public:
  explicit fault_injector(trace& t) : trace_(t) {}

  /// Every message at which a fault could take effect, as models ask, and the how-manieth of its name at its block it
  /// is.
  using witness =
      std::function<void(std::string_view point, std::string_view source, std::string_view message, unsigned ordinal)>;
  void watch(witness w);
  /// How many there were since watch().
  unsigned seen(const std::string& point, const std::string& source, const std::string& message) const;

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
  witness witness_;
  std::map<std::array<std::string, 3>, unsigned> seen_;  // by point, source, message
  std::list<armed_fault> faults_;
};

}  // namespace rpsim::tool
