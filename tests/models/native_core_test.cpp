#include "models/core/native_core.h"

#include "models/core/native_image.h"
#include "tests/models/core_bench.h"

namespace rpsim {
namespace {

using sc_core::sc_start;
using test::core_bench;
using test::now;
using test::ns;
using test::us;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct native : testing::Test {
  sim_context context;
  test::node_source node;
  test::recorder events{context};
};

TEST_F(native, runs_what_the_note_names_once_it_is_released) {
  core_bench m4f(context, node, "m4f", "busy_loop");
  sc_start(us(10));
  EXPECT_EQ(m4f.bus.accesses, 0u) << "held in reset";
  EXPECT_THAT(events.take(), IsEmpty());
  m4f.release();
  sc_start(us(10));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.start app=k3-am62x-m4f/busy_loop"));
  EXPECT_THAT(m4f.bus.values(0), ElementsAre(7u));
  EXPECT_TRUE(m4f.core.running());
}

TEST_F(native, a_busy_loop_takes_simulated_time_and_dies_at_a_reset) {
  core_bench m4f(context, node, "m4f", "busy_loop");
  m4f.release();
  sc_start(us(1000));
  EXPECT_EQ(now(), us(1000));
  events.take();
  m4f.hold();
  sc_start(ns(1));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.reset"));
  EXPECT_FALSE(m4f.core.running());
}

TEST_F(native, a_second_start_is_as_clean_as_the_first) {
  core_bench m4f(context, node, "m4f", "busy_loop");
  for (unsigned i = 0; i < 3; ++i) {
    m4f.release();
    sc_start(us(50));
    m4f.hold();
    sc_start(us(1));
  }
  EXPECT_THAT(m4f.bus.values(0), ElementsAre(7u, 7u, 7u));
  EXPECT_THAT(m4f.bus.values(1), ElementsAre(0u, 0u, 0u)) << ".bss, too";
}

TEST_F(native, two_cores_with_one_image_share_nothing) {
  core_bench a(context, node, "a", "busy_loop");
  core_bench b(context, node, "b", "busy_loop");
  a.release();
  sc_start(us(50));
  b.release();
  sc_start(us(50));
  EXPECT_THAT(b.bus.values(0), ElementsAre(7u));
  EXPECT_THAT(b.bus.values(1), ElementsAre(0u));
  a.hold();
  sc_start(us(1));
  EXPECT_TRUE(b.core.running());
}

TEST_F(native, a_reset_takes_effect_a_delta_after_the_line_and_not_before_the_write_that_caused_it_ends) {
  core_bench m4f(context, node, "m4f", "busy_loop");
  m4f.release();
  sc_start(us(20));
  bool running_after_write = false;
  sc_core::sc_time died;
  sc_core::sc_spawn([&] {
    m4f.hold();
    running_after_write = m4f.core.running();
    while (m4f.core.running()) sc_core::wait(sc_core::SC_ZERO_TIME);
    died = now();
  });
  sc_start(us(1));
  EXPECT_TRUE(running_after_write);
  EXPECT_EQ(died, us(20));
}

// Every point at which the firmware can be is one at which the reset can find it: in an access, a delay, a handler's
// entry, a nested call, a WFI, straight-line code.
TEST_F(native, can_be_killed_at_every_wait_and_then_starts_anew) {
  core_bench m4f(context, node, "m4f", "every_wait");
  sc_core::sc_signal<bool> line("line");
  m4f.line(5, line);
  sc_core::sc_time step = ns(0);
  unsigned kills = 0;
  for (; step < us(75); step += ns(173), ++kills) {
    m4f.release();
    sc_start(step + ns(1));
    m4f.hold();
    const auto before = now();
    sc_start(ns(1));
    ASSERT_FALSE(m4f.core.running()) << step;
    ASSERT_FALSE(m4f.wfi.read()) << step;
    const auto lines = events.take();
    ASSERT_THAT(lines, Contains("m4f core.reset")) << step;
    ASSERT_EQ(lines.back(), "m4f core.reset") << before;
  }
  EXPECT_GT(kills, 400u);
  const auto starts = m4f.bus.values(0);
  EXPECT_GT(starts.size(), 350u);
  for (const auto s : starts) ASSERT_EQ(s, 100u);
  m4f.release();
  sc_start(us(400));
  EXPECT_THAT(m4f.bus.values(1), testing::IsSupersetOf({101u, 102u, 103u}));
  EXPECT_THAT(m4f.bus.values(2), Contains(0u)) << "the handler ran";
}

TEST_F(native, the_same_run_twice_gives_the_same_accesses_at_the_same_times) {
  core_bench a(context, node, "a", "every_wait");
  core_bench b(context, node, "b", "every_wait");
  a.release();
  b.release();
  sc_start(us(500));
  EXPECT_GT(a.bus.outputs.size(), 5u);
  EXPECT_EQ(a.bus.outputs, b.bus.outputs);
}

// A core on its own does in one wait what it does in several where something else goes on, and makes quiet accesses
// ahead of their time: nobody can tell.
TEST_F(native, does_the_same_at_the_same_times_alone_and_in_company) {
  core_bench alone(context, node, "alone", "every_wait"), accompanied(context, node, "accompanied", "every_wait");
  const auto run = [](core_bench& b) {
    const sc_core::sc_time start = now();
    b.bus.memory_is_quiet = true;
    b.release();
    sc_start(us(500));
    b.hold();
    sc_start(us(1));
    for (auto& o : b.bus.outputs) o.time -= start;
    for (auto& t : b.bus.memory_times) t -= start;
  };
  run(alone);
  sc_core::sc_spawn([] {
    for (;;) sc_core::wait(ns(1));
  });
  run(accompanied);
  EXPECT_GT(alone.bus.outputs.size(), 5u);
  EXPECT_EQ(alone.bus.outputs, accompanied.bus.outputs);
  ASSERT_EQ(alone.bus.memory_times.size(), accompanied.bus.memory_times.size());
  unsigned ahead = 0;
  for (std::size_t i = 0; i < alone.bus.memory_times.size(); ++i) {
    EXPECT_LE(alone.bus.memory_times[i], accompanied.bus.memory_times[i]);
    ahead += alone.bus.memory_times[i] < accompanied.bus.memory_times[i] ? 1 : 0;
  }
  EXPECT_GT(ahead, 20u);
}

TEST_F(native, a_pending_interrupt_ends_wfi_although_primask_is_set_and_is_taken_at_the_unmasking) {
  core_bench m4f(context, node, "m4f", "wfi_masked");
  sc_core::sc_signal<bool> line("line");
  m4f.line(50, line);
  m4f.release();
  sc_start(us(100));
  EXPECT_TRUE(m4f.wfi.read());
  EXPECT_TRUE(m4f.core.in_wfi());
  EXPECT_THAT(m4f.bus.outputs, IsEmpty());
  line.write(true);
  sc_start(us(10));
  ASSERT_EQ(m4f.bus.outputs.size(), 3u);
  EXPECT_EQ(m4f.bus.outputs[0].index, 0u);
  EXPECT_EQ(m4f.bus.outputs[1].index, 1u) << "the handler, before what follows the unmasking";
  EXPECT_EQ(m4f.bus.outputs[2].index, 2u);
  EXPECT_LT(m4f.bus.outputs[0].time, us(100.2));
  sc_start(us(100));
  EXPECT_TRUE(m4f.wfi.read()) << "parked: no source of an interrupt is left";
  EXPECT_THAT(events.take(),
              ElementsAre(StartsWith("m4f core.start"), "m4f core.wfi", "m4f core.wake irq=50", "m4f core.wfi"));
}

TEST_F(native, a_more_urgent_interrupt_interrupts_a_handler_and_time_adds_up) {
  core_bench m4f(context, node, "m4f", "nesting");
  sc_core::sc_signal<bool> low("low"), high("high");
  m4f.line(1, low);
  m4f.line(2, high);
  m4f.release();
  sc_start(us(50));
  low.write(true);
  sc_start(us(4));
  high.write(true);
  sc_start(us(200));
  std::vector<std::pair<unsigned, std::uint32_t>> order;
  for (const auto& o : m4f.bus.outputs) order.emplace_back(o.index, o.value);
  using p = std::pair<unsigned, std::uint32_t>;
  EXPECT_THAT(order, ElementsAre(p{0, 1}, p{1, 1}, p{2, 1}, p{2, 2}, p{1, 2}, p{0, 2}));
  const auto at = [&](unsigned i) { return m4f.bus.outputs[i].time; };
  EXPECT_LT(at(1), us(50.2)) << "entry takes 12 cycles, not a quantum";
  EXPECT_GT(at(1), us(50) + ns(12 * 2.5) - ns(1));
  EXPECT_GT(at(4) - at(1), us(20)) << "the interrupted delay goes on after the other handler";
  EXPECT_LT(at(4) - at(1), us(21));
  EXPECT_GT(at(5) - at(0), us(120)) << "and so does the interrupted thread";
  EXPECT_LT(at(5) - at(0), us(123));
}

TEST_F(native, no_note_is_a_lockup_and_a_later_start_finds_the_note) {
  core_bench m4f(context, node, "m4f", "");
  m4f.release();
  sc_start(us(10));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.lockup reason=no application note at 0x200"));
  EXPECT_FALSE(m4f.wfi.read());
  m4f.hold();
  sc_start(us(1));
  m4f.bus.put_note(core_bench::NOTE, "k3-am62x-m4f/busy_loop");
  m4f.release();
  sc_start(us(10));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.reset", "m4f core.start app=k3-am62x-m4f/busy_loop"));
}

TEST_F(native, a_note_that_names_no_image_or_leads_out_of_the_directory_is_a_lockup) {
  core_bench m4f(context, node, "m4f", "nothing_of_that_name");
  m4f.release();
  sc_start(us(10));
  EXPECT_THAT(events.take(), ElementsAre(HasSubstr("core.lockup reason=no native image ")));
  for (const char* id : {"../etc/passwd", "/etc/passwd", "", "a b"}) {
    m4f.hold();
    sc_start(us(1));
    m4f.bus.put_note(core_bench::NOTE, id);
    m4f.release();
    sc_start(us(10));
    EXPECT_THAT(events.take(), ElementsAre("m4f core.reset", HasSubstr("names no application"))) << id;
  }
}

TEST_F(native, a_bus_error_is_a_fault_and_locks_the_core_up) {
  core_bench m4f(context, node, "m4f", "bad_access");
  m4f.release();
  sc_start(us(100));
  EXPECT_THAT(events.take(), ElementsAre(StartsWith("m4f core.start"), "m4f core.fault kind=read address=0x70000000",
                                         StartsWith("m4f core.lockup reason=bus error at 0x70000000")));
  EXPECT_THAT(m4f.bus.values(1), IsEmpty());
  EXPECT_FALSE(m4f.wfi.read());
  m4f.hold();
  sc_start(us(1));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.reset"));
}

TEST_F(native, endless_recursion_and_a_returning_application_lock_the_core_up) {
  core_bench deep(context, node, "deep", "recursion");
  core_bench flat(context, node, "flat", "returns");
  deep.release();
  flat.release();
  sc_start(us(1000));
  const auto lines = events.take();
  EXPECT_THAT(lines, Contains("deep core.lockup reason=stack overflow"));
  EXPECT_THAT(lines, Contains("flat core.lockup reason=the application returned"));
}

TEST_F(native, ticks_that_come_faster_than_they_are_served_neither_nest_nor_stop_the_application) {
  core_bench m4f(context, node, "m4f", "tick_storm");
  m4f.release();
  sc_start(us(5000));
  EXPECT_THAT(m4f.bus.values(0), ElementsAre(1u));
  EXPECT_THAT(events.take(), Not(Contains(HasSubstr("core.lockup"))));
}

TEST_F(native, keeps_time_by_systick_and_can_ask_for_its_own_reset) {
  core_bench m4f(context, node, "m4f", "clock");
  m4f.release();
  sc_start(us(102'000));
  const auto t = m4f.bus.values(0);
  ASSERT_EQ(t.size(), 2u);
  EXPECT_NEAR(t[0], 1000, 2);
  EXPECT_NEAR(t[1], 101000, 5);
  EXPECT_NEAR(m4f.bus.values(1)[0], 101000 * 400.0, 4000);
  EXPECT_THAT(m4f.bus.values(2), IsEmpty());
  EXPECT_THAT(events.take(), testing::IsSupersetOf({std::string("m4f core.reset"),
                                                    std::string("m4f core.start app=k3-am62x-m4f/clock")}));
}

TEST_F(native, the_clock_is_a_parameter) {
  ASSERT_TRUE(context.params.set("m4f.clock", "200MHz"));
  core_bench m4f(context, node, "m4f", "clock");
  m4f.release();
  sc_start(us(2100));
  ASSERT_EQ(m4f.bus.outputs.size(), 1u);
  EXPECT_GT(m4f.bus.outputs[0].time, us(2000)) << "a millisecond of a 400 MHz core lasts two";
}

TEST_F(native, a_module_without_clock_freezes_the_core_and_a_module_reset_kills_it) {
  sc_core::sc_signal<module_state> power("power", module_state::off);
  core_bench m4f(context, node, "m4f", "clock");
  m4f.core.power()->bind(power);
  m4f.release();
  sc_start(us(100));
  EXPECT_EQ(m4f.bus.accesses, 0u);
  power.write(module_state::enable);
  sc_start(us(500));
  power.write(module_state::disable);
  sc_start(us(2000));
  EXPECT_TRUE(m4f.core.running());
  EXPECT_THAT(m4f.bus.outputs, IsEmpty());
  EXPECT_EQ(m4f.bus.accesses, 2u) << "the note";
  power.write(module_state::enable);
  sc_start(us(600));
  EXPECT_EQ(m4f.bus.outputs.size(), 1u);
  events.take();
  power.write(module_state::sync_reset);
  sc_start(us(1));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.reset"));
  power.write(module_state::enable);
  sc_start(us(10));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.start app=k3-am62x-m4f/clock"));
}

TEST_F(native, a_core_that_runs_keeps_running_while_its_module_waits_for_it_to_stop) {
  sc_core::sc_signal<module_state> power("power", module_state::trans);
  core_bench m4f(context, node, "m4f", "clock");
  m4f.core.power()->bind(power);
  m4f.release();
  sc_start(us(100));
  EXPECT_FALSE(m4f.core.running()) << "on the way in it has no clock yet";
  power.write(module_state::enable);
  sc_start(us(500));
  power.write(module_state::trans);
  sc_start(us(600));
  EXPECT_EQ(m4f.bus.outputs.size(), 1u);
  power.write(module_state::off);
  sc_start(us(1));
  EXPECT_FALSE(m4f.core.running());
}

TEST_F(native, an_injected_hang_stops_it_for_good_and_leaves_wfi) {
  core_bench m4f(context, node, "m4f", "wfi_masked");
  sc_core::sc_signal<bool> line("line");
  m4f.line(50, line);
  m4f.core.inject(core_fault::hang);
  m4f.release();
  sc_start(us(100));
  EXPECT_TRUE(m4f.wfi.read()) << "a core in reset cannot hang";
  m4f.core.inject(core_fault::hang);
  sc_start(us(1));
  EXPECT_FALSE(m4f.wfi.read());
  line.write(true);
  sc_start(us(100));
  EXPECT_THAT(m4f.bus.outputs, IsEmpty());
  m4f.hold();
  line.write(false);
  sc_start(us(1));
  m4f.release();
  sc_start(us(100));
  EXPECT_TRUE(m4f.wfi.read());
  events.take();
  m4f.core.inject(core_fault::lockup);
  sc_start(us(1));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.lockup reason=injected"));
}

TEST_F(native, a_spurious_wake_ends_one_wfi) {
  core_bench m4f(context, node, "m4f", "wfi_masked");
  sc_core::sc_signal<bool> line("line");
  m4f.line(50, line);
  m4f.release();
  sc_start(us(100));
  events.take();
  m4f.core.inject(core_fault::spurious_wake);
  sc_start(us(10));
  EXPECT_THAT(events.take(), ElementsAre("m4f core.wake irq=none", "m4f core.wfi"));
  EXPECT_THAT(m4f.bus.values(0), ElementsAre(1u));
  EXPECT_THAT(m4f.bus.values(1), IsEmpty()) << "no interrupt was taken";
}

TEST_F(native, a_file_that_is_no_image_is_refused_with_the_reason) {
  EXPECT_THROW(native_image("/nonexistent.so"), std::runtime_error);
  try {
    native_image image("/proc/self/cmdline");
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("/proc/self/cmdline"));
  }
}

}  // namespace
}  // namespace rpsim
