// The mailbox framework and the omap-mailbox driver on the real mailbox model, over the real host core.

#include "host_sw/drivers/mailbox.h"

#include "host_sw/drivers/omap_mailbox.h"
#include "platforms/platform.h"
#include "tests/host_sw/fake_host.h"

namespace rpsim::test {
namespace {

using drivers::mbox_chan;
using drivers::mbox_message;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* SOURCE = R"(/dts-v1/;
/ {
	#address-cells = <2>; #size-cells = <2>;
	host: host-core { compatible = "rpsim,host-core"; clock-frequency = <1400000000>; rpsim,cpus = <4>; rpsim,interrupt-controller = <&gic>; };
	gic: gic@1800000 { compatible = "arm,gic-v3"; #interrupt-cells = <3>; interrupt-controller; reg = <0 0x1800000 0 0x10000>; };
	ddr: memory@80000000 { compatible = "rpsim,ddr"; reg = <0 0x80000000 0 0x10000000>; };
	mailbox0: mailbox@29000000 {
		compatible = "ti,am64-mailbox";
		reg = <0x0 0x29000000 0x0 0x200>;
		#mbox-cells = <1>;
		ti,mbox-num-users = <4>;
		ti,mbox-num-fifos = <16>;
		interrupts = <0 76 4>;
		rpsim,outputs = <0>;
		rpsim,outputs-extended = <&gic 0 76 4>;
		mbox_m4_0: mbox-m4-0 { ti,mbox-rx = <0 0 0>; ti,mbox-tx = <1 0 0>; };
		mbox_r5_0: mbox-r5-0 { ti,mbox-rx = <2 0 0>; ti,mbox-tx = <3 0 0>; };
	};
	stray: stray { };
	client { mboxes = <&mailbox0 &mbox_m4_0>, <&mailbox0 &mbox_r5_0>, <&mailbox0 &stray>; };
};
)";

class mailbox : public testing::Test {
 protected:
  static constexpr std::uint64_t BASE = 0x29000000, MESSAGE = BASE + 0x40, MSGSTATUS = BASE + 0xC0;
  static constexpr unsigned RX = 0, TX = 1;  // the host's ends

  mailbox() {
    machine.add_driver(drivers::omap_mailbox_driver(machine));
    client.device = "client";
    client.rx_callback = [this](const mbox_message& m) {
      received.push_back(m.word_at(0));
      if (on_receive) on_receive();
    };
  }
  /// A host thread after probe, with the M4F's channel requested.
  void in_thread(std::function<void()> body) {
    os::thread& t = kernel.spawn("test", [this, body] {
      machine.probe_all();
      int error = 0;
      chan = drivers::mbox_request_channel(machine, node(), client, 0, error);
      ASSERT_EQ(error, 0);
      body();
    });
    sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_SEC));
    ASSERT_TRUE(kernel.ended(t));
  }
  dt::node node() { return board.tree().root().child("client"); }
  int send(std::uint32_t word) { return chan->send_message(mbox_message::word(word)); }
  /// The remote side, at its own pace: one bus access each.
  std::uint32_t peek(std::uint64_t address) {
    std::uint32_t value = 0;
    EXPECT_EQ(board.host().bus().read(address, std::as_writable_bytes(std::span(&value, 1))), bus_status::ok);
    return value;
  }
  void remote_sends(std::uint32_t word) {
    EXPECT_EQ(board.host().bus().write(MESSAGE + 4 * RX, std::as_bytes(std::span(&word, 1))), bus_status::ok);
  }
  std::vector<std::uint32_t> remote_drains() {
    std::vector<std::uint32_t> words;
    for (unsigned idle = 0; idle < 100; ++idle) {
      while (peek(MSGSTATUS + 4 * TX) != 0) words.push_back(peek(MESSAGE + 4 * TX)), idle = 0;
      sc_core::wait(sc_core::sc_time(1, sc_core::SC_US));
    }
    return words;
  }
  static std::vector<std::uint32_t> upto(std::uint32_t n) {
    std::vector<std::uint32_t> words;
    for (std::uint32_t i = 1; i <= n; ++i) words.push_back(i);
    return words;
  }

  sim_context context{3};
  platform board{context, dt::tree::compile_text(SOURCE, "mailbox.dts")};
  os::kernel kernel{"host", board.host(), context, {.gicd_base = 0x1800000}};
  os::machine machine{kernel, board.tree()};
  drivers::mbox_client client;
  mbox_chan* chan = nullptr;
  std::vector<std::uint32_t> received;
  std::function<void()> on_receive;
};

TEST_F(mailbox, the_22nd_message_back_to_back_finds_the_ring_full) {
  recorder events(context);
  std::vector<int> results;
  in_thread([&] {
    // One is active, twenty wait: no NOTFULL interrupt is served in between.
    for (std::uint32_t i = 1; i <= 22; ++i) results.push_back(send(i));
    kernel.usleep_range(200, 200);
    EXPECT_EQ(remote_drains(), upto(21));
  });
  ASSERT_THAT(results, SizeIs(22));
  EXPECT_GE(*std::min_element(results.begin(), results.end() - 1), 0);
  EXPECT_EQ(results.back(), -ENOBUFS);
  EXPECT_THAT(events.all("mailbox.dropped"), IsEmpty());
  EXPECT_THAT(events.values("host.log", "text"), testing::Contains("Try increasing MBOX_TX_QUEUE_LEN"));
}

TEST_F(mailbox, the_25th_message_finds_the_ring_full_when_the_notfull_thread_runs_between) {
  std::vector<int> results;
  in_thread([&] {
    // Four are in the queue of the hardware, twenty in the ring.
    for (std::uint32_t i = 1; i <= 25; ++i) {
      results.push_back(send(i));
      kernel.usleep_range(100, 100);
    }
    EXPECT_EQ(chan->queued(), 20u);
    EXPECT_EQ(remote_drains(), upto(24));
    EXPECT_EQ(chan->queued(), 0u);
  });
  ASSERT_THAT(results, SizeIs(25));
  EXPECT_GE(*std::min_element(results.begin(), results.end() - 1), 0);
  EXPECT_EQ(results.back(), -ENOBUFS);
}

TEST_F(mailbox, notfull_is_enabled_by_a_send_and_disabled_by_its_handler) {
  in_thread([&] {
    constexpr std::uint64_t ENABLE = BASE + 0x108;
    EXPECT_EQ(peek(ENABLE), 1u);  // NEWMSG of queue 0
    send(7);
    EXPECT_EQ(peek(ENABLE), 1u | 1u << 3);
    kernel.usleep_range(100, 100);
    EXPECT_EQ(peek(ENABLE), 1u);
  });
}

TEST_F(mailbox, what_the_remote_sends_into_a_full_queue_is_lost) {
  recorder events(context);
  in_thread([&] {
    for (std::uint32_t i = 1; i <= 6; ++i) remote_sends(i);  // faster than the interrupt thread
    kernel.usleep_range(200, 200);
  });
  EXPECT_EQ(received, upto(4));
  EXPECT_THAT(events.values("mailbox.dropped", "word"), ElementsAre("0x5", "0x6"));
}

TEST_F(mailbox, a_word_that_comes_while_the_queue_is_drained_is_not_lost) {
  std::uint32_t next = 2;
  on_receive = [&] {
    if (next <= 9) remote_sends(next++);  // the callback runs in the interrupt thread
  };
  in_thread([&] {
    remote_sends(1);
    kernel.usleep_range(200, 200);
    EXPECT_EQ(received, upto(9));
    remote_sends(10);  // and the interrupt is armed again
    kernel.usleep_range(200, 200);
  });
  EXPECT_EQ(received, upto(10));
}

TEST_F(mailbox, a_word_between_the_last_look_and_the_acknowledge_raises_the_interrupt_again) {
  in_thread([&] {
    // Every distance from the first word, so that one of them hits the gap.
    for (unsigned ns = 0; ns < 20000; ns += 100) {
      received.clear();
      remote_sends(1);
      kernel.busy(sc_core::sc_time(ns, sc_core::SC_NS));
      remote_sends(2);
      kernel.usleep_range(100, 100);
      ASSERT_THAT(received, ElementsAre(1, 2)) << ns << " ns after the first";
    }
  });
}

TEST_F(mailbox, a_channel_has_one_client_at_a_time) {
  in_thread([&] {
    drivers::mbox_client other{.device = "other"};
    int error = 0;
    EXPECT_EQ(drivers::mbox_request_channel(machine, node(), other, 0, error), nullptr);
    EXPECT_EQ(error, -EBUSY);
    drivers::mbox_free_channel(*chan);
    EXPECT_EQ(send(1), -EINVAL);
    EXPECT_EQ(drivers::mbox_request_channel(machine, node(), other, 0, error), chan);
    EXPECT_GE(send(1), 0);
  });
}

TEST_F(mailbox, two_channels_share_the_interrupt_line) {
  in_thread([&] {
    std::vector<std::uint32_t> from_r5;
    drivers::mbox_client other{.device = "r5",
                               .rx_callback = [&](const mbox_message& m) { from_r5.push_back(m.word_at(0)); }};
    int error = 0;
    mbox_chan* r5 = drivers::mbox_request_channel(machine, node(), other, 1, error);
    ASSERT_NE(r5, nullptr);
    const std::uint32_t word = 0xFFFFFF00;
    remote_sends(1);
    board.host().bus().write(MESSAGE + 4 * 2, std::as_bytes(std::span(&word, 1)));
    kernel.usleep_range(200, 200);
    EXPECT_THAT(received, ElementsAre(1));
    EXPECT_THAT(from_r5, ElementsAre(word));
    drivers::mbox_free_channel(*r5);
    remote_sends(2);
    kernel.usleep_range(200, 200);
    EXPECT_THAT(received, ElementsAre(1, 2));
  });
}

TEST_F(mailbox, freeing_drops_what_waits) {
  in_thread([&] {
    for (std::uint32_t i = 1; i <= 10; ++i) send(i);
    drivers::mbox_free_channel(*chan);
    int error = 0;
    chan = drivers::mbox_request_channel(machine, node(), client, 0, error);
    EXPECT_EQ(chan->queued(), 0u);
    EXPECT_EQ(remote_drains(), upto(1));
  });
}

TEST_F(mailbox, a_channel_that_is_not_there_has_linux_errors) {
  in_thread([&] {
    drivers::mbox_client other{.device = "other"};
    int error = 0;
    EXPECT_EQ(drivers::mbox_request_channel(machine, node(), other, 2, error), nullptr);
    EXPECT_EQ(error, -ENOENT);
    EXPECT_EQ(drivers::mbox_request_channel(machine, node(), other, 9, error), nullptr);
    EXPECT_EQ(error, -ENOENT);
    EXPECT_EQ(drivers::mbox_request_channel(machine, node(), other, "rx", error), nullptr);
    EXPECT_EQ(error, -EINVAL);
    ASSERT_TRUE(machine.fs().write("/sys/bus/platform/drivers/omap-mailbox/unbind", "29000000.mailbox"));
    EXPECT_EQ(drivers::mbox_request_channel(machine, node(), other, 0, error), nullptr);
    EXPECT_EQ(error, -os::EPROBE_DEFER);
  });
}

TEST_F(mailbox, suspend_is_refused_while_a_queue_holds_a_word) {
  recorder events(context);
  in_thread([&] {
    send(1);
    kernel.usleep_range(100, 100);
    EXPECT_EQ(machine.suspend(), -EBUSY);
    EXPECT_EQ(remote_drains(), upto(1));
    ASSERT_TRUE(context.params.set("host.suspend_time", "10ms"));
    EXPECT_EQ(machine.suspend(), 0);
    remote_sends(5);
    kernel.usleep_range(200, 200);
    EXPECT_THAT(received, ElementsAre(5));
  });
  EXPECT_THAT(events.values("host.log", "text"), testing::Contains("fifo 1 has unexpected unread messages"));
}

}  // namespace
}  // namespace rpsim::test
