// Studies: what a file may say, which points it has, and what lists of values say.

#include "tools/rpsim/study/study.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tools/rpsim/study/plan.h"
#include "tools/rpsim/study/statistics.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {
namespace {

using testing::HasSubstr;

const std::string HEAD = "study: s\npurpose: p.\nscenario: a.yaml\n";

tl::expected<study, std::vector<problem>> read(const std::string& rest) {
  return parse_study(HEAD + rest, "s.yaml", vocabulary::built_in());
}
/// Every refusal, one a line.
std::string refusal(const std::string& rest) {
  const auto s = read(rest);
  std::string all;
  if (!s) {
    for (const problem& p : s.error()) all += p.message() + "\n";
  }
  return all;
}

TEST(study_file, is_read) {
  const auto s = read(R"(vary_from: { event: mailbox.sent SHUTDOWN, nth: 2 }
variants:
  plain:
  other: { host.shutdown: v1, hz: 100 }
parameters:
  a: uniform(1us, 2us)
  b: [1ms, 2ms, 3ms]
  c: { from: 0us, to: 10us, steps: 11 }
  d: { choose: { "true": 0.01, "false": 0.99 } }
samples: 7
questions: ["p99.9(shutdown) <= 2.5ms", "share(ETIMEDOUT) = 0"]
find:
  - { largest: e, between: [0us, 1ms], step: 1us, for_which: succeeds, variant: other }
)");
  ASSERT_TRUE(s) << s.error()[0].message();
  EXPECT_EQ(s->vary_from.nth, 2u);
  ASSERT_EQ(s->variants.size(), 2u);
  EXPECT_EQ(s->variants[1].params.size(), 2u);
  ASSERT_EQ(s->parameters.size(), 4u);
  EXPECT_EQ(s->parameters[1].grid_size() * s->parameters[2].grid_size(), 33u);
  EXPECT_TRUE(s->parameters[3].by_chance());
  EXPECT_TRUE(s->questions[0].holds(2.5e9));
  EXPECT_FALSE(s->questions[0].holds(2.5e9 + 1));
  EXPECT_EQ(s->find[0].variant.text, "other");
}

TEST(study_file, what_is_wrong_is_said_with_its_place_and_the_nearest_right_word) {
  EXPECT_EQ(refusal("sampels: 3\n"), "s.yaml:4:1: unknown key 'sampels' in a study; did you mean 'samples'?\n");
  EXPECT_THAT(refusal("parameters: { a: [] }\n"), HasSubstr("s.yaml:4:18: the grid of a is empty: no point would run"));
  EXPECT_THAT(refusal("parameters:\n  a: { from: 1us, too: 2us, steps: 3 }\n"),
              HasSubstr("s.yaml:5:19: unknown key 'too' in parameter a; did you mean 'to'?"));
  EXPECT_THAT(refusal("parameters: { a: \"uniform(1us, 2us)\" }\n"), HasSubstr("needs `samples:`"));
  EXPECT_THAT(refusal("parameters: { host.shutdown: [v1, v2] }\n"), HasSubstr("name `variants:`"));
  EXPECT_THAT(refusal("variants: { a: { host.shutdown: v22 } }\n"), HasSubstr("did you mean"));
  EXPECT_THAT(refusal("parameters: { a: uniform(1us, 2us) }\nsamples: 1\n"),
              HasSubstr("inside { } a distribution needs quotes"));
  EXPECT_THAT(refusal("samples: 0\n"), HasSubstr("samples must lie between 1 and"));
  EXPECT_THAT(refusal("vary_from: { event: mailbox.snet }\n"), HasSubstr("mailbox.sent"));
  EXPECT_THAT(refusal("questions: [p98(shutdown) < 2ms]\n"), HasSubstr("there is no statistic 'p98'; did you mean"));
  EXPECT_THAT(refusal("questions: [p99(shutdown) < 2]\n"), HasSubstr("'2' has no unit"));
  EXPECT_THAT(refusal("questions: [is it fast]\n"), HasSubstr("a question is like"));
  EXPECT_THAT(refusal("find: [{ largest: a, between: [1us], step: 1us, for_which: succeeds }]\n"),
              HasSubstr("between takes two values"));
  EXPECT_THAT(refusal("parameters: { a: { choose: { x: 0 } } }\nsamples: 1\n"), HasSubstr("every weight is 0"));
}

TEST(study_schema, has_the_keys_that_the_parser_takes) {
  std::ifstream in(RPSIM_SOURCE_DIR "/scenarios/schema/study.schema.json");
  const auto schema = nlohmann::json::parse(in);
  for (const key_table& t : study_grammar()) {
    std::vector<std::string> theirs;
    for (const auto& [key, d] : schema["$defs"][t.name]["properties"].items()) theirs.push_back(key);
    EXPECT_THAT(theirs, testing::UnorderedElementsAreArray(t.keys)) << t.name;
    EXPECT_EQ(schema["$defs"][t.name]["additionalProperties"], false) << t.name;
  }
}

TEST(plan, every_number_is_one_place_and_its_values_follow_from_seed_and_number) {
  auto s = read(
      "variants: { a: , b: }\nparameters:\n  x: uniform(1us, 2us)\n  y: [1us, 2us, 3us]\nsamples: 4\n"
      "find: [{ largest: z, between: [0us, 9us], step: 1us, for_which: succeeds, runs: 2 }]\n");
  ASSERT_TRUE(s) << s.error()[0].message();
  study_parameter x{.name = "x", .unit = "s", .by_chance = true};
  x.shape = *distribution::parse("uniform(1us, 2us)", "s");
  const study_parameter y{.name = "y", .unit = "s", .values = {1e6, 2e6, 3e6}, .texts = {"1us", "2us", "3us"}};
  const std::vector<study_parameter> parameters{x, y};
  const std::vector<find_parameter> finds{{"z", "s", 0, 1e6, 10}};
  const plan p(*s, 5, {10});
  EXPECT_EQ(p.main_points(), 2u * 3 * 4);
  EXPECT_EQ(p.points(), 24u + 2 * (5 + 4 * 4) + 2 * 10 * 2);
  EXPECT_EQ(p.values(0, parameters, finds)[1].value, 1e6);
  EXPECT_EQ(p.values(4, parameters, finds)[1].value, 2e6);
  EXPECT_EQ(p.locate(12).variant, 1u);
  // In a row of the matrices, the column of a parameter differs from A in that one only, where it is as in B.
  const std::uint64_t row = p.rows(1);
  const auto a = p.values(row, parameters, finds), b = p.values(row + 1, parameters, finds),
             ab = p.values(row + 2, parameters, finds);
  EXPECT_NE(a[0].value, b[0].value);
  EXPECT_EQ(ab[0].value, b[0].value);
  EXPECT_EQ(ab[1].value, a[1].value);
  // The searched parameter comes last, with its trial's value.
  const std::uint64_t trial = p.find_point(0, 1, 7, 1);
  EXPECT_EQ(p.locate(trial).variant, 1u);
  EXPECT_EQ(p.values(trial, parameters, finds).back().value, 7e6);
  EXPECT_EQ(trial, p.points() - 5);
  EXPECT_THROW(p.locate(p.points()), std::out_of_range);
  const plan again(*s, 5, {10}), other(*s, 6, {10});
  EXPECT_EQ(again.values(9, parameters, finds)[0].value, p.values(9, parameters, finds)[0].value);
  EXPECT_NE(other.values(9, parameters, finds)[0].value, p.values(9, parameters, finds)[0].value);
}

TEST(study_parameter, choices_come_as_often_as_their_weight_says) {
  const study_parameter p{.name = "p", .values = {0, 1, 2}, .weights = {1, 0, 3}};
  EXPECT_EQ(p.quantile(0.2499), 0);
  EXPECT_EQ(p.quantile(0.2501), 2);
  EXPECT_EQ(p.quantile(1 - 1e-17), 2);
}

TEST(distribution, quantiles_are_those_of_the_tables) {
  const auto at = [](const char* text, double u) { return distribution::parse(text, "")->quantile(u); };
  EXPECT_NEAR(at("uniform(2, 4)", 0.25), 2.5, 1e-12);
  EXPECT_NEAR(at("normal(0, 1, 0, 100)", 0.95), 1.959963985, 1e-8);  // half of the bell: its 97.5 %
  EXPECT_NEAR(at("normal(10, 1, 8, 12)", 0.5), 10, 1e-9);
  EXPECT_NEAR(at("normal(10, 1, 8, 12)", 0), 8, 1e-9);
  EXPECT_NEAR(at("lognormal(100, 0.5)", 0.5), 100, 1e-9);
  EXPECT_NEAR(at("lognormal(100, 0.5)", 0.95), 100 * std::exp(0.5 * 1.644853627), 1e-5);
}

TEST(statistics, percentiles_are_values_that_occurred) {
  std::vector<std::int64_t> hundred;
  for (std::int64_t i = 100; i > 0; --i) hundred.push_back(i);
  const statistics s(hundred);
  EXPECT_EQ(s.percentile(0), 1);
  EXPECT_EQ(s.percentile(0.07), 7);
  EXPECT_EQ(s.percentile(0.5), 50);
  EXPECT_EQ(s.percentile(0.99), 99);
  EXPECT_EQ(s.percentile(0.999), 100);
  EXPECT_DOUBLE_EQ(s.mean(), 50.5);
  EXPECT_NEAR(s.deviation(), 29.011491975882, 1e-9);
  EXPECT_FALSE(statistics({}).named("p50"));
}

TEST(statistics, bins_hold_every_value_once) {
  const statistics::histogram h = statistics({5, 5, 6, 104}).bins(10);
  EXPECT_THAT(h.edges,
              testing::AllOf(testing::SizeIs(h.counts.size() + 1), testing::Contains(5), testing::Contains(104)));
  EXPECT_EQ(h.counts.front(), 3u);
  EXPECT_EQ(h.counts.back(), 1u);
  EXPECT_LE(h.counts.size(), 10u);
  EXPECT_THAT(statistics({3, 3}).bins(10).counts, testing::ElementsAre(2u));
}

TEST(statistics, values_that_lie_far_apart_are_told_apart_at_both_ends) {
  const statistics::histogram h = statistics({1'000, 1'100, 1'900, 5'000'000}).bins(20);
  EXPECT_EQ(h.counts[0], 2u);
  EXPECT_EQ(h.counts[1], 1u);
  EXPECT_EQ(h.counts.back(), 1u);
}

/// f = 4·x + 2·y + z·w with all of them uniform in [0, 1): the shares of the variance are known.
TEST(sensitivity, indices_are_those_of_a_function_whose_variance_is_known) {
  random_registry generators(11);
  random_stream& r = generators.stream("test");
  const auto f = [](const std::array<double, 4>& v) { return 4 * v[0] + 2 * v[1] + v[2] * v[3]; };
  constexpr int ROWS = 20'000;
  std::vector<double> a, b;
  std::array<std::vector<double>, 4> ab;
  for (int i = 0; i < ROWS; ++i) {
    std::array<double, 4> one{}, two{};
    for (double& v : one) v = r.uniform();
    for (double& v : two) v = r.uniform();
    a.push_back(f(one));
    b.push_back(f(two));
    for (std::size_t k = 0; k < 4; ++k) {
      auto mixed = one;
      mixed[k] = two[k];
      ab[k].push_back(f(mixed));
    }
  }
  // Var(x) = 1/12; Var(zw) = 1/9 - 1/16, of which z and w have 1/48 each by themselves.
  const double variance = 16.0 / 12 + 4.0 / 12 + 7.0 / 144;
  const std::array<double, 4> first{16.0 / 12, 4.0 / 12, 1.0 / 48, 1.0 / 48};
  const std::array<double, 4> total{16.0 / 12, 4.0 / 12, 4.0 / 144, 4.0 / 144};
  for (std::size_t k = 0; k < 4; ++k) {
    const sensitivity_index s = jansen(a, b, ab[k]);
    EXPECT_NEAR(s.first_order, first[k] / variance, 0.03) << k;
    EXPECT_NEAR(s.first_order, first[k] / variance, 5 * s.error) << k;
    EXPECT_NEAR(s.total, total[k] / variance, 0.03) << k;
  }
}

}  // namespace
}  // namespace rpsim::tool
