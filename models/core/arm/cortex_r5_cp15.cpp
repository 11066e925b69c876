// CP15 of the Cortex-R5 (Arm DDI 0460, "System control"), as far as TI's, Zephyr's and other start-up code uses it.

#include "models/core/arm/cortex_r5.h"

namespace rpsim {

namespace {
constexpr std::uint32_t key_of(std::uint32_t crn, std::uint32_t op1, std::uint32_t crm, std::uint32_t op2) {
  return crn << 12 | op1 << 8 | crm << 4 | op2;
}
constexpr std::uint32_t CRN = 0xF000;

enum key : std::uint32_t {
  MIDR = key_of(0, 0, 0, 0),
  CTR = key_of(0, 0, 0, 1),
  TCMTR = key_of(0, 0, 0, 2),
  MPUIR = key_of(0, 0, 0, 4),
  MPIDR = key_of(0, 0, 0, 5),
  REVIDR = key_of(0, 0, 0, 6),
  CCSIDR = key_of(0, 1, 0, 0),
  CLIDR = key_of(0, 1, 0, 1),
  AIDR = key_of(0, 1, 0, 7),
  CSSELR = key_of(0, 2, 0, 0),
  SCTLR = key_of(1, 0, 0, 0),
  ACTLR = key_of(1, 0, 0, 1),
  CPACR = key_of(1, 0, 0, 2),
  DFSR = key_of(5, 0, 0, 0),
  IFSR = key_of(5, 0, 0, 1),
  ADFSR = key_of(5, 0, 1, 0),
  AIFSR = key_of(5, 0, 1, 1),
  DFAR = key_of(6, 0, 0, 0),
  IFAR = key_of(6, 0, 0, 2),
  DRBAR = key_of(6, 0, 1, 0),
  DRSR = key_of(6, 0, 1, 2),
  DRACR = key_of(6, 0, 1, 4),
  RGNR = key_of(6, 0, 2, 0),
  ICIALLU = key_of(7, 0, 5, 0),
  ICIMVAU = key_of(7, 0, 5, 1),
  CP15ISB = key_of(7, 0, 5, 4),
  BPIALL = key_of(7, 0, 5, 6),
  CP15DSB = key_of(7, 0, 10, 4),
  CP15DMB = key_of(7, 0, 10, 5),
  BTCM_REGION = key_of(9, 0, 1, 0),
  ATCM_REGION = key_of(9, 0, 1, 1),
  TCM_SELECTION = key_of(9, 0, 2, 0),
  SLAVE_PORT = key_of(11, 0, 0, 0),
  FCSEIDR = key_of(13, 0, 0, 0),
  CONTEXTIDR = key_of(13, 0, 0, 1),
  TPIDRURW = key_of(13, 0, 0, 2),
  TPIDRURO = key_of(13, 0, 0, 3),
  TPIDRPRW = key_of(13, 0, 0, 4),
};

// r1p3. Feature registers: DDI 0460, table "ID registers"; the same values as in QEMU's cortex-r5f.
constexpr std::uint32_t FEATURES[2][8] = {
    {0x00000131, 0x00000001, 0x00010400, 0, 0x00210030, 0, 0x01200000, 0x00000211},
    {0x02101111, 0x13112111, 0x21232141, 0x01112131, 0x00010142, 0, 0, 0}};
constexpr std::uint32_t CACHE_TYPE = 0x8003C003;  // lines of eight words
constexpr std::uint32_t CACHE_LEVELS = 0x09200003;
constexpr std::uint32_t CACHE_32K = 0xF01FE019;  // four ways of 256 lines of 32 bytes (reference/stock-firmware.md)

constexpr std::uint32_t SCTLR_RESET = 0x00C50878, SCTLR_A = 1U << 1;
/// FI, VE, EE (data stays little endian here), TE, and what is always one, stay out of a write.
constexpr std::uint32_t SCTLR_WRITABLE =
    1U << 30 | 1U << 24 | 1U << 21 | 1U << 19 | 1U << 17 | 1U << 14 | 1U << 13 | 1U << 12 | 1U << 2 | 1U << 1 | 1U;
constexpr std::uint32_t SCTLR_PROTECTION = 1U << 17 | 1U << 13 | 1U;
constexpr std::uint32_t CPACR_COPROCESSORS = 0x00F00000, CPACR_FIXED = 0xC0000000;  // ASEDIS, D32DIS: 16 doubles
constexpr std::uint32_t DFSR_BITS = 0x1C0F, IFSR_BITS = 0x140F;
constexpr std::uint32_t TCM_PRESENT = 0x00010001;
constexpr std::uint32_t REGION_SIZE = 0x7C;  // read-only here
}  // namespace

void cortex_r5::reset_cp15() {
  sctlr_ = SCTLR_RESET | (strapped(TEINIT) ? 1U << 30 : 0);
  engine().trap_unaligned(false);
  actlr_ = cpacr_ = fpexc_ = csselr_ = 0;
  dfsr_ = ifsr_ = adfsr_ = aifsr_ = dfar_ = ifar_ = 0;
  region_number_ = slave_port_ = context_id_ = 0;
  thread_ids_ = {};
  implementation_.clear();
  mpu_.reset();
  memory_changed();
  protection_changed_ = translation_changed_ = false;
}

/// MCR and MRC only: the Cortex-R5 has no other instruction for coprocessor 15.
cortex_r5::answer cortex_r5::cp15(const arm_instruction& i) {
  const std::uint32_t code = i.code;
  if ((code & 0x0F000010) != 0x0E000010) return std::nullopt;
  const bool reads = (code & 1U << 20) != 0;
  const std::uint32_t key = key_of(code >> 16 & 15, code >> 21 & 7, code & 15, code >> 5 & 7);
  const unsigned rt = code >> 12 & 15;
  if (!privileged() && !user_may(key, reads)) return std::nullopt;
  if ((key & CRN) == key_of(9, 0, 0, 0) && !engine().exact()) return arm_after::counted;  // by their time
  if (!reads) {
    if (!write_cp15(key, engine().regs()[rt])) return std::nullopt;
    return onward();
  }
  const auto value = read_cp15(key);
  if (!value) return std::nullopt;
  if (rt == 15) {
    engine().set_cpsr((engine().cpsr() & 0x0FFFFFFF) | (*value & 0xF0000000));
  } else {
    engine().regs()[rt] = *value;
  }
  return onward();
}

bool cortex_r5::user_may(std::uint32_t key, bool reads) const {
  if (key == TPIDRURW || key == CP15ISB || key == CP15DSB || key == CP15DMB) return true;
  if (key == TPIDRURO) return reads;
  const std::uint32_t crm = key >> 4 & 15, op2 = key & 15;
  return (key & CRN) == key_of(9, 0, 0, 0) && (crm == 12 || crm == 13) && pmu_.user_enabled() && op2 < 6;
}

std::optional<std::uint32_t> cortex_r5::read_cp15(std::uint32_t key) {
  const std::uint32_t crn = key >> 12, op1 = key >> 8 & 15, crm = key >> 4 & 15, op2 = key & 15;
  if (crn == 0 && op1 == 0 && (crm == 1 || crm == 2)) return FEATURES[crm - 1][op2];
  if (crn == 9 && op1 == 0 && crm >= 12 && crm <= 14) return pmu_.read(crm, op2, now_cycles());
  if (crn == 15) {
    const auto it = implementation_.find(key);
    return it == implementation_.end() ? 0 : it->second;
  }
  pmsav7::region& region = mpu_.at(region_number_);
  switch (key) {
    case MIDR:
    case key_of(0, 0, 0, 3):  // what has no register of its own reads as MIDR
    case key_of(0, 0, 0, 7):
      return 0x411FC153;
    case CTR:
      return CACHE_TYPE;
    case TCMTR:
      return TCM_PRESENT;
    case MPUIR:
      return pmsav7::REGIONS << 8;
    case MPIDR:
      return mpidr_;
    case CCSIDR:
      return csselr_ <= 1 ? CACHE_32K : 0;
    case CLIDR:
      return CACHE_LEVELS;
    case CSSELR:
      return csselr_;
    case SCTLR:
      return sctlr_;
    case ACTLR:
      return actlr_;
    case CPACR:
      return cpacr_ | CPACR_FIXED;
    case DFSR:
      return dfsr_;
    case IFSR:
      return ifsr_;
    case ADFSR:
      return adfsr_;
    case AIFSR:
      return aifsr_;
    case DFAR:
      return dfar_;
    case IFAR:
      return ifar_;
    case DRBAR:
      return region.base;
    case DRSR:
      return region.size_enable;
    case DRACR:
      return region.access_control;
    case RGNR:
      return region_number_;
    case BTCM_REGION:
      return tcm_[1].region;
    case ATCM_REGION:
      return tcm_[0].region;
    case SLAVE_PORT:
      return slave_port_;
    case CONTEXTIDR:
      return context_id_;
    case TPIDRURW:
    case TPIDRURO:
    case TPIDRPRW:
      return thread_ids_[key - TPIDRURW];
    case REVIDR:
    case AIDR:
    case TCM_SELECTION:
    case FCSEIDR:
      return 0;
    default:
      return std::nullopt;
  }
}

bool cortex_r5::write_cp15(std::uint32_t key, std::uint32_t value) {
  const std::uint32_t crn = key >> 12, op1 = key >> 8 & 15, crm = key >> 4 & 15, op2 = key & 15;
  if (crn == 9 && op1 == 0 && crm >= 12 && crm <= 14) {
    pmu_.write(crm, op2, value, now_cycles());
    return true;
  }
  if (crn == 7) {  // caches and barriers; what was translated is the only cache here
    if (key == ICIALLU || key == ICIMVAU || key == CP15ISB) engine().check_code();
    return true;
  }
  if (crn == 15) {
    if (key != key_of(15, 0, 5, 0)) implementation_[key] = value;  // "invalidate all data caches" holds nothing
    return true;
  }
  pmsav7::region& region = mpu_.at(region_number_);
  switch (key) {
    case CSSELR:
      csselr_ = value & 0xF;
      break;
    case SCTLR:
      write_sctlr(value);
      break;
    case ACTLR:
      actlr_ = value;
      break;
    case CPACR:
      cpacr_ = value & CPACR_COPROCESSORS;
      update_fp_trap();
      break;
    case DFSR:
      dfsr_ = value & DFSR_BITS;
      break;
    case IFSR:
      ifsr_ = value & IFSR_BITS;
      break;
    case ADFSR:
      adfsr_ = value;
      break;
    case AIFSR:
      aifsr_ = value;
      break;
    case DFAR:
      dfar_ = value;
      break;
    case IFAR:
      ifar_ = value;
      break;
    case DRBAR:
      region.base = value & ~0x1FU;
      protection_changed_ |= sctlr(1);
      break;
    case DRSR:
      region.size_enable = value & 0xFF3F;
      protection_changed_ |= sctlr(1);
      break;
    case DRACR:
      region.access_control = value & 0x173F;
      protection_changed_ |= sctlr(1);
      break;
    case RGNR:
      region_number_ = value % pmsav7::REGIONS;
      break;
    case BTCM_REGION:
    case ATCM_REGION: {
      tcm& t = tcm_[key == ATCM_REGION ? 0 : 1];
      const std::uint32_t base = t.bytes == 0 ? 0 : value & 0xFFFFF000 & ~(t.bytes - 1);
      t.region = base | (t.region & REGION_SIZE) | (t.bytes == 0 ? 0 : value & 1);
      translation_changed_ = true;
      break;
    }
    case SLAVE_PORT:
      slave_port_ = value;
      break;
    case CONTEXTIDR:
      context_id_ = value;
      break;
    case TPIDRURW:
    case TPIDRURO:
    case TPIDRPRW:
      thread_ids_[key - TPIDRURW] = value;
      break;
    case TCM_SELECTION:
    case FCSEIDR:
      break;
    default:
      return false;
  }
  return true;
}

void cortex_r5::write_sctlr(std::uint32_t value) {
  const std::uint32_t before = sctlr_;
  sctlr_ = (value & SCTLR_WRITABLE) | (SCTLR_RESET & ~SCTLR_WRITABLE);
  engine().trap_unaligned((sctlr_ & SCTLR_A) != 0);
  if (((before ^ sctlr_) & SCTLR_PROTECTION) != 0) protection_changed_ = true;
}

}  // namespace rpsim
