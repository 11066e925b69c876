#pragma once
// Which host may use which interrupt-router outputs, and the routes that are set. (reference/k3.md §3.6; TI
// mcupsdk-rm-pm-hal rm/core/rm_core.c, rm/drivers/ir/rm_ir.c)

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "models/common/device_tree.h"
#include "models/ti_sci/verdict.h"

namespace rpsim {

/// One route through an interrupt router: all numbers as in RM_IRQ_SET. A router's source and destination id are both
/// its own device id.
struct irq_route {
  std::uint16_t source_device, source_index, destination_device, destination_irq;
};

class resource_table {
 public:
  struct range {
    std::uint16_t start = 0, count = 0;
  };

  /// From the `resources` node.
  explicit resource_table(const dt::node& device_manager);

  /// The first two ranges that the host has; zeros for what it or the SoC does not have.
  std::array<range, 2> ranges(unsigned type, unsigned subtype, unsigned host) const;
  bool knows_host(unsigned host) const;
  verdict set(unsigned host, const irq_route& route);
  verdict release(unsigned host, const irq_route& route);

 private:
  struct assignment {
    unsigned type, subtype, host;
    range resources;
  };
  verdict check(unsigned host, const irq_route& route) const;

  std::vector<assignment> assignments_;
  std::map<std::pair<unsigned, unsigned>, unsigned> inputs_;  // (router, output) → input
};

}  // namespace rpsim
