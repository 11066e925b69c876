#include "tests/remote_fw/firmware_bench.h"

namespace rpsim {
namespace {

using sc_core::sc_start;
using test::firmware_bench;
using test::ns;
using test::us;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::string_literals;

struct rpmsg_echo : testing::Test {
  using strings = std::vector<std::string>;
  void boot() {
    world.release();
    sc_start(us(500));
  }
  void connect() {
    boot();
    world.driver_ok();
    sc_start(us(100));
    world.received();
    world.deeds.clear();
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

  sim_context context;
  test::node_source node;
  test::recorder events{context};
  firmware_bench world{"world", context, node, "k3-am62x-m4f/rpmsg_echo"};
};

const std::string ACK = "word 0xffffff15";

TEST_F(rpmsg_echo, comes_up_takes_its_devices_and_sleeps) {
  boot();
  EXPECT_THAT(world.deeds, ElementsAre("mark 1", "device 131 on", "device 35 on"));
  EXPECT_TRUE(world.wfi.read());
  EXPECT_THAT(deeds_after(us(100'000)), ElementsAre("mark 1", "device 131 on", "device 35 on"))
      << "nothing is sent before Linux is there";
}

TEST_F(rpmsg_echo, announces_its_channels_once_the_driver_is_ok) {
  boot();
  world.deeds.clear();
  world.driver_ok();
  EXPECT_THAT(deeds_after(us(100)), ElementsAre("mark 2", "word 0x0", "word 0x0", "word 0x0"));
  EXPECT_THAT(channels(), ElementsAre("ti.ipc4.ping-pong", "rpmsg-tty", "rpmsg-client-sample"));
}

TEST_F(rpmsg_echo, finds_the_driver_by_polling_when_no_kick_comes) {
  boot();
  world.driver_ok();
  world.set_status(3);
  sc_start(us(5000));
  EXPECT_THAT(world.received(), IsEmpty());
  world.set_status(7);
  sc_start(us(70'000));
  EXPECT_EQ(channels().size(), 3u);
}

TEST_F(rpmsg_echo, echoes_to_the_sender_what_it_was_sent) {
  connect();
  world.send_message(1024, 13, "hello"s);
  world.send_message(1025, 14, std::string(496, 'x'));
  sc_start(us(100));
  EXPECT_THAT(world.received(), ElementsAre(firmware_bench::message{13, 1024, "hello"},
                                            firmware_bench::message{14, 1025, std::string(496, 'x')}));
  EXPECT_EQ(world.consumed(), 2u);
}

TEST_F(rpmsg_echo, goes_round_its_rings) {
  connect();
  for (unsigned i = 0; i < 600; ++i) {
    world.send_message(1024, 13, std::to_string(i));
    sc_start(us(50));
    ASSERT_THAT(world.received(), ElementsAre(firmware_bench::message{13, 1024, std::to_string(i)}));
  }
}

TEST_F(rpmsg_echo, drops_messages_that_nobody_listens_to_or_that_lie_about_their_length) {
  connect();
  world.send_message(1024, 99, "nobody");
  world.send_message(1024, 13, "lie");
  world.put16(world.at.buffers + (world.at.num + 1) * 512 + 12, 5000);
  world.send_message(1024, 13, "good");
  sc_start(us(100));
  EXPECT_THAT(world.received(), ElementsAre(firmware_bench::message{13, 1024, "good"}));
  EXPECT_EQ(world.consumed(), 3u);
}

TEST_F(rpmsg_echo, sends_no_kick_to_a_driver_that_wants_none) {
  connect();
  world.put16(world.avail(0), 1);
  world.put16(world.avail(1), 1);
  world.send_message(1024, 13, "quiet");
  EXPECT_THAT(deeds_after(us(100)), IsEmpty());
  EXPECT_EQ(world.received().size(), 1u);
}

TEST_F(rpmsg_echo, survives_a_detach_and_announces_itself_to_whoever_attaches) {
  connect();
  world.set_status(0);
  world.send(0);
  sc_start(us(100));
  EXPECT_THAT(world.received(), IsEmpty());
  world.driver_ok();
  sc_start(us(100));
  EXPECT_EQ(channels().size(), 3u);
  world.send_message(1024, 13, "again");
  sc_start(us(100));
  EXPECT_EQ(world.received().size(), 1u);
}

TEST_F(rpmsg_echo, notices_a_detach_and_attach_that_it_slept_through) {
  connect();
  world.driver_ok();
  sc_start(us(100));
  EXPECT_EQ(channels().size(), 3u);
}

TEST_F(rpmsg_echo, answers_echo_requests_and_ignores_words_it_does_not_know) {
  boot();
  world.deeds.clear();
  world.send(RP_MBOX_ECHO_REQUEST);
  world.send(0xFFFFFF05);
  world.send(RP_MBOX_ECHO_REQUEST);
  EXPECT_THAT(deeds_after(us(50)), ElementsAre("word 0xffffff04", "word 0xffffff04"));
}

TEST_F(rpmsg_echo, a_word_sent_before_it_listens_is_answered_when_it_does) {
  world.send(RP_MBOX_ECHO_REQUEST);
  boot();
  EXPECT_THAT(world.deeds, ElementsAre("mark 1", "device 131 on", "device 35 on", "word 0xffffff04"));
}

TEST_F(rpmsg_echo, answers_a_suspend_request_as_told) {
  boot();
  for (const auto& [how, word] : std::map<std::uint32_t, std::string>{{SC_SUSPEND_ACK, "word 0xffffff12"},
                                                                      {SC_SUSPEND_CANCEL, "word 0xffffff13"},
                                                                      {SC_SUSPEND_AUTO, "word 0xffffff10"}}) {
    world.deeds.clear();
    world.params[test::FW_suspend] = how;
    world.send(RP_MBOX_SUSPEND_SYSTEM);
    EXPECT_THAT(deeds_after(us(200)), ElementsAre("mark 8", word));
  }
}

TEST_F(rpmsg_echo, shuts_down_gracefully_in_the_order_of_tis_example_and_parks) {
  connect();
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(70)), ElementsAre("mark 3")) << "ack_delay is 80 us";
  EXPECT_THAT(deeds_after(us(400)),
              ElementsAre("mark 4", "device 131 off", "device 35 off", "mark 5", ACK, "mark 6", "mark 7"));
  EXPECT_TRUE(world.wfi.read());
  events.take();
  world.send(0);
  sc_start(us(100'000));
  EXPECT_TRUE(world.wfi.read());
  EXPECT_THAT(events.take(), IsEmpty()) << "nothing wakes a parked core";
}

TEST_F(rpmsg_echo, acknowledges_before_its_work_when_told_so) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_ACK_BEFORE_DEINIT;
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)),
              ElementsAre("mark 3", ACK, "mark 6", "mark 4", "device 131 off", "device 35 off", "mark 5", "mark 7"));
  EXPECT_TRUE(world.wfi.read());
}

TEST_F(rpmsg_echo, never_acks_and_goes_on_working) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_NEVER_ACKS;
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), ElementsAre("mark 3"));
  world.send_message(1024, 13, "alive");
  sc_start(us(100));
  EXPECT_EQ(world.received().size(), 1u);
}

TEST_F(rpmsg_echo, acks_and_keeps_running) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_ACKS_NO_WFI;
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), testing::IsSupersetOf({ACK, "mark 6"s}));
  EXPECT_FALSE(world.wfi.read());
}

TEST_F(rpmsg_echo, wakes_from_its_one_wfi_when_the_timer_it_left_on_fires) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_ACKS_WAKES;
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), Contains("mark 7"));
  EXPECT_TRUE(world.wfi.read());
  EXPECT_EQ(world.get32(CHIP_TIMER0 + 0x3C), 0u - 300 * 25) << "wake_after, in ticks to the overflow";
  world.timer_line.write(true);
  sc_start(us(1));
  world.timer_line.write(false);
  EXPECT_THAT(deeds_after(us(10)), ElementsAre("mark 10"));
  EXPECT_FALSE(world.wfi.read());
  EXPECT_TRUE(world.core.running());
}

TEST_F(rpmsg_echo, reports_a_crash_instead_of_the_ack) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_REPORTS_CRASH;
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), ElementsAre("mark 3", "word 0xffffff02", "mark 9"));
  EXPECT_THAT(events.take(), Contains("m4f core.lockup reason=undefined instruction"));
}

TEST_F(rpmsg_echo, hangs_in_the_middle_of_its_work) {
  connect();
  world.params[test::FW_shutdown] = SC_SHUTDOWN_HANGS;
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), ElementsAre("mark 3", "mark 4", "mark 11"));
  world.send(RP_MBOX_ECHO_REQUEST);
  EXPECT_THAT(deeds_after(us(5'000'000)), IsEmpty());
  EXPECT_FALSE(world.wfi.read());
}

TEST_F(rpmsg_echo, crashes_and_hangs_when_told_counted_from_linux_ready) {
  world.params[test::FW_crash_after] = 20'000;
  world.params[test::FW_crash_report] = 0;
  connect();
  EXPECT_THAT(deeds_after(us(19'000)), IsEmpty());
  EXPECT_THAT(deeds_after(us(1'100)), ElementsAre("mark 9"));
  world.hold();
  sc_start(us(1));
  world.params[test::FW_crash_after] = 0;
  world.params[test::FW_hang_after] = 10'000;
  connect();
  EXPECT_THAT(deeds_after(us(10'100)), ElementsAre("mark 11"));
}

TEST_F(rpmsg_echo, serves_its_watchdog_four_times_a_second_until_it_hangs) {
  world.params[test::FW_watchdog] = 1;
  world.params[test::FW_hold_resources] = 0;
  connect();
  EXPECT_EQ(world.get32(CHIP_RTI0 + 0x94), 3u) << "(3 + 1) * 2^13 / 32768 Hz = 1 s";
  EXPECT_EQ(world.get32(CHIP_RTI0 + 0x90), 0xA98559DAu);
  EXPECT_THAT(deeds_after(us(1'010'000)), ElementsAre("watchdog", "watchdog", "watchdog", "watchdog"));
  world.params[test::FW_hang_after] = 1;
  EXPECT_THAT(deeds_after(us(1'000'000)), ElementsAre("mark 11"));
}

TEST_F(rpmsg_echo, goes_on_without_devices_that_it_is_refused) {
  world.refuses = true;
  boot();
  world.send(RP_MBOX_SHUTDOWN);
  EXPECT_THAT(deeds_after(us(500)), ElementsAre("mark 1", "device 131 on", "device 35 on", "mark 3", "mark 4", "mark 5",
                                                ACK, "mark 6", "mark 7"))
      << "and gives back nothing that it does not have";
}

TEST_F(rpmsg_echo, waits_with_its_answer_while_the_mailbox_is_full) {
  boot();
  world.deeds.clear();
  world.mailbox_full = true;
  world.send(RP_MBOX_ECHO_REQUEST);
  EXPECT_THAT(deeds_after(us(1000)), IsEmpty());
  world.mailbox_full = false;
  EXPECT_THAT(deeds_after(us(10)), ElementsAre("word 0xffffff04"));
}

TEST_F(rpmsg_echo, does_not_fall_for_a_resource_table_without_rings) {
  world.put32(CHIP_RESOURCE_TABLE + 28 + 28 + 8, 0);  // vring 0: num
  boot();
  world.driver_ok();
  sc_start(us(1000));
  EXPECT_TRUE(world.core.running());
  world.put32(CHIP_RESOURCE_TABLE + 4, 0);  // no entries
  sc_start(us(100'000));
  EXPECT_THAT(events.take(), testing::Not(Contains(StartsWith("m4f core.lockup"))));
}

// A whole life: boot, devices, Linux, messages, shutdown. A reset at any time ends it, and the next one is no
// different.
TEST_F(rpmsg_echo, can_be_reset_at_any_time_of_its_life) {
  strings whole;
  for (unsigned kill = 0; kill < 260; ++kill) {
    world.release();
    sc_core::sc_time left = ns(4'001) * kill;
    const auto live = [&](const sc_core::sc_time& t) {
      sc_start(std::min(t, left) + ns(1));
      left -= std::min(t, left);
      return left > sc_core::SC_ZERO_TIME;
    };
    if (live(us(400))) {
      world.driver_ok();
      if (live(us(50))) {
        world.send_message(1024, 13, "hello");
        if (live(us(50))) {
          world.send(RP_MBOX_SHUTDOWN);
          live(us(600));
        }
      }
    }
    world.hold();
    sc_start(us(2));
    ASSERT_FALSE(world.core.running()) << kill;
    ASSERT_FALSE(world.wfi.read()) << kill;
    ASSERT_EQ(events.take().back(), "m4f core.reset") << kill;
    world.set_status(0);
    while (world.received().size() != 0) {
    }
    world.drain();
    whole = std::exchange(world.deeds, {});
  }
  EXPECT_THAT(whole, ElementsAre("mark 1", "device 131 on", "device 35 on", "mark 2", "word 0x0", "word 0x0",
                                 "word 0x0", "word 0x1", "word 0x0", "mark 3", "mark 4", "device 131 off",
                                 "device 35 off", "mark 5", ACK, "mark 6", "mark 7"));
}

}  // namespace
}  // namespace rpsim
