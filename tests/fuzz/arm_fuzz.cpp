// arm_fuzz CLASS [COUNT [SEED]]: random sequences of instructions through the product's engine (its safe configuration,
// code rewritten) and through Unicorn; registers, flags and memory must be the same afterwards. Classes: thumb (data
// processing and DSP, IT blocks), memory, vfp; arm, arm-memory, arm-vfp. COUNT and SEED also by RPSIM_FUZZ_COUNT and
// RPSIM_FUZZ_SEED.
//
// Every eighth sequence finds its data behind the client's read() and write() instead of mapped, as devices are: the
// same result by stops and single steps.
//
// Where the two are known to differ, and who is right (Arm ARM, DDI 0406C; reference/arm-engine/dynarmic.md §7):
//   - FPSCR's cumulative flags. The engine misses IOC and IXC of conversions from float to integer, and IDC; Unicorn is
//     right. Not compared; N, Z, C, V and the control bits are.
//   - VCVT from fixed point to float rounds to nearest whatever FPSCR says (A8.8.307): the engine does, Unicorn follows
//     RMode. Made with RMode 0 only.
//   - STREX to what is not mapped fails the first time in the engine: the architecture lets it (A3.4.5). Made to what
//   is
//     mapped only.
// What is UNPREDICTABLE is not made.

#include <unicorn/unicorn.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "models/core/arm/arm_engine.h"

namespace rpsim {
namespace {

constexpr std::uint32_t CODE = 0x10000, CODE_BYTES = 1 << 22, DATA = 0x20000000, DATA_BYTES = 1 << 14;
constexpr std::uint32_t FLAGS = 0xF80F0000, FPSCR_COMPARED = 0xF7C00000, CPSR_T = 1U << 5;
constexpr unsigned LENGTH = 6;

/// The bits of an instruction, most significant first. A letter is a field: r0 … r12 and r14 in d, n, m, a, h, l; r0 …
/// r6 in t, u; M is one register twice; anything else any value. What `allowed` refuses is made anew.
struct fields {
  std::array<std::uint32_t, 128> value{};
  std::uint32_t operator[](char letter) const { return value[static_cast<unsigned char>(letter)]; }
};
struct pattern {
  const char* bits;
  bool (*allowed)(const fields&) = nullptr;
};

bool immediate(const fields& f) { return (f['i'] >> 8 == 0) || f['i'] >> 10 != 0 || (f['i'] & 0xFF) != 0; }
/// LSL by 0 is MOVS, which must not be in an IT block.
bool shifts(const fields& f) { return f['i'] != 0; }
bool field_fits(const fields& f) { return f['i'] + f['w'] < 32; }
bool field_ordered(const fields& f) { return f['w'] >= f['i']; }
bool saturation(const fields& f) { return f['s'] == 0 || f['i'] != 0 || f['w'] < 16; }
bool parallel(const fields& f) { return (f['p'] & 3) != 3 && (f['q'] & 3) != 3; }
bool distinct(const fields& f) { return f['l'] != f['h']; }
bool distinct_pair(const fields& f) { return f['t'] != f['u']; }
bool indexed(const fields& f) {
  return f['o'] != 3 && (f['p'] == 4 || f['p'] == 5 || f['p'] == 7 || f['p'] == 1 || f['p'] == 3);
}
bool sized(const fields& f) { return f['o'] != 3; }
bool double_indexed(const fields& f) { return distinct_pair(f) && (f['P'] | f['W']) != 0; }
bool several(const fields& f) { return std::popcount(f['r']) >= 2; }
bool fraction(const fields& f) { return f['z'] == 1 || ((f['i'] & 15) << 1 | f['i'] >> 4) <= 16; }
bool register_run(const fields& f) { return f['k'] >= 1 && f['v'] * 2 + f['D'] + f['k'] <= 32; }
bool arm_parallel(const fields& f) { return (f['p'] & 3) != 0 && (f['q'] < 5 || f['q'] == 7); }
bool arm_extension(const fields& f) { return f['p'] != 1; }
bool arm_indexed(const fields& f) { return f['P'] == 1 || f['W'] == 0; }

const std::vector<pattern> THUMB = {
    {"00000iiiiixxxxxx", shifts},
    {"00001xxxxxyyyzzz"},
    {"00010xxxxxyyyzzz"},
    {"00011xxxxxxxxxxx"},
    {"001xxxxxxxxxxxxx"},
    {"010000xxxxxxxxxx"},
    {"01000100dmmmmddd"},
    {"010001011mmmm0xx"},
    {"01000110dmmmmddd"},
    {"10110010xxxxxxxx"},
    {"1011101000xxxxxx"},
    {"1011101001xxxxxx"},
    {"1011101011xxxxxx"},
    {"10100xxxxxxxxxxx"},
    {"10101xxxxxxxxxxx"},
    // shifted register
    {"11101010000Snnnn0xxxddddxxxxmmmm"},
    {"11101010001Snnnn0xxxddddxxxxmmmm"},
    {"11101010010Snnnn0xxxddddxxxxmmmm"},
    {"11101010011Snnnn0xxxddddxxxxmmmm"},
    {"11101010100Snnnn0xxxddddxxxxmmmm"},
    {"11101011000Snnnn0xxxddddxxxxmmmm"},
    {"11101011010Snnnn0xxxddddxxxxmmmm"},
    {"11101011011Snnnn0xxxddddxxxxmmmm"},
    {"11101011101Snnnn0xxxddddxxxxmmmm"},
    {"11101011110Snnnn0xxxddddxxxxmmmm"},
    {"11101010010S11110xxxddddxxxxmmmm"},
    {"11101010011S11110xxxddddxxxxmmmm"},
    {"111010100001nnnn0xxx1111xxxxmmmm"},
    {"111010101001nnnn0xxx1111xxxxmmmm"},
    {"111010110001nnnn0xxx1111xxxxmmmm"},
    {"111010111011nnnn0xxx1111xxxxmmmm"},
    {"111010101100nnnn0xxxddddxxx0mmmm"},
    // modified immediate
    {"11110i00000Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i00001Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i00010Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i00011Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i00100Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i01000Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i01010Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i01011Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i01101Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i01110Snnnn0iiiddddiiiiiiii", immediate},
    {"11110i00010S11110iiiddddiiiiiiii", immediate},
    {"11110i00011S11110iiiddddiiiiiiii", immediate},
    {"11110i000001nnnn0iii1111iiiiiiii", immediate},
    {"11110i001001nnnn0iii1111iiiiiiii", immediate},
    {"11110i010001nnnn0iii1111iiiiiiii", immediate},
    {"11110i011011nnnn0iii1111iiiiiiii", immediate},
    {"11110x100000nnnn0xxxddddxxxxxxxx"},
    {"11110x101010nnnn0xxxddddxxxxxxxx"},
    {"11110x100100xxxx0xxxddddxxxxxxxx"},
    {"11110x101100xxxx0xxxddddxxxxxxxx"},
    {"11110x10000011110xxxddddxxxxxxxx"},
    {"11110x10101011110xxxddddxxxxxxxx"},
    // bit fields, saturation
    {"111100110100nnnn0iiiddddii0wwwww", field_fits},
    {"111100111100nnnn0iiiddddii0wwwww", field_fits},
    {"111100110110nnnn0iiiddddii0wwwww", field_ordered},
    {"11110011011011110iiiddddii0wwwww", field_ordered},
    {"1111001100s0nnnn0iiiddddii0wwwww", saturation},
    {"1111001110s0nnnn0iiiddddii0wwwww", saturation},
    // by register: shifts, extensions, parallel, saturating, bits
    {"111110100xxSnnnn1111dddd0000mmmm"},
    {"11111010000xnnnn1111dddd10xxmmmm"},
    {"11111010001xnnnn1111dddd10xxmmmm"},
    {"11111010010xnnnn1111dddd10xxmmmm"},
    {"11111010000x11111111dddd10xxmmmm"},
    {"11111010001x11111111dddd10xxmmmm"},
    {"11111010010x11111111dddd10xxmmmm"},
    {"111110101pppnnnn1111dddd0qqqmmmm", parallel},
    {"111110101000nnnn1111dddd10xxmmmm"},
    {"111110101001MMMM1111dddd10xxMMMM"},
    {"111110101010nnnn1111dddd1000mmmm"},
    {"111110101011MMMM1111dddd1000MMMM"},
    // multiplication and division
    {"111110110000nnnnaaaadddd000xmmmm"},
    {"111110110000nnnn1111dddd0000mmmm"},
    {"111110110001nnnnaaaadddd00xxmmmm"},
    {"111110110001nnnn1111dddd00xxmmmm"},
    {"11111011001xnnnnaaaadddd000xmmmm"},
    {"11111011001xnnnn1111dddd000xmmmm"},
    {"11111011010xnnnnaaaadddd000xmmmm"},
    {"11111011010xnnnn1111dddd000xmmmm"},
    {"111110110110nnnnaaaadddd000xmmmm"},
    {"111110110111nnnnaaaadddd0000mmmm"},
    {"111110110111nnnn1111dddd0000mmmm"},
    {"111110111001nnnn1111dddd1111mmmm"},
    {"111110111011nnnn1111dddd1111mmmm"},
    {"111110111000nnnnllllhhhh0000mmmm", distinct},
    {"111110111010nnnnllllhhhh0000mmmm", distinct},
    {"111110111100nnnnllllhhhh0000mmmm", distinct},
    {"111110111100nnnnllllhhhh10xxmmmm", distinct},
    {"11111011110xnnnnllllhhhh110xmmmm", distinct},
    {"111110111110nnnnllllhhhh0000mmmm", distinct},
    {"111110111110nnnnllllhhhh0110mmmm", distinct},
};

// Bases: r8 anywhere, r7 and r10 words, r11 for exclusives; r9 a small index.
const std::vector<pattern> THUMB_MEMORY = {
    {"111110001oox1000tttt00xxxxxxxxxx", sized},
    {"1111100110011000tttt00xxxxxxxxxx"},
    {"1111100110111000tttt00xxxxxxxxxx"},
    {"111110000oox1000tttt1ppp00xxxxxx", indexed},
    {"1111100100x11000tttt1ppp00xxxxxx", indexed},
    {"111110000oox1000tttt000000xx1001", sized},
    {"1111100100x11000tttt000000xx1001"},
    {"1110100Px1Wx1010ttttuuuu0000xxxx", double_indexed},
    {"1110100010xx1010000r00000rrrrrrr", several},
    {"1110100100xx1010000r00000rrrrrrr", several},
    {"1100x1110rrrrrrr", several},
    {"111110001oox1000tttt00xxxxxxxxxx", sized},
    {"0110x0xxxx111ttt", [](const fields& f) { return f['t'] < 7; }},
};

const std::vector<pattern> ARM = {
    {"cccc0000oooSnnnnddddxxxxxxx0mmmm"},
    {"cccc0001100Snnnnddddxxxxxxx0mmmm"},
    {"cccc0001110Snnnnddddxxxxxxx0mmmm"},
    {"cccc0001101S0000ddddxxxxxxx0mmmm"},
    {"cccc0001111S0000ddddxxxxxxx0mmmm"},
    {"cccc00010xx1nnnn0000xxxxxxx0mmmm"},
    {"cccc0000oooSnnnnddddaaaa0xx1mmmm"},
    {"cccc0001100Snnnnddddaaaa0xx1mmmm"},
    {"cccc0001101S0000ddddaaaa0xx1mmmm"},
    {"cccc00010xx1nnnn0000aaaa0xx1mmmm"},
    {"cccc0010oooSnnnnddddxxxxxxxxxxxx"},
    {"cccc0011100Snnnnddddxxxxxxxxxxxx"},
    {"cccc0011110Snnnnddddxxxxxxxxxxxx"},
    {"cccc0011101S0000ddddxxxxxxxxxxxx"},
    {"cccc0011111S0000ddddxxxxxxxxxxxx"},
    {"cccc00110xx1nnnn0000xxxxxxxxxxxx"},
    {"cccc00110000xxxxddddxxxxxxxxxxxx"},
    {"cccc00110100xxxxddddxxxxxxxxxxxx"},
    {"cccc001100101x001111xxxxxxxxxxxx"},
    {"cccc0000000Sdddd0000mmmm1001nnnn"},
    {"cccc0000001Sddddaaaammmm1001nnnn"},
    {"cccc00000110ddddaaaammmm1001nnnn"},
    {"cccc00000100hhhhllllmmmm1001nnnn", distinct},
    {"cccc00001xxShhhhllllmmmm1001nnnn", distinct},
    {"cccc00010000ddddaaaammmm1xx0nnnn"},
    {"cccc00010010ddddaaaammmm1x00nnnn"},
    {"cccc00010010dddd0000mmmm1x10nnnn"},
    {"cccc00010100hhhhllllmmmm1xx0nnnn", distinct},
    {"cccc00010110dddd0000mmmm1xx0nnnn"},
    {"cccc01110000ddddaaaammmm0xx1nnnn"},
    {"cccc01110000dddd1111mmmm0xx1nnnn"},
    {"cccc01110100hhhhllllmmmm0xx1nnnn", distinct},
    {"cccc01110101ddddaaaammmm00x1nnnn"},
    {"cccc01110101dddd1111mmmm00x1nnnn"},
    {"cccc01110101ddddaaaammmm11x1nnnn"},
    {"cccc01111000ddddaaaammmm0001nnnn"},
    {"cccc01111000dddd1111mmmm0001nnnn"},
    {"cccc011100x1dddd1111mmmm0001nnnn"},
    {"cccc01100pppnnnndddd1111qqq1mmmm", arm_parallel},
    {"cccc01101x1wwwwwddddxxxxxx01nnnn"},
    {"cccc01101x10wwwwdddd11110011nnnn"},
    {"cccc01101xppnnnnddddxx000111mmmm", arm_extension},
    {"cccc01101xpp1111ddddxx000111mmmm", arm_extension},
    {"cccc01101000nnnnddddxxxxxx01mmmm"},
    {"cccc01101000nnnndddd11111011mmmm"},
    {"cccc011010111111dddd1111x011mmmm"},
    {"cccc011011111111dddd1111x011mmmm"},
    {"cccc000101101111dddd11110001mmmm"},
    {"cccc00010xx0nnnndddd00000101mmmm"},
    {"cccc01111x1wwwwwddddiiiii101nnnn", field_fits},
    {"cccc0111110wwwwwddddiiiii001nnnn", field_ordered},
    {"cccc0111110wwwwwddddiiiii0011111", field_ordered},
};
const std::vector<pattern> ARM_MEMORY = {
    {"cccc010PxxWx1000tttt00xxxxxxxxxx", arm_indexed}, {"cccc011PxxWx1000tttt000xx0001001", arm_indexed},
    {"cccc000Px1Wx1000ttttxxxx1011xxxx", arm_indexed}, {"cccc000Px1W11000ttttxxxx11x1xxxx", arm_indexed},
    {"cccc000Px0Wx1000tttt000010111001", arm_indexed}, {"cccc000Px0W11000tttt000011x11001", arm_indexed},
    {"cccc000Px1W010100xx0000011x1xx00", arm_indexed}, {"cccc100xx0xx1010000r00000rrrrrrr", several},
};

const std::vector<pattern> THUMB_EXCLUSIVES = {{"1110100001011011tttt111100000000"},
                                               {"1110100001001011ttttuuuu00000000", distinct_pair}};
const std::vector<pattern> ARM_EXCLUSIVES = {{"cccc000110011011tttt111110011111"},
                                             {"cccc000110001011uuuu11111001tttt", distinct_pair}};

/// Single precision; the condition, or Thumb's 1110, comes in front.
const std::vector<pattern> VFP = {
    {"11100x11xxxxxxxx1010x0x0xxxx"},
    {"11100x11xxxxxxxx1010x1x0xxxx"},
    {"11100x10xxxxxxxx1010x0x0xxxx"},
    {"11100x10xxxxxxxx1010x1x0xxxx"},
    {"11101x00xxxxxxxx1010x0x0xxxx"},
    {"11100x00xxxxxxxx1010xxx0xxxx"},
    {"11100x01xxxxxxxx1010xxx0xxxx"},
    {"11101x10xxxxxxxx1010xxx0xxxx"},
    {"11101x01xxxxxxxx1010xxx0xxxx"},
    {"11101x11000xxxxx1010x1x0xxxx"},
    {"11101x110100xxxx1010x1x0xxxx"},
    {"11101x110101xxxx1010x1000000"},
    {"11101x11110xxxxx1010x1x0xxxx"},
    {"11101x111000xxxx1010x1x0xxxx"},
    {"11101x111f1xxxxx1010z1i0iiii"},
    {"11101x11001xxxxx1010x1x0xxxx"},
    {"11101x11xxxxxxxx10100000xxxx"},
    {"1110000xxxxxtttt1010x0010000"},
    {"1101xx0x1010xxxx10100000xxxx"},
    {"11001Dxx1010vvvv101000000kkk", register_run},
    {"11010D1x1010vvvv101000000kkk", register_run},
    {"1110111100011111101000010000"},
};
/// Double precision, 16 registers.
const std::vector<pattern> VFP_DOUBLE = {
    {"11100011xxxxxxxx10110x00xxxx"}, {"11100010xxxxxxxx10110x00xxxx"}, {"11101000xxxxxxxx10110000xxxx"},
    {"11100000xxxxxxxx10110x00xxxx"}, {"11100001xxxxxxxx10110x00xxxx"}, {"11101010xxxxxxxx10110x00xxxx"},
    {"11101001xxxxxxxx10110x00xxxx"}, {"11101011000xxxxx1011x100xxxx"}, {"111010110100xxxx1011x100xxxx"},
    {"11101x110111xxxx10111100xxxx"}, {"111010110111xxxx101011x0xxxx"}, {"111010111000xxxx1011x1x0xxxx"},
    {"11101x11110xxxxx1011x100xxxx"}, {"1101x00x1010xxxx10110000xxxx"},
};

struct generator {
  explicit generator(std::uint64_t seed) : engine(seed) {}
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(engine() % n); }
  std::uint32_t word() { return static_cast<std::uint32_t>(engine()); }
  /// Often at an edge.
  std::uint32_t integer() {
    switch (below(8)) {
      case 0:
        return 0;
      case 1:
        return ~0U;
      case 2:
        return 0x80000000U >> below(32);
      case 3:
        return below(256);
      case 4:
        return 0x7FFFFFFEU + below(3);
      default:
        return word();
    }
  }
  std::uint32_t real() {
    constexpr std::uint32_t EDGES[] = {
        0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7FA00001, 0xFFC12345, 1,
        0x80000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x4F000000, 0xCF000000, 0x4F800000, 0x3F000000, 0x3EFFFFFF};
    switch (below(4)) {
      case 0:
        return EDGES[below(std::size(EDGES))];
      case 1:
        return word();
      default:
        return std::bit_cast<std::uint32_t>((static_cast<float>(below(2000000)) - 1e6F) /
                                            static_cast<float>(1 + below(1000)));
    }
  }
  std::uint32_t safe_register() {
    const std::uint32_t r = below(14);
    return r == 13 ? 14 : r;
  }
  /// `prefix` comes in front of the bits: a condition.
  std::uint32_t encode(const pattern& p, std::string_view prefix = {}) {
    const std::string bits = std::string(prefix) + p.bits;
    for (;;) {
      std::array<unsigned, 128> width{};
      for (const char c : bits) ++width[static_cast<unsigned char>(c)];
      fields f;
      for (unsigned c = 'A'; c <= 'z'; ++c) {
        if (width[c] != 0) f.value[c] = word() & ((std::uint64_t{1} << width[c]) - 1);
      }
      for (const char c : {'d', 'n', 'm', 'a', 'h', 'l'}) {
        if (width[static_cast<unsigned>(c)] == 4) f.value[static_cast<unsigned>(c)] = safe_register();
      }
      for (const char c : {'t', 'u'}) f.value[static_cast<unsigned>(c)] = below(7);
      f.value['M'] = safe_register() * 0x11;
      if (width['c'] == 4) f.value['c'] = below(3) != 0 ? 14 : below(14);
      if (p.allowed != nullptr && !p.allowed(f)) continue;
      std::uint32_t code = 0;
      for (const char c : bits) {
        code <<= 1;
        if (c == '1') code |= 1;
        if (c >= 'A') code |= f[c] >> --width[static_cast<unsigned char>(c)] & 1;
      }
      return code;
    }
  }
  std::mt19937_64 engine;
};

struct state {
  std::array<std::uint32_t, 16> r{};
  std::uint32_t cpsr = 0, fpscr = 0;
  std::array<std::uint32_t, 32> s{};
};

class ours final : private arm_engine_client {
 public:
  explicit ours(arm_profile profile) {
    arm_engine_options options;
    options.profile = profile;
    engine_ = load_arm_engine(RPSIM_ARM_ENGINE).make(*this, options);
    engine_->map(CODE, CODE_BYTES, code.data(), arm_engine::memory_access::read_write);
  }
  void execute(state& s, std::uint32_t end, bool mapped) {
    if (mapped != mapped_) {
      mapped ? engine_->map(DATA, DATA_BYTES, data.data(), arm_engine::memory_access::read_write)
             : engine_->unmap(DATA, DATA_BYTES);
      mapped_ = mapped;
    }
    engine_->regs() = s.r;
    engine_->set_cpsr(s.cpsr | 0x10);
    engine_->set_fpscr(s.fpscr);
    std::copy(s.s.begin(), s.s.end(), engine_->fp_regs().begin());
    engine_->clear_exclusive();
    complaint.clear();
    for (unsigned turns = 0; engine_->regs()[15] != end && complaint.empty(); ++turns) {
      if (turns > 4 * LENGTH) complaint = "does not get to the end";
      if (engine_->run(1) == arm_engine::stop::synchronise && engine_->step() == arm_engine::stepped::aborted)
        complaint = "access out of range";
    }
    s.r = engine_->regs();
    s.cpsr = engine_->cpsr();
    s.fpscr = engine_->fpscr();
    std::copy_n(engine_->fp_regs().begin(), 32, s.s.begin());
  }
  void clear_cache() { engine_->clear_cache(); }
  std::vector<unsigned char> code = std::vector<unsigned char>(CODE_BYTES),
                             data = std::vector<unsigned char>(DATA_BYTES);
  std::string complaint;

 private:
  std::optional<std::uint32_t> fetch(std::uint32_t address) override {
    if (address - CODE >= CODE_BYTES) return std::nullopt;
    std::uint32_t word = 0;
    std::memcpy(&word, &code[address - CODE], 4);
    return word;
  }
  unsigned cycles(const arm_instruction&) override { return 1; }
  arm_after trapped(const arm_instruction& i) override {
    char text[32];
    std::snprintf(text, sizeof text, "trapped %08x", i.code);
    complaint = text;
    return arm_after::stop;
  }
  arm_after supervisor_call(const arm_instruction& i) override { return trapped(i); }
  arm_after hint(arm_hint, const arm_instruction& i) override { return trapped(i); }
  arm_after not_executable(std::uint32_t pc) override { return trapped({pc, 0, true}); }
  unsigned char* at(std::uint32_t address, unsigned bytes) {
    return !mapped_ && address - DATA <= DATA_BYTES - bytes ? &data[address - DATA] : nullptr;
  }
  bool read(std::uint32_t address, void* to, unsigned bytes) override {
    const unsigned char* const p = at(address, bytes);
    if (p != nullptr) std::memcpy(to, p, bytes);
    return p != nullptr;
  }
  void unaligned(std::uint32_t, bool) override { complaint = "unaligned"; }
  bool write(std::uint32_t address, const void* from, unsigned bytes) override {
    unsigned char* const p = at(address, bytes);
    if (p != nullptr) std::memcpy(p, from, bytes);
    return p != nullptr;
  }
  std::unique_ptr<arm_engine> engine_;
  bool mapped_ = false;
};

class theirs {
 public:
  explicit theirs(bool thumb) : thumb_(thumb) {
    check(uc_open(UC_ARCH_ARM, thumb ? UC_MODE_THUMB : UC_MODE_ARM, &uc_));
    check(uc_ctl_set_cpu_model(uc_, UC_CPU_ARM_CORTEX_A15));
    check(uc_mem_map_ptr(uc_, CODE, CODE_BYTES, UC_PROT_ALL, code.data()));
    check(uc_mem_map_ptr(uc_, DATA, DATA_BYTES, UC_PROT_ALL, data.data()));
    std::uint32_t access = 0xF << 20, enable = 1U << 30;
    check(uc_reg_write(uc_, UC_ARM_REG_C1_C0_2, &access));
    check(uc_reg_write(uc_, UC_ARM_REG_FPEXC, &enable));
    for (int i = 0; i < 13; ++i) names_.push_back(UC_ARM_REG_R0 + i);
    for (const int n : {UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_CPSR, UC_ARM_REG_FPSCR})
      names_.push_back(n);
    for (int i = 0; i < 32; ++i) names_.push_back(UC_ARM_REG_S0 + i);
  }
  ~theirs() { uc_close(uc_); }
  theirs(const theirs&) = delete;
  theirs& operator=(const theirs&) = delete;
  std::string execute(state& s, std::uint32_t end) {
    const std::uint32_t start = s.r[15];
    std::uint32_t cpsr = s.cpsr | 0x13;
    std::vector<void*> where;
    for (std::uint32_t& r : s.r) where.push_back(&r);
    where.push_back(&cpsr);
    where.push_back(&s.fpscr);
    for (std::uint32_t& v : s.s) where.push_back(&v);
    check(uc_reg_write_batch(uc_, names_.data(), where.data(), static_cast<int>(where.size())));
    const uc_err e = uc_emu_start(uc_, start | (thumb_ ? 1 : 0), end, 0, 0);
    check(uc_reg_read_batch(uc_, names_.data(), where.data(), static_cast<int>(where.size())));
    s.cpsr = cpsr;
    return e == UC_ERR_OK ? "" : uc_strerror(e);
  }
  void clear_cache() { check(uc_ctl_remove_cache(uc_, CODE, CODE + CODE_BYTES - 1)); }
  std::vector<unsigned char> code = std::vector<unsigned char>(CODE_BYTES),
                             data = std::vector<unsigned char>(DATA_BYTES);

 private:
  static void check(uc_err e) {
    if (e != UC_ERR_OK) throw std::runtime_error(std::string("unicorn: ") + uc_strerror(e));
  }
  uc_engine* uc_ = nullptr;
  const bool thumb_;
  std::vector<int> names_;
};

int fuzz(const std::string& kind, unsigned long count, std::uint64_t seed) {
  const bool arm = kind.starts_with("arm");
  const bool memory = kind.ends_with("memory"), vfp = kind.ends_with("vfp");
  generator random(seed);
  ours a(arm ? arm_profile::r : arm_profile::m);
  theirs b(!arm);
  for (std::size_t i = 0; i < DATA_BYTES; ++i) a.data[i] = b.data[i] = static_cast<unsigned char>(random.word());
  std::printf("%s: %lu sequences, seed %llu\n", kind.c_str(), count, static_cast<unsigned long long>(seed));

  const auto& plain = arm ? ARM : THUMB;
  const auto& loads = arm ? ARM_MEMORY : THUMB_MEMORY;
  const auto one = [&](const std::vector<pattern>& from) -> const pattern& {
    return from[random.below(static_cast<std::uint32_t>(from.size()))];
  };
  unsigned long differences = 0;
  std::uint32_t place = CODE;
  for (unsigned long n = 0; n < count; ++n) {
    if (place + 4 * (2 * LENGTH + 2) > CODE + CODE_BYTES) {
      place = CODE;
      a.clear_cache();
      b.clear_cache();
    }
    const std::uint32_t start = place;
    const bool mapped = n % 8 != 7;
    std::string listing;
    const auto put = [&](std::uint32_t code, bool two_bytes) {
      const unsigned bytes = two_bytes ? 2 : 4;
      const std::uint32_t stored = arm || two_bytes ? code : code >> 16 | code << 16;
      std::memcpy(&a.code[place - CODE], &stored, bytes);
      std::memcpy(&b.code[place - CODE], &stored, bytes);
      place += bytes;
      char text[16];
      std::snprintf(text, sizeof text, two_bytes ? " %04x" : " %08x", code);
      listing += text;
    };
    bool fixed_point = false;
    if (memory) put(arm ? 0xF57FF01F : 0xF3BF8F2F, false);  // CLREX: what one remembers from before is its own
    for (unsigned left = 1 + random.below(LENGTH), conditional = 0; left > 0; --left) {
      if (!arm && conditional == 0 && left >= 4 && random.below(4) == 0) {
        const std::uint32_t mask = 1 + random.below(15);
        put(0xBF00 | random.below(14) << 4 | mask, true);
        conditional = 4 - static_cast<unsigned>(std::countr_zero(mask));
      }
      if (conditional > 0) --conditional;
      const bool exclusive = memory && mapped && random.below(6) == 0;
      const pattern& p = one(exclusive                     ? (arm ? ARM_EXCLUSIVES : THUMB_EXCLUSIVES)
                             : !vfp                        ? (memory ? loads : plain)
                             : arm && random.below(2) == 0 ? VFP_DOUBLE
                                                           : VFP);
      const bool fixed = vfp && std::string_view(p.bits).find('f') != std::string_view::npos;
      fixed_point |= fixed;
      put(random.encode(fixed ? pattern{p.bits, fraction} : p, !vfp  ? ""
                                                               : arm ? "cccc"
                                                                     : "1110"),
          std::strlen(p.bits) == 16);
    }
    const std::uint32_t end = place;
    if (arm) {
      put(0xEAFFFFFE, false);
    } else {
      put(0xE7FE, true);
    }
    place = (place + 3) & ~3U;

    state in;
    for (std::uint32_t& r : in.r) r = random.integer();
    const std::uint32_t middle = DATA + DATA_BYTES / 2;
    if (memory || vfp) {
      in.r[7] = middle + 4 * random.below(64);
      in.r[8] = middle + random.below(256);
      in.r[9] = random.below(64);
      in.r[10] = middle + 4 * random.below(64);
      in.r[11] = middle + 4 * random.below(64);
    }
    in.r[13] = middle;
    in.r[15] = start;
    in.cpsr = (random.word() & FLAGS) | (arm ? 0 : CPSR_T);
    if (vfp) in.fpscr = random.word() & (fixed_point ? 0xF3000000 : 0xF3C00000);
    for (std::uint32_t& v : in.s) v = vfp ? random.real() : 0;

    state mine = in, other = in;
    a.execute(mine, end, mapped);
    const std::string error = b.execute(other, end);
    std::string found = a.complaint;
    if (!error.empty()) found += " Unicorn: " + error;
    const auto compare = [&](const std::string& name, std::uint32_t x, std::uint32_t y) {
      char text[64];
      if (x == y) return;
      std::snprintf(text, sizeof text, " %s %08x, Unicorn %08x;", name.c_str(), x, y);
      found += text;
    };
    for (unsigned r = 0; r < 16; ++r) compare("r" + std::to_string(r), mine.r[r], other.r[r]);
    compare("flags", mine.cpsr & FLAGS, other.cpsr & FLAGS);
    if (vfp) compare("fpscr", mine.fpscr & FPSCR_COMPARED, other.fpscr & FPSCR_COMPARED);
    for (unsigned r = 0; vfp && r < 32; ++r) compare("s" + std::to_string(r), mine.s[r], other.s[r]);
    if (a.data != b.data) {
      found += " memory;";
      std::copy(a.data.begin(), a.data.end(), b.data.begin());
    }
    if (found.empty()) continue;
    if (++differences <= 20) std::printf("sequence %lu:%s:%s\n", n, listing.c_str(), found.c_str());
  }
  std::printf("%s: %lu differences\n", kind.c_str(), differences);
  return differences == 0 ? 0 : 1;
}

}  // namespace
}  // namespace rpsim

// libsystemc, which the project links everywhere, wants one; it is never called.
extern "C" int sc_main(int, char**) { return 0; }

int main(int argc, char** argv) {
  const auto number = [&](int index, const char* variable, unsigned long otherwise) {
    const char* const text = argc > index ? argv[index] : std::getenv(variable);
    return text != nullptr ? std::strtoul(text, nullptr, 0) : otherwise;
  };
  const std::string kind = argc > 1 ? argv[1] : "";
  for (const char* known : {"thumb", "memory", "vfp", "arm", "arm-memory", "arm-vfp"}) {
    if (kind == known) return rpsim::fuzz(kind, number(2, "RPSIM_FUZZ_COUNT", 3000), number(3, "RPSIM_FUZZ_SEED", 1));
  }
  std::fputs("usage: arm_fuzz thumb|memory|vfp|arm|arm-memory|arm-vfp [COUNT [SEED]]\n", stderr);
  return 2;
}
