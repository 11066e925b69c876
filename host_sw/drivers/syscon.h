#pragma once
// A block of registers that several drivers share ("syscon"), and its register map. A map is made when the first
// consumer asks, no driver binds to the node. Facts: drivers/mfd/syscon.c, drivers/base/regmap/regmap.c of
// linux-source-6.12.

#include <memory>
#include <string_view>

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

/// 32-bit registers of one node. Every function: 0; -EINVAL for an unaligned register, -EIO for one that the node's
/// `reg` does not reach.
class regmap : public std::enable_shared_from_this<regmap> {
 public:
  regmap(os::kernel& k, dt::region window) : kernel_(k), window_(window), lock_(k) {}

  int read(std::uint32_t reg, std::uint32_t& value);
  /// The bits of `mask` become those of `value`; a register that has them already is not written.
  int update_bits(std::uint32_t reg, std::uint32_t mask, std::uint32_t value);

 private:
  int check(std::uint32_t reg) const;

  os::kernel& kernel_;
  dt::region window_;
  os::spinlock lock_;
};

/// The map of the node that the property's first cell points to; the same one for all who hold it. nullptr with
/// `error`: -ENODEV without the property or its node, -EINVAL for a node that is no syscon, -ENOMEM for one without
/// registers.
std::shared_ptr<regmap> syscon_regmap_lookup_by_phandle(os::machine& machine, const dt::node& consumer,
                                                        std::string_view property, int& error);

}  // namespace rpsim::drivers
