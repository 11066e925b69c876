#pragma once
// Expectations and measures of a scenario, decided while the events come: nothing is stored that no check needs.

#include <memory>
#include <string>
#include <vector>

#include "models/common/trace.h"
#include "tools/rpsim/scenario.h"
#include "tools/rpsim/states.h"

namespace rpsim::tool {

struct check_result {
  std::string text;  // what was expected, for people
  bool passed = false;
  std::string detail;  // why not
  place where;
};

struct measure_result {
  std::string name, from, to;
  std::vector<sc_core::sc_time> values;  // one for each occurrence
  sc_core::sc_time least() const, most() const, mean() const;
};

class checks final : public trace_sink {
 public:
  class check;

  /// `states` is read at the end.
  checks(const scenario& s, const state_tracker& states);
  ~checks() override;
  void on_event(const event& e) override;
  /// After the last event. Every expectation in the scenario's order, then each measure that measured nothing.
  std::vector<check_result> results() const;
  std::vector<measure_result> measures() const;

 private:
  std::vector<std::unique_ptr<check>> checks_;
  std::vector<measure_result> measures_;
  std::vector<const measure_spec*> specs_;
  std::vector<std::optional<sc_core::sc_time>> open_;  // a measure's `from` that waits for its `to`
};

/// "123.456 us" for people: three decimals in the unit that fits.
std::string human_time(const sc_core::sc_time& t);
/// "once", "3 times".
std::string human_times(std::uint64_t n);

}  // namespace rpsim::tool
