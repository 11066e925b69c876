#include "models/mailbox/ti_mailbox.h"

#include <array>
#include <stdexcept>

#include "models/mailbox/rp_mbox.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::ns;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint32_t at(std::uint32_t reg, unsigned user) { return reg + 0x10 * user; }
constexpr std::uint32_t of(std::uint32_t reg, unsigned fifo) { return reg + 4 * fifo; }
constexpr auto newmsg = ti_mailbox::newmsg;
constexpr auto notfull = ti_mailbox::notfull;

/// Does to the next word what a test says.
class one_fault final : public fault_hook {
 public:
  void arm(fault_action a) {
    action_ = a;
    armed_ = true;
  }
  fault_action decide(std::string_view point, std::string_view source, std::initializer_list<field> what) override {
    asked += fmt::format("{} {}", point, source);
    for (const field& f : what) {
      asked += f.type == field::kind::text ? fmt::format(" {}={}", f.key, f.text)
                                           : fmt::format(" {}={:#x}", f.key, f.number);
    }
    armed_ = false;
    return action_;
  }
  std::string asked;

 private:
  fault_action action_;
};

struct cluster : testing::Test {
  cluster() {
    for (unsigned u = 0; u < 4; ++u) box.output("irq", u)->bind(irq[u]);
    host.socket.bind(*box.target(0));
    box.power()->bind(power);
    context.faults = &faults;
  }
  std::uint32_t level(unsigned fifo) { return host.read32(of(ti_mailbox::MSGSTATUS, fifo)); }
  void send(unsigned fifo, std::uint32_t word) { host.write32(of(ti_mailbox::MESSAGE, fifo), word); }
  std::uint32_t receive(unsigned fifo) { return host.read32(of(ti_mailbox::MESSAGE, fifo)); }
  /// The line, once the access just made has had its effect.
  bool line(unsigned user) {
    sc_core::wait(sc_core::SC_ZERO_TIME);
    sc_core::wait(sc_core::SC_ZERO_TIME);
    return irq[user].read();
  }

  sim_context context;
  test::node_source node;
  one_fault faults;
  sc_core::sc_signal<module_state> power{"power", module_state::enable};
  std::array<sc_core::sc_signal<bool>, 4> irq;
  ti_mailbox box{"mailbox0", context,
                 node("mailbox0", "reg = <0 0 0 0x200>; ti,mbox-num-users = <4>; ti,mbox-num-fifos = <16>;")};
  test::bus_master host{"host"};
};

TEST_F(cluster, reset_values) {
  test::simulate([&] {
    EXPECT_EQ(host.read32(ti_mailbox::REVISION), 0x66FC9100u);
    for (unsigned u = 0; u < 4; ++u) {
      EXPECT_EQ(host.read32(at(ti_mailbox::IRQSTATUS_RAW, u)), 0xAAAAAAAAu);
      EXPECT_EQ(host.read32(at(ti_mailbox::IRQSTATUS_CLR, u)), 0u);
      EXPECT_EQ(host.read32(at(ti_mailbox::IRQENABLE_SET, u)), 0u);
      EXPECT_EQ(host.read32(at(ti_mailbox::IRQENABLE_CLR, u)), 0u);
      EXPECT_FALSE(line(u));
    }
    for (unsigned m = 0; m < 16; ++m) {
      EXPECT_EQ(level(m), 0u);
      EXPECT_EQ(host.read32(of(ti_mailbox::FIFOSTATUS, m)), 0u);
    }
  });
}

TEST_F(cluster, a_queue_holds_four_words_in_order_and_drops_the_fifth) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      for (std::uint32_t i = 0; i < 5; ++i) send(1, 0x10 + i);
      EXPECT_EQ(level(1), 4u);
      EXPECT_EQ(host.read32(of(ti_mailbox::FIFOSTATUS, 1)), 1u);
      for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(receive(1), 0x10 + i);
      EXPECT_EQ(host.read32(of(ti_mailbox::FIFOSTATUS, 1)), 0u);
      EXPECT_EQ(receive(1), 0u) << "an empty queue reads 0";
      EXPECT_EQ(level(0), 0u);
      EXPECT_EQ(level(2), 0u);
      EXPECT_THAT(trace.take(), SizeIs(4 + 1 + 4));
    }
    send(1, 1);
    for (int i = 0; i < 4; ++i) send(1, rp_mbox::SHUTDOWN);
    receive(1);
  });
  EXPECT_THAT(trace.lines, ElementsAre("mailbox0 mailbox.sent fifo=1 word=0x1 msg=kick 1 level=1 by=host",
                                       HasSubstr("level=2"), HasSubstr("level=3"),
                                       "mailbox0 mailbox.sent fifo=1 word=0xffffff14 msg=SHUTDOWN level=4 by=host",
                                       "mailbox0 mailbox.dropped fifo=1 word=0xffffff14 msg=SHUTDOWN by=host",
                                       "mailbox0 mailbox.received fifo=1 word=0x1 msg=kick 1 level=3 by=host"));
}

TEST_F(cluster, newmsg_is_a_level_and_the_line_comes_a_delta_after_the_word) {
  test::recorder trace(context, trace_level::detail);
  test::simulate([&] {
    host.write32(at(ti_mailbox::IRQENABLE_SET, 2), newmsg(1));
    sc_core::wait(ns(100));
    send(1, 7);
    EXPECT_FALSE(irq[2].read()) << "not inside the access";
    EXPECT_TRUE(line(2));
    EXPECT_EQ(sc_core::sc_time_stamp(), ns(100));
    EXPECT_FALSE(irq[0].read() || irq[1].read() || irq[3].read());
    EXPECT_EQ(host.read32(at(ti_mailbox::IRQSTATUS_CLR, 2)), newmsg(1));
    sc_core::wait(ns(100));
    receive(1);
    EXPECT_FALSE(line(2)) << "empty again";
  });
  EXPECT_THAT(trace.lines, ElementsAre(HasSubstr("mailbox.sent"), "mailbox0 irq.raised line=2",
                                       HasSubstr("mailbox.received"), "mailbox0 irq.lowered line=2"));
}

TEST_F(cluster, status_and_enables_are_each_users_own_and_queues_are_everybodys) {
  test::simulate([&] {
    host.write32(at(ti_mailbox::IRQENABLE_SET, 0), newmsg(0) | newmsg(5));
    host.write32(at(ti_mailbox::IRQENABLE_SET, 3), newmsg(5));
    send(5, 1);
    EXPECT_TRUE(line(0));
    EXPECT_TRUE(line(3));
    host.write32(at(ti_mailbox::IRQENABLE_CLR, 0), newmsg(5));
    EXPECT_FALSE(line(0));
    EXPECT_TRUE(line(3));
    EXPECT_EQ(host.read32(at(ti_mailbox::IRQENABLE_CLR, 0)), newmsg(0));
    host.write32(at(ti_mailbox::IRQENABLE_SET, 0), 0);
    EXPECT_EQ(host.read32(at(ti_mailbox::IRQENABLE_SET, 0)), newmsg(0)) << "zeros change nothing";
  });
}

TEST_F(cluster, clearing_while_the_condition_holds_is_a_dropout_of_two_clocks) {
  EXPECT_TRUE(context.params.set("mailbox0.clock", "100MHz"));
  test::recorder trace(context, trace_level::detail);
  test::simulate([&] {
    host.write32(at(ti_mailbox::IRQENABLE_SET, 0), newmsg(0));
    host.write32(at(ti_mailbox::IRQENABLE_SET, 1), newmsg(0));
    send(0, 1);
    sc_core::wait(ns(50));
    trace.take();
    host.write32(at(ti_mailbox::IRQSTATUS_CLR, 0), newmsg(0));
    EXPECT_EQ(host.read32(at(ti_mailbox::IRQSTATUS_RAW, 0)) & newmsg(0), 0u);
    EXPECT_FALSE(line(0));
    EXPECT_TRUE(line(1)) << "the other user's status is its own";
    sc_core::wait(ns(19));
    EXPECT_FALSE(irq[0].read());
    sc_core::wait(ns(2));
    EXPECT_TRUE(irq[0].read());
    EXPECT_EQ(trace.times, (std::vector{ns(50), ns(70)}));
  });
}

TEST_F(cluster, a_word_that_arrives_between_the_last_look_and_the_clear_is_not_lost) {
  test::simulate([&] {
    host.write32(at(ti_mailbox::IRQENABLE_SET, 0), newmsg(0));
    send(0, 1);
    receive(0);
    EXPECT_EQ(level(0), 0u);
    send(0, 2);  // Linux has seen MSGSTATUS 0 and is about to acknowledge
    host.write32(at(ti_mailbox::IRQSTATUS_CLR, 0), newmsg(0));
    EXPECT_FALSE(line(0));
    sc_core::wait(irq[0].posedge_event());
    EXPECT_EQ(sc_core::sc_time_stamp(), ns(16));
    EXPECT_EQ(receive(0), 2u);
    EXPECT_FALSE(line(0));
    host.write32(at(ti_mailbox::IRQSTATUS_CLR, 0), newmsg(0));
    sc_core::wait(ns(100));
    EXPECT_FALSE(irq[0].read()) << "the condition is gone";
  });
}

TEST_F(cluster, notfull_storms_unless_masked) {
  test::simulate([&] {
    host.write32(at(ti_mailbox::IRQENABLE_SET, 0), notfull(1));
    EXPECT_TRUE(line(0)) << "at once, on a queue that is not full";
    for (int i = 0; i < 3; ++i) {
      host.write32(at(ti_mailbox::IRQSTATUS_CLR, 0), notfull(1));
      EXPECT_FALSE(line(0));
      sc_core::wait(ns(17));
      EXPECT_TRUE(irq[0].read());
    }
    for (std::uint32_t i = 0; i < 4; ++i) send(1, i);
    EXPECT_FALSE(line(0)) << "full";
    receive(1);
    EXPECT_TRUE(line(0));
  });
}

TEST_F(cluster, a_write_to_raw_pulses_the_status_for_two_clocks) {
  test::simulate([&] {
    host.write32(at(ti_mailbox::IRQENABLE_SET, 1), newmsg(9));
    host.write32(at(ti_mailbox::IRQSTATUS_RAW, 1), newmsg(9));
    EXPECT_EQ(host.read32(at(ti_mailbox::IRQSTATUS_RAW, 1)), 0xAAAAAAAA | newmsg(9));
    EXPECT_TRUE(line(1));
    sc_core::wait(ns(15));
    EXPECT_TRUE(irq[1].read());
    sc_core::wait(ns(2));
    EXPECT_FALSE(irq[1].read());
    host.write32(at(ti_mailbox::IRQSTATUS_RAW, 1), newmsg(9));
    EXPECT_TRUE(line(1));
    host.write32(at(ti_mailbox::IRQSTATUS_CLR, 1), newmsg(9));
    EXPECT_FALSE(line(1)) << "a pulse can be cleared before its end";
  });
}

TEST_F(cluster, end_of_interrupt_is_taken_and_changes_nothing) {
  test::simulate([&] {
    host.write32(at(ti_mailbox::IRQENABLE_SET, 0), newmsg(0));
    send(0, 1);
    host.write32(ti_mailbox::IRQ_EOI, 0);
    EXPECT_TRUE(line(0));
  });
}

TEST_F(cluster, a_debuggers_look_pops_nothing) {
  test::recorder trace(context);
  test::simulate([&] {
    send(3, 0xAB);
    trace.take();
    EXPECT_EQ(host.debug32(of(ti_mailbox::MSGSTATUS, 3)), 1u);
    EXPECT_EQ(host.debug32(of(ti_mailbox::MESSAGE, 3)), 0xABu);
    EXPECT_EQ(host.debug32(at(ti_mailbox::IRQSTATUS_RAW, 0)), 0xAAAAAAAA | newmsg(3));
    EXPECT_EQ(level(3), 1u);
  });
  EXPECT_THAT(trace.lines, IsEmpty());
}

TEST_F(cluster, a_soft_reset_empties_everything_and_shows_while_it_lasts) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      send(0, 1);
      host.write32(at(ti_mailbox::IRQENABLE_SET, 0), newmsg(0));
      host.write32(ti_mailbox::SYSCONFIG, 1);
      EXPECT_EQ(host.read32(ti_mailbox::SYSCONFIG) & 1, 1u);
      sc_core::wait(ns(20));
      EXPECT_EQ(host.read32(ti_mailbox::SYSCONFIG), 2u << 2);
      EXPECT_EQ(level(0), 0u);
      EXPECT_EQ(host.read32(at(ti_mailbox::IRQENABLE_SET, 0)), 0u);
      EXPECT_FALSE(irq[0].read());
    }
  });
}

TEST_F(cluster, a_module_reset_empties_the_queues_and_unpowered_registers_are_bus_errors) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      host.write32(at(ti_mailbox::IRQENABLE_SET, 0), newmsg(0));
      send(0, 1);
      EXPECT_TRUE(line(0));
      trace.take();
      power.write(module_state::off);
      sc_core::wait(ns(1));
      EXPECT_FALSE(irq[0].read());
      EXPECT_EQ(host.try_write32(of(ti_mailbox::MESSAGE, 0), 1), tlm::TLM_GENERIC_ERROR_RESPONSE);
      EXPECT_THAT(trace.take(), ElementsAre(HasSubstr("reason=module state off")));
      power.write(module_state::enable);
      sc_core::wait(ns(1));
      EXPECT_EQ(level(0), 0u);
      EXPECT_EQ(host.read32(at(ti_mailbox::IRQSTATUS_RAW, 0)), 0xAAAAAAAAu);
    }
  });
}

TEST_F(cluster, accesses_that_are_not_32_bits_wide_and_aligned_are_refused) {
  test::simulate([&] {
    std::array<std::uint8_t, 2> half{};
    EXPECT_EQ(host.write(ti_mailbox::MESSAGE, half), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(host.try_read32(ti_mailbox::MESSAGE + 2), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(host.try_read32(0x1FC), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(host.try_read32(0x200), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(level(0), 0u);
  });
}

TEST_F(cluster, a_dropped_word_never_arrives) {
  test::recorder trace(context);
  test::simulate([&] {
    faults.arm({.what = fault_action::kind::drop});
    send(1, rp_mbox::SHUTDOWN);
    EXPECT_EQ(faults.asked, "mailbox.word mailbox0 fifo=0x1 word=0xffffff14 msg=SHUTDOWN");
    EXPECT_EQ(level(1), 0u);
    EXPECT_THAT(trace.take(), IsEmpty());
    send(1, rp_mbox::SHUTDOWN);
    EXPECT_EQ(level(1), 1u);
  });
}

TEST_F(cluster, a_delayed_word_arrives_later_and_overtaking_words_stay_in_front) {
  test::recorder trace(context);
  test::simulate([&] {
    faults.arm({.what = fault_action::kind::delay, .by = ns(500)});
    send(1, 1);
    faults.arm({.what = fault_action::kind::delay, .by = ns(300)});
    send(1, 2);
    send(1, 3);
    EXPECT_EQ(level(1), 1u);
    sc_core::wait(ns(301));
    EXPECT_EQ(level(1), 2u);
    sc_core::wait(ns(200));
    EXPECT_EQ(level(1), 3u);
    EXPECT_EQ(trace.times, (std::vector{ns(0), ns(300), ns(500)}));
    EXPECT_EQ(receive(1), 3u);
    EXPECT_EQ(receive(1), 2u);
    EXPECT_EQ(receive(1), 1u);
  });
  EXPECT_THAT(trace.lines[2], HasSubstr("by=host"));
}

TEST_F(cluster, a_delayed_word_does_not_survive_a_module_reset) {
  test::simulate([&] {
    faults.arm({.what = fault_action::kind::delay, .by = ns(500)});
    send(1, 1);
    power.write(module_state::sync_reset);
    sc_core::wait(ns(10));
    power.write(module_state::enable);
    sc_core::wait(ns(1000));
    EXPECT_EQ(level(1), 0u);
  });
}

TEST_F(cluster, a_word_can_arrive_twice_or_changed) {
  test::recorder trace(context);
  test::simulate([&] {
    faults.arm({.what = fault_action::kind::duplicate});
    send(1, rp_mbox::SHUTDOWN);
    faults.arm({.what = fault_action::kind::corrupt, .xor_mask = 1});
    send(1, rp_mbox::SHUTDOWN);
    EXPECT_EQ(level(1), 3u);
    EXPECT_EQ(receive(1), rp_mbox::SHUTDOWN);
    EXPECT_EQ(receive(1), rp_mbox::SHUTDOWN);
    EXPECT_EQ(receive(1), rp_mbox::SHUTDOWN_ACK);
  });
  EXPECT_THAT(trace.lines[2], HasSubstr("msg=SHUTDOWN_ACK level=3"));
}

TEST(ti_mailbox, geometry_and_depth_come_from_the_tree_and_the_parameters) {
  sim_context context;
  test::node_source node;
  EXPECT_TRUE(context.params.set("small.fifo_depth", "2"));
  ti_mailbox small("small", context,
                   node("small", "reg = <0 0 0 0x200>; ti,mbox-num-users = <2>; ti,mbox-num-fifos = <4>;"));
  EXPECT_NE(small.output("irq", 1), nullptr);
  EXPECT_EQ(small.output("irq", 2), nullptr);
  EXPECT_EQ(small.output("wfi", 0), nullptr);
  EXPECT_EQ(small.target(1), nullptr);
  std::array<sc_core::sc_signal<bool>, 2> irq;
  for (unsigned u = 0; u < 2; ++u) small.output("irq", u)->bind(irq[u]);
  sc_core::sc_signal<module_state> on{"on", module_state::enable};
  small.power()->bind(on);
  test::bus_master host{"host"};
  host.socket.bind(*small.target(0));
  test::recorder trace(context);
  test::simulate([&] {
    EXPECT_EQ(host.read32(ti_mailbox::IRQSTATUS_RAW), 0xAAu);
    for (int i = 0; i < 3; ++i) host.write32(of(ti_mailbox::MESSAGE, 3), 1);
    EXPECT_THAT(trace.lines.back(), HasSubstr("mailbox.dropped"));
    EXPECT_EQ(host.try_read32(of(ti_mailbox::MESSAGE, 4)), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(host.try_read32(at(ti_mailbox::IRQSTATUS_RAW, 2)), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    host.write32(ti_mailbox::IRQENABLE_SET, 0xFFFFFFFF);
    EXPECT_EQ(host.read32(ti_mailbox::IRQENABLE_SET), 0xFFu);
  });
}

TEST(ti_mailbox, what_cannot_be_is_refused) {
  sim_context context;
  test::node_source node;
  EXPECT_THROW(ti_mailbox("a", context, node("a", "ti,mbox-num-users = <5>;")), dt::error);
  EXPECT_THROW(ti_mailbox("b", context, node("b", "ti,mbox-num-fifos = <0>;")), dt::error);
  EXPECT_TRUE(context.params.set("c.fifo_depth", "8"));
  EXPECT_THROW(ti_mailbox("c", context, node("c", "")), std::invalid_argument);
}

TEST(rp_mbox, words_have_the_names_people_use) {
  for (const auto& [word, name] : {std::pair{0xFFFFFF00u, "READY"},
                                   {0xFFFFFF01u, "PENDING_MSG"},
                                   {0xFFFFFF02u, "CRASH"},
                                   {0xFFFFFF03u, "ECHO_REQUEST"},
                                   {0xFFFFFF04u, "ECHO_REPLY"},
                                   {0xFFFFFF05u, "ABORT_REQUEST"},
                                   {0xFFFFFF10u, "SUSPEND_AUTO"},
                                   {0xFFFFFF11u, "SUSPEND_SYSTEM"},
                                   {0xFFFFFF12u, "SUSPEND_ACK"},
                                   {0xFFFFFF13u, "SUSPEND_CANCEL"},
                                   {0xFFFFFF14u, "SHUTDOWN"},
                                   {0xFFFFFF15u, "SHUTDOWN_ACK"},
                                   {0xFFFFFF16u, "0xffffff16"},
                                   {0x100000FFu, "0x100000ff"},
                                   {0u, "kick 0"},
                                   {65535u, "kick 65535"},
                                   {65536u, "0x10000"}}) {
    EXPECT_EQ(rp_mbox_name(word).text(), name);
  }
}

}  // namespace
}  // namespace rpsim
