// The Arm engine on dynarmic 6.4. How its configuration is made safe, and why each measure is needed:
// reference/arm-engine/dynarmic.md §0, §2, §3, §8.
//
// Everything that the library ignores, gets wrong or would abort() on is hidden from it: the code it translates is
// rewritten so that such an instruction is an undefined one, which comes back with its exact address and is handed to
// the core. The same way an instruction that once reached past mapped memory is stopped at before it executes: all
// cycles before it are counted then, and it is executed alone, in step().

#include <dynarmic/interface/A32/a32.h>
#include <dynarmic/interface/A32/config.h>
#include <dynarmic/interface/A32/coprocessor.h>
#include <dynarmic/interface/exclusive_monitor.h>
#include <sys/mman.h>
#include <xmmintrin.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/core/arm/arm_engine.h"

namespace rpsim {

namespace {

namespace A32 = Dynarmic::A32;
using Dynarmic::HaltReason;
using Dynarmic::OptimizationFlag;

constexpr std::uint32_t PAGE_BYTES = 4096;
constexpr std::size_t PAGES = std::size_t{1} << 20;
constexpr std::size_t CODE_CACHE_BYTES = std::size_t{16} << 20;
constexpr std::uint32_t CPSR_T = 1U << 5, CPSR_IT = 0x0600FC00;
constexpr std::uint32_t FPSCR_LEN_STRIDE = 0x00370000;
/// FPSCR.STRIDE of the library's state while floating point traps. It is part of what the library keys translations by,
/// so that code is translated apart for either state (dynarmic.md §4.4).
constexpr std::uint32_t FPSCR_TRAP_MARK = 3U << 20;
constexpr std::uint16_t UNDEFINED_16 = 0xDE00;
constexpr std::uint32_t UNDEFINED_32 = 0xF7F0A000, UNDEFINED_ARM = 0xE7F000F0;

/// The library's MXCSR is the guest's while its memory callbacks run.
class host_rounding {
 public:
  host_rounding() : guest_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~host_rounding() { _mm_setcsr(guest_); }
  host_rounding(const host_rounding&) = delete;
  host_rounding& operator=(const host_rounding&) = delete;

 private:
  unsigned guest_;
};

/// Never called: coprocessor instructions are rewritten. Without one the library would abort().
class no_coprocessor final : public A32::Coprocessor {
  static std::uint64_t nothing(void*, std::uint32_t, std::uint32_t) { return 0; }
  static Callback callback() { return {nothing, std::optional<void*>(static_cast<void*>(nullptr))}; }
  using reg = A32::CoprocReg;
  std::optional<Callback> CompileInternalOperation(bool, unsigned, reg, reg, reg, unsigned) override {
    return callback();
  }
  CallbackOrAccessOneWord CompileSendOneWord(bool, unsigned, reg, reg, unsigned) override { return callback(); }
  CallbackOrAccessTwoWords CompileSendTwoWords(bool, unsigned, reg) override { return callback(); }
  CallbackOrAccessOneWord CompileGetOneWord(bool, unsigned, reg, reg, unsigned) override { return callback(); }
  CallbackOrAccessTwoWords CompileGetTwoWords(bool, unsigned, reg) override { return callback(); }
  std::optional<Callback> CompileLoadWords(bool, bool, reg, std::optional<std::uint8_t>) override { return callback(); }
  std::optional<Callback> CompileStoreWords(bool, bool, reg, std::optional<std::uint8_t>) override {
    return callback();
  }
};

struct dynarmic_monitor final : arm_exclusive_monitor {
  explicit dynarmic_monitor(unsigned processors) : monitor(processors) {}
  Dynarmic::ExclusiveMonitor monitor;
};

/// 2^20 pointers of which few are ever touched.
class page_pointers {
 public:
  using array = std::array<std::uint8_t*, PAGES>;
  page_pointers() {
    void* p = mmap(nullptr, sizeof(array), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    table_ = static_cast<array*>(p);
  }
  ~page_pointers() { munmap(table_, sizeof(array)); }
  page_pointers(const page_pointers&) = delete;
  page_pointers& operator=(const page_pointers&) = delete;
  array& table() { return *table_; }
  std::uint8_t*& operator[](std::size_t page) { return (*table_)[page]; }
  void clear() { madvise(table_, sizeof(array), MADV_DONTNEED); }

 private:
  array* table_;
};

/// Thumb: what the library must not see. See the table in dynarmic.md §3.
bool hidden_thumb_16(std::uint32_t h) {
  return (h & 0xFFE8) == 0xB660      // CPS
         || (h & 0xFFF7) == 0xB650;  // SETEND
}

bool floating_point(std::uint32_t i) {  // Thumb 32 bits, and Arm without its condition: coprocessors 10 and 11
  return (i & 0x0C000000) == 0x0C000000 && (i & 0x0F000000) != 0x0F000000 && (i & 0x00000E00) == 0x00000A00;
}

bool hidden_thumb_32(std::uint32_t i, arm_profile profile) {
  const bool m = profile == arm_profile::m;
  const std::uint32_t h1 = i >> 16, h2 = i & 0xFFFF;
  if ((h1 & 0xFFEF) == 0xF3EF && (h2 & 0xD000) == 0x8000) return m || (h1 & 0x10) != 0;  // MRS
  if ((h1 & 0xFFE0) == 0xF380 && (h2 & 0xD000) == 0x8000) {                              // MSR
    return m ? (h2 & 0xFF) != 0 : (h1 & 0x10) != 0 || (h2 & 0x300) != 0;
  }
  if ((h1 & 0xFFF0) == 0xF3A0 && (h2 & 0xD700) > 0x8000 && (h2 & 0xD000) == 0x8000) return true;  // CPS.W
  if (m && (h1 & 0xF800) == 0xF000 && (h2 & 0xD001) == 0xC000) return true;                       // BLX immediate
  if ((h1 & 0xEF00) == 0xEF00 || (h1 & 0xFF10) == 0xF900) return true;                            // Advanced SIMD
  if ((h1 & 0xFFE0) == 0xE8C0 && ((h2 & 0x80) != 0 || (m && (h2 & 0xF0) == 0x70))) return true;   // LDA, STL, *EXD
  if ((h1 & 0xFFE0) == 0xFAC0 && (h2 & 0xF080) == 0xF080) return true;                            // CRC32
  if ((h1 & 0xEC00) == 0xEC00) {                                                                  // coprocessors
    if ((h2 & 0x0E00) != 0x0A00) return true;
    if ((h1 & 0xFF00) == 0xFE00) return true;                                                 // Armv8 floating point
    if ((h1 & 0xFFEF) == 0xEEE1 && (h2 & 0x0F7F) == 0x0A10 && (h1 & 0x10) == 0) return true;  // VMSR FPSCR: LEN, STRIDE
    if (m && (h2 & 0x0100) != 0 && (h1 & 0xFF00) == 0xEE00 && (h2 & 0x10) == 0) return true;  // double precision
    if (m && (h1 & 0xFFBF) == 0xEEB7 && (h2 & 0x0ED0) == 0x0AC0) return true;                 // VCVT to double
  }
  return false;
}

bool hidden_arm(std::uint32_t i) {
  if (i >> 28 == 15) {
    return (i & 0xFFF10020) == 0xF1000000 || (i & 0xFFFFFDFF) == 0xF1010000      // CPS, SETEND
           || (i & 0xFE5FFFE0) == 0xF84D0500 || (i & 0xFE50FFFF) == 0xF8100A00   // SRS, RFE
           || (i & 0xFE000000) == 0xF2000000 || (i & 0xFF100000) == 0xF4000000   // Advanced SIMD
           || (i & 0x0E000000) == 0x0C000000 || (i & 0x0F000000) == 0x0E000000;  // coprocessors
  }
  if ((i & 0x0FB0F000) == 0x0320F000) {  // MSR immediate; mask 0: hints. Of the flags alone: the library's
    const std::uint32_t mask = i >> 16 & 15;
    return mask != 0 && ((i & 1U << 22) != 0 || (mask & 3) != 0);
  }
  if ((i & 0x0FB0FFF0) == 0x0120F000) return (i & 1U << 22) != 0 || (i >> 16 & 3) != 0;  // MSR register
  if ((i & 0x0FFF0FFF) == 0x014F0000) return true;                                       // MRS SPSR
  if ((i & 0x0C10F000) == 0x0010F000) {                                                  // SUBS pc, MOVS pc
    const std::uint32_t op = i >> 21 & 15;
    if ((op < 8 || op > 11) && !((i & 1U << 25) == 0 && (i & 0x90) == 0x90)) return true;
  }
  if ((i & 0x0E400000) == 0x08400000) return true;                        // LDM, STM with ^
  if ((i & 0x0F900F00) == 0x01800E00 && (i & 0xF0) == 0x90) return true;  // Armv8 LDAEX, STLEX
  if ((i & 0x0F900F00) == 0x01800C00 && (i & 0xF0) == 0x90) return true;  // Armv8 LDA, STL
  if ((i & 0x0F900DF0) == 0x01000040) return true;                        // CRC32
  if ((i & 0x0E000000) == 0x0C000000 || (i & 0x0F000000) == 0x0E000000) {
    if ((i & 0x0E00) != 0x0A00) return true;
    if ((i & 0x0FFF0FFF) == 0x0EE10A10) return true;  // VMSR FPSCR
  }
  return false;
}

bool is_vmsr_fpscr(const arm_instruction& i) {
  return i.length() == 4 && (i.code & 0x0FFF0FFF) == 0x0EE10A10 && (!i.thumb || i.code >> 28 == 0xE);
}

bool condition_passes(std::uint32_t condition, std::uint32_t cpsr) {
  const bool n = (cpsr >> 31 & 1) != 0, z = (cpsr >> 30 & 1) != 0, c = (cpsr >> 29 & 1) != 0, v = (cpsr >> 28 & 1) != 0;
  bool passes = true;
  switch (condition >> 1) {
    case 0:
      passes = z;
      break;
    case 1:
      passes = c;
      break;
    case 2:
      passes = n;
      break;
    case 3:
      passes = v;
      break;
    case 4:
      passes = c && !z;
      break;
    case 5:
      passes = n == v;
      break;
    case 6:
      passes = n == v && !z;
      break;
    default:
      return true;
  }
  return (condition & 1) != 0 ? !passes : passes;
}

class dynarmic_engine final : public arm_engine, private A32::UserCallbacks {
 public:
  dynarmic_engine(arm_engine_client& client, const arm_engine_options& options)
      : client_(client), profile_(options.profile), monitor_(options.monitor) {
    if (monitor_ == nullptr) monitor_ = std::make_shared<dynarmic_monitor>(1);
    A32::UserConfig c{};
    c.callbacks = this;
    c.arch_version = A32::ArchVersion::v7;
    // FastDispatch: a loop closed by indirect branches alone would never come back. GetSetElimination: loads whose
    // result is not used would not be made (check_halt_on_memory_access switches it off, too).
    c.optimizations =
        Dynarmic::all_safe_optimizations & ~OptimizationFlag::FastDispatch & ~OptimizationFlag::GetSetElimination;
    c.hook_hint_instructions = true;
    c.hook_isb = true;
    c.always_little_endian = true;
    c.define_unpredictable_behaviour = true;
    c.enable_cycle_counting = true;
    c.check_halt_on_memory_access = true;
    c.global_monitor = &static_cast<dynarmic_monitor&>(*monitor_).monitor;
    c.processor_id = options.monitor == nullptr ? 0 : options.processor;
    for (auto& coprocessor : c.coprocessors) coprocessor = std::make_shared<no_coprocessor>();
    c.page_table = &pages_.table();
    c.detect_misaligned_access_via_page_table = 16 | 32 | 64;
    c.code_cache_size = CODE_CACHE_BYTES;
    jit_ = std::make_unique<A32::Jit>(c);
    if (profile_ == arm_profile::m) jit_->SetCpsr(CPSR_T | 0x10);
  }

  stop run(std::uint64_t cycles) override {
    if (check_pending_) check_code();
    end_ = cycles_ + cycles;
    while (cycles_ < end_) {
      mode_ = mode::running;
      stop_requested_ = synchronise_ = site_ = aborted_ = false;
      own_load_.reset();
      uncounted_.reset();
      jit_->Run();
      mode_ = mode::stopped;
      take_back_overcounted();
      if (aborted_) {
        learn_site();
        return stop::synchronise;
      }
      if (uncounted_) {
        follow(client_.trapped(*uncounted_), *uncounted_);
        take_back_overcounted();
      }
      if (synchronise_) return stop::synchronise;
      if (own_load_ && !load_own()) site_ = true;
      if (site_ && (!probe() || synchronise_)) return stop::synchronise;
      if (stop_requested_) return stop::requested;
    }
    return stop::budget;
  }

  stepped step() override {
    if (check_pending_) check_code();
    return execute_one(mode::stepping) ? stepped::done : stepped::aborted;
  }

  std::uint64_t cycles() const override { return cycles_; }
  bool exact() const override { return mode_ != mode::running && mode_ != mode::probing; }
  std::array<std::uint32_t, 16>& regs() override { return jit_->Regs(); }
  std::array<std::uint32_t, 64>& fp_regs() override { return jit_->ExtRegs(); }
  std::uint32_t cpsr() const override { return jit_->Cpsr(); }
  void set_cpsr(std::uint32_t value) override { jit_->SetCpsr(value); }
  std::uint32_t fpscr() const override { return jit_->Fpscr() & ~FPSCR_LEN_STRIDE; }
  void set_fpscr(std::uint32_t value) override {
    jit_->SetFpscr((value & ~FPSCR_LEN_STRIDE) | (fp_trapped_ ? FPSCR_TRAP_MARK : 0));
  }
  void trap_fp(bool on) override {
    if (on == fp_trapped_) return;
    fp_trapped_ = on;
    set_fpscr(fpscr());
  }
  bool fp_trapped() const override { return fp_trapped_; }
  void trap_unaligned(bool on) override { unaligned_trapped_ = on; }
  void clear_exclusive() override { jit_->ClearExclusiveState(); }
  bool stores_exclusively() override {
    const arm_instruction i = instruction_at(jit_->Regs()[15]);
    if (!i.thumb) return (i.code & 0x0F900FF0) == 0x01800F90;
    const std::uint32_t operation = i.code & 0xF0;  // of the byte, halfword and doubleword forms
    return (i.code & 0xFFF00000) == 0xE8400000 ||
           ((i.code & 0xFFF00000) == 0xE8C00000 && (operation == 0x40 || operation == 0x50 || operation == 0x70));
  }

  void map(std::uint32_t base, std::uint64_t bytes, unsigned char* host, memory_access access) override {
    const std::uint64_t first = (std::uint64_t{base} + PAGE_BYTES - 1) / PAGE_BYTES;
    const std::uint64_t end = std::min<std::uint64_t>((std::uint64_t{base} + bytes) / PAGE_BYTES, PAGES);
    for (std::uint64_t page = first; page < end; ++page) {
      unsigned char* const at = host + (page * PAGE_BYTES - base);
      readable_[page] = at;
      pages_[page] = access == memory_access::read_write ? at : nullptr;
    }
    refresh_code_pages(first, end);
  }
  void unmap(std::uint32_t base, std::uint64_t bytes) override {
    if (bytes == 0) return;
    const std::uint64_t first = base / PAGE_BYTES;
    const std::uint64_t end = std::min<std::uint64_t>((base + bytes + PAGE_BYTES - 1) / PAGE_BYTES, PAGES);
    for (std::uint64_t page = first; page < end; ++page) {
      if (readable_[page] != nullptr) readable_[page] = pages_[page] = nullptr;
    }
    refresh_code_pages(first, end);
  }
  void unmap_all() override {
    readable_.clear();
    pages_.clear();
    refresh_code_pages(0, PAGES);
  }

  void invalidate(std::uint32_t address, std::uint64_t bytes) override {
    if (bytes == 0) return;
    jit_->InvalidateCacheRange(address, std::min<std::uint64_t>(bytes, (std::uint64_t{1} << 32) - address));
  }
  void clear_cache() override {
    jit_->ClearCache();
    blocks_.clear();
    sites_.clear();
    it_state_.clear();
    code_pages_.clear();
    not_executable_.clear();
    walk_start_ = walk_ = 1;
  }

  void check_code() override {
    check_pending_ = false;
    for (auto& [page, code] : code_pages_) {
      const std::size_t from = 4 * code.first, length = 4 * (code.last - code.first + 1);
      if (code.host != nullptr && std::memcmp(code.host + from, code.bytes() + from, length) == 0) continue;
      for (std::uint32_t w = code.first; w <= code.last; ++w) {
        const std::uint32_t address = page * PAGE_BYTES + 4 * w;
        std::optional<std::uint32_t> now;
        if (code.host != nullptr) {
          std::memcpy(&now.emplace(), code.host + 4 * w, 4);
        } else if (code.translated[w]) {
          now = client_.fetch(address);
        }
        if (now == code.words[w]) continue;
        if (code.translated[w]) invalidate(address, 4);
        code.words[w] = now.value_or(0);
      }
    }
    std::erase_if(not_executable_, [&](std::uint32_t address) {
      if (!client_.fetch(address)) return false;
      invalidate(address, 4);
      return true;
    });
  }

 private:
  enum class mode : std::uint8_t { stopped, running, probing, stepping };
  struct block {
    std::uint64_t order = 0;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> instructions;  // address, cycles
  };
  /// What was translated of a page, to see whether it has changed since.
  struct code_page {
    const unsigned char* host = nullptr;
    std::uint32_t first = 0, last = 0;  // words translated lie between
    std::bitset<PAGE_BYTES / 4> translated;
    std::array<std::uint32_t, PAGE_BYTES / 4> words{};
    const unsigned char* bytes() const { return reinterpret_cast<const unsigned char*>(words.data()); }
  };

  bool thumb() const { return (jit_->Cpsr() & CPSR_T) != 0; }

  // ---- one instruction

  /// false: it was annulled, and the registers are as before.
  bool execute_one(mode how) {
    const std::array<std::uint32_t, 16> before = jit_->Regs();
    const std::uint32_t status = jit_->Cpsr();
    stop_requested_ = synchronise_ = site_ = aborted_ = false;
    end_ = cycles_ + 1;
    step_pc_ = before[15];
    mode_ = how;
    jit_->Step();
    mode_ = mode::stopped;
    take_back_overcounted();
    if (!aborted_) return true;
    jit_->Regs() = before;
    jit_->SetCpsr(status);
    return false;
  }

  /// The library counts what it hands over, also if that is executed again, or is no instruction.
  void take_back_overcounted() { cycles_ -= std::exchange(overcounted_, 0); }

  /// The instruction reached past mapped memory once. This time, too?
  bool probe() {
    if (stores_exclusively()) return false;
    const std::uint64_t end = end_;
    const bool done = execute_one(mode::probing);
    end_ = end;
    return done;
  }

  /// The site is a load that the client may answer at once. Otherwise back to before it.
  bool load_own() {
    const arm_instruction& i = own_load_->instruction;
    if (const auto own = client_.read_own(own_load_->address)) {
      jit_->Regs()[own_load_->data] = own->value;
      cycles_ += cost(i) + own->cycles;
      return true;
    }
    back_to(i);
    return false;
  }

  /// A load or store of one register, without write-back and not of the PC.
  struct transfer {
    arm_instruction instruction;
    std::uint32_t address = 0;
    unsigned data = 0, bytes = 4;
    bool loads = true, is_signed = false;
  };
  std::optional<transfer> transfer_of(const arm_instruction& i) {
    const auto& r = jit_->Regs();
    const std::uint32_t c = i.code;
    if (!i.thumb) {
      const unsigned n = c >> 16 & 15, t = c >> 12 & 15;
      if ((c & 0x0F600000) != 0x05000000 || n == 15 || t == 15) return std::nullopt;  // LDR, STR, immediate offset
      const std::uint32_t offset = c & 0xFFF;
      return transfer{i, (c & 1U << 23) != 0 ? r[n] + offset : r[n] - offset, t, 4, (c & 1U << 20) != 0};
    }
    if (i.length() == 2) {
      const std::uint32_t base = r[c >> 3 & 7], offset = c >> 6 & 31;
      const bool loads = (c & 0x0800) != 0;
      const unsigned t = c & 7;
      if ((c & 0xF000) == 0x6000) return transfer{i, base + 4 * offset, t, 4, loads};
      if ((c & 0xF000) == 0x8000) return transfer{i, base + 2 * offset, t, 2, loads};
      if ((c & 0xF400) == 0x5000) return transfer{i, base + r[c >> 6 & 7], t, (c & 0x0200) != 0 ? 2U : 4U, loads};
      if ((c & 0xFE00) == 0x5E00) return transfer{i, base + r[c >> 6 & 7], t, 2, true, true};
      return std::nullopt;
    }
    const unsigned n = c >> 16 & 15, t = c >> 12 & 15, size = c >> 21 & 3;
    const bool loads = (c & 1U << 20) != 0, is_signed = (c & 1U << 24) != 0;
    if ((c & 0xFE000000) != 0xF8000000 || n == 15 || t == 15 || size == 0 || size == 3) return std::nullopt;
    if (is_signed && (size != 1 || !loads)) return std::nullopt;
    if ((c & 1U << 23) != 0) return transfer{i, r[n] + (c & 0xFFF), t, 2 * size, loads, is_signed};
    if ((c & 0xFC0) == 0) return transfer{i, r[n] + (r[c & 15] << (c >> 4 & 3)), t, 2 * size, loads, is_signed};
    if ((c & 0xF00) == 0xC00) return transfer{i, r[n] - (c & 0xFF), t, 2 * size, loads, is_signed};
    return std::nullopt;
  }
  /// In generated code's place, if it is to memory that is mapped.
  bool make(const transfer& t) {
    if (unaligned_trapped_ && t.address % t.bytes != 0) return false;
    unsigned char* const at = find(t.address, t.bytes, !t.loads);
    if (at == nullptr) return false;
    std::uint32_t& data = jit_->Regs()[t.data];
    if (!t.loads) {
      std::memcpy(at, &data, t.bytes);
      return true;
    }
    std::uint32_t value = 0;
    std::memcpy(&value, at, t.bytes);
    data = t.is_signed ? static_cast<std::uint32_t>(static_cast<std::int16_t>(value)) : value;
    return true;
  }

  /// Faults if its address is not a multiple of four (of two: LDREXH): DDI 0403E A3.2.1, DDI 0406C A3.2.1.
  static bool wants_alignment(const arm_instruction& i) {
    const std::uint32_t c = i.code;
    if (i.length() == 2) return (c & 0xF000) == 0xC000 || (c & 0xF600) == 0xB400;  // LDM, STM, PUSH, POP
    if ((c & 0xFFF0FFE0) == 0xE8D0F000 && i.thumb) return false;                   // TBB, TBH
    if (i.thumb) return (c & 0xFE000000) == 0xE8000000 || floating_point(c);       // and LDRD, LDREX …
    return (c & 0x0E000000) == 0x08000000 || (c & 0x0E1000D0) == 0x000000D0 || (c & 0x0F800FF0) == 0x01800F90 ||
           floating_point(c & 0x0FFFFFFF);
  }

  /// The library stopped at an access. What it had executed of its block is not counted in that case: count it; from
  /// now on this instruction begins a block.
  void learn_site() {
    const std::uint32_t pc = jit_->Regs()[15];
    const block* in = nullptr;
    for (auto b = blocks_.upper_bound(pc); b != blocks_.begin() && pc - std::prev(b)->first <= longest_block_;) {
      --b;
      const bool has = std::ranges::any_of(b->second.instructions, [&](const auto& i) { return i.first == pc; });
      if (has && (in == nullptr || b->second.order > in->order)) in = &b->second;
    }
    if (in != nullptr) {
      for (const auto& [address, cost] : in->instructions) {
        if (address == pc) break;
        cycles_ += cost;
      }
    }
    const arm_instruction i = instruction_at(pc);
    undo_writeback(i);
    sites_[pc] = i;
    jit_->InvalidateCacheRange(pc, i.length());
  }

  /// The library writes back the base of some before their (first) access: VLDM and VSTM, and in Arm state every load
  /// and store of a single register or of two.
  void undo_writeback(const arm_instruction& i) {
    auto& r = jit_->Regs();
    const std::uint32_t c = i.code;
    std::uint32_t offset = 0;
    if (i.length() == 4 && (c & 0x0E200E00) == 0x0C200A00 && (!i.thumb || c >> 28 == 0xE)) {
      offset = 4 * (c & 0xFF);
    } else if (i.thumb || ((c & 1U << 24) != 0 && (c & 1U << 21) == 0)) {
      return;
    } else if ((c & 0x0C000000) == 0x04000000) {
      offset = (c & 1U << 25) != 0 ? shifted(r[c & 15], c) : c & 0xFFF;
    } else if ((c & 0x0E000090) == 0x00000090 && (c & 0x60) != 0) {
      offset = (c & 1U << 22) != 0 ? (c >> 4 & 0xF0) | (c & 15) : r[c & 15];
    } else {
      return;
    }
    std::uint32_t& base = r[c >> 16 & 15];
    base = (c & 1U << 23) != 0 ? base - offset : base + offset;
  }

  /// The offset of an Arm-state load or store by register: shifted by an immediate.
  std::uint32_t shifted(std::uint32_t value, std::uint32_t code) const {
    const unsigned by = code >> 7 & 31;
    switch (code >> 5 & 3) {
      case 0:
        return value << by;
      case 1:
        return by == 0 ? 0 : value >> by;
      case 2:
        return static_cast<std::uint32_t>(static_cast<std::int32_t>(value) >> (by == 0 ? 31 : by));
      default:  // RRX, ROR
        return by == 0 ? (jit_->Cpsr() >> 29 & 1) << 31 | value >> 1 : std::rotr(value, static_cast<int>(by));
    }
  }

  // ---- events from generated code

  /// @return whether generated code goes on
  void follow(arm_after after, const arm_instruction& i) {
    switch (after) {
      case arm_after::go_on:
        return;
      case arm_after::stop:
        stop_requested_ = true;
        break;
      case arm_after::synchronise:
        if (mode_ == mode::stepping) return;
        synchronise_ = true;
        annul(i);
        break;
      case arm_after::again:
        annul(i);
        return;  // through the dispatcher, with what the client has changed
      case arm_after::counted:
        uncounted_ = i;
        break;
    }
    if (mode_ != mode::stopped) jit_->HaltExecution(HaltReason::UserDefined1);
  }

  void annul(const arm_instruction& i) {
    overcounted_ += cost(i);
    back_to(i);
  }
  void back_to(const arm_instruction& i) {
    jit_->Regs()[15] = i.pc;
    if (!i.thumb) return;
    const auto it = it_state_.find(i.pc);
    const std::uint32_t state = it == it_state_.end() ? 0 : it->second;
    jit_->SetCpsr((jit_->Cpsr() & ~CPSR_IT) | (state & 3) << 25 | (state & 0xFC) << 8);
  }

  arm_instruction instruction_at(std::uint32_t pc) {
    arm_instruction i{.pc = pc, .code = 0, .thumb = thumb()};
    if (!i.thumb) {
      i.code = client_.fetch(pc & ~3U).value_or(0);
      return i;
    }
    i.code = halfword(pc).value_or(0);
    if (i.code >= 0xE800) i.code = i.code << 16 | halfword(pc + 2).value_or(0);
    return i;
  }

  std::optional<std::uint32_t> halfword(std::uint32_t address) {
    const auto word = client_.fetch(address & ~3U);
    if (!word) return std::nullopt;
    return (address & 2) != 0 ? *word >> 16 : *word & 0xFFFF;
  }

  void ExceptionRaised(std::uint32_t pc, A32::Exception exception) override {
    if (exception == A32::Exception::NoExecuteFault) {
      jit_->Regs()[15] = pc;
      overcounted_ += 1;
      const arm_after after = client_.not_executable(pc);
      if (after == arm_after::stop || after == arm_after::synchronise) {
        (after == arm_after::stop ? stop_requested_ : synchronise_) = true;
        jit_->HaltExecution(HaltReason::UserDefined1);
      }
      return;
    }
    const auto site = mode_ == mode::running ? sites_.find(pc) : sites_.end();
    const arm_instruction i = site != sites_.end() ? site->second : instruction_at(pc);
    switch (exception) {
      case A32::Exception::WaitForInterrupt:
        return follow(client_.hint(arm_hint::wfi, i), i);
      case A32::Exception::WaitForEvent:
        return follow(client_.hint(arm_hint::wfe, i), i);
      case A32::Exception::SendEvent:
        return follow(client_.hint(arm_hint::sev, i), i);
      case A32::Exception::SendEventLocal:
      case A32::Exception::Yield:
      case A32::Exception::PreloadData:
      case A32::Exception::PreloadDataWithIntentToWrite:
      case A32::Exception::PreloadInstruction:
        return;
      default:
        break;
    }
    // Arm state: the rewritten instruction has lost its condition.
    if (!i.thumb && i.code >> 28 != 15 && !condition_passes(i.code >> 28, jit_->Cpsr())) return;
    const bool system = trapped_for_the_client(i);
    if (!system && site != sites_.end()) {
      const auto t = transfer_of(i);
      if (t && make(*t)) return;
      overcounted_ += cost(i);
      if (t && t->loads && t->bytes == 4) {
        own_load_ = t;
      } else {
        site_ = true;
        back_to(i);
      }
      jit_->HaltExecution(HaltReason::UserDefined1);
      return;
    }
    if (is_vmsr_fpscr(i) && !fp_trapped_ && (i.code >> 12 & 15) != 15) {
      set_fpscr(jit_->Regs()[i.code >> 12 & 15]);
      return;
    }
    follow(client_.trapped(i), i);
  }

  void CallSVC(std::uint32_t) override {
    const std::uint32_t pc = jit_->Regs()[15] - (thumb() ? 2 : 4);
    const arm_instruction i = instruction_at(pc);
    follow(client_.supervisor_call(i), i);
  }

  void InterpreterFallback(std::uint32_t pc, std::size_t) override {
    const arm_instruction i = instruction_at(pc);
    jit_->Regs()[15] = pc + i.length();
    follow(client_.trapped(i), i);
  }

  void InstructionSynchronizationBarrierRaised() override { check_code(); }

  // ---- time

  void AddTicks(std::uint64_t ticks) override { cycles_ += ticks; }
  std::uint64_t GetTicksRemaining() override { return end_ > cycles_ ? end_ - cycles_ : 0; }
  std::uint64_t GetTicksForCode(bool is_thumb, std::uint32_t pc, std::uint32_t code) override {
    arm_instruction i{.pc = pc, .code = code, .thumb = is_thumb};
    const bool rewritten = is_thumb ? code == UNDEFINED_16 || code == UNDEFINED_32 : code == UNDEFINED_ARM;
    if (rewritten) i = instruction_at(pc);
    if (mode_ == mode::running) {
      const std::uint32_t start = jit_->Regs()[15];
      if (pc == start) blocks_[start] = {++block_order_, {}};
      blocks_[start].instructions.emplace_back(pc, cost(i));
      longest_block_ = std::max(longest_block_, pc - start);
    }
    return cost(i);
  }
  unsigned cost(const arm_instruction& i) { return std::max(1U, client_.cycles(i)); }

  // ---- translation

  bool trapped_for_the_client(const arm_instruction& i) {
    if (i.length() == 2 ? hidden_thumb_16(i.code) : i.thumb ? hidden_thumb_32(i.code, profile_) : hidden_arm(i.code))
      return true;
    if (fp_trapped_ && i.length() == 4 && (!i.thumb || i.code >> 28 >= 0xE) && floating_point(i.code)) return true;
    return client_.traps(i);
  }
  bool hidden(const arm_instruction& i) {
    if (mode_ == mode::running) {
      if (const auto site = sites_.find(i.pc); site != sites_.end()) {
        if (site->second.code == i.code && site->second.thumb == i.thumb) return true;
        sites_.erase(site);  // another program's
      }
    }
    return trapped_for_the_client(i);
  }

  std::optional<std::uint32_t> MemoryReadCode(std::uint32_t address) override {
    const bool t = thumb();
    if (!t && profile_ == arm_profile::m) return std::nullopt;
    const auto word = client_.fetch(address);
    if (!word) {
      not_executable_.insert(address);
      return std::nullopt;
    }
    note_translated(address, *word);
    if (!t) return hidden({address, *word, false}) ? UNDEFINED_ARM : *word;

    // From the block's start, so that instruction boundaries are exact.
    const std::uint32_t start = jit_->Regs()[15];
    if (start != walk_start_ || walk_ > address) {
      walk_start_ = walk_ = start;
      const std::uint32_t status = jit_->Cpsr();
      walk_it_ = (status >> 25 & 3) | (status >> 8 & 0xFC);
    }
    std::uint32_t seen = *word;
    std::uint32_t pc = walk_, it = walk_it_;
    while (pc < address + 4) {
      const arm_instruction i = instruction_at(pc);
      if (it != 0) {
        it_state_[pc] = static_cast<std::uint8_t>(it);
      } else if (!it_state_.empty()) {
        it_state_.erase(pc);
      }
      const std::uint32_t next = pc + i.length();
      if (next > address && hidden(i)) {
        const std::uint32_t code = i.length() == 2 ? UNDEFINED_16 : UNDEFINED_32;
        const auto replace = [&](std::uint32_t at, std::uint32_t half) {
          if ((at & ~3U) != address) return;
          seen = (at & 2) != 0 ? (seen & 0xFFFF) | half << 16 : (seen & 0xFFFF0000) | half;
        };
        replace(pc, i.length() == 2 ? code : code >> 16);
        if (i.length() == 4) replace(pc + 2, code & 0xFFFF);
      }
      if (next > address + 4) break;  // goes on in the next word: comes again
      if (i.length() == 2 && (i.code & 0xFF00) == 0xBF00 && (i.code & 15) != 0) {
        it = i.code & 0xFF;
      } else {
        it = (it & 7) == 0 ? 0 : (it & 0xE0) | (it << 1 & 0x1F);
      }
      pc = next;
      walk_ = pc;
      walk_it_ = it;
    }
    return seen;
  }

  void note_translated(std::uint32_t address, std::uint32_t word) {
    code_page& page = code_pages_[address / PAGE_BYTES];
    const std::uint32_t w = address % PAGE_BYTES / 4;
    if (page.translated.none()) {
      page.first = page.last = w;
      page.host = readable_[address / PAGE_BYTES];
      if (page.host != nullptr) std::memcpy(page.words.data(), page.host, PAGE_BYTES);
    }
    page.first = std::min(page.first, w);
    page.last = std::max(page.last, w);
    page.translated.set(w);
    page.words[w] = word;
  }

  void refresh_code_pages(std::uint64_t first, std::uint64_t end) {
    for (auto& [page, code] : code_pages_) {
      if (page < first || page >= end || code.host == readable_[page]) continue;
      code.host = readable_[page];
      check_pending_ = true;
    }
  }

  // ---- memory

  unsigned char* find(std::uint32_t address, unsigned bytes, bool write) {
    auto& table = write ? pages_ : readable_;
    const std::uint32_t page = address / PAGE_BYTES, offset = address % PAGE_BYTES;
    unsigned char* const at = table[page];
    if (at == nullptr) return nullptr;
    if (offset + bytes <= PAGE_BYTES) return at + offset;
    // Across two pages: in one piece if they lie so in the host's memory.
    return page + 1 < PAGES && table[page + 1] == at + PAGE_BYTES ? at + offset : nullptr;
  }

  void abort() {
    aborted_ = true;
    jit_->HaltExecution(HaltReason::MemoryAbort);
  }

  /// Who makes an access that is not aligned decides whether it is made: found out about at an instruction of its own.
  bool refused(std::uint32_t address, unsigned bytes, bool writes) {
    if (address % std::min(bytes, 4U) == 0) return false;
    if (mode_ == mode::running) {
      abort();
      return true;
    }
    if (!unaligned_trapped_ && !wants_alignment(instruction_at(step_pc_))) return false;
    if (mode_ == mode::stepping && !aborted_) client_.unaligned(address, writes);
    abort();
    return true;
  }
  template <typename T>
  T load(std::uint32_t address) {
    T value{};
    if (refused(address, sizeof(T), false)) return value;
    if (const unsigned char* p = find(address, sizeof(T), false)) {
      std::memcpy(&value, p, sizeof(T));
    } else if (mode_ != mode::stepping) {
      abort();
    } else if (!aborted_) {
      const host_rounding guard;
      if (!client_.read(address, &value, sizeof(T))) abort();
    }
    return value;
  }
  template <typename T>
  void store(std::uint32_t address, T value) {
    if (refused(address, sizeof(T), true)) return;
    if (unsigned char* p = find(address, sizeof(T), true)) {
      std::memcpy(p, &value, sizeof(T));
    } else if (mode_ != mode::stepping) {
      abort();
    } else if (!aborted_) {
      const host_rounding guard;
      if (!client_.write(address, &value, sizeof(T))) abort();
    }
  }
  template <typename T>
  bool exchange(std::uint32_t address, T value, T expected) {
    if (refused(address, sizeof(T), true)) return false;
    if (unsigned char* p = find(address, sizeof(T), true)) {
      T now{};
      std::memcpy(&now, p, sizeof(T));
      if (now != expected) return false;
      std::memcpy(p, &value, sizeof(T));
      return true;
    }
    // The reservation is spent by now. Stopping here makes this one fail; the next one is stopped at before it.
    store(address, value);
    return !aborted_;
  }

  std::uint8_t MemoryRead8(std::uint32_t a) override { return load<std::uint8_t>(a); }
  std::uint16_t MemoryRead16(std::uint32_t a) override { return load<std::uint16_t>(a); }
  std::uint32_t MemoryRead32(std::uint32_t a) override { return load<std::uint32_t>(a); }
  std::uint64_t MemoryRead64(std::uint32_t a) override { return load<std::uint64_t>(a); }
  void MemoryWrite8(std::uint32_t a, std::uint8_t v) override { store(a, v); }
  void MemoryWrite16(std::uint32_t a, std::uint16_t v) override { store(a, v); }
  void MemoryWrite32(std::uint32_t a, std::uint32_t v) override { store(a, v); }
  void MemoryWrite64(std::uint32_t a, std::uint64_t v) override { store(a, v); }
  bool MemoryWriteExclusive8(std::uint32_t a, std::uint8_t v, std::uint8_t e) override { return exchange(a, v, e); }
  bool MemoryWriteExclusive16(std::uint32_t a, std::uint16_t v, std::uint16_t e) override { return exchange(a, v, e); }
  bool MemoryWriteExclusive32(std::uint32_t a, std::uint32_t v, std::uint32_t e) override { return exchange(a, v, e); }
  bool MemoryWriteExclusive64(std::uint32_t a, std::uint64_t v, std::uint64_t e) override { return exchange(a, v, e); }

  arm_engine_client& client_;
  const arm_profile profile_;
  std::shared_ptr<arm_exclusive_monitor> monitor_;
  page_pointers pages_, readable_;  // what may be written as well; what may be read
  std::unique_ptr<A32::Jit> jit_;

  mode mode_ = mode::stopped;
  std::uint64_t cycles_ = 0, end_ = 0;
  bool stop_requested_ = false, synchronise_ = false, site_ = false, aborted_ = false;
  bool fp_trapped_ = false, check_pending_ = false;

  // What has reached past mapped memory, as it was when it was translated.
  std::unordered_map<std::uint32_t, arm_instruction> sites_;
  std::optional<transfer> own_load_;          // stopped at, as are
  std::optional<arm_instruction> uncounted_;  // what a client call answered `counted` to
  std::uint64_t overcounted_ = 0;
  std::uint32_t step_pc_ = 0;
  bool unaligned_trapped_ = false;
  std::map<std::uint32_t, block> blocks_;
  std::uint64_t block_order_ = 0;
  std::uint32_t longest_block_ = 0;                           // bytes from its first instruction to its last
  std::unordered_map<std::uint32_t, std::uint8_t> it_state_;  // of translated instructions inside IT blocks
  std::map<std::uint32_t, code_page> code_pages_;
  std::set<std::uint32_t> not_executable_;  // words that fetch() had no code for
  std::uint32_t walk_start_ = 1, walk_ = 1, walk_it_ = 0;
};

}  // namespace

}  // namespace rpsim

extern "C" __attribute__((visibility("default"))) const rpsim::arm_engine_module rpsim_arm_engine_module;
const rpsim::arm_engine_module rpsim_arm_engine_module = {
    .version = rpsim::ARM_ENGINE_VERSION,
    .make = [](rpsim::arm_engine_client& client, const rpsim::arm_engine_options& options)
        -> std::unique_ptr<rpsim::arm_engine> { return std::make_unique<rpsim::dynarmic_engine>(client, options); },
    .make_monitor = [](unsigned processors) -> std::shared_ptr<rpsim::arm_exclusive_monitor> {
      return std::make_shared<rpsim::dynarmic_monitor>(processors);
    },
};
