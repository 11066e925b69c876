#include "models/core/arm/armv7_pmu.h"

namespace rpsim {

namespace {
constexpr std::uint32_t PMCR_E = 1, PMCR_P = 2, PMCR_C = 4, PMCR_D = 8, PMCR_STORED = 0x39;
constexpr std::uint32_t PMCR_ID = 0x41151800;  // Arm, Cortex-R5, three event counters
constexpr std::uint32_t SOFTWARE_INCREMENT = 0x00, CYCLE_COUNT = 0x11;
constexpr std::uint32_t ALL_COUNTERS = 0x80000007;
constexpr std::uint64_t DIVIDER = 64;
}  // namespace

bool armv7_pmu::counts(unsigned i) const {
  if ((control_ & PMCR_E) == 0 || (enabled_ & bit(i)) == 0) return false;
  return i == CYCLES || counters_[i].event == CYCLE_COUNT;
}

/// Every counter up to `now`.
void armv7_pmu::advance(std::uint64_t now) {
  for (unsigned i = 0; i <= EVENTS; ++i) {
    counter& c = counters_[i];
    const bool divided = i == CYCLES && (control_ & PMCR_D) != 0;
    std::uint64_t elapsed = now - c.since;
    c.since = now;
    if (divided) {
      c.since -= elapsed % DIVIDER;
      elapsed /= DIVIDER;
    }
    if (!counts(i)) continue;
    c.value += elapsed;
    if (c.value >> 32 != 0) overflow_ |= bit(i);
    c.value &= 0xFFFFFFFF;
  }
}

std::uint32_t armv7_pmu::read(unsigned crm, unsigned op2, std::uint64_t now) {
  advance(now);
  switch (crm << 4 | op2) {
    case 0xC0:
      return PMCR_ID | control_;
    case 0xC1:
    case 0xC2:
      return enabled_;
    case 0xC3:
      return overflow_;
    case 0xC5:
      return selected_;
    case 0xD0:
      return static_cast<std::uint32_t>(counters_[CYCLES].value);
    case 0xD1:
      return selected_ < EVENTS ? counters_[selected_].event : 0;
    case 0xD2:
      return selected_ < EVENTS ? static_cast<std::uint32_t>(counters_[selected_].value) : 0;
    case 0xE0:
      return user_enable_ ? 1 : 0;
    case 0xE1:
    case 0xE2:
      return interrupt_;
    default:  // PMSWINC is write-only
      return 0;
  }
}

void armv7_pmu::write(unsigned crm, unsigned op2, std::uint32_t value, std::uint64_t now) {
  advance(now);
  switch (crm << 4 | op2) {
    case 0xC0:
      control_ = value & PMCR_STORED;
      if ((value & PMCR_C) != 0) counters_[CYCLES].value = 0, counters_[CYCLES].since = now;
      if ((value & PMCR_P) != 0) {
        for (unsigned i = 0; i < EVENTS; ++i) counters_[i].value = 0;
      }
      break;
    case 0xC1:
      enabled_ |= value & ALL_COUNTERS;
      break;
    case 0xC2:
      enabled_ &= ~value;
      break;
    case 0xC3:
      overflow_ &= ~value;
      break;
    case 0xC4:
      for (unsigned i = 0; i < EVENTS; ++i) {
        const bool on = (control_ & PMCR_E) != 0 && (enabled_ & value & bit(i)) != 0;
        if (on && counters_[i].event == SOFTWARE_INCREMENT && (++counters_[i].value >> 32) != 0) {
          overflow_ |= bit(i);
          counters_[i].value = 0;
        }
      }
      break;
    case 0xC5:
      selected_ = value & 0x1F;
      break;
    case 0xD0:
      counters_[CYCLES].value = value;
      counters_[CYCLES].since = now;
      break;
    case 0xD1:
      if (selected_ < EVENTS) counters_[selected_].event = value & 0xFF;
      break;
    case 0xD2:
      if (selected_ < EVENTS) counters_[selected_].value = value;
      break;
    case 0xE0:
      user_enable_ = (value & 1) != 0;
      break;
    case 0xE1:
      interrupt_ |= value & ALL_COUNTERS;
      break;
    case 0xE2:
      interrupt_ &= ~value;
      break;
    default:
      break;
  }
}

}  // namespace rpsim
