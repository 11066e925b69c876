// virtio_rpmsg_bus, the name service and the drivers of channels (reference/remoteproc-core.md §7.6–7.8).

#include "host_sw/rpmsg/rpmsg.h"

#include "tests/host_sw/rproc_fixture.h"

namespace rpsim::test {
namespace {

class rpmsg_test : public rproc_test {
 protected:
  void SetUp() override {
    with_rpmsg();
    firmware(elf_builder().build());
    make();
    add();
    ASSERT_EQ(0, boot());
    far.emplace(remote());
    kicks.clear();
  }
  void announce(const std::string& name, std::uint32_t address, std::uint32_t flags = 0) {
    far->announce(name, address, flags);
    doorbell(0);
  }
  void deliver(std::uint32_t src, std::uint32_t dst, const std::string& data) {
    far->send(src, dst, data);
    doorbell(0);
  }
  std::unique_ptr<rpmsg::user_endpoint> open(const std::string& name) {
    std::unique_ptr<rpmsg::user_endpoint> e;
    run([&] {
      int error = 0;
      e = bus->open(name, error);
      open_error = error;
    });
    return e;
  }
  int send(rpmsg::user_endpoint& e, std::string text, double limit_ms = 20000) {
    int error = -9999;
    run([&] { error = e.send(text); }, limit_ms);
    return error;
  }
  std::optional<remote_side> far;
  int open_error = 0;
};

// ---- name service

TEST_F(rpmsg_test, an_announced_service_becomes_a_channel) {
  announce("some-service", 0x42);
  const auto channels = bus->channels();
  ASSERT_EQ(1u, channels.size());
  EXPECT_EQ("some-service", channels[0].name);
  EXPECT_EQ("virtio0.some-service.-1.66", channels[0].device);
  EXPECT_EQ("rpmsg_chrdev", channels[0].driver);
  EXPECT_EQ(1024u, channels[0].src);
  EXPECT_EQ(0x42u, channels[0].dst);
  EXPECT_TRUE(logged("creating channel some-service addr 0x42"));
  const std::string dir = "/sys/bus/rpmsg/devices/virtio0.some-service.-1.66/";
  EXPECT_EQ("some-service\n", read(dir + "name"));
  EXPECT_EQ("rpmsg:some-service\n", read(dir + "modalias"));
  EXPECT_EQ("0x42\n", read(dir + "dst"));
  EXPECT_EQ("0x400\n", read(dir + "src"));
  EXPECT_EQ("false\n", read(dir + "announce"));
  EXPECT_EQ("some-service\n", read("/sys/class/rpmsg/rpmsg0/name"));
  EXPECT_EQ("66\n", read("/sys/class/rpmsg/rpmsg0/dst"));
  EXPECT_TRUE(machine.fs().exists("/dev/rpmsg0"));
  EXPECT_TRUE(machine.fs().exists("/sys/bus/rpmsg/devices/virtio0.rpmsg_ns.53.53"));
  EXPECT_EQ(std::vector<std::string>{"some-service"}, seen.values("rpmsg.channel.created", "channel"));
}

TEST_F(rpmsg_test, the_same_service_twice_is_refused_another_address_is_not) {
  announce("a", 1);
  announce("a", 1);
  EXPECT_TRUE(logged("channel a:ffffffff:1 already exist"));
  EXPECT_TRUE(logged("rpmsg_create_channel failed"));
  announce("a", 2);
  EXPECT_EQ(2u, bus->channels().size());
  EXPECT_EQ(1025u, bus->channels()[1].src);
}

TEST_F(rpmsg_test, a_withdrawn_service_goes_and_its_address_is_given_out_again) {
  announce("a", 1);
  announce("a", 2, 1);
  EXPECT_TRUE(logged("rpmsg_destroy_channel failed: -22"));
  announce("a", 1, 1);
  EXPECT_THAT(bus->channels(), testing::IsEmpty());
  EXPECT_TRUE(logged("destroying channel a addr 0x1"));
  EXPECT_FALSE(machine.fs().exists("/dev/rpmsg0"));
  EXPECT_EQ(1u, seen.all("rpmsg.channel.destroyed").size());
  announce("b", 1);
  EXPECT_EQ(1024u, bus->channels()[0].src);
  EXPECT_TRUE(machine.fs().exists("/dev/rpmsg0"));
}

TEST_F(rpmsg_test, malformed_announcements_are_ignored) {
  deliver(1, 53, std::string(39, 'x'));
  EXPECT_TRUE(logged("malformed ns msg (39)"));
  deliver(1, 53, std::string(41, 'x'));
  EXPECT_THAT(bus->channels(), testing::IsEmpty());
  announce(std::string(40, 'n'), 5);  // no terminator
  ASSERT_EQ(1u, bus->channels().size());
  EXPECT_EQ(std::string(31, 'n'), bus->channels()[0].name);
}

TEST_F(rpmsg_test, stop_takes_the_channels_away_and_start_begins_anew) {
  announce("a", 1);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, shutdown());
    EXPECT_THAT(bus->channels(), testing::IsEmpty());
    EXPECT_THAT(machine.fs().list("/sys/bus/rpmsg/devices"), testing::IsEmpty());
    EXPECT_EQ(0, boot());
    EXPECT_EQ(POOL, core.u32(vring_field(0, 0)));
    far.emplace(remote());
    announce("a", 1);
    EXPECT_EQ(1024u, bus->channels()[0].src);
  }
}

TEST_F(rpmsg_test, without_the_feature_there_is_no_name_service) {
  EXPECT_EQ(0, shutdown());
  firmware(table_builder().vdev({{}, {}}, 0).build());
  EXPECT_EQ(0, boot());
  far.emplace(remote());
  announce("a", 1);
  EXPECT_THAT(bus->channels(), testing::IsEmpty());
  EXPECT_TRUE(logged("msg received with no recipient"));
}

// ---- receive

TEST_F(rpmsg_test, received_buffers_go_back_with_one_doorbell_for_a_batch) {
  announce("a", 1);
  kicks.clear();
  const std::uint16_t before = far->available(0);
  for (int i = 0; i < 3; ++i) far->send(1, 1024, "message");
  doorbell(0);
  EXPECT_EQ(before + 3, far->available(0));
  EXPECT_EQ(std::vector<int>{0}, kicks);
  EXPECT_EQ(3u, seen.values("rpmsg.received", "channel").size() - 1);  // the announcement is one, too
}

TEST_F(rpmsg_test, a_message_to_nobody_is_dropped_and_its_buffer_given_back) {
  const std::uint16_t before = far->available(0);
  for (int i = 0; i < 15; ++i) deliver(1, 0x999, "x");
  EXPECT_EQ(before + 15, far->available(0));
  EXPECT_EQ(10u, lines("msg received with no recipient").size());  // rate-limited
  run_for(5100);
  deliver(1, 0x999, "x");
  EXPECT_EQ(11u, lines("msg received with no recipient").size());
}

TEST_F(rpmsg_test, messages_too_big_lose_their_buffer_and_end_the_batch) {
  announce("a", 1);
  auto e = open("a");
  const std::uint16_t before = far->available(0);
  kicks.clear();
  far->send(1, 1024, "good");
  far->send(1, 1024, "x", 513);  // used length above the buffer's
  far->send(1, 1024, "after");
  doorbell(0);
  EXPECT_TRUE(logged("inbound msg too big: (513, 1)"));
  EXPECT_EQ(before + 1, far->available(0));
  EXPECT_EQ(std::vector<int>{0}, kicks);
  doorbell(0);  // the next one goes on behind it
  EXPECT_EQ(before + 2, far->available(0));
  kicks.clear();
  far->send(1, 1024, "12345678", 20);  // header says 8, used length leaves 4
  doorbell(0);
  EXPECT_THAT(kicks, testing::IsEmpty());  // nothing was given back
  EXPECT_TRUE(logged("inbound msg too big: (20, 8)"));
  EXPECT_EQ(before + 2, far->available(0));
}

TEST_F(rpmsg_test, a_used_length_below_a_header_passes_as_in_linux) {
  announce("a", 1);
  auto e = open("a");
  far->send(1, 1024, "text", 3);
  doorbell(0);
  run([&] {
    std::string m;
    EXPECT_EQ(0, e->receive(m, 10));
    EXPECT_EQ("text", m);
  });
}

TEST_F(rpmsg_test, a_doorbell_while_the_queue_is_deleted_is_an_oops_where_linux_uses_freed_memory) {
  announce("a", 1);
  // A callback that lasts: the stop overtakes it between the callback and the buffer's return.
  bus->add_driver({.name = "slow",
                   .ids = {"slow"},
                   .probe = [](rpmsg::channel&) { return 0; },
                   .callback = [&](rpmsg::channel&, std::string_view, std::uint32_t) { kernel.msleep(20); },
                   .remove = {}});
  announce("slow", 9);
  far->send(9, 1025, "x");
  far->send(9, 1025, "y");
  kernel.spawn("irq", [&] { r->vq_interrupt(0); });
  run_for(5);
  EXPECT_EQ(0, shutdown());  // waits for the first callback, then deletes the queue
  run_for(100);
  EXPECT_THAT(oopses(), testing::ElementsAre("vring-uaf"));
  EXPECT_EQ("offline", state());
}

// ---- send

TEST_F(rpmsg_test, a_sent_message_has_linuxs_header_and_rings_once) {
  announce("a", 0x77);
  auto e = open("a");
  kicks.clear();
  EXPECT_EQ(0, send(*e, "hello"));
  EXPECT_EQ(std::vector<int>{1}, kicks);
  const auto m = far->receive();
  ASSERT_TRUE(m);
  EXPECT_EQ("hello", m->data);
  EXPECT_EQ(1024u, m->src);
  EXPECT_EQ(0x77u, m->dst);
  const std::uint64_t d = far->descriptor(1, far->last), buffer = core.u32(d);
  EXPECT_EQ(POOL + 0x60000, buffer);
  EXPECT_EQ(21u, core.u32(d + 8));
  EXPECT_EQ(0, core.u16(d + 12));
  EXPECT_EQ(0u, core.u32(buffer + 8));
  EXPECT_EQ(0, core.u16(buffer + 14));
  EXPECT_EQ(std::vector<std::string>{"a"}, seen.values("rpmsg.sent", "channel"));
}

TEST_F(rpmsg_test, the_largest_payload_is_496_bytes) {
  announce("a", 1);
  auto e = open("a");
  EXPECT_EQ(0, send(*e, std::string(496, 'x')));
  EXPECT_EQ(-EMSGSIZE, send(*e, std::string(497, 'x')));
  EXPECT_TRUE(logged("message is too big (497)"));
  EXPECT_EQ(496u, far->receive()->data.size());
}

TEST_F(rpmsg_test, a_remote_address_of_all_ones_is_einval) {
  announce("a", 0xFFFFFFFF);
  auto e = open("a");
  EXPECT_EQ(-EINVAL, send(*e, "x"));
}

TEST_F(rpmsg_test, every_buffer_is_used_once_and_then_recycled) {
  announce("a", 1);
  auto e = open("a");
  for (int i = 0; i < 256; ++i) EXPECT_EQ(0, send(*e, std::to_string(i)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(std::to_string(i), far->receive()->data);
  EXPECT_EQ(0, send(*e, "again"));
  for (int i = 3; i < 256; ++i) far->receive(false);
  EXPECT_EQ("again", far->receive(false)->data);
  EXPECT_EQ(POOL + 0x60000, core.u32(far->descriptor(1, far->last)));
}

TEST_F(rpmsg_test, a_sender_without_a_buffer_gives_up_after_15_seconds) {
  announce("a", 1);
  auto e = open("a");
  for (int i = 0; i < 256; ++i) EXPECT_EQ(0, send(*e, "x"));
  EXPECT_FALSE(far->wants_interrupt(1));
  int error = 0;
  double waited = 0;
  kernel.spawn("sender", [&] {
    const double begin = now_ms();
    error = e->send("late");
    waited = now_ms() - begin;
  });
  run_for(100);
  EXPECT_TRUE(far->wants_interrupt(1));  // while somebody sleeps
  run_for(15000);
  EXPECT_EQ(-os::ERESTARTSYS, error);
  EXPECT_NEAR(15000, waited, 10);
  EXPECT_FALSE(far->wants_interrupt(1));
  EXPECT_TRUE(logged("timeout waiting for a tx buffer"));
}

TEST_F(rpmsg_test, a_sleeping_sender_goes_on_when_the_remote_has_read_a_message) {
  announce("a", 1);
  auto e = open("a");
  for (int i = 0; i < 256; ++i) EXPECT_EQ(0, send(*e, "x"));
  int error = 1;
  kernel.spawn("sender", [&] { error = e->send("late"); });
  run_for(100);
  EXPECT_EQ(1, error);
  far->receive();
  doorbell(1);
  run_for(1);
  EXPECT_EQ(0, error);
  EXPECT_FALSE(far->wants_interrupt(1));
}

TEST_F(rpmsg_test, a_stop_waits_for_a_writer_that_waits_for_a_buffer) {
  announce("a", 1);
  auto e = open("a");
  for (int i = 0; i < 256; ++i) EXPECT_EQ(0, send(*e, "x"));
  int error = 0;
  kernel.spawn("sender", [&] { error = e->send("late"); });
  run_for(100);
  int stopped = 1;
  kernel.spawn("stop", [&] { stopped = r->shutdown(); });
  run_for(14000);
  EXPECT_EQ(1, stopped);
  run_for(2000);
  EXPECT_EQ(-os::ERESTARTSYS, error);
  EXPECT_EQ(0, stopped);
  EXPECT_EQ(-EPIPE, send(*e, "x"));
  EXPECT_THAT(oopses(), testing::IsEmpty());
}

// ---- character devices

TEST_F(rpmsg_test, messages_wait_for_their_reader_and_are_dropped_at_close) {
  announce("a", 1);
  deliver(1, 1024, "early");
  auto e = open("a");
  std::string m;
  run([&] { EXPECT_EQ(0, e->receive(m, 10)); });
  EXPECT_EQ("early", m);
  double waited = 0;
  run([&] {
    const double begin = now_ms();
    EXPECT_EQ(-ETIMEDOUT, e->receive(m, 40));
    waited = now_ms() - begin;
  });
  EXPECT_NEAR(40, waited, 9);
  deliver(1, 1024, "lost");
  e.reset();
  e = open("a");
  run([&] { EXPECT_EQ(-ETIMEDOUT, e->receive(m, 1)); });
}

TEST_F(rpmsg_test, a_device_opens_once) {
  announce("a", 1);
  auto e = open("a");
  EXPECT_EQ(nullptr, open("a"));
  EXPECT_EQ(-EBUSY, open_error);
  EXPECT_EQ(nullptr, open("b"));
  EXPECT_EQ(-ENOENT, open_error);
  run([&] { EXPECT_EQ(EBUSY, machine.fs().open("/dev/rpmsg0").error()); });
  e.reset();
  EXPECT_NE(nullptr, open("a"));
}

TEST_F(rpmsg_test, reads_and_writes_of_the_device_file_are_messages) {
  announce("a", 1);
  std::unique_ptr<os::file> file;
  std::string first, second;
  run([&] {
    file = std::move(*machine.fs().open("/dev/rpmsg0", true));
    EXPECT_EQ(4u, file->write("ping").value());
  });
  EXPECT_EQ("ping", far->receive()->data);
  kernel.spawn("reader", [&] {
    first = file->read().value();
    second = file->read().value();
  });
  run_for(10);
  far->send(1, 1024, "one");
  far->send(1, 1024, "two");
  doorbell(0);
  run_for(1);
  EXPECT_EQ("one", first);
  EXPECT_EQ("two", second);
}

TEST_F(rpmsg_test, a_reader_is_woken_with_epipe_when_the_channel_goes) {
  announce("a", 1);
  std::unique_ptr<os::file> file;
  int error = 0;
  kernel.spawn("reader", [&] {
    file = std::move(*machine.fs().open("/dev/rpmsg0"));
    error = file->read().error();
  });
  run_for(10);
  EXPECT_EQ(0, shutdown());
  run_for(1);
  EXPECT_EQ(EPIPE, error);
  run([&] {
    EXPECT_EQ(EPIPE, file->write("x").error());
    EXPECT_TRUE(file->release().has_value());
  });
  EXPECT_EQ(0, boot());
  far.emplace(remote());
  announce("a", 1);
  EXPECT_TRUE(machine.fs().exists("/dev/rpmsg1"));  // the old one is still open
}

// ---- sample client

TEST_F(rpmsg_test, the_sample_client_says_hello_and_answers_until_100) {
  EXPECT_EQ(0, bus->modprobe("rpmsg-client-sample"));
  announce("rpmsg-client-sample", 0x11);
  EXPECT_TRUE(logged("new channel: 0x400 -> 0x11!"));
  for (int i = 1; i <= 101; ++i) {
    const auto m = far->receive();
    if (i <= 100) {
      ASSERT_TRUE(m) << i;
      EXPECT_EQ("hello world!", m->data);
    } else {
      EXPECT_FALSE(m);
    }
    deliver(0x11, 1024, "reply");
  }
  EXPECT_TRUE(logged("incoming msg 100 (src: 0x11)"));
  EXPECT_TRUE(logged("goodbye!"));
  EXPECT_EQ(nullptr, open("rpmsg-client-sample"));
  EXPECT_EQ(-EBUSY, open_error);
  EXPECT_EQ(0, shutdown());
  EXPECT_TRUE(logged("rpmsg sample client driver is removed"));
}

TEST_F(rpmsg_test, a_module_that_does_not_exist_cannot_be_loaded) {
  EXPECT_EQ(-ENOENT, bus->modprobe("rpmsg_client_simple"));
  EXPECT_EQ(0, bus->modprobe("rpmsg_tty"));
}

TEST_F(rpmsg_test, a_driver_that_cannot_probe_leaves_the_channel_unbound) {
  EXPECT_EQ(0, bus->modprobe("rpmsg_client_sample"));
  EXPECT_EQ(0, bus->modprobe("rpmsg_client_sample"));  // loading it again changes nothing
  announce("rpmsg-client-sample", 0xFFFFFFFF);         // its hello has no destination
  ASSERT_EQ(1u, bus->channels().size());
  EXPECT_EQ("", bus->channels()[0].driver);
  EXPECT_TRUE(logged("rpmsg_dev_probe: failed: -22"));
  deliver(1, 1024, "x");
  EXPECT_TRUE(logged("msg received with no recipient"));
  EXPECT_EQ(0, shutdown());
}

// ---- tty

TEST_F(rpmsg_test, the_tty_carries_bytes_both_ways_while_it_is_open) {
  announce("rpmsg-tty", 0x12);
  deliver(0x12, 1024, "lost: nobody has it open");
  std::unique_ptr<os::file> tty;
  run([&] {
    tty = std::move(*machine.fs().open("/dev/ttyRPMSG0", true));
    EXPECT_EQ(600u, tty->write(std::string(600, 'x')).value());
  });
  EXPECT_EQ(496u, far->receive()->data.size());
  EXPECT_EQ(104u, far->receive()->data.size());
  far->send(0x12, 1024, "abc");
  far->send(0x12, 1024, "def");
  doorbell(0);
  run([&] { EXPECT_EQ("abcdef", tty->read().value()); });
  run([&] {
    tty->release();
    tty.reset();
  });
}

TEST_F(rpmsg_test, the_tty_does_not_wait_for_buffers) {
  announce("rpmsg-tty", 0x12);
  run([&] {
    auto tty = std::move(*machine.fs().open("/dev/ttyRPMSG0", true));
    EXPECT_EQ(255u * 496, tty->write(std::string(255 * 496, 'x')).value());
    EXPECT_EQ(496u, tty->write(std::string(1000, 'x')).value());
    EXPECT_EQ(ENOMEM, tty->write("x").error());
  });
}

TEST_F(rpmsg_test, the_tty_hangs_up_when_the_channel_goes) {
  announce("rpmsg-tty", 0x12);
  std::unique_ptr<os::file> tty;
  std::optional<std::string> text;
  kernel.spawn("reader", [&] {
    tty = std::move(*machine.fs().open("/dev/ttyRPMSG0", true));
    text = tty->read().value();
  });
  run_for(10);
  EXPECT_FALSE(text);
  EXPECT_EQ(0, shutdown());
  run_for(1);
  EXPECT_EQ("", text);
  EXPECT_FALSE(machine.fs().exists("/dev/ttyRPMSG0"));
  run([&] { EXPECT_EQ(EIO, tty->write("x").error()); });
}

}  // namespace
}  // namespace rpsim::test
