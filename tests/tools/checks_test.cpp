#include "tools/rpsim/checks.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/tools/events.h"
#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {
namespace {

/// A scenario's expectations over a trace made by hand.
class checks_test : public testing::Test {
 protected:
  void expect(const std::string& yaml) {
    auto s = parse_scenario("scenario: s\npurpose: p\nplatform: x\nsteps: [cat /f]\n" + yaml, "s.yaml",
                            vocabulary::built_in());
    ASSERT_TRUE(s) << s.error().front().message();
    scenario_ = std::make_unique<scenario>(std::move(*s));
    checks_ = std::make_unique<checks>(*scenario_, states_);
  }
  script play() { return script(*checks_); }
  /// Why the only expectation fails; "" if it holds.
  std::string verdict() {
    const auto r = checks_->results();
    EXPECT_EQ(r.size(), 1u);
    return r.at(0).detail;
  }
  state_tracker states_;
  std::unique_ptr<scenario> scenario_;
  std::unique_ptr<checks> checks_;
};

TEST_F(checks_test, order_lets_others_come_between) {
  expect("expect: [{ order: [core.wfi, reset.assert] }]");
  play().emit("m4f", "core.wfi").emit("m4f", "core.wake").emit("dm", "reset.assert");
  EXPECT_EQ(verdict(), "");
}

TEST_F(checks_test, an_outcome_names_only_errors_that_came) {
  expect("outcomes: { default: re-attach ENOMEM (oops H4) }\n");
  scenario_->outcome = *outcome_of(*scenario_, "main");
  checks_ = std::make_unique<checks>(*scenario_, states_);
  auto s = play();
  EXPECT_EQ(verdict(), "nothing gave ENOMEM");
  s.emit("shell", "shell.done", {{"result", "ENOMEM"}, {"output", ""}});
  EXPECT_EQ(verdict(), "nothing gave oops H4");
  s.emit("host", "host.oops", {{"hazard", "H7"}}).emit("host", "host.oops", {{"hazard", "H4"}});
  EXPECT_EQ(verdict(), "");
}

TEST_F(checks_test, order_that_is_reversed_fails_and_says_what_is_missing) {
  expect("expect: [{ order: [core.wfi, reset.assert] }]");
  play().at_us(1).emit("dm", "reset.assert").at_us(2).emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "reset.assert did not happen after 2.000 us");
}

TEST_F(checks_test, order_several_times_needs_every_round) {
  expect("expect: [{ order: { events: [core.wfi, core.wake], times: 2 } }]");
  auto s = play();
  s.emit("m4f", "core.wfi").emit("m4f", "core.wake").at_us(5).emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "round 2: core.wake did not happen after 5.000 us");
  s.emit("m4f", "core.wake");
  EXPECT_EQ(verdict(), "");
}

TEST_F(checks_test, never_says_when) {
  expect("expect: [{ never: bus.error }]");
  EXPECT_EQ(verdict(), "");
  play().at_us(3).emit("m", "bus.error").emit("m", "bus.error");
  EXPECT_EQ(verdict(), "it happened 2 times, first at 3.000 us");
}

TEST_F(checks_test, never_after_looks_only_there_and_needs_it) {
  expect("expect: [{ never: { event: core.wfi, after: handshake timeout } }]");
  auto s = play();
  s.emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "handshake timeout did not happen, so there is no time after it");
  s.emit("remoteproc0", "handshake", {{"phase", "timeout"}});
  EXPECT_EQ(verdict(), "");
  s.at_us(1).emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "it happened at 1.000 us");
}

TEST_F(checks_test, count_is_exact_or_a_range) {
  expect("expect: [{ count: { core.wfi: 2 } }]");
  auto s = play();
  s.emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "it happened once");
  s.emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "");
  expect("expect: [{ count: { core.wfi: { min: 1 } } }]");
  EXPECT_EQ(verdict(), "it happened 0 times");
}

TEST_F(checks_test, takes_counts_from_the_last_begin) {
  expect("expect: [{ takes: { from: core.wake, to: core.wfi, max: 2us } }]");
  EXPECT_EQ(verdict(), "it did not happen");
  auto s = play();
  s.at_us(0).emit("m4f", "core.wake").at_us(9).emit("m4f", "core.wake").at_us(10).emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "");
  s.at_us(20).emit("m4f", "core.wake").at_us(23).emit("m4f", "core.wfi");
  EXPECT_EQ(verdict(), "it took 3.000 us at 23.000 us");
}

TEST_F(checks_test, state_is_that_of_the_end) {
  expect("expect: [{ state: { remoteproc0: offline } }]");
  EXPECT_EQ(verdict(), "no state of remoteproc0 was seen");
  states_.set("remoteproc0", "running");
  EXPECT_EQ(verdict(), "it is running");
  states_.set("remoteproc0", "offline");
  EXPECT_EQ(verdict(), "");
}

TEST_F(checks_test, log_is_a_part_of_a_line) {
  expect("expect: [{ log: waiting for }]");
  EXPECT_EQ(verdict(), "the kernel log has no such line");
  play().emit("host", "host.log", {{"text", "timeout waiting for it"}});
  EXPECT_EQ(verdict(), "");
}

TEST_F(checks_test, measure_takes_each_occurrence_and_one_without_any_fails) {
  expect("measure: { nap: { from: core.wfi, to: core.wake } }");
  EXPECT_EQ(verdict(), "nothing to measure: no core.wake after a core.wfi");
  play()
      .at_us(0)
      .emit("m4f", "core.wfi")
      .at_us(4)
      .emit("m4f", "core.wake")
      .at_us(10)
      .emit("m4f", "core.wfi")
      .at_us(16)
      .emit("m4f", "core.wake");
  const auto m = checks_->measures().at(0);
  ASSERT_EQ(m.values.size(), 2u);
  EXPECT_EQ(human_time(m.least()), "4.000 us");
  EXPECT_EQ(human_time(m.most()), "6.000 us");
  EXPECT_EQ(human_time(m.mean()), "5.000 us");
}

TEST(state_tracker, follows_processors_cores_and_modules) {
  state_tracker t;
  struct tracker final : trace_sink {
    explicit tracker(state_tracker& s) : states(s) {}
    void on_event(const event& e) override { changed = states.on_event(e); }
    state_tracker& states;
    bool changed = false;
  } reader(t);
  script s(reader);
  s.emit("remoteproc0", "rproc.state", {{"from", "offline"}, {"to", "running"}});
  EXPECT_TRUE(reader.changed);
  EXPECT_EQ(t.state("remoteproc0"), "running");
  s.emit("m4f", "core.start").emit("m4f", "core.wfi");
  EXPECT_EQ(t.state("m4f"), "wfi");
  s.emit("m4f", "core.wfi");
  EXPECT_FALSE(reader.changed);
  s.emit("dm", "lpsc.state", {{"lpsc", 6u}, {"from", "off"}, {"to", "Enable"}});
  EXPECT_EQ(t.state("lpsc-6"), "Enable");
}

}  // namespace
}  // namespace rpsim::tool
