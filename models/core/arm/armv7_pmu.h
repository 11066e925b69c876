#pragma once
// The performance monitors of a Cortex-R5 (Arm DDI 0406C, chapter C12; DDI 0460): a cycle counter and three event
// counters. Time is the core's own clock since it started, so the counters run on in WFI; of the events, cycles (0x11)
// and software increments (0x00) are counted, the others stay at 0.

#include <array>
#include <cstdint>

namespace rpsim {

class armv7_pmu {
 public:
  void reset() { *this = {}; }
  /// Register c9, `crm` (12 to 14), `op2`; `now` in cycles of the core's clock.
  std::uint32_t read(unsigned crm, unsigned op2, std::uint64_t now);
  void write(unsigned crm, unsigned op2, std::uint32_t value, std::uint64_t now);
  /// PMUSERENR.EN: user mode may, too.
  bool user_enabled() const { return user_enable_; }

 private:
  static constexpr unsigned EVENTS = 3, CYCLES = EVENTS;  // index of the cycle counter
  struct counter {
    std::uint64_t value = 0;  // at `since`
    std::uint64_t since = 0;
    std::uint32_t event = 0;
  };
  bool counts(unsigned i) const;
  void advance(std::uint64_t now);
  static std::uint32_t bit(unsigned i) { return i == CYCLES ? 1U << 31 : 1U << i; }

  std::array<counter, EVENTS + 1> counters_{};
  std::uint32_t control_ = 0;  // PMCR's E, D, X and DP
  std::uint32_t enabled_ = 0, overflow_ = 0, interrupt_ = 0, selected_ = 0;
  bool user_enable_ = false;
};

}  // namespace rpsim
