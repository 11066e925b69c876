#include "models/core/arm/pmsav7.h"

#include <algorithm>

namespace rpsim {

namespace {
constexpr std::uint64_t END = 1ULL << 32;
// The default memory map (DDI 0460, MPU chapter): from here on device and strongly ordered memory, which executes
// nothing; the top is normal memory while the vectors are there.
constexpr std::uint32_t DEVICES = 0x80000000, TOP = 0xF0000000;

bool enabled(const pmsav7::region& r) { return (r.size_enable & 1) != 0 && (r.size_enable >> 1 & 0x1F) >= 4; }
std::uint64_t bytes(const pmsav7::region& r) { return 2ULL << (r.size_enable >> 1 & 0x1F); }
std::uint64_t base(const pmsav7::region& r) { return r.base & ~(bytes(r) - 1); }
bool has_subregions(const pmsav7::region& r) { return bytes(r) >= 256; }

bool contains(const pmsav7::region& r, std::uint32_t address) {
  if (!enabled(r) || address - base(r) >= bytes(r)) return false;
  const std::uint64_t subregion = (address - base(r)) / (bytes(r) / 8);
  return !has_subregions(r) || (r.size_enable >> (8 + subregion) & 1) == 0;
}
}  // namespace

void pmsav7::reset() {
  regions_ = {};
  update({});
}

pmsav7::rule pmsav7::make_rule(std::uint32_t address, const control& c) const {
  rule r;
  r.first = address;
  const region* hit = nullptr;
  if (c.enabled) {
    const auto found =
        std::find_if(regions_.rbegin(), regions_.rend(), [&](const region& x) { return contains(x, address); });
    if (found != regions_.rend()) hit = &*found;
  }
  if (hit == nullptr) {
    const bool executable = address < DEVICES || (address >= TOP && c.high_vectors);
    r.privileged = {true, true, executable};
    r.user = c.enabled ? rights{} : r.privileged;
    r.mapped = !c.enabled || c.background;
    if (!r.mapped) r.privileged = {};
    return r;
  }
  r.device = device(hit->access_control >> 3 & 7, hit->access_control & 3);
  const bool may_execute = (hit->access_control >> 12 & 1) == 0;
  const auto make = [&](bool read, bool write) { return rights{read, write, read && may_execute}; };
  r.privileged = r.user = make(false, false);
  switch (hit->access_control >> 8 & 7) {
    case 1:
      r.privileged = make(true, true);
      break;
    case 2:
      r.privileged = make(true, true);
      r.user = make(true, false);
      break;
    case 3:
      r.privileged = r.user = make(true, true);
      break;
    case 5:
      r.privileged = make(true, false);
      break;
    case 6:
      r.privileged = r.user = make(true, false);
      break;
    default:  // 0: no access; 4 and 7 are reserved
      break;
  }
  return r;
}

bool pmsav7::update(const control& c) {
  std::vector<std::uint64_t> cuts{0, DEVICES, TOP, END};
  if (c.enabled) {
    for (const region& r : regions_) {
      if (!enabled(r)) continue;
      const unsigned parts = has_subregions(r) ? 8 : 1;
      for (unsigned i = 0; i <= parts; ++i) cuts.push_back(base(r) + bytes(r) / parts * i);
    }
  }
  std::sort(cuts.begin(), cuts.end());
  std::vector<rule> rules;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    if (cuts[i] == cuts[i + 1]) continue;
    rule r = make_rule(static_cast<std::uint32_t>(cuts[i]), c);
    r.last = static_cast<std::uint32_t>(cuts[i + 1] - 1);
    if (!rules.empty() && rules.back().same_rights(r)) {
      rules.back().last = r.last;
    } else {
      rules.push_back(r);
    }
  }
  if (rules == rules_) return false;
  rules_ = std::move(rules);
  const auto any = [this](auto differs) { return std::any_of(rules_.begin(), rules_.end(), differs); };
  user_data_differs_ =
      any([](const rule& r) { return r.privileged.read != r.user.read || r.privileged.write != r.user.write; });
  user_code_differs_ = any([](const rule& r) { return r.privileged.fetch != r.user.fetch; });
  return true;
}

const pmsav7::rule& pmsav7::at_address(std::uint32_t address) const {
  const auto after = std::upper_bound(rules_.begin(), rules_.end(), address,
                                      [](std::uint32_t a, const rule& r) { return a < r.first; });
  return *std::prev(after);
}

}  // namespace rpsim
