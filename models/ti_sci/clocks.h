#pragma once
// The devices' clocks, each with one parent and one frequency: no clock tree.

#include <cstdint>
#include <map>
#include <utility>

#include "models/common/device_tree.h"

namespace rpsim {

struct device_clock {
  std::uint64_t frequency_hz = 0;
  bool gated = false;  // the host said that it does not need it
  bool reaches(std::uint64_t min_hz, std::uint64_t max_hz) const {
    return frequency_hz >= min_hz && frequency_hz <= max_hz;
  }
};

class clock_table {
 public:
  /// From the `clocks` node.
  explicit clock_table(const dt::node& device_manager);
  device_clock* find(std::uint32_t device, std::uint32_t clock);

 private:
  std::map<std::pair<std::uint32_t, std::uint32_t>, device_clock> clocks_;
};

}  // namespace rpsim
