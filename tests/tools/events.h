#pragma once
// Events made by hand, for readers of the trace.

#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "models/common/trace.h"

namespace rpsim::tool {

/// Sends events with any time to a reader; nothing is simulated.
class script {
 public:
  explicit script(trace_sink& to) : to_(to) {}
  script& at_us(std::uint64_t us) {
    now_ = sc_core::sc_time(static_cast<double>(us), sc_core::SC_US);
    return *this;
  }
  script& emit(std::string_view source, std::string_view name, std::initializer_list<field> fields = {}) {
    to_.on_event({sequence_++, now_, source, name, trace_level::protocol, {fields.begin(), fields.size()}});
    return *this;
  }

 private:
  trace_sink& to_;
  std::uint64_t sequence_ = 0;
  sc_core::sc_time now_;
};

}  // namespace rpsim::tool
