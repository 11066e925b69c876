#include "models/ti_sci/resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/ti_sci/ti_sci_protocol.h"

namespace rpsim {

resource_table::resource_table(const dt::node& device_manager) {
  constexpr unsigned CELLS = 5;
  const dt::node section = device_manager.child("resources");
  if (!section) return;
  const auto cells = section.cells("rpsim,ranges");
  if (cells.size() % CELLS != 0) section.fail("rpsim,ranges", "wants type, subtype, host, start, count");
  for (std::size_t i = 0; i < cells.size(); i += CELLS) {
    if (cells[i + 3] > 0xFFFF || cells[i + 4] > 0xFFFF) section.fail("rpsim,ranges", "start and count have 16 bits");
    assignments_.push_back({cells[i],
                            cells[i + 1],
                            cells[i + 2],
                            {static_cast<std::uint16_t>(cells[i + 3]), static_cast<std::uint16_t>(cells[i + 4])}});
  }
}

std::array<resource_table::range, 2> resource_table::ranges(unsigned type, unsigned subtype, unsigned host) const {
  std::array<range, 2> found;
  std::size_t n = 0;
  for (const assignment& a : assignments_) {
    if (a.type == type && a.subtype == subtype && a.host == host && n < found.size()) found[n++] = a.resources;
  }
  return found;
}

bool resource_table::knows_host(unsigned host) const {
  return host == ti_sci::HOST_ALL ||
         std::any_of(assignments_.begin(), assignments_.end(), [&](const assignment& a) { return a.host == host; });
}

verdict resource_table::check(unsigned host, const irq_route& route) const {
  const bool assigned = std::any_of(assignments_.begin(), assignments_.end(), [&](const assignment& a) {
    return a.type == route.destination_device && (a.host == host || a.host == ti_sci::HOST_ALL) &&
           route.destination_irq >= a.resources.start && route.destination_irq - a.resources.start < a.resources.count;
  });
  if (!assigned) {
    return nack(fmt::format("output {} of device {} is not assigned to host {}", route.destination_irq,
                            route.destination_device, host));
  }
  if (route.source_device != route.destination_device) return nack("a router's source and destination id differ");
  return {};
}

verdict resource_table::set(unsigned host, const irq_route& route) {
  if (verdict v = check(host, route); !v) return v;
  for (const auto& [output, input] : inputs_) {
    if (output.first != route.destination_device) continue;
    if (input == route.source_index) return nack(fmt::format("input {} is in use", input));
    if (output.second == route.destination_irq) return nack(fmt::format("output {} is in use", output.second));
  }
  inputs_[{route.destination_device, route.destination_irq}] = route.source_index;
  return {};
}

verdict resource_table::release(unsigned host, const irq_route& route) {
  if (verdict v = check(host, route); !v) return v;
  const auto it = inputs_.find({route.destination_device, route.destination_irq});
  if (it == inputs_.end() || it->second != route.source_index) return nack("no such route");
  inputs_.erase(it);
  return {};
}

}  // namespace rpsim
