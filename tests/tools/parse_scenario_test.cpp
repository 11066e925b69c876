#include "tools/rpsim/parse_scenario.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/rpsim/invariants.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string HEAD = "scenario: s\npurpose: p\nplatform: k3-am62x\n";  // three lines
const std::string STEPS = "steps: [cat /f]\n";

std::vector<std::string> messages(const std::string& text) {
  const auto s = parse_scenario(text, "s.yaml", vocabulary::built_in());
  std::vector<std::string> list;
  if (!s) {
    for (const problem& p : s.error()) list.push_back(p.message());
  }
  return list;
}
std::string message(const std::string& text) {
  const auto all = messages(text);
  return all.size() == 1 ? all[0] : fmt::format("{} messages: {}", all.size(), fmt::join(all, " | "));
}
scenario parsed(const std::string& text) {
  auto s = parse_scenario(text, "s.yaml", vocabulary::built_in());
  if (!s) throw std::runtime_error(s.error().front().message());
  return std::move(*s);
}

TEST(parse_scenario, smallest_has_its_defaults) {
  const scenario s = parsed(HEAD + STEPS);
  EXPECT_EQ(s.name, "s");
  EXPECT_EQ(s.host.core.text, "main");
  EXPECT_EQ(s.host.shutdown.text, "none");
  EXPECT_FALSE(s.host.auto_boot);
  EXPECT_EQ(s.limit, sc_core::sc_time(60, sc_core::SC_SEC));
  ASSERT_EQ(s.steps.size(), 1u);
  EXPECT_EQ(s.steps[0].text, "$ cat /f");
  EXPECT_EQ(s.steps[0].expect.result, "0");
}

TEST(parse_scenario, steps_say_when_where_and_what_is_expected) {
  const scenario s = parsed(HEAD + R"(
steps:
  - at: 100ms
    in: other
    run: echo stop > /sys/x
    expect: { result: EBUSY, takes: { min: 5s, max: 5.1s } }
  - wait: { shell: other, within: 6s }
  - run: cat /f
    expect: ENODEV
)");
  const step& first = s.steps[0];
  EXPECT_EQ(first.shell, "other");
  EXPECT_EQ(*first.at, sc_core::sc_time(100, sc_core::SC_MS));
  EXPECT_EQ(first.expect.result, "EBUSY");
  EXPECT_EQ(*first.expect.least, sc_core::sc_time(5, sc_core::SC_SEC));
  EXPECT_EQ(*first.expect.most, sc_core::sc_time(5100, sc_core::SC_MS));
  EXPECT_EQ(*s.steps[1].within, sc_core::sc_time(6, sc_core::SC_SEC));
  EXPECT_EQ(s.steps[2].expect.result, "ENODEV");
}

TEST(parse_scenario, a_power_cycle_is_of_a_kind_and_has_no_result) {
  const scenario s =
      parsed(HEAD + "steps: [power-cycle: standby, power-cycle: reset, { run: cat /f, expect: lost }]\n");
  EXPECT_EQ(std::get<power_cycle>(s.steps[0].action).kind, host_reset_kind::standby);
  EXPECT_EQ(std::get<power_cycle>(s.steps[1].action).kind, host_reset_kind::reset);
  EXPECT_EQ(s.steps[1].text, "power-cycle: reset");
  EXPECT_EQ(s.steps[2].expect.result, "lost");
  EXPECT_EQ(message(HEAD + "steps: [power-cycle: stanby]\n"),
            "s.yaml:4:22: a power cycle cannot be 'stanby'; did you mean 'standby'?");
  EXPECT_EQ(message(HEAD + "steps: [{ power-cycle: reset, expect: 0 }]\n"),
            "s.yaml:4:31: `power-cycle` has no result to expect");
}

TEST(parse_scenario, a_descriptors_name_is_free_again_once_it_is_closed_or_lost) {
  const std::string open = "open: { path: /dev/remoteproc0, as: ctl }";
  for (const char* between : {"close: ctl", "power-cycle: reset", "run: exit", "run: echo b > /proc/sysrq-trigger"}) {
    EXPECT_THAT(messages(fmt::format("{}steps: [{{ {} }}, {{ {} }}, {{ {} }}]\n", HEAD, open, between, open)),
                ElementsAre())
        << between;
  }
  EXPECT_THAT(messages(fmt::format("{}steps: [{{ {} }}, cat /f, {{ {} }}]\n", HEAD, open, open)),
              ElementsAre(HasSubstr("'ctl' is the name of a descriptor already")));
}

TEST(parse_scenario, faults_read_as_sentences) {
  const scenario s = parsed(HEAD + STEPS + R"(
faults:
  - delay: { mailbox: SHUTDOWN_ACK, by: 6s, nth: 2 }
  - nack: { tisci: SET_DEVICE, device: 9, times: all }
  - corrupt: { mailbox: '*', fifo: 1, xor: 0x10 }
  - delay: { ipcc: detach, from: c1, by: 1ms }
)");
  EXPECT_EQ(s.faults[0].text, "delay mailbox word SHUTDOWN_ACK, the 2nd by 6s");
  EXPECT_EQ(s.faults[0].by, sc_core::sc_time(6, sc_core::SC_SEC));
  EXPECT_EQ(s.faults[1].text, "nack TI-SCI SET_DEVICE device 9, every one");
  EXPECT_EQ(s.faults[1].point, "tisci.request");
  EXPECT_EQ(s.faults[2].xor_mask, 0x10u);
  EXPECT_EQ(s.faults[3].text, "delay IPCC flag detach from c1 by 1ms");
  EXPECT_EQ(s.faults[3].point, "ipcc.flag");
}

TEST(parse_scenario, every_error_of_a_file_is_reported_in_its_order) {
  EXPECT_THAT(messages("scenario: s\npurpos: p\nplatform: [a]\nsteps:\n  - weit: 1ms\nlimit: 5\n"),
              ElementsAre("s.yaml:1:1: a scenario needs `purpose:`",
                          "s.yaml:2:1: unknown key 'purpos' in a scenario; did you mean 'purpose'?",
                          "s.yaml:3:11: platform must be text, not a list",
                          "s.yaml:5:5: unknown key 'weit' in a step; did you mean 'wait'?",
                          HasSubstr("s.yaml:6:8: limit: '5' has no unit")));
}

TEST(parse_scenario, a_wrong_word_is_refused_with_its_place_and_the_right_one) {
  EXPECT_EQ(message(HEAD + STEPS + "host: { shutdown: v22 }\n"),
            "s.yaml:5:19: host shutdown cannot be 'v22'; did you mean 'v2'?");
  EXPECT_EQ(message(HEAD + STEPS + "cores: { m4f: { as: arn } }\n"),
            "s.yaml:5:21: as cannot be 'arn'; did you mean 'arm'?");
  EXPECT_EQ(message(HEAD + STEPS + "violates: [vring-bound]\n"),
            "s.yaml:5:12: an invariant cannot be 'vring-bound'; did you mean 'vring-bounds'?");
  EXPECT_EQ(message(HEAD + "steps: [ecoh start > /f]\n"),
            "s.yaml:4:9: the shell has no command 'ecoh'; did you mean 'echo'?");
  EXPECT_EQ(message(HEAD + "steps: [{ wait: { event: core.wfii } }]\n"),
            "s.yaml:4:26: wait: no event is called 'core.wfii'; did you mean 'core.wfi'?");
  EXPECT_EQ(message(HEAD + "steps: [{ run: cat /f, expect: EBUSSY }]\n"),
            "s.yaml:4:32: a result is 0, an errno's name, killed, lost or any, not 'EBUSSY'; did you mean 'EBUSY'?");
  EXPECT_EQ(message(HEAD + STEPS + "expect: [{ state: { remoteproc0: offlin } }]\n"),
            "s.yaml:5:34: the state of remoteproc0 cannot be 'offlin'; did you mean 'offline'?");
}

TEST(parse_scenario, a_wrong_unit_or_type_is_refused) {
  EXPECT_THAT(message(HEAD + "steps: [{ wait: 5xs }]\n"),
              HasSubstr("s.yaml:4:17: wait: '5xs' has unit 'xs': expected one of"));
  EXPECT_THAT(message(HEAD + "steps: [{ wait: { for: 5 } }]\n"), HasSubstr("has no unit"));
  EXPECT_EQ(message(HEAD + "steps: cat /f\n"), "s.yaml:4:8: steps must be a list (`- …`), not text");
  EXPECT_EQ(message(HEAD + "steps: []\n"), "s.yaml:4:8: steps: at least one");
  EXPECT_EQ(message(HEAD + "steps: [[cat, /f]]\n"),
            "s.yaml:4:9: a step is a shell line or a map such as `wait: { … }`, not a list");
  EXPECT_EQ(message(HEAD + STEPS + "expect: [{ count: { core.wfi: many } }]\n"),
            "s.yaml:5:31: a count must be a whole number, not 'many'");
}

TEST(parse_scenario, duplicates_are_refused) {
  EXPECT_EQ(message(HEAD + STEPS + "purpose: q\n"),
            "s.yaml:5:1: 'purpose' is here twice; it was given in line 2 already");
  EXPECT_EQ(message(HEAD + STEPS + "params:\n  a: 1us\n  a: 2us\n"),
            "s.yaml:7:3: 'a' is here twice; it was given in line 6 already");
  EXPECT_EQ(message(HEAD + "steps:\n  - open: { path: /f, as: a }\n  - open: { path: /g, as: a }\n"),
            "s.yaml:6:27: 'a' is the name of a descriptor already");
  EXPECT_EQ(message(HEAD + STEPS + "violates: [host-oops, host-oops]\n"), "s.yaml:5:23: 'host-oops' is here twice");
}

TEST(parse_scenario, what_does_not_fit_together_is_refused) {
  EXPECT_EQ(message(HEAD + "steps: [{ run: cat /f, wait: 1ms }]\n"),
            "s.yaml:4:9: a step does one thing; this one has run and wait");
  EXPECT_EQ(message(HEAD + "steps: [{ close: ctl }]\n"), "s.yaml:4:18: nothing was opened as 'ctl'");
  EXPECT_EQ(message(HEAD + "steps: [{ wait: { shell: b } }]\n"), "s.yaml:4:26: no step before has `in: b`");
  EXPECT_EQ(message(HEAD + STEPS + "faults: [{ nack: { mailbox: SHUTDOWN } }]\n"),
            "s.yaml:5:18: a mailbox word cannot be disturbed by nack; it is one of drop, delay, duplicate, corrupt");
  EXPECT_EQ(message(HEAD + STEPS + "faults: [{ delay: { mailbox: SHUTDOWN } }]\n"),
            "s.yaml:5:19: delay needs `by: TIME`");
  EXPECT_THAT(message(HEAD + STEPS + "faults: [{ hang: m4f }]\n"), HasSubstr("write it as a step"));
  EXPECT_EQ(message(HEAD + STEPS + "bootloader: [begin m4f]\n"),
            "s.yaml:5:14: 'begin m4f' is not understood: a boot loader does `start CORE with FIRMWARE`");
}

TEST(parse_scenario, what_is_no_yaml_is_refused_with_its_place) {
  EXPECT_EQ(message("scenario: s\npurpose: it: breaks\n"),
            "s.yaml:2:12: this is not YAML: illegal map value; text that holds a special character needs quotes");
  EXPECT_THAT(message("a: [1\n"), HasSubstr("this is not YAML"));
  EXPECT_EQ(message(""), "s.yaml:1:1: the file is empty; a scenario begins with `scenario: NAME`");
  EXPECT_EQ(message("- a\n"), "s.yaml:1:1: a scenario must be a map of `name: value`, not a list");
}

TEST(parse_scenario, missing_file_is_refused) {
  const auto s = load_scenario("/nowhere/s.yaml", vocabulary::built_in());
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error()[0].message(), "/nowhere/s.yaml: there is no such scenario file");
}

TEST(parse_scenario, anything_is_refused_or_read_and_nothing_more) {
  // A scenario cut off anywhere, and with any one byte replaced.
  std::ifstream in(RPSIM_SOURCE_DIR "/scenarios/k3/close-stops.yaml");
  const std::string good(std::istreambuf_iterator<char>(in), {});
  ASSERT_FALSE(good.empty());
  const vocabulary events = vocabulary::built_in();
  for (std::size_t i = 0; i < good.size(); ++i) {
    (void)parse_scenario(good.substr(0, i), "s.yaml", events);
    for (const char c : {'\0', ':', '{', '[', '\n', '&', '*', '\xFF'}) {
      std::string bad = good;
      bad[i] = c;
      const auto s = parse_scenario(bad, "s.yaml", events);
      EXPECT_TRUE(s || !s.error().empty());
    }
  }
}

// ---- what differs with the host core's history

const std::string BY_HISTORY = R"(
steps:
  - run: cat /f
    expect: { default: EINVAL, cleanup: { result: 0, output: hello } }
  - run: cat /g
    when: cleanup
  - run: cat /h
    when: not cleanup
expect:
  - state: { remoteproc0: offline, m4f: reset }
    when: main
  - never: bus.error
violates: [{ invariant: host-oops, when: main }]
outcomes:
  cleanup: hello
  default: EINVAL
)";

scenario settled(const std::string& text, const std::string& core) {
  scenario s = parsed(text);
  s.host.core.text = core;
  settle(s);
  return s;
}

TEST(parse_scenario, each_history_of_the_host_core_has_its_own_course) {
  const scenario main = settled(HEAD + BY_HISTORY, "main");
  ASSERT_EQ(main.steps.size(), 2u);
  EXPECT_EQ(main.steps[0].expect.result, "EINVAL");
  EXPECT_EQ(main.steps[1].text, "$ cat /h");
  EXPECT_EQ(main.expect.size(), 3u);
  EXPECT_EQ(main.violates.at(0).text, "host-oops");
  EXPECT_EQ(main.outcome.text, "EINVAL");

  const scenario cleanup = settled(HEAD + BY_HISTORY, "cleanup");
  ASSERT_EQ(cleanup.steps.size(), 2u);
  EXPECT_EQ(cleanup.steps[0].expect.result, "0");
  EXPECT_EQ(*cleanup.steps[0].expect.output, "hello");
  EXPECT_EQ(cleanup.steps[1].text, "$ cat /g");
  EXPECT_EQ(cleanup.expect.size(), 1u);
  EXPECT_TRUE(cleanup.violates.empty());
  EXPECT_EQ(cleanup.outcome.text, "hello");
}

TEST(parse_scenario, a_history_that_no_outcome_names_has_none) {
  const scenario s = parsed(HEAD + STEPS + "outcomes: { cleanup: pass }\n");
  EXPECT_EQ(outcome_of(s, "main"), nullptr);
  ASSERT_NE(outcome_of(s, "cleanup"), nullptr);
}

TEST(parse_scenario, wrong_histories_are_refused_with_their_place) {
  EXPECT_THAT(message(HEAD + "steps:\n  - run: cat /f\n    when: mian\n"),
              HasSubstr("s.yaml:6:11: the host's core has no history 'mian'; did you mean 'main'?"));
  EXPECT_THAT(message(HEAD + "steps:\n  - run: cat /f\n    when: not\n"), HasSubstr("is missing, such as `v4`"));
  EXPECT_THAT(message(HEAD + "steps:\n  - run: cat /f\n    expect: { default: 0, celanup: EBUSY }\n"),
              HasSubstr("s.yaml:6:27: the host's core has no history 'celanup'; did you mean 'cleanup'?"));
  EXPECT_THAT(message(HEAD + STEPS + "outcomes: { main cleanup: a, cleanup: b }\n"),
              HasSubstr("s.yaml:5:30: cleanup is here twice; it was given in line 5 already"));
  EXPECT_THAT(message(HEAD + STEPS + "expect: [{ when: main }]\n"), HasSubstr("`when` needs something"));
}

TEST(parse_scenario, a_table_is_looked_at_by_the_names_of_its_fields) {
  const scenario s =
      parsed(HEAD + "steps:\n  - table: { keep: image, status: 0, vring1.da: any }\n  - table: { same_as: image }\n");
  const auto& look = std::get<look_at_table>(s.steps[0].action);
  EXPECT_EQ(look.keep, "image");
  EXPECT_THAT(look.fields, ElementsAre(std::pair<std::string, std::uint32_t>("status", 0),
                                       std::pair<std::string, std::uint32_t>("vring1.da", 0xFFFFFFFF)));
  EXPECT_EQ(s.steps[0].text, "table: keep as image, status is 0, vring1.da is any");
  EXPECT_THAT(message(HEAD + "steps: [{ table: { same_as: image } }]\n"), HasSubstr("no `table: { keep: image }`"));
  EXPECT_THAT(message(HEAD + "steps: [{ table: { statsu: 1 } }]\n"), HasSubstr("did you mean 'status'?"));
  EXPECT_THAT(message(HEAD + "steps: [{ table: { status: up } }]\n"), HasSubstr("must be a whole number, not 'up'"));
}

TEST(parse_scenario, a_file_is_an_image_or_a_container_with_what_is_wrong_in_it) {
  const scenario s =
      parsed(HEAD + STEPS +
             "files: { a: rpmsg-echo, b: { container: rpmsg-echo, signature_length: 0, version: 2, cut: 8, "
             "corrupt: segment } }\n");
  EXPECT_FALSE(s.files.at(0).packed);
  const auto& packed = s.files.at(1).packed;
  ASSERT_TRUE(packed);
  EXPECT_EQ(s.files[1].image.text, "rpmsg-echo");
  EXPECT_THAT(packed->words, ElementsAre(std::pair<std::uint32_t, std::uint32_t>(4, 2),
                                         std::pair<std::uint32_t, std::uint32_t>(12, 0)));
  EXPECT_EQ(packed->cut_bytes, 8u);
  EXPECT_TRUE(packed->corrupt_segment);

  EXPECT_THAT(message(HEAD + STEPS + "files: { a: { contianer: x } }\n"), HasSubstr("did you mean 'container'?"));
  EXPECT_THAT(message(HEAD + STEPS + "files: { a: { version: 2 } }\n"), HasSubstr("s.yaml:5:13: "));
  EXPECT_THAT(message(HEAD + STEPS + "files: { a: { container: x, corrupt: hash } }\n"), HasSubstr("s.yaml:5:38: "));
  EXPECT_THAT(message(HEAD + STEPS + "files: { a: { container: x, cut: 0 } }\n"), HasSubstr("s.yaml:5:34: "));
}

TEST(scenario_schema, has_the_keys_that_the_parser_takes) {
  std::ifstream in(RPSIM_SOURCE_DIR "/scenarios/schema/scenario.schema.json");
  const auto schema = nlohmann::json::parse(in);
  std::set<std::string> definitions;
  for (const auto& [name, d] : schema.at("$defs").items()) definitions.insert(name);
  for (const key_table& t : scenario_grammar()) {
    ASSERT_TRUE(definitions.erase(t.name)) << t.name;
    std::set<std::string> mine(t.keys.begin(), t.keys.end()), theirs;
    for (const auto& [key, d] : schema["$defs"][t.name]["properties"].items()) theirs.insert(key);
    EXPECT_EQ(mine, theirs) << t.name;
    EXPECT_EQ(schema["$defs"][t.name]["additionalProperties"], false) << t.name;
  }
  EXPECT_TRUE(definitions.empty()) << *definitions.begin();
}

TEST(scenario_schema, has_the_words_that_the_parser_takes) {
  std::ifstream in(RPSIM_SOURCE_DIR "/scenarios/schema/scenario.schema.json");
  const auto d = nlohmann::json::parse(in).at("$defs");
  using words = std::vector<std::string>;
  EXPECT_EQ(d["host"]["properties"]["core"]["enum"].get<words>(), host_core_words());
  EXPECT_EQ(d["host"]["properties"]["shutdown"]["enum"].get<words>(), host_shutdown_words());
  EXPECT_EQ(d["host"]["properties"]["crash"]["enum"].get<words>(), host_crash_words());
  EXPECT_EQ(d["scenario"]["properties"]["violates"]["items"]["anyOf"][0]["enum"].get<words>(), invariant_names());
  EXPECT_EQ(d["violation"]["properties"]["invariant"]["enum"].get<words>(), invariant_names());
}

}  // namespace
}  // namespace rpsim::tool
