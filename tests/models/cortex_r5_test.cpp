// The programs of remote_fw/tests/r5 on the Cortex-R5F, and single instructions where a program cannot look.

#include "models/core/arm/cortex_r5.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::node_source;
using test::ns;
using test::recorder;
using test::us;
using testing::ElementsAre;
using testing::HasSubstr;

/// Memory at 0 (256 KiB; and a page behind it that boards may share), at 0xFFFF0000 and a TCM at 0x78000000, with DMI;
/// a console, and a device that counts its reads, drives a level line and makes pulses after a time.
class board final : public sc_core::sc_module, private target_port::handler {
 public:
  static constexpr std::uint32_t RAM_BYTES = 0x40000, SHARED_BYTES = 0x1000, TCM = 0x78000000, TCM_BYTES = 0x8000,
                                 HIGH = 0xFFFF0000, CONSOLE = 0xFF000000, DEVICE = 0x02000000;
  explicit board(sc_core::sc_module_name name, const board* sharing = nullptr)
      : sc_module(name),
        port("port", *this),
        level("level"),
        pulse("pulse"),
        ram_(RAM_BYTES),
        tcm_(TCM_BYTES),
        high_(0x1000),
        shared_(sharing != nullptr ? sharing->shared_ : std::make_shared<std::vector<unsigned char>>(SHARED_BYTES)) {
    SC_HAS_PROCESS(board);
    SC_METHOD(elapsed);
    sensitive << timer_;
    dont_initialize();
  }
  void load(const std::string& program) {
    std::ifstream in(fmt::format("{}/r5/{}.bin", RPSIM_TEST_FIRMWARE, program), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    ASSERT_FALSE(bytes.empty()) << program;
    std::copy(bytes.begin(), bytes.end(), ram_.begin());
  }
  void put(std::uint32_t address, std::initializer_list<std::uint32_t> words) {
    for (const std::uint32_t w : words) {
      std::memcpy(&ram_.at(address), &w, 4);
      address += 4;
    }
  }
  std::uint32_t word(std::uint32_t address) const {
    std::uint32_t w = 0;
    std::memcpy(&w, &ram_.at(address), 4);
    return w;
  }

  target_port port;
  sc_core::sc_signal<bool> level, pulse;
  std::string text;
  bool finished = false;
  sc_core::sc_event finished_event;
  /// Every access to a device: when, where, and what was written.
  struct access {
    sc_core::sc_time time;
    std::uint32_t address, value;
    bool operator==(const access&) const = default;
  };
  std::vector<access> accesses;

 private:
  unsigned char* memory(std::uint64_t address, std::uint64_t& first, std::uint64_t& last) {
    const auto in = [&](std::vector<unsigned char>& m, std::uint64_t base) -> unsigned char* {
      if (address - base >= m.size()) return nullptr;
      first = base;
      last = base + m.size() - 1;
      return m.data() + (address - base);
    };
    if (unsigned char* p = in(ram_, 0)) return p;
    if (unsigned char* p = in(*shared_, RAM_BYTES)) return p;
    if (unsigned char* p = in(tcm_, TCM)) return p;
    return in(high_, HIGH);
  }
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    delay += ns(20);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    const auto address = static_cast<std::uint32_t>(p.get_address());
    std::uint32_t value = 0;
    std::uint64_t first = 0, last = 0;
    if (unsigned char* m = memory(address, first, last)) {
      if (p.is_read()) std::memcpy(p.get_data_ptr(), m, p.get_data_length());
      if (p.is_write()) std::memcpy(m, p.get_data_ptr(), p.get_data_length());
      return;
    }
    if (p.is_write()) std::memcpy(&value, p.get_data_ptr(), p.get_data_length());
    accesses.push_back({sc_core::sc_time_stamp(), address, value});
    switch (address) {
      case CONSOLE:
        text += static_cast<char>(value);
        return;
      case CONSOLE + 4:
        finished = true;
        finished_event.notify(sc_core::SC_ZERO_TIME);
        return;
      case DEVICE:
        if (p.is_read()) std::memcpy(p.get_data_ptr(), &++reads_, 4);
        return;
      case DEVICE + 4:
        if (p.is_read()) std::memcpy(p.get_data_ptr(), &++reads_, 4);
        if (p.is_write()) level.write(value != 0);
        return;
      case DEVICE + 0x10:
        timer_.notify(ns(value));
        return;
      case DEVICE + 0x20:
        return;
      default:
        p.set_response_status(address - DEVICE < 0x1000 ? tlm::TLM_GENERIC_ERROR_RESPONSE
                                                        : tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
  }
  bool direct_memory(tlm::tlm_generic_payload& p, tlm::tlm_dmi& dmi) override {
    std::uint64_t first = 0, last = 0;
    unsigned char* const m = memory(p.get_address(), first, last);
    if (m == nullptr) return false;
    dmi.set_dmi_ptr(m - (p.get_address() - first));
    dmi.set_start_address(first);
    dmi.set_end_address(last);
    dmi.allow_read_write();
    return true;
  }
  void elapsed() {
    pulse.write(!pulse.read());
    if (pulse.read()) timer_.notify(ns(5));
  }

  std::vector<unsigned char> ram_, tcm_, high_;
  std::shared_ptr<std::vector<unsigned char>> shared_;
  std::uint32_t reads_ = 0;
  sc_core::sc_event timer_;
};

struct processor {
  processor(sim_context& context, node_source& node, board& b, const std::string& label, unsigned cpu)
      : reset(fmt::format("{}_reset", label).c_str(), true),
        wfi(fmt::format("{}_wfi", label).c_str()),
        core(label.c_str(), context,
             node(label, fmt::format("clock-frequency = <800000000>; rpsim,cluster-cpu = <0 {}>; "
                                     "rpsim,tcm = <0x79000000 0x8000 0x78000000 0x8000>;",
                                     cpu))) {
    core.initiator()->bind(b.port);
    core.input("local-reset", 0)->bind(reset);
    core.output("wfi", 0)->bind(wfi);
  }
  sc_core::sc_signal<bool> reset, wfi;
  cortex_r5 core;
};

struct r5 : testing::Test {
  r5() { context.arm_engine = RPSIM_ARM_ENGINE; }
  /// The first instructions, at the reset vector; the code follows with its literals.
  void run_words(const sc_core::sc_time& limit, std::initializer_list<std::uint32_t> words) {
    bus.put(0, words);
    trace.emplace(context);
    p.emplace(context, node, bus, "r5f0", 0);
    p->reset.write(false);
    run(limit);
  }
  /// The events of that name.
  std::vector<std::string> events(const std::string& name) const {
    std::vector<std::string> found;
    for (const std::string& l : trace->lines) {
      if (l.starts_with("r5f0 " + name)) found.push_back(l.substr(5));
    }
    return found;
  }
  /// Until the program says that it is done, or the time is over.
  void run(const sc_core::sc_time& limit) {
    sc_core::sc_spawn([this, limit] {
      sc_core::wait(limit, bus.finished_event);
      ended = sc_core::sc_time_stamp();
      sc_core::sc_stop();
    });
    sc_core::sc_start();
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> l(1);
    for (const char c : bus.text) {
      if (c == '\n') {
        l.emplace_back();
      } else {
        l.back() += c;
      }
    }
    l.pop_back();
    return l;
  }
  void wire_interrupts(processor& p) {
    p.core.input("irq", 40)->bind(bus.level);
    p.core.input("irq", 41)->bind(bus.pulse);
  }

  sim_context context;
  node_source node;
  sc_core::sc_time ended;
  board bus{"board"};
  std::optional<recorder> trace;
  std::optional<processor> p;
};

TEST_F(r5, prints_what_qemu_prints) {
  processor p(context, node, bus, "r5f0", 0);
  bus.load("isa");
  p.reset.write(false);
  run(us(50000));
  std::ifstream in(RPSIM_R5_ISA_EXPECTED);
  const std::string expected{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(bus.text, expected);
  EXPECT_TRUE(bus.finished);
}

TEST_F(r5, computes_what_qemu_computes) {
  processor q(context, node, bus, "r5f0", 0);
  bus.load("load");
  q.reset.write(false);
  run(us(1000000));
  EXPECT_THAT(lines(), ElementsAre("sums c0460e62 001442a4 00c79c00 f43af015 000011d0 feb6850c", "done"));
}

TEST_F(r5, interrupts_time_and_aborts_are_the_chips) {
  processor p(context, node, bus, "r5f0", 1);
  wire_interrupts(p);
  bus.load("system");
  p.reset.write(false);
  run(us(50000));
  EXPECT_THAT(
      lines(),
      ElementsAre("cache lines 00000020 00000020 80000001", "control 00c5187c", "masked, then taken 00000000 00000001",
                  "nested 00000003 00000004 00000005 00000002", "level 00000001 00000028",
                  "vectored 00000002 00000003 00000004 00000005 00000002", "fast interrupt 00000000 00000006",
                  "a hundred instructions 00000001", "waited for an interrupt 00000001 00000050",
                  "waited with interrupts masked 00000001", "then taken 00000002 00000001",
                  "nothing there 00000001 00000008 70000000", "a device's error 00000002 00001808 02000800",
                  "every read is made 00000006 00000004", "unaligned at a device 00000003 00000001 00000001",
                  "swapped 11223344 00000002", "TCM 00001234 41010019 00000018 00010001", "moved 00001234 50000019",
                  "no longer there 00000004 41010000", "high vectors 00000001", "done"));
}

TEST_F(r5, two_cores_exclude_each_other_and_signal_events) {
  board other("other", &bus);
  processor a(context, node, bus, "r5f0", 0), b(context, node, other, "r5f1", 1);
  sc_core::sc_signal<bool> to_b("to_b"), to_a("to_a");
  a.core.output("event", 0)->bind(to_b);
  b.core.input("event", 0)->bind(to_b);
  b.core.output("event", 0)->bind(to_a);
  a.core.input("event", 0)->bind(to_a);
  bus.load("two_cores");
  other.load("two_cores");
  recorder events(context);
  b.reset.write(false);
  sc_core::sc_spawn([&] {
    sc_core::wait(us(20));
    a.reset.write(false);
  });
  run(us(50000));
  EXPECT_THAT(lines(), ElementsAre("counted by both 00000fa0", "done"));
  EXPECT_THAT(events.lines, testing::IsSupersetOf({"r5f1 core.wfe", "r5f1 core.wake irq=event"}));
  EXPECT_THAT(events.lines, testing::Not(testing::Contains("r5f0 core.wfe")));
}

TEST_F(r5, a_quantum_changes_nothing_that_devices_see) {
  board other("other");
  processor a(context, node, bus, "r5f0", 0), b(context, node, other, "r5f1", 0);
  wire_interrupts(a);
  b.core.input("irq", 40)->bind(other.level);
  b.core.input("irq", 41)->bind(other.pulse);
  ASSERT_TRUE(context.params.set("r5f0.quantum", "20ns"));
  ASSERT_TRUE(context.params.set("r5f1.quantum", "1ms"));
  bus.load("system");
  other.load("system");
  a.reset.write(false);
  sc_core::sc_spawn([&] {
    sc_core::wait(bus.finished_event);
    b.reset.write(false);  // alone, so that nothing else shortens its runs
    const sc_core::sc_time began = sc_core::sc_time_stamp();
    sc_core::wait(us(50000), other.finished_event);
    EXPECT_TRUE(other.finished);
    for (board::access& x : other.accesses) x.time -= began;
    sc_core::sc_stop();
  });
  sc_core::sc_start();
  ASSERT_GT(bus.accesses.size(), 100u);
  EXPECT_EQ(bus.text, other.text);
  EXPECT_TRUE(bus.accesses == other.accesses);
}

TEST_F(r5, a_reset_in_the_middle_begins_again_and_the_second_time_too) {
  processor q(context, node, bus, "r5f0", 0);
  bus.load("isa");
  recorder events(context);
  q.reset.write(false);
  sc_core::sc_spawn([&] {
    for (int turn = 0; turn < 2; ++turn) {
      while (bus.text.find("second subregion") == std::string::npos) sc_core::wait(us(1));
      EXPECT_THAT(bus.text, testing::Not(HasSubstr("done")));  // protection and floating point are on
      q.reset.write(true);
      sc_core::wait(us(1));
      bus.text.clear();
      bus.load("isa");
      q.reset.write(false);
    }
  });
  run(us(50000));
  std::ifstream in(RPSIM_R5_ISA_EXPECTED);
  EXPECT_EQ(bus.text, std::string(std::istreambuf_iterator<char>(in), {}));
  EXPECT_EQ(std::ranges::count(events.lines, "r5f0 core.start entry=0x0"), 3);
  EXPECT_EQ(std::ranges::count(events.lines, "r5f0 core.reset"), 2);
}

TEST_F(r5, an_undefined_instruction_in_its_own_vector_is_a_lockup) {
  run_words(us(1000), {0xE7F000F0, 0xE7F000F0});
  EXPECT_THAT(events("core.lockup"),
              ElementsAre("core.lockup reason=undefined instruction in its own handler, over and over, link 0x8"));
  EXPECT_THAT(events("core.fault").front(),
              "core.fault kind=undefined instruction address=0x0 access=fetch pc=0x0 code=0xe7f000f0");
  EXPECT_LT(events("core.fault").size(), 200u);
  EXPECT_FALSE(p->core.in_wfi());
}

TEST_F(r5, an_abort_in_the_abort_handler_is_a_lockup) {
  // mov r1, #0x70000000; ldr r0, [r1] … and the same in the data abort vector
  run_words(us(1000), {0xE3A01207, 0xE5910000, 0, 0, 0xE5910000});
  EXPECT_THAT(events("core.lockup"),
              ElementsAre("core.lockup reason=data abort in its own handler, over and over, link 0x18"));
}

TEST_F(r5, vectors_of_zeros_end_in_a_lockup) {
  bus.put(0x400, {0xE51FF004, 0x90000000});  // where the zeros end: ldr pc, =0x90000000
  run_words(us(1000), {0});
  ASSERT_EQ(events("core.lockup").size(), 1u);
  EXPECT_THAT(events("core.lockup").front(), HasSubstr("prefetch abort in its own handler"));
}

TEST_F(r5, code_in_a_peripheral_is_a_prefetch_abort) {
  run_words(us(100), {0xE59FF020,  // ldr pc, [pc, #0x20]
                      0, 0,
                      0xEE160F50,  // the vector: mrc p15, 0, r0, c6, c0, 2 (IFAR)
                      0xE3A01402,  // mov r1, #0x02000000
                      0xE5810020,  // str r0, [r1, #0x20]
                      0xE320F003,  // wfi
                      0, 0, 0, board::DEVICE});
  ASSERT_EQ(bus.accesses.size(), 1u);
  EXPECT_EQ(bus.accesses[0].value, board::DEVICE);
  EXPECT_THAT(events("core.fault"),
              ElementsAre("core.fault kind=not executable address=0x2000000 access=fetch pc=0x2000000"));
  EXPECT_TRUE(p->core.in_wfi());
  EXPECT_TRUE(p->wfi.read());
}

TEST_F(r5, an_endless_loop_takes_its_time_and_no_more) {
  run_words(us(10000), {0xEAFFFFFE});
  EXPECT_EQ(ended, us(10000));
  EXPECT_TRUE(p->core.running());
  EXPECT_TRUE(events("core.lockup").empty());
}

struct r5_memory_type : r5, testing::WithParamInterface<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(device_and_normal, r5_memory_type, testing::Values(0x300, 0x301, 0x310, 0x308));

TEST_P(r5_memory_type, memory_that_the_mpu_calls_device_is_accessed_aligned_or_not_at_all) {
  constexpr std::uint32_t NORMAL = 0x308, UNTOUCHED = 0xFFFFFFFF, ALIGNMENT = 1;
  bus.put(0x3000, {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED});
  run_words(us(100), {0xEA000008,  // b 1f
                      0,          0,          0,
                      0xEE152F10,  // the data abort's vector: mrc DFSR, r2; mov r3, #0x3000; str r2, [r3];
                      0xE3A03A03, 0xE5832000,
                      0xEE162F10,  // mrc DFAR, r2; str r2, [r3, #4]; wfi
                      0xE5832004, 0xE320F003,
                      0xE3A00000,  // 1: region 0: 4 GiB of normal memory
                      0xEE060F12, 0xEE060F11, 0xE3A0003F, 0xEE060F51, 0xE3A00FC2, 0xEE060F91,
                      0xE3A00001,  // region 1: 4 KiB at 0x2000, of the type in question: movw r0, #type
                      0xEE060F12, 0xE3A01A02, 0xEE061F11, 0xE3A00017, 0xEE060F51, 0xE3000000 | GetParam(),
                      0xEE060F91,
                      0xEE110F10,  // SCTLR.M; isb
                      0xE3800001, 0xEE010F10, 0xF57FF06F,
                      0xE5811000,  // str r1, [r1]; ldr r2, [r1]; mov r3, #0x3000; str r2, [r3, #8]
                      0xE5912000, 0xE3A03A03, 0xE5832008,
                      0xE5912002,  // ldr r2, [r1, #2]; str r2, [r3, #12]; wfi
                      0xE583200C, 0xE320F003});
  const bool normal = GetParam() == NORMAL;
  EXPECT_TRUE(p->core.in_wfi());
  EXPECT_EQ(bus.word(0x3008), 0x2000u);
  EXPECT_EQ(bus.word(0x300C), normal ? 0u : UNTOUCHED);
  EXPECT_EQ(bus.word(0x3000), normal ? UNTOUCHED : ALIGNMENT);
  EXPECT_EQ(bus.word(0x3004), normal ? UNTOUCHED : 0x2002u);
}

TEST_F(r5, what_is_stopped_at_and_executed_later_costs_its_cycles_once) {
  struct measured {
    std::string_view what;
    std::uint32_t code;  // r0: the device, r1: 1, r6: memory, r4: the status
    std::uint32_t cycles;
  };
  const std::uint32_t bus_cycles = 17, entry = 20;
  const std::vector<measured> all = {
      {"nop", 0xE320F000, 1},
      {"sev", 0xE320F004, 1},
      {"str r1, [r0] to the device", 0xE5801000, 1 + bus_cycles},
      {"ldr r3, [r0] from the device", 0xE5903000, 1 + bus_cycles},
      {"strt r1, [r0] to the device", 0xE4A01000, 1 + bus_cycles},
      {"ldrt r3, [r6] from memory", 0xE4B63000, 1},
      {"stm r0, {r1} to the device", 0xE8800002, 2 + bus_cycles},
      {"msr cpsr_c, r4", 0xE121F004, 1},
      {"svc, with movs pc, lr as its handler", 0xEF000000, 1 + entry + 1},
  };
  // b 0x20; movs pc, lr as the supervisor call's vector
  bus.put(0, {0xEA000006, 0, 0xE1B0F00E});
  // mov r0, #DEVICE; add r0, r0, #0x20; mov r1, #1; mov r5, #2; mov r6, #0x2000; mov r7, #0x3000; mrs r4, cpsr;
  // PMCR = 5, PMCNTENSET = 1 << 31
  std::vector<std::uint32_t> code = {0xE3A00402, 0xE2800020, 0xE3A01001, 0xE3A05002, 0xE3A06A02, 0xE3A07A03,
                                     0xE10F4000, 0xE3A02005, 0xEE092F1C, 0xE3A02102, 0xEE092F3C};
  const std::size_t again = code.size();
  for (const measured& m : all)  // mrc PMCCNTR, r2; …; mrc PMCCNTR, r3; sub r3, r3, r2; str r3, [r7], #4
    code.insert(code.end(), {0xEE192F1D, m.code, 0xEE193F1D, 0xE0433002, 0xE4873004});
  code.push_back(0xE2555001);  // subs r5, r5, #1; bne again; wfi
  code.push_back(0x1A000000 | ((again - code.size() - 2) & 0xFFFFFF));
  code.push_back(0xE320F003);
  for (std::size_t i = 0; i < code.size(); ++i) bus.put(static_cast<std::uint32_t>(0x20 + 4 * i), {code[i]});
  p.emplace(context, node, bus, "r5f0", 0);
  p->reset.write(false);
  run(us(100));
  ASSERT_TRUE(p->core.in_wfi());
  for (std::size_t i = 0; i < 2 * all.size(); ++i) {
    const measured& m = all[i % all.size()];
    EXPECT_EQ(bus.word(static_cast<std::uint32_t>(0x3000 + 4 * i)), 1 + m.cycles)
        << m.what << ", pass " << i / all.size();
  }
}

TEST_F(r5, code_that_writes_itself_is_seen_after_a_barrier) {
  // Twice: adr r2, patch; patch: mov r0, #1; store; then mov r0, #2 in its place, clean, invalidate, isb, again
  run_words(us(100), {0xE3A01402,       // mov r1, #0x02000000
                      0xE59F3028,       // ldr r3, [pc, #0x28] -> the new instruction
                      0xE3A00001,       // patch: mov r0, #1
                      0xE5810020,       // str r0, [r1, #0x20]
                      0xE3A02008,       // mov r2, #8
                      0xE5823000,       // str r3, [r2]
                      0xF57FF04F,       // dsb
                      0xEE070F15,       // mcr p15, 0, r0, c7, c5, 0
                      0xF57FF06F,       // isb
                      0xE3500002,       // cmp r0, #2
                      0x1AFFFFF6,       // bne patch
                      0xE320F003,       // wfi
                      0, 0xE3A00002});  // mov r0, #2
  ASSERT_EQ(bus.accesses.size(), 2u);
  EXPECT_EQ(bus.accesses[0].value, 1u);
  EXPECT_EQ(bus.accesses[1].value, 2u);
}

}  // namespace
}  // namespace rpsim
