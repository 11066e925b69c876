#pragma once
// The protected memory system architecture's memory protection unit, as a Cortex-R5 has it (Arm DDI 0406C, chapter B5;
// DDI 0460): 16 regions from 32 bytes up with eight subregions each, the higher number winning, and the default memory
// map behind them. It keeps the whole address space as a list of ranges in which one rule holds.

#include <array>
#include <cstdint>
#include <vector>

namespace rpsim {

class pmsav7 {
 public:
  static constexpr unsigned REGIONS = 16;
  struct rights {
    bool read = false, write = false, fetch = false;
    bool operator==(const rights&) const = default;
  };
  struct rule {
    std::uint32_t first = 0, last = ~0U;
    bool mapped = true;   // false: no region, and no background region: a background fault
    bool device = false;  // by its region: Device or strongly ordered
    rights privileged{true, true, true}, user{true, true, true};
    bool same_rights(const rule& o) const {
      return mapped == o.mapped && device == o.device && privileged == o.privileged && user == o.user;
    }
    bool operator==(const rule&) const = default;
  };
  struct region {
    std::uint32_t base = 0;            // DRBAR
    std::uint32_t size_enable = 0;     // DRSR: subregion disable, size, enable
    std::uint32_t access_control = 0;  // DRACR
  };
  struct control {
    bool enabled = false, background = false, high_vectors = false;  // SCTLR.M, BR, V
  };

  /// The memory type that a region's attributes TEX and C, B stand for (DDI 0406C, table B5-4; DDI 0403E, table B3-13).
  static bool device(std::uint32_t tex, std::uint32_t cb) { return (tex == 0 && cb < 2) || (tex == 2 && cb == 0); }

  void reset();
  region& at(unsigned n) { return regions_.at(n); }
  /// To be called after a change; true if a rule is another than before.
  bool update(const control& c);
  const rule& at_address(std::uint32_t address) const;
  /// Somewhere user mode may do other accesses than privileged modes; fetch other code.
  bool user_data_differs() const { return user_data_differs_; }
  bool user_code_differs() const { return user_code_differs_; }

 private:
  rule make_rule(std::uint32_t address, const control& c) const;

  std::array<region, REGIONS> regions_;
  std::vector<rule> rules_{rule{}};  // by address, without gaps
  bool user_data_differs_ = false, user_code_differs_ = false;
};

}  // namespace rpsim
