#include "tools/rpsim/report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace rpsim::tool {
namespace {

using testing::HasSubstr;
using testing::Not;

run_report example() {
  run_report r;
  r.file = "dir/s.yaml";
  r.scenario = "s";
  r.purpose = "Show <it> & \"that\".";
  r.platform = "k3-am62x";
  r.seed = 7;
  r.outcome = verdict::failed;
  r.checks = {{"never bus.error", true, "", {3, 5}}, {"m4f is wfi at the end", false, "it is running", {4, 5}}};
  r.measures = {{"stop", "a", "b", {2'000'000, 4'000'000}}};
  r.violations = {{"host-oops", "H4", 5'000'000, "undeclared"}, {"vring-bounds", "x", 6'000'000, "declared"}};
  r.unconfirmed = {"a-fact"};
  r.simulated_ps = 9'000'000;
  r.events = 12;
  r.wall_seconds = 0.25;
  return r;
}

TEST(report, comes_back_from_the_process_that_ran_it) {
  const run_report r = example(), back = report_from_json(to_json(r));
  EXPECT_EQ(to_json(back), to_json(r));
  EXPECT_EQ(back.outcome, verdict::failed);
  EXPECT_EQ(back.checks[1].detail, "it is running");
  EXPECT_EQ(back.checks[1].where.line, 4u);
  EXPECT_THROW(report_from_json("{}"), std::exception);
  EXPECT_THROW(report_from_json(""), std::exception);
}

TEST(report, summary_has_a_schema_and_every_run) {
  const auto j = nlohmann::json::parse(summary_json({example(), example()}));
  EXPECT_EQ(j["schema"], "rpsim-summary-1");
  EXPECT_EQ(j["runs"].size(), 2u);
  EXPECT_EQ(j["runs"][0]["verdict"], "failed");
  EXPECT_EQ(j["runs"][0]["measures"][0]["ps"][1], 4'000'000);
}

TEST(report, text_that_is_no_utf8_does_not_break_the_summary) {
  run_report r = example();
  r.checks[1].detail = "\xFF\xFE";
  EXPECT_TRUE(nlohmann::json::accept(summary_json({r})));
}

TEST(report, junit_counts_and_escapes) {
  run_report refused = example();
  refused.outcome = verdict::refused;
  refused.problems = {"s.yaml:1:1: <bad> & worse"};
  const std::string xml = junit_xml({example(), refused});
  EXPECT_THAT(xml, HasSubstr("tests=\"2\" failures=\"1\" errors=\"1\" time=\"0.500\""));
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"k3-am62x\" name=\"s\" file=\"dir/s.yaml\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"m4f is wfi at the end: it is running\">"));
  EXPECT_THAT(xml, HasSubstr("host-oops at 5.000 us: H4"));
  EXPECT_THAT(xml, HasSubstr("&lt;bad&gt; &amp; worse"));
  EXPECT_THAT(xml, Not(HasSubstr("<bad>")));
}

TEST(report, verdict_says_what_failed_and_where) {
  EXPECT_EQ(verdict_text(example(), false, false), R"(
  ok    never bus.error
  FAIL  m4f is wfi at the end: it is running  (dir/s.yaml:4:5)
  FAIL  invariant host-oops: H4, at 5.000 us
  ok    declared violates vring-bounds: x
  time  stop  2 times: 2.000 us to 4.000 us, mean 3.000 us
FAIL  s  (9.000 us simulated)
)");
  EXPECT_EQ(verdict_text(example(), false, true), R"(  FAIL  m4f is wfi at the end: it is running  (dir/s.yaml:4:5)
  FAIL  invariant host-oops: H4, at 5.000 us
FAIL  s  (9.000 us simulated)
)");
}

TEST(report, exit_status_is_as_documented) {
  EXPECT_EQ(exit_status(verdict::passed), 0);
  EXPECT_EQ(exit_status(verdict::failed), 1);
  EXPECT_EQ(exit_status(verdict::refused), 2);
  EXPECT_EQ(exit_status(verdict::broken), 3);
}

}  // namespace
}  // namespace rpsim::tool
