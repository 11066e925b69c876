// Short programs, assembled by hand, on a Cortex-M4F with nothing around it but memory and a few output words.

#include "models/core/arm/cortex_m4.h"

#include "tests/models/core_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::ns;
using test::simulate;
using test::tiny_bus;

constexpr std::uint32_t OUT = tiny_bus::OUT, CFSR = 0xE000ED28, ISER = 0xE000E100, NOTHING_THERE = 0x50000000;
constexpr std::uint32_t CPACR = 0xE000ED88, DWT_CYCCNT = 0xE0001004, SYST_CSR = 0xE000E010, SYST_CVR = 0xE000E018;
constexpr std::uint32_t MAIN = 0x400, HANDLER = 0x500, STACK = 0x8000, THUMB = 1;
constexpr std::uint16_t WFI = 0xBF30, UDF = 0xDE00;

struct core_under_test {
  core_under_test(sim_context& context, test::node_source& node, const std::string& label)
      : bus((label + "_bus").c_str()),
        reset((label + "_reset").c_str(), true),
        irq((label + "_irq").c_str()),
        core(label.c_str(), context, node(label, "clock-frequency = <400000000>;")) {
    core.initiator()->bind(bus.port);
    core.input("local-reset", 0)->bind(reset);
    core.input("irq", 0)->bind(irq);
    vectors(HANDLER | THUMB);
  }
  void words(std::uint32_t at, const std::vector<std::uint32_t>& v) { bus.put(at, v.data(), 4 * v.size()); }
  void code(std::uint32_t at, const std::vector<std::uint16_t>& v) { bus.put(at, v.data(), 2 * v.size()); }
  void vectors(std::uint32_t handler) {
    std::vector<std::uint32_t> table(17, handler);
    table[0] = STACK;
    table[1] = MAIN | THUMB;
    words(0, table);
  }
  /// A handler that writes CFSR and HFSR to the first two output words.
  void fault_reporter() {
    // ldr r0,=OUT; ldr r1,=CFSR; ldr r2,[r1]; str r2,[r0]; ldr r2,[r1,#4]; str r2,[r0,#4]; wfi
    code(HANDLER, {0x4803, 0x4904, 0x680A, 0x6002, 0x684A, 0x6042, WFI, WFI});
    words(HANDLER + 0x10, {OUT, CFSR});
  }
  tiny_bus bus;
  sc_core::sc_signal<bool> reset, irq;
  cortex_m4 core;
};

struct cortex_m4_program : testing::Test, private trace_sink {
  cortex_m4_program() {
    context.arm_engine = RPSIM_ARM_ENGINE;
    context.trace.add(*this, trace_level::detail);
  }
  ~cortex_m4_program() override { context.trace.remove(*this); }
  void on_event(const event& e) override { lockups += e.name == "core.lockup" ? 1 : 0; }
  void run(core_under_test& c) {
    simulate([&] {
      c.reset.write(false);
      sc_core::wait(ns(5000));
    });
  }
  unsigned lockups = 0;
  sim_context context;
  test::node_source node;
};

TEST_F(cortex_m4_program, stores_to_a_device_and_sleeps) {
  core_under_test c(context, node, "m4");
  c.code(MAIN, {0x4801, 0x212A, 0x6001, WFI});  // ldr r0,=OUT; movs r1,#42; str r1,[r0]; wfi
  c.words(MAIN + 8, {OUT});
  run(c);
  EXPECT_THAT(c.bus.values(0), testing::ElementsAre(42u));
  EXPECT_TRUE(c.core.in_wfi());
}

TEST_F(cortex_m4_program, an_undefined_instruction_escalates_to_a_hard_fault) {
  core_under_test c(context, node, "m4");
  c.code(MAIN, {UDF});
  c.fault_reporter();
  run(c);
  EXPECT_THAT(c.bus.values(0), testing::ElementsAre(1u << 16));  // UNDEFINSTR
  EXPECT_THAT(c.bus.values(1), testing::ElementsAre(1u << 30));  // FORCED
}

TEST_F(cortex_m4_program, a_bus_error_is_a_precise_fault) {
  core_under_test c(context, node, "m4");
  c.code(MAIN, {0x4801, 0x6801, WFI, WFI});  // ldr r0,=NOTHING_THERE; ldr r1,[r0]
  c.words(MAIN + 8, {NOTHING_THERE});
  c.fault_reporter();
  run(c);
  EXPECT_THAT(c.bus.values(0), testing::ElementsAre(0x8200u));  // PRECISERR, BFARVALID
}

TEST_F(cortex_m4_program, a_fault_in_the_hard_fault_handler_locks_up) {
  core_under_test c(context, node, "m4");
  c.code(MAIN, {UDF});
  c.code(HANDLER, {UDF});
  run(c);
  EXPECT_EQ(lockups, 1u);
  EXPECT_TRUE(c.bus.outputs.empty());
}

TEST_F(cortex_m4_program, vectors_of_zeros_end_in_a_lockup_and_not_in_a_loop) {
  core_under_test c(context, node, "m4");
  c.words(0, std::vector<std::uint32_t>(17, 0));
  run(c);
  EXPECT_EQ(lockups, 1u);
  EXPECT_TRUE(c.bus.outputs.empty());
}

/// A program that writes DEMCR, then PRIMASK, and executes a BKPT; in its place the handlers of HardFault and
/// of DebugMonitor, which write DFSR and HFSR to OUT or behind it, acknowledge, and step over it.
void break_in(core_under_test& c, std::uint32_t demcr, bool masked) {
  constexpr std::uint32_t DFSR = 0xE000ED30, DEMCR = 0xE000EDFC, MONITOR = 0x600;
  c.words(12, {HANDLER | THUMB});
  c.words(48, {MONITOR | THUMB});
  // ldr r0,=DEMCR; ldr r1,=demcr; str r1,[r0]; movs r1,#masked; msr primask,r1; bkpt #1; ldr r4,=OUT; ldr r1,[r0];
  // str r1,[r4,#0x10]; wfi
  c.code(MAIN, {0x4807, 0x4908, 0x6001, static_cast<std::uint16_t>(0x2100 | (masked ? 1 : 0)), 0xF381, 0x8810, 0xBE01,
                0x4C06, 0x6801, 0x6121, WFI});
  c.words(MAIN + 0x20, {DEMCR, demcr, OUT});
  // ldr r4,=OUT (or behind it); ldr r2,=DFSR; ldr r3,[r2]; str r3,[r4]; str r3,[r2]; ldr r3,[r2,#-4]; str r3,[r4,#4];
  // ldr r3,[sp,#24]; adds r3,#2; str r3,[sp,#24]; bx lr
  for (const std::uint32_t at : {HANDLER, MONITOR}) {
    c.code(at, {0x4C06, 0x4A07, 0x6813, 0x6023, 0x6013, 0xF852, 0x3C04, 0x6063, 0x9B06, 0x3302, 0x9306, 0x4770});
    c.words(at + 0x1C, {at == HANDLER ? OUT : OUT + 8, DFSR});
  }
}

TEST_F(cortex_m4_program, a_breakpoint_is_the_debug_monitors_if_it_is_on_and_may_interrupt) {
  using words = std::vector<std::uint32_t>;
  struct setting {
    bool on, masked;
  };
  constexpr std::uint32_t MON_EN = 1U << 16, BKPT = 1U << 1, DEBUGEVT = 1U << 31;
  core_under_test c(context, node, "m4");
  simulate([&] {
    for (const setting s : {setting{true, false}, {false, false}, {true, true}}) {
      break_in(c, s.on ? MON_EN : 0, s.masked);
      c.bus.outputs.clear();
      c.reset.write(false);
      sc_core::wait(ns(5000));
      EXPECT_TRUE(c.core.in_wfi());
      c.reset.write(true);
      sc_core::wait(ns(10));
      const bool monitor = s.on && !s.masked;
      EXPECT_EQ(c.bus.values(0), monitor ? words{} : words{BKPT}) << s.on << s.masked;
      EXPECT_EQ(c.bus.values(1), monitor ? words{} : words{DEBUGEVT}) << s.on << s.masked;
      EXPECT_EQ(c.bus.values(2), monitor ? words{BKPT} : words{}) << s.on << s.masked;
      EXPECT_EQ(c.bus.values(3), monitor ? words{0} : words{}) << s.on << s.masked;
      EXPECT_EQ(c.bus.values(4), words{s.on ? MON_EN : 0});
    }
  });
  EXPECT_EQ(lockups, 0u);
}

TEST_F(cortex_m4_program, an_exclusive_store_succeeds_in_memory_that_is_reached_over_the_bus) {
  core_under_test c(context, node, "m4");
  // ldr r0,=OUT; movs r2,#7; again: ldrex r1,[r0]; strex r3,r2,[r0]; cmp r3,#0; bne again; wfi
  c.code(MAIN, {0x4804, 0x2207, 0xE850, 0x1F00, 0xE840, 0x2300, 0x2B00, 0xD1F9, WFI, WFI});
  c.words(MAIN + 20, {OUT});
  run(c);
  EXPECT_THAT(c.bus.values(0), testing::ElementsAre(7u));
  EXPECT_TRUE(c.core.in_wfi());
}

TEST_F(cortex_m4_program, memory_that_the_mpu_calls_device_is_accessed_aligned_or_not_at_all) {
  using words = std::vector<std::uint32_t>;
  core_under_test c(context, node, "m4");
  c.fault_reporter();
  const std::uint32_t accessible = 0x03000017, normal = 1 << 19, device = 1 << 16, unaligned = 1 << 24;  // 4 KiB
  simulate([&] {
    for (const std::uint32_t type : {0U, device, normal}) {
      // ldr r0,=MPU_CTRL; movs r1,#0; str r1,[r0,#4]; mov r1,#0x2000; str r1,[r0,#8]; ldr r1,=RASR; str r1,[r0,#12];
      // movs r1,#5; str r1,[r0]; dsb; isb; mov r4,#OUT; movw r6,#0x2004; str r6,[r6]; ldr r5,[r6]; str r5,[r4,#8];
      // ldr.w r5,[r6,#1]; str r5,[r4,#12]; wfi
      c.code(MAIN,
             {0x480C, 0x2100, 0x6041, 0xF44F, 0x5100, 0x6081, 0x490A, 0x60C1, 0x2105, 0x6001, 0xF3BF, 0x8F4F, 0xF3BF,
              0x8F6F, 0xF04F, 0x4480, 0xF242, 0x0604, 0x6036, 0x6835, 0x60A5, 0xF8D6, 0x5001, 0x60E5, WFI});
      c.words(MAIN + 0x34, {0xE000ED94, accessible | type});
      c.bus.outputs.clear();
      c.reset.write(false);
      sc_core::wait(ns(5000));
      c.reset.write(true);
      sc_core::wait(ns(10));
      EXPECT_EQ(c.bus.values(0), type == normal ? words{} : words{unaligned}) << type;
      EXPECT_EQ(c.bus.values(2), words{0x2004}) << type;
      EXPECT_EQ(c.bus.values(3), type == normal ? words{0x20} : words{}) << type;
    }
  });
}

TEST_F(cortex_m4_program, vtor_moves_the_vectors) {
  core_under_test c(context, node, "m4");
  constexpr std::uint32_t TABLE = 0x1000, MOVED = 0x480;
  // ldr r0,=VTOR; mov r1,#TABLE; str r1,[r0]; ldr r0,=ISER; movs r1,#1; mov r4,#OUT; str r1,[r0]; ldr r2,=ISPR;
  // str r1,[r2]; dsb; wfi
  c.code(MAIN, {0x4806, 0xF44F, 0x5180, 0x6001, 0x4805, 0x2101, 0xF04F, 0x4480, 0x6001, 0x4A04,
                0x6011, 0xF3BF, 0x8F4F, WFI,    0xED08, 0xE000, 0xE100, 0xE000, 0xE200, 0xE000});
  c.code(HANDLER, {UDF});
  c.words(TABLE + 4 * 16, {MOVED | THUMB});
  c.code(MOVED, {0x2107, 0x6021, 0x4770});  // movs r1,#7; str r1,[r4]; bx lr
  run(c);
  EXPECT_THAT(c.bus.values(0), testing::ElementsAre(7u));
  EXPECT_TRUE(c.core.in_wfi());
}

TEST_F(cortex_m4_program, sleeponexit_sleeps_again_after_each_handler) {
  core_under_test c(context, node, "m4");
  // ldr r0,=SCR; movs r1,#2; mov r4,#OUT; str r1,[r0]; ldr r0,=ISER; movs r1,#1; str r1,[r0]; ldr r2,=ISPR; str
  // r1,[r2]; str r1,[r4,#4]; wfi
  c.code(MAIN, {0x4805, 0x2102, 0xF04F, 0x4480, 0x6001, 0x4804, 0x2101, 0x6001, 0x4A03, 0x6011, 0x6061, WFI, 0xED10,
                0xE000, 0xE100, 0xE000, 0xE200, 0xE000});
  c.code(HANDLER, {0x6024, 0x4770});  // str r4,[r4]; bx lr
  simulate([&] {
    c.reset.write(false);
    for (std::size_t handled = 1; handled < 4; ++handled) {
      sc_core::wait(ns(1000));
      EXPECT_TRUE(c.core.in_wfi());
      EXPECT_EQ(c.bus.values(0).size(), handled);
      c.irq.write(true);
      sc_core::wait(ns(30));
      c.irq.write(false);
    }
  });
  EXPECT_TRUE(c.bus.values(1).empty());  // the thread never goes on
}

TEST_F(cortex_m4_program, sevonpend_lets_an_interrupt_that_is_not_enabled_end_a_wfe) {
  core_under_test c(context, node, "m4");
  // ldr r0,=SCR; movs r1,#0x10; mov r4,#OUT; str r1,[r0]; wfe; str r1,[r4]; wfi
  std::vector<std::uint16_t> code = {0x4803, 0x2110, 0xF04F, 0x4480, 0x6001, 0xBF20, 0x6021, WFI, 0xED10, 0xE000};
  simulate([&] {
    for (const bool set : {false, true}) {
      code[1] = set ? 0x2110 : 0x2100;
      c.code(MAIN, code);
      c.reset.write(false);
      sc_core::wait(ns(1000));
      EXPECT_TRUE(c.bus.outputs.empty());
      c.irq.write(true);
      sc_core::wait(ns(1000));
      EXPECT_EQ(c.bus.values(0).size(), set ? 1u : 0u);
      c.irq.write(false);
      c.reset.write(true);
      sc_core::wait(ns(10));
    }
  });
}

TEST_F(cortex_m4_program, a_system_reset_begins_again_and_leaves_memory_alone) {
  core_under_test c(context, node, "m4");
  test::recorder trace(context);
  // mov r0,#0x2000; ldr r1,[r0]; adds r1,#1; str r1,[r0]; mov r4,#OUT; str r1,[r4]; cmp r1,#2; beq 1f; ldr r2,=AIRCR;
  // ldr r3,=0x05FA0004; str r3,[r2]; str r4,[r4,#4]; 1: wfi
  c.code(MAIN, {0xF44F, 0x5000, 0x6801, 0x3101, 0x6001, 0xF04F, 0x4480, 0x6021, 0x2902, 0xD003,
                0x4A02, 0x4B03, 0x6013, 0x6064, WFI,    0x0000, 0xED0C, 0xE000, 0x0004, 0x05FA});
  run(c);
  EXPECT_THAT(c.bus.values(0), testing::ElementsAre(1u, 2u));
  EXPECT_TRUE(c.bus.values(1).empty());
  EXPECT_EQ(std::ranges::count_if(trace.lines, [](const std::string& l) { return l.starts_with("m4 core.start"); }), 2);
}

TEST_F(cortex_m4_program, a_handler_follows_another_without_going_back) {
  core_under_test c(context, node, "m4");
  constexpr std::uint32_t SECOND = 0x600;
  // ldr r4,=DWT_CTRL; movs r1,#1; str r1,[r4]; adds r4,#4; mov r0,#OUT; ldr r2,=ISER; movs r1,#3; str r1,[r2];
  // ldr r2,=ISPR; str r1,[r2]; wfi
  c.code(MAIN, {0x4C05, 0x2101, 0x6021, 0x3404, 0xF04F, 0x4080, 0x4A03, 0x2103, 0x6011, 0x4A03, 0x6011, WFI, 0x1000,
                0xE000, 0xE100, 0xE000, 0xE200, 0xE000});
  c.words(4 * 17, {SECOND | THUMB});
  c.code(HANDLER, {0x6826, 0x4770});                 // ldr r6,[r4]; bx lr
  c.code(SECOND, {0x6827, 0x1BBF, 0x6007, 0x4770});  // ldr r7,[r4]; subs r7,r7,r6; str r7,[r0]; bx lr
  run(c);
  const std::uint32_t load = 3, branch = 3, tail_chaining = 6;  // DDI 0439B §3.9.2
  EXPECT_THAT(c.bus.values(0), testing::ElementsAre(load + branch + tail_chaining));
}

/// A program that reads a counter forty times, writes what it read last to OUT, and begins again.
void poll(core_under_test& c, std::uint32_t counter) {
  // ldr r0,=OUT; ldr r4,=counter; ldr r2,=DWT_CTRL; movs r1,#1; str r1,[r2]; ldr r2,=SYST_CSR; ldr r3,=0xFFFFFF;
  // str r3,[r2,#4]; str r3,[r2,#8]; movs r1,#5; str r1,[r2]
  // again: movs r3,#40; more: ldr r1,[r4]; subs r3,#1; bne more; str r1,[r0]; b again
  c.code(MAIN, {0x4808, 0x4C09, 0x4A09, 0x2101, 0x6011, 0x4A09, 0x4B09, 0x6053, 0x6093, 0x2105, 0x6011, 0x2328, 0x6821,
                0x3B01, 0xD1FC, 0x6001, 0xE7F9});
  c.words(MAIN + 0x24, {OUT, counter, DWT_CYCCNT - 4, SYST_CSR, 0xFFFFFF});
}

TEST_F(cortex_m4_program, counters_that_are_polled_show_the_time_at_which_they_are_read) {
  core_under_test up(context, node, "up"), down(context, node, "down");
  poll(up, DWT_CYCCNT);
  poll(down, SYST_CVR);
  simulate([&] {
    for (core_under_test* c : {&up, &down}) {
      c->reset.write(false);
      sc_core::wait(ns(5000));
      c->reset.write(true);
      sc_core::wait(ns(10));
    }
  });
  for (core_under_test* c : {&up, &down}) {
    const auto& seen = c->bus.outputs;
    ASSERT_GE(seen.size(), 5u);
    for (std::size_t i = 1; i < seen.size(); ++i) {
      const std::uint32_t counted = seen[i].value - seen[i - 1].value;
      EXPECT_EQ((seen[i].time - seen[i - 1].time) / ns(2.5), c == &up ? counted : -counted) << i;
    }
  }
}

TEST_F(cortex_m4_program, another_program_may_wait_where_the_one_before_it_accessed_a_device) {
  core_under_test c(context, node, "m4");
  const auto run_once = [&] {
    c.reset.write(false);
    sc_core::wait(ns(2000));
    EXPECT_TRUE(c.core.in_wfi());
    c.reset.write(true);
    sc_core::wait(ns(10));
  };
  c.words(MAIN + 0x10, {OUT});
  simulate([&] {
    c.code(MAIN, {0x4803, 0x6000, WFI});  // ldr r0,=OUT; str r0,[r0]; wfi
    run_once();
    c.code(MAIN, {0xBF40, 0xBF20, 0x4802, 0x6040, WFI});  // sev; wfe; ldr r0,=OUT; str r0,[r0,#4]; wfi
    run_once();
  });
  EXPECT_EQ(c.bus.values(0).size(), 1u);
  EXPECT_EQ(c.bus.values(1).size(), 1u);
}

TEST_F(cortex_m4_program, what_is_stopped_at_and_executed_later_costs_its_cycles_once) {
  struct measured {
    std::string_view what;
    std::vector<std::uint16_t> code;  // r0: OUT, r1: 0, r6: memory
    unsigned cycles;                  // of tables in DDI 0439B, and of the bus
  };
  const unsigned bus_cycles = 21, entry_and_return = 24;
  const std::vector<measured> all = {
      {"nop", {0xBF00}, 1},
      {"ldrt from memory", {0xF856, 0x3E00}, 2},
      {"strt to memory", {0xF846, 0x1E00}, 1},
      {"str to a device", {0x6041}, 1 + bus_cycles},
      {"ldr from a device", {0x6843}, 2 + bus_cycles},
      {"strt to a device", {0xF840, 0x1E04}, 1 + bus_cycles},
      {"cpsid i; cpsie i", {0xB672, 0xB662}, 2},
      {"sev; wfe", {0xBF40, 0xBF20}, 2},
      {"svc, with bx lr as its handler", {0xDF00}, 1 + 3 + entry_and_return},
      {"msr control; the first floating-point instruction", {0xF381, 0x8814, 0xEE00, 0x1A10}, 2},
  };
  core_under_test c(context, node, "m4");
  c.code(HANDLER, {0x4770});
  simulate([&] {
    for (const measured& m : all) {
      std::vector<std::uint16_t> code;
      std::vector<std::uint32_t> literals;
      const auto load = [&](unsigned r, std::uint32_t value) {
        const std::size_t from = (MAIN + 2 * code.size() + 4) & ~3U;
        code.push_back(static_cast<std::uint16_t>(0x4800 | r << 8 | (MAIN + 0x80 + 4 * literals.size() - from) / 4));
        literals.push_back(value);
      };
      load(2, DWT_CYCCNT - 4);
      code.insert(code.end(), {0x2301, 0x6013});  // movs r3,#1; str r3,[r2]
      load(2, CPACR);
      load(3, 0x00F00000);
      code.insert(code.end(), {0x6013, 0x2100, 0x2504});  // str r3,[r2]; movs r1,#0; movs r5,#4
      load(0, OUT);
      load(4, DWT_CYCCNT);
      load(6, 0x2000);
      const std::size_t again = code.size();
      code.push_back(0x6822);  // ldr r2,[r4]
      code.insert(code.end(), m.code.begin(), m.code.end());
      // ldr r3,[r4]; subs r3,r3,r2; str r3,[r0]; subs r5,#1; bne again; wfi
      code.insert(code.end(), {0x6823, 0x1A9B, 0x6003, 0x3D01});
      code.push_back(static_cast<std::uint16_t>(0xD100 | ((again - code.size() - 2) & 0xFF)));
      code.push_back(WFI);
      c.code(MAIN, code);
      c.words(MAIN + 0x80, literals);
      c.bus.outputs.clear();
      c.reset.write(false);
      sc_core::wait(ns(5000));
      c.reset.write(true);
      sc_core::wait(ns(10));
      const auto seen = c.bus.values(0);
      ASSERT_EQ(seen.size(), 4u) << m.what;
      const unsigned two_reads = 3;  // a load that is answered by the core itself: 2, and 1 for the access
      EXPECT_EQ(seen.back(), two_reads + m.cycles) << m.what;
      EXPECT_EQ(seen[2], seen.back()) << m.what;
    }
  });
}

TEST_F(cortex_m4_program, the_quantum_changes_nothing_that_can_be_seen) {
  ASSERT_TRUE(context.params.set("short.quantum", "100ns").has_value());
  ASSERT_TRUE(context.params.set("long.quantum", "10us").has_value());
  core_under_test a(context, node, "short"), b(context, node, "long");
  for (core_under_test* c : {&a, &b}) {
    // ldr r0,=ISER; movs r1,#1; str r1,[r0]; ldr r0,=OUT; adds r3,#1; b .-2
    c->code(MAIN, {0x4802, 0x2101, 0x6001, 0x4802, 0x3301, 0xE7FD});
    c->words(MAIN + 0xC, {ISER, OUT});
    c->code(HANDLER, {0x6003, 0x4770});  // str r3,[r0]; bx lr
  }
  std::vector<std::vector<std::pair<std::uint64_t, std::uint32_t>>> seen;
  simulate([&] {
    for (core_under_test* c : {&a, &b}) {
      const sc_core::sc_time start = now();
      c->reset.write(false);
      for (const double pause : {997.3, 1301.7, 400.1, 2503.9, 811.5}) {
        sc_core::wait(ns(pause));
        c->irq.write(true);
        sc_core::wait(ns(30));
        c->irq.write(false);
      }
      sc_core::wait(ns(1000));
      c->reset.write(true);
      sc_core::wait(ns(1000));
      auto& list = seen.emplace_back();
      for (const auto& o : c->bus.outputs) list.emplace_back((o.time - start).value(), o.value);
    }
  });
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_GE(seen[0].size(), 5u);
  EXPECT_EQ(seen[0], seen[1]);
}

}  // namespace
}  // namespace rpsim
