#include "models/scenario_control/scenario_control.h"

#include "remote_fw/lib/scenario_control.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::simulate;
using testing::ElementsAre;
using testing::HasSubstr;

#define INDEX(name, unit, otherwise, text) P_##name,
enum param_index : std::uint32_t { SC_PARAMS(INDEX) };
#undef INDEX

struct block : testing::Test {
  block()
      : tree(
            dt::tree::compile_text("/dts-v1/; / { m4f: core { }; c: control { rpsim,core = <&m4f>; }; };", "test.dts")),
        unit("m4f_control", context, tree->by_label("c")) {
    bus.socket.bind(*unit.target(0));
  }
  std::uint32_t value(std::uint32_t index) { return bus.read32(SC_PARAM + 4 * index); }

  sim_context context;
  std::unique_ptr<dt::tree> tree;
  test::recorder events{context};
  test::bus_master bus{"m4f"};
  scenario_control unit;
};

TEST_F(block, gives_each_parameter_in_the_unit_of_its_register_when_it_is_read) {
  simulate([&] {
    EXPECT_EQ(bus.read32(SC_ID), 0x52505343u);
    EXPECT_EQ(value(P_shutdown), SC_SHUTDOWN_ACK_AFTER_DEINIT);
    EXPECT_EQ(value(P_ack_delay), 80u);
    EXPECT_EQ(value(P_crash_after), 0u);
    EXPECT_EQ(value(P_hold_resources), 2u);
    EXPECT_EQ(value(P_crash_report), 1u);
    ASSERT_TRUE(context.params.set("m4f.fw.shutdown", "never-acks"));
    ASSERT_TRUE(context.params.set("m4f.fw.ack_delay", "1.2ms"));
    ASSERT_TRUE(context.params.set("m4f.fw.suspend", "auto"));
    EXPECT_EQ(value(P_shutdown), SC_SHUTDOWN_NEVER_ACKS);
    EXPECT_EQ(value(P_ack_delay), 1200u);
    EXPECT_EQ(value(P_suspend), SC_SUSPEND_AUTO);
    sc_core::wait(test::ns(1));
  });
}

TEST_F(block, rounds_times_up_so_that_only_none_is_never) {
  simulate([&] {
    ASSERT_TRUE(context.params.set("m4f.fw.crash_after", "1ns"));
    EXPECT_EQ(value(P_crash_after), 1u);
    ASSERT_TRUE(context.params.set("m4f.fw.crash_after", "2us"));
    EXPECT_EQ(value(P_crash_after), 2u);
    ASSERT_TRUE(context.params.set("m4f.fw.crash_after", "10000 s"));
    EXPECT_EQ(value(P_crash_after), 0xFFFFFFFFu);
    sc_core::wait(test::ns(1));
  });
}

TEST_F(block, a_word_that_is_no_way_to_shut_down_is_refused) {
  EXPECT_THAT(context.params.set("m4f.fw.shutdown", "never-ack").error(), HasSubstr("never-acks"));
}

TEST_F(block, marks_and_log_lines_are_the_cores_events) {
  simulate([&] {
    bus.write32(SC_MARK, SC_MARK_READY);
    bus.write32(SC_MARK, 99);
    for (const char* s = "one\ntwo"; *s != 0; ++s) bus.write32(SC_LOG, static_cast<unsigned char>(*s));
    bus.write32(SC_LOG, 0x000A'3333);
    sc_core::wait(test::ns(1));
  });
  EXPECT_THAT(events.take(), ElementsAre("m4f fw.mark mark=ready", "m4f fw.mark mark=99", "m4f fw.log text=one",
                                         "m4f fw.log text=two33"));
}

TEST_F(block, a_line_without_end_is_cut) {
  simulate([&] {
    for (unsigned i = 0; i < 300; ++i) bus.write32(SC_LOG, 'x');
    sc_core::wait(test::ns(1));
  });
  const std::vector<std::string> lines = events.take();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(std::count(lines[0].begin(), lines[0].end(), 'x'), 256 + 1) << "and that of 'text'";
}

}  // namespace
}  // namespace rpsim
