#include "models/ti_sci/clocks.h"

namespace rpsim {

clock_table::clock_table(const dt::node& device_manager) {
  constexpr unsigned CELLS = 4;
  const dt::node section = device_manager.child("clocks");
  if (!section) return;
  const auto cells = section.cells("rpsim,clocks");
  if (cells.size() % CELLS != 0) section.fail("rpsim,clocks", "wants device, clock, frequency in Hz (two cells)");
  for (std::size_t i = 0; i < cells.size(); i += CELLS) {
    clocks_[{cells[i], cells[i + 1]}].frequency_hz = std::uint64_t{cells[i + 2]} << 32 | cells[i + 3];
  }
}

device_clock* clock_table::find(std::uint32_t device, std::uint32_t clock) {
  const auto it = clocks_.find({device, clock});
  return it == clocks_.end() ? nullptr : &it->second;
}

}  // namespace rpsim
