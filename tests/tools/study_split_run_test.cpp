// A run in two parts, with or without a fork between them, tells what the run in one piece tells.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/simulation.h"
#include "tools/rpsim/study/fork_pool.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {
namespace {

using namespace std::chrono_literals;

class text_of_events final : public trace_sink {
 public:
  void on_event(const event& e) override {
    text += fmt::format("{} {} {} {}", e.sequence, e.time.value(), e.source, e.name);
    for (const field& f : e.fields) text += fmt::format(" {}={}{}", f.key, f.number, f.text);
    text += '\n';
  }
  std::string text;
};

/// In the snapshot and its children an EXPECT would be heard by nobody; what is thrown there fails the test here.
void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// The scenario's whole trace, made in a process of its own; `halves` runs it to somewhere.
std::string story(const std::function<void(simulation&)>& halves, bool fork_between) {
  std::unique_ptr<scenario> s;
  std::unique_ptr<simulation> sim;
  text_of_events events;
  fork_pool pool(
      [&](std::string& about) -> fork_pool::work {
        s = std::make_unique<scenario>(
            *load_scenario(RPSIM_SOURCE_DIR "/scenarios/k3/graceful-shutdown.yaml", vocabulary::built_in()));
        sim = std::make_unique<simulation>(*s, run_options{}, resources(RPSIM_HOME_DIR, RPSIM_SOURCE_DIR));
        sim->events().add(events, trace_level::detail);
        sim->begin();
        if (fork_between) halves(*sim);
        about = "ready";
        return [&](std::uint64_t) {
          if (!fork_between) halves(*sim);
          sim->finish();
          require(std::ranges::all_of(sim->results(), &check_result::passed), "the scenario passes");
          return events.text;
        };
      },
      {});
  pool.give({0, 1});
  std::vector<job_end> ends;
  while (ends.empty()) ends = pool.take(5000ms);
  EXPECT_EQ(reason(ends[0]), "");
  return ends[0].result;
}

TEST(split_run, tells_the_same_story_wherever_it_is_split) {
  const std::string whole = story([](simulation&) {}, false);
  EXPECT_THAT(whole, testing::HasSubstr("handshake"));
  const auto at_a_time = [](simulation& sim) {
    require(sim.run_until(sc_core::sc_time(100, sc_core::SC_MS)), "it comes to 100 ms");
  };
  const auto at_an_event = [](simulation& sim) {
    unsigned count = 0;
    require(sim.run_until([&](const event& e) { return e.name == "mailbox.sent" && ++count == 7; }), "seven are sent");
    require(count == 7, "and no more");
  };
  EXPECT_EQ(story(at_a_time, false), whole);
  EXPECT_EQ(story(at_a_time, true), whole);
  EXPECT_EQ(story(at_an_event, true), whole);
}

TEST(split_run, a_point_after_the_end_is_never_reached) {
  const auto never = [](const event& e) { return e.name == "host.oops"; };
  story([](simulation& sim) { require(!sim.run_until(sc_core::sc_time(5, sc_core::SC_SEC)), "5 s"); }, true);
  story([&](simulation& sim) { require(!sim.run_until(never), "an event that never comes"); }, true);
}

}  // namespace
}  // namespace rpsim::tool
