#include "tests/remote_fw/stm32_bench.h"

namespace rpsim {
namespace {

using sc_core::sc_start;
using test::ns;
using test::stm32_bench;
using test::us;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using namespace std::string_literals;

struct stm32_world : testing::Test {
  using strings = std::vector<std::string>;
  using message = stm32_bench::message;
  explicit stm32_world(const std::string& application = "rpmsg_echo")
      : world("world", context, node, "stm32mp157-m4/" + application) {}
  void boot() {
    world.release();
    sc_start(us(500));
  }
  void attach() {
    world.attach();
    sc_start(us(200));
    EXPECT_THAT(channels(), ElementsAre("rpmsg-tty", "rpmsg-client-sample"));
    world.deeds.clear();
  }
  void connect() {
    boot();
    attach();
  }
  strings deeds_after(const sc_core::sc_time& t) {
    sc_start(t);
    return std::exchange(world.deeds, {});
  }
  strings channels() {
    strings names;
    for (const auto& m : world.received()) {
      EXPECT_EQ(m.destination, 53u);
      EXPECT_EQ(m.data.size(), 40u);
      names.push_back(m.data.c_str());
    }
    return names;
  }
  void expect_echo(const std::string& text) {
    world.send_message(1024, 1025, text);
    sc_start(us(100));
    EXPECT_THAT(world.received(), ElementsAre(message{1025, 1024, text}));
  }

  sim_context context;
  test::node_source node;
  test::recorder events{context};
  stm32_bench world;
};

using stm32_echo = stm32_world;

TEST_F(stm32_echo, comes_up_and_waits_for_a_host_without_touching_the_table) {
  const auto before = world.table();
  boot();
  EXPECT_THAT(world.deeds, ElementsAre("mark 1"));
  EXPECT_THAT(deeds_after(us(300'000)), ElementsAre("mark 1"));
  EXPECT_TRUE(world.wfi.read());
  EXPECT_EQ(world.table(), before);
}

TEST_F(stm32_echo, announces_its_channels_with_a_kick_each_once_the_driver_is_ok) {
  boot();
  world.deeds.clear();
  world.attach();
  EXPECT_THAT(deeds_after(us(100)), ElementsAre("free 1", "mark 2", "kick 1", "kick 1"));
  EXPECT_THAT(channels(), ElementsAre("rpmsg-tty", "rpmsg-client-sample"));
}

TEST_F(stm32_echo, finds_the_driver_by_polling_when_no_doorbell_comes) {
  boot();
  world.attach();
  world.set_status(3);
  sc_start(us(5000));
  EXPECT_THAT(world.received(), IsEmpty());
  world.set_status(7);
  sc_start(us(70'000));
  EXPECT_EQ(channels().size(), 2u);
}

TEST_F(stm32_echo, frees_what_an_earlier_life_left_and_does_not_take_it_for_a_request) {
  for (unsigned channel = 1; channel <= 6; ++channel) world.send(channel);
  boot();
  EXPECT_THAT(world.deeds, ElementsAre("mark 1", "free 1", "free 2", "free 3", "free 4", "free 5", "free 6"));
  attach();
  expect_echo("alive");
}

TEST_F(stm32_echo, does_not_hear_channels_that_linux_has_no_use_for) {
  boot();
  world.deeds.clear();
  world.send(5);
  world.send(6);
  EXPECT_THAT(deeds_after(us(1000)), IsEmpty());
  EXPECT_TRUE(world.wfi.read());
}

TEST_F(stm32_echo, echoes_round_and_round_its_sixteen_buffers) {
  connect();
  for (unsigned i = 0; i < 100; ++i) expect_echo(std::to_string(i));
  EXPECT_EQ(world.consumed(), 100u);
}

TEST_F(stm32_echo, frees_the_doorbell_and_rings_for_both_rings) {
  connect();
  world.send_message(1024, 1024, "hello");
  EXPECT_THAT(deeds_after(us(100)), ElementsAre("free 2", "kick 2", "kick 1"));
}

TEST_F(stm32_echo, lets_go_of_the_rings_before_it_acknowledges_a_detach) {
  connect();
  world.detach();
  EXPECT_THAT(deeds_after(us(70)), ElementsAre("mark 12")) << "ack_delay is 80 us";
  EXPECT_TRUE(world.occupied(IPCC_DETACH));
  EXPECT_THAT(deeds_after(us(30)), ElementsAre("mark 13", "free 4"));
  const auto table = world.table();
  world.send_message(1024, 1025, "nobody is there");
  EXPECT_THAT(deeds_after(us(300'000)), ElementsAre("free 2"));
  EXPECT_EQ(world.consumed(), 0u);
  EXPECT_THAT(world.received(), IsEmpty());
  EXPECT_EQ(world.table(), table);
  EXPECT_TRUE(world.wfi.read());
}

TEST_F(stm32_echo, is_attached_to_and_detached_from_again_and_again) {
  boot();
  for (unsigned round = 0; round < 3; ++round) {
    attach();
    expect_echo("talk");
    world.deeds.clear();
    world.detach();
    EXPECT_THAT(deeds_after(us(200)), ElementsAre("mark 12", "mark 13", "free 4"));
    sc_start(us(10'000));
  }
}

TEST_F(stm32_echo, takes_places_sizes_and_doorbells_anew_from_the_table_of_each_attach) {
  connect();
  world.detach();
  sc_start(us(1000));
  world.at.vrings[0] = 0x10046000;
  world.at.vrings[1] = 0x10047000;
  world.at.buffers = 0x10048000;
  world.at.num = 8;
  world.notifyids = {1, 0};
  attach();
  world.send_message(1024, 1025, "elsewhere");
  EXPECT_THAT(deeds_after(us(100)), ElementsAre("free 1", "kick 1", "kick 2"));
  EXPECT_THAT(world.received(), ElementsAre(message{1025, 1024, "elsewhere"}));
}

TEST_F(stm32_echo, waits_while_the_table_says_that_the_rings_may_be_anywhere) {
  boot();
  world.set_status(7);
  sc_start(us(100'000));
  EXPECT_THAT(events.take(), Not(Contains(StartsWith("m4 core.lockup"))));
  attach();
}

TEST_F(stm32_echo, survives_a_host_that_goes_without_a_word) {
  connect();
  world.set_status(0);
  world.send_message(1024, 1025, "nobody is there");
  sc_start(us(10'000));
  EXPECT_THAT(world.received(), IsEmpty());
  EXPECT_EQ(world.consumed(), 0u);
  attach();
  expect_echo("again");
}

TEST_F(stm32_echo, notices_a_new_host_whose_coming_it_slept_through) {
  connect();
  attach();
  expect_echo("again");
}

TEST_F(stm32_echo, leaves_a_detach_unacknowledged_and_is_attached_to_all_the_same) {
  connect();
  world.params[test::FW_detach] = SC_DETACH_NEVER_ACKS;
  for (unsigned round = 0; round < 2; ++round) {
    world.detach();
    sc_start(us(300'000));
    EXPECT_TRUE(world.occupied(IPCC_DETACH));
    EXPECT_THAT(world.deeds, Not(Contains("mark 13")));
    attach();
    expect_echo("talk");
  }
}

TEST_F(stm32_echo, acknowledges_a_detach_and_goes_on_with_rings_that_are_no_longer_its_own) {
  connect();
  world.params[test::FW_detach] = SC_DETACH_ACKS_KEEPS_USING_RINGS;
  world.detach();
  EXPECT_THAT(deeds_after(us(200)), ElementsAre("mark 12", "free 4"));
  world.send_message(1024, 1025, "still there");
  sc_start(us(100));
  EXPECT_THAT(world.received(), ElementsAre(message{1025, 1024, "still there"}));
  world.attach();
  sc_start(us(300'000));
  EXPECT_THAT(world.deeds, Not(Contains("mark 2"))) << "it takes the new host for the old one";
  EXPECT_THAT(world.received(), Contains(message{1025, 1024, "still there"}).Times(testing::Gt(1)))
      << "and tells it, from stale places in new rings, what was said to the old one";
  world.params[test::FW_detach] = SC_DETACH_STOPS_USING_RINGS;
  world.detach();
  sc_start(us(1000));
  attach();
  world.set_status(0);
  attach();
  expect_echo("healed");
}

TEST_F(stm32_echo, shuts_down_before_it_acknowledges_and_parks) {
  connect();
  world.send(IPCC_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), ElementsAre("mark 3", "mark 4", "mark 5", "free 3", "mark 6", "mark 7"));
  EXPECT_TRUE(world.wfi.read());
  events.take();
  world.send(IPCC_VQ0);
  world.send(IPCC_SHUTDOWN);
  sc_start(us(100'000));
  EXPECT_TRUE(world.wfi.read());
  EXPECT_THAT(events.take(), IsEmpty()) << "nothing wakes a parked core";
}

TEST_F(stm32_echo, acknowledges_before_its_work_when_told_so) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_ACK_BEFORE_DEINIT;
  world.send(IPCC_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), ElementsAre("mark 3", "free 3", "mark 6", "mark 4", "mark 5", "mark 7"));
  EXPECT_TRUE(world.wfi.read());
}

TEST_F(stm32_echo, never_acks_a_shutdown_and_goes_on_working) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_NEVER_ACKS;
  world.send(IPCC_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(600'000)), ElementsAre("mark 3"));
  EXPECT_TRUE(world.occupied(IPCC_SHUTDOWN));
  expect_echo("alive");
}

TEST_F(stm32_echo, acks_a_shutdown_and_keeps_running) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_ACKS_NO_WFI;
  world.send(IPCC_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), ElementsAre("mark 3", "mark 4", "mark 5", "free 3", "mark 6"));
  EXPECT_FALSE(world.wfi.read());
}

TEST_F(stm32_echo, wakes_from_its_one_wfi_when_the_tick_it_left_on_comes) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_ACKS_WAKES;
  world.send(IPCC_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(400)), ElementsAre("mark 3", "mark 4", "mark 5", "free 3", "mark 6", "mark 7"));
  EXPECT_TRUE(world.wfi.read());
  EXPECT_THAT(deeds_after(us(200)), ElementsAre("mark 10")) << "wake_after is 300 us";
  EXPECT_FALSE(world.wfi.read());
}

TEST_F(stm32_echo, crashes_and_hangs_instead_of_an_answer) {
  for (const auto& [how, mark] :
       std::map<std::uint32_t, std::string>{{SC_SHUTDOWN_REPORTS_CRASH, "mark 9"}, {SC_SHUTDOWN_HANGS, "mark 11"}}) {
    world.params[test::FW_shutdown] = how;
    connect();
    world.send(IPCC_SHUTDOWN);
    sc_start(us(1000));
    EXPECT_EQ(world.deeds.back(), mark);
    EXPECT_TRUE(world.occupied(IPCC_SHUTDOWN));
    EXPECT_FALSE(world.wfi.read());
    world.hold();
    world.set_status(0);
    sc_start(us(1));
  }
}

TEST_F(stm32_echo, waits_for_ever_while_nobody_takes_its_kick) {
  connect();
  world.takes_kicks = false;
  world.send_message(1024, 1025, "one");
  world.send_message(1024, 1025, "two");
  sc_start(us(500'000));
  EXPECT_EQ(world.received().size(), 1u);
  EXPECT_FALSE(world.wfi.read());
  world.detach();
  sc_start(us(200'000));
  EXPECT_TRUE(world.occupied(IPCC_DETACH)) << "and answers nobody";
  world.untaken = 0;
  world.takes_kicks = true;
  sc_start(us(200));
  EXPECT_FALSE(world.occupied(IPCC_DETACH));
  EXPECT_EQ(world.received().size(), 1u);
}

TEST_F(stm32_echo, gives_up_a_kick_when_told_so_and_the_one_that_stands_will_do) {
  connect();
  world.params[test::FW_kick_wait] = 50;
  world.takes_kicks = false;
  world.send_message(1024, 1025, "one");
  world.send_message(1024, 1025, "two");
  EXPECT_THAT(deeds_after(us(300)), ElementsAre("free 2", "kick 2", "kick 1"));
  EXPECT_EQ(world.received().size(), 2u);
}

TEST_F(stm32_echo, sends_unasked_to_who_spoke_last_until_the_detach) {
  world.params[test::FW_send_every] = 1000;
  connect();
  sc_start(us(10'000));
  EXPECT_THAT(world.received(), IsEmpty()) << "nobody has spoken";
  expect_echo("hello");
  sc_start(us(2'950));
  EXPECT_THAT(world.received(),
              ElementsAre(message{1025, 1024, "2"}, message{1025, 1024, "3"}, message{1025, 1024, "4"}));
  world.detach();
  sc_start(us(10'000));
  EXPECT_THAT(world.received(), IsEmpty());
  attach();
  sc_start(us(10'000));
  EXPECT_THAT(world.received(), IsEmpty()) << "the new host has not spoken";
  expect_echo("hello again");
  sc_start(us(950));
  EXPECT_THAT(world.received(), ElementsAre(message{1025, 1024, "6"}));
}

TEST_F(stm32_echo, sends_nothing_unasked_to_a_host_that_went_without_a_word) {
  world.params[test::FW_send_every] = 1000;
  connect();
  expect_echo("hello");
  world.set_status(0);
  sc_start(us(10'000));
  EXPECT_THAT(world.received(), IsEmpty());
}

TEST_F(stm32_echo, keeps_time_on_a_clock_that_is_no_whole_number_of_megahertz) {
  world.params[test::FW_crash_after] = 1'000'000;
  connect();
  EXPECT_THAT(deeds_after(us(999'500)), IsEmpty());
  EXPECT_THAT(deeds_after(us(700)), ElementsAre("mark 9"));
}

TEST_F(stm32_echo, serves_its_watchdog_until_it_hangs) {
  world.params[test::FW_watchdog] = 1;
  connect();
  EXPECT_EQ(world.get32(CHIP_WWDG1 + 4), 0x387Fu) << "divided by 128, window open";
  EXPECT_EQ(world.get32(CHIP_WWDG1), 0x80u + 0x3F + 60) << "60 * 4096 * 128 / 104438965 Hz = 301 ms";
  EXPECT_THAT(deeds_after(us(301'000)), ElementsAre("watchdog", "watchdog", "watchdog", "watchdog"));
  world.params[test::FW_hang_after] = 1;
  EXPECT_THAT(deeds_after(us(1'000'000)), ElementsAre("mark 11"));
}

// A whole life: boot, attach, talk, detach, attach, shutdown. A reset at any time ends it, flags and table stay as they
// were, and the next life is no different.
TEST_F(stm32_echo, can_be_reset_at_any_time_of_its_life) {
  const auto clean = world.table();
  strings whole;
  for (unsigned kill = 0; kill < 260; ++kill) {
    world.release();
    sc_core::sc_time left = ns(5'003) * kill;
    const auto live = [&](const sc_core::sc_time& t) {
      sc_start(std::min(t, left) + ns(1));
      left -= std::min(t, left);
      return left > sc_core::SC_ZERO_TIME;
    };
    const auto talk = [&] {
      world.attach();
      if (!live(us(60))) return false;
      world.send_message(1024, 1025, "hello");
      return live(us(60));
    };
    if (live(us(400)) && talk()) {
      world.detach();
      if (live(us(150)) && talk()) {
        world.send(IPCC_SHUTDOWN);
        live(us(450));
      }
    }
    world.hold();
    sc_start(us(2));
    ASSERT_FALSE(world.core.running()) << kill;
    ASSERT_FALSE(world.wfi.read()) << kill;
    ASSERT_EQ(events.take().back(), "m4 core.reset") << kill;
    world.put(CHIP_RESOURCE_TABLE, clean.data(), clean.size());
    world.received();
    whole = std::exchange(world.deeds, {});
  }
  EXPECT_THAT(whole, ElementsAre("mark 1", "free 1", "mark 2", "kick 1", "kick 1", "free 2", "kick 2", "kick 1",
                                 "mark 12", "mark 13", "free 4", "free 1", "mark 2", "kick 1", "kick 1", "free 2",
                                 "kick 2", "kick 1", "mark 3", "mark 4", "mark 5", "free 3", "mark 6", "mark 7"));
}

const std::string REWOUND = "the count of messages is not what it was";

// Linux takes a kilobyte for the table and puts all of it back: what the firmware counts there goes back with it.
struct stm32_short_table : stm32_world {
  stm32_short_table() : stm32_world("rpmsg_echo_short_table") {}
};

TEST_F(stm32_short_table, loses_at_a_detach_what_it_counted_since_the_attach) {
  world.params[test::FW_send_every] = 1000;
  for (unsigned round = 0; round < 2; ++round) {
    round == 0 ? connect() : attach();
    expect_echo("hello");
    EXPECT_THAT(world.logs, Not(Contains(REWOUND)));
    sc_start(us(1950));
    EXPECT_THAT(world.received(), ElementsAre(message{1025, 1024, "2"}, message{1025, 1024, "3"})) << round;
    world.detach();
    sc_start(us(1000));
    EXPECT_THAT(std::exchange(world.logs, {}), Contains(REWOUND));
  }
}

TEST_F(stm32_echo, loses_nothing_at_a_detach_where_the_table_has_a_kilobyte_to_itself) {
  connect();
  expect_echo("hello");
  world.detach();
  sc_start(us(1000));
  EXPECT_THAT(world.logs, Not(Contains(REWOUND)));
}

}  // namespace
}  // namespace rpsim
