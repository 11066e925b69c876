#include "models/ipcc/stm32_ipcc.h"

#include <array>
#include <stdexcept>

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::us;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr unsigned RX = 0, TX = 1;
constexpr std::array NAMES = {"c1", "c2"};
/// Register of processor p.
constexpr std::uint32_t of(std::uint32_t reg, unsigned p) { return reg + stm32_ipcc::PROCESSOR_STRIDE * p; }
constexpr auto receive = stm32_ipcc::receive;
constexpr auto transmit = stm32_ipcc::transmit;

/// Does to the next flag what a test says.
class one_fault final : public fault_hook {
 public:
  void arm(fault_action a) {
    action_ = a;
    armed_ = true;
  }
  fault_action decide(std::string_view point, std::string_view source, std::initializer_list<field> what) override {
    asked = fmt::format("{} {}", point, source);
    for (const field& f : what) {
      asked +=
          f.type == field::kind::text ? fmt::format(" {}={}", f.key, f.text) : fmt::format(" {}={}", f.key, f.number);
    }
    armed_ = false;
    return action_;
  }
  std::string asked;

 private:
  fault_action action_;
};

struct ipcc_fixture : testing::Test {
  void build() {
    ipcc = std::make_unique<stm32_ipcc>("ipcc", context, node("ipcc", "reg = <0 0 0 0x400>;"));
    for (unsigned i = 0; i < 4; ++i) ipcc->output("irq", i)->bind(irq[i]);
    host.socket.bind(*ipcc->target(0));
    context.faults = &faults;
  }
  void SetUp() override { build(); }

  void scr(unsigned p, std::uint32_t bits) { host.write32(of(stm32_ipcc::SCR, p), bits); }
  std::uint32_t sent(unsigned p) { return host.read32(of(stm32_ipcc::TOSR, p)); }
  void enable(unsigned p, std::uint32_t bits) { host.write32(of(stm32_ipcc::CR, p), bits); }
  void unmask(unsigned p, std::uint32_t bits) { host.write32(of(stm32_ipcc::MR, p), ~bits); }
  /// The line of processor p, once the access just made has had its effect.
  bool line(unsigned p, unsigned which) {
    sc_core::wait(sc_core::SC_ZERO_TIME);
    sc_core::wait(sc_core::SC_ZERO_TIME);
    return irq[2 * p + which].read();
  }

  sim_context context;
  test::node_source node;
  one_fault faults;
  std::array<sc_core::sc_signal<bool>, 4> irq;
  std::unique_ptr<stm32_ipcc> ipcc;
  test::bus_master host{"host"};
};

struct ipcc_of_two_channels : ipcc_fixture {
  void SetUp() override {
    ASSERT_TRUE(context.params.set("ipcc.channels", "2"));
    build();
  }
};

struct ipcc_unbuilt : ipcc_fixture {
  void SetUp() override {}
};

TEST_F(ipcc_fixture, reset_values) {
  test::simulate([&] {
    for (unsigned p = 0; p < 2; ++p) {
      EXPECT_EQ(host.read32(of(stm32_ipcc::CR, p)), 0u);
      EXPECT_EQ(host.read32(of(stm32_ipcc::MR, p)), 0xFFFFFFFFu);
      EXPECT_EQ(host.read32(of(stm32_ipcc::SCR, p)), 0u);
      EXPECT_EQ(sent(p), 0u);
      EXPECT_FALSE(line(p, RX));
      EXPECT_FALSE(line(p, TX));
    }
    EXPECT_EQ(host.read32(stm32_ipcc::HWCFGR), 6u);
    EXPECT_EQ(host.read32(stm32_ipcc::VER), 0x10u);
    EXPECT_EQ(host.read32(stm32_ipcc::ID), 0x00100071u);
    EXPECT_EQ(host.read32(stm32_ipcc::SID), 0xA3C5DD01u);
  });
}

TEST_F(ipcc_fixture, a_doorbell_is_set_by_the_sender_and_cleared_by_the_receiver) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      for (unsigned p = 0; p < 2; ++p) {
        for (unsigned channel = 1; channel <= 6; ++channel) {
          scr(p, transmit(channel));
          EXPECT_EQ(sent(p), receive(channel));
          EXPECT_EQ(sent(1 - p), 0u);
          scr(1 - p, receive(channel));
          EXPECT_EQ(sent(p), 0u);
        }
        EXPECT_THAT(
            trace.take(),
            ElementsAre(fmt::format("ipcc ipcc.set channel=1 name=vq0 from={} by=host", NAMES[p]),
                        fmt::format("ipcc ipcc.cleared channel=1 name=vq0 from={} by=host", NAMES[p]),
                        HasSubstr("channel=2 name=vq1"), HasSubstr("channel=2 name=vq1"),
                        HasSubstr("channel=3 name=shutdown"), HasSubstr("channel=3 name=shutdown"),
                        HasSubstr("channel=4 name=detach"), HasSubstr("channel=4 name=detach"), HasSubstr("channel=5"),
                        HasSubstr("channel=5"), HasSubstr("channel=6"), HasSubstr("channel=6")));
      }
    }
  });
}

TEST_F(ipcc_fixture, one_write_may_set_and_clear_several_channels) {
  test::simulate([&] {
    scr(1, transmit(1) | transmit(4));
    scr(0, receive(1) | transmit(2) | transmit(3));
    EXPECT_EQ(sent(1), receive(4));
    EXPECT_EQ(sent(0), receive(2) | receive(3));
  });
}

TEST_F(ipcc_fixture, the_set_and_clear_register_reads_zero_so_read_modify_write_is_harmless) {
  test::simulate([&] {
    scr(0, transmit(2));
    scr(1, transmit(1));
    for (unsigned p = 0; p < 2; ++p) {
      EXPECT_EQ(host.read32(of(stm32_ipcc::SCR, p)), 0u);
      scr(p, host.read32(of(stm32_ipcc::SCR, p)));
    }
    EXPECT_EQ(sent(0), receive(2));
    EXPECT_EQ(sent(1), receive(1));
  });
}

TEST_F(ipcc_fixture, clearing_a_channel_that_the_peer_did_not_set_has_no_effect) {
  test::simulate([&] {
    scr(0, transmit(1));
    test::recorder trace(context);
    scr(0, receive(1));   // the sender cannot take its own flag back
    scr(1, receive(2));   // free already
    scr(1, 0xFFC0FFC0u);  // bits of no channel
    EXPECT_EQ(sent(0), receive(1));
    EXPECT_EQ(sent(1), 0u);
    EXPECT_THAT(trace.lines, IsEmpty());
  });
}

TEST_F(ipcc_fixture, setting_an_occupied_channel_changes_nothing) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      scr(0, transmit(2));
      scr(0, transmit(2));
      EXPECT_EQ(sent(0), receive(2));
      scr(1, receive(2));
      EXPECT_EQ(sent(0), 0u) << "one acknowledge for both";
      EXPECT_THAT(trace.take(), ElementsAre(HasSubstr("ipcc.set"), HasSubstr("ipcc.cleared")));
    }
  });
}

TEST_F(ipcc_fixture, the_receive_line_is_high_while_an_unmasked_channel_is_occupied) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      for (unsigned p = 0; p < 2; ++p) {
        unmask(p, receive(1) | receive(2));
        scr(1 - p, transmit(1) | transmit(2) | transmit(3));
        EXPECT_FALSE(line(p, RX)) << "not enabled";
        enable(p, stm32_ipcc::RXOIE);
        EXPECT_TRUE(line(p, RX));
        scr(p, receive(1));
        EXPECT_TRUE(line(p, RX)) << "channel 2 is still occupied";
        unmask(p, receive(1));
        EXPECT_FALSE(line(p, RX)) << "channel 2 is masked";
        unmask(p, receive(2));
        EXPECT_TRUE(line(p, RX)) << "a level: nothing was lost";
        scr(p, receive(2));
        EXPECT_FALSE(line(p, RX)) << "channel 3 was never unmasked";
        EXPECT_FALSE(line(p, TX));
        EXPECT_FALSE(line(1 - p, RX));
        scr(p, receive(3));
        enable(p, 0);
        unmask(p, 0);
      }
    }
  });
}

TEST_F(ipcc_fixture, the_transmit_line_of_an_idle_channel_is_high_until_it_is_masked) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      for (unsigned p = 0; p < 2; ++p) {
        enable(p, stm32_ipcc::TXFIE);
        EXPECT_FALSE(line(p, TX)) << "all are masked";
        unmask(p, transmit(3));
        EXPECT_TRUE(line(p, TX)) << "free from the start";
        scr(p, transmit(3));
        EXPECT_FALSE(line(p, TX)) << "occupied";
        scr(1 - p, receive(3));
        EXPECT_TRUE(line(p, TX)) << "acknowledged";
        unmask(p, 0);
        EXPECT_FALSE(line(p, TX));
        enable(p, 0);
        unmask(p, transmit(3));
        EXPECT_FALSE(line(p, TX)) << "not enabled";
        unmask(p, 0);
      }
    }
  });
}

TEST_F(ipcc_fixture, a_line_moves_a_delta_after_the_access_and_takes_no_time) {
  test::recorder trace(context, trace_level::detail);
  test::simulate([&] {
    enable(1, stm32_ipcc::RXOIE);
    unmask(1, receive(2));
    sc_core::wait(us(3));
    scr(0, transmit(2));
    EXPECT_FALSE(irq[2].read()) << "not inside the access";
    EXPECT_TRUE(line(1, RX));
    EXPECT_EQ(now(), us(3));
    sc_core::wait(us(1));
    scr(1, receive(2));
    EXPECT_FALSE(line(1, RX));
  });
  EXPECT_THAT(trace.lines, ElementsAre(HasSubstr("ipcc.set"), "ipcc irq.raised line=2", HasSubstr("ipcc.cleared"),
                                       "ipcc irq.lowered line=2"));
  EXPECT_THAT(trace.times, ElementsAre(us(3), us(3), us(4), us(4)));
}

TEST_F(ipcc_fixture, control_registers_keep_the_bits_that_exist) {
  test::simulate([&] {
    for (unsigned p = 0; p < 2; ++p) {
      enable(p, 0xFFFFFFFF);
      EXPECT_EQ(host.read32(of(stm32_ipcc::CR, p)), stm32_ipcc::RXOIE | stm32_ipcc::TXFIE);
      unmask(p, receive(5) | transmit(6));
      EXPECT_EQ(host.read32(of(stm32_ipcc::MR, p)), ~(receive(5) | transmit(6)));
    }
    host.write32(stm32_ipcc::HWCFGR, 2);
    EXPECT_EQ(host.read32(stm32_ipcc::HWCFGR), 6u);
    host.write32(stm32_ipcc::TOSR, 0x3F);
    EXPECT_EQ(sent(0), 0u);
  });
}

TEST_F(ipcc_fixture, what_no_register_answers_is_a_bus_error) {
  test::simulate([&] {
    EXPECT_EQ(host.try_read32(0x020), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(host.try_write32(0x3EC, 1), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    std::array<std::uint8_t, 1> byte{};
    EXPECT_EQ(host.read(stm32_ipcc::CR, byte), tlm::TLM_BURST_ERROR_RESPONSE);
  });
}

TEST_F(ipcc_fixture, a_debugger_sees_the_flags) {
  test::simulate([&] {
    scr(0, transmit(2));
    scr(1, transmit(6));
    EXPECT_EQ(host.debug32(of(stm32_ipcc::TOSR, 0)), receive(2));
    EXPECT_EQ(host.debug32(of(stm32_ipcc::TOSR, 1)), receive(6));
  });
}

TEST_F(ipcc_fixture, a_dropped_flag_is_never_set) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      faults.arm({fault_action::kind::drop});
      scr(1, transmit(1));
      EXPECT_EQ(faults.asked, "ipcc.flag ipcc channel=1 msg=vq0 from=c2");
      EXPECT_EQ(sent(1), 0u);
      scr(1, transmit(1));
      EXPECT_EQ(sent(1), receive(1)) << "the next one gets through";
      scr(0, receive(1));
    }
  });
}

TEST_F(ipcc_fixture, a_delayed_flag_is_set_when_its_time_has_come) {
  test::recorder trace(context);
  test::simulate([&] {
    faults.arm({fault_action::kind::delay, us(50)});
    scr(0, transmit(3));
    sc_core::wait(us(10));
    faults.arm({fault_action::kind::delay, us(5)});
    scr(0, transmit(4));
    EXPECT_EQ(sent(0), 0u);
    sc_core::wait(us(100));
    EXPECT_EQ(sent(0), receive(3) | receive(4));
  });
  EXPECT_THAT(trace.lines, ElementsAre("ipcc ipcc.set channel=4 name=detach from=c1 by=host",
                                       "ipcc ipcc.set channel=3 name=shutdown from=c1 by=host"));
  EXPECT_THAT(trace.times, ElementsAre(us(15), us(50)));
}

TEST_F(ipcc_fixture, a_host_reset_clears_the_hosts_masks_and_no_flag) {
  test::simulate([&] {
    for (const host_reset_kind kind : {host_reset_kind::reset, host_reset_kind::standby}) {
      for (unsigned p = 0; p < 2; ++p) {
        enable(p, stm32_ipcc::RXOIE | stm32_ipcc::TXFIE);
        unmask(p, receive(1) | transmit(5));
        scr(p, transmit(1) | transmit(2));
      }
      EXPECT_TRUE(line(0, RX));
      EXPECT_TRUE(line(0, TX));
      ipcc->host_reset(kind);
      EXPECT_FALSE(line(0, RX));
      EXPECT_FALSE(line(0, TX));
      EXPECT_EQ(host.read32(of(stm32_ipcc::CR, 0)), 0u);
      EXPECT_EQ(host.read32(of(stm32_ipcc::MR, 0)), 0xFFFFFFFFu);
      EXPECT_EQ(sent(0), receive(1) | receive(2));
      EXPECT_EQ(sent(1), receive(1) | receive(2));
      EXPECT_TRUE(line(1, RX)) << "the M4's side goes on";
      EXPECT_EQ(host.read32(of(stm32_ipcc::MR, 1)), ~(receive(1) | transmit(5)));
    }
  });
}

TEST_F(ipcc_fixture, a_loss_of_power_clears_everything) {
  test::simulate([&] {
    for (unsigned p = 0; p < 2; ++p) {
      enable(p, stm32_ipcc::RXOIE);
      unmask(p, receive(1));
      scr(p, transmit(1));
    }
    faults.arm({fault_action::kind::delay, us(5)});
    scr(0, transmit(6));
    ipcc->host_reset(host_reset_kind::power_loss);
    sc_core::wait(us(10));
    for (unsigned p = 0; p < 2; ++p) {
      EXPECT_EQ(sent(p), 0u);
      EXPECT_EQ(host.read32(of(stm32_ipcc::CR, p)), 0u);
      EXPECT_EQ(host.read32(of(stm32_ipcc::MR, p)), 0xFFFFFFFFu);
      EXPECT_FALSE(line(p, RX));
    }
  });
}

TEST_F(ipcc_of_two_channels, channels_that_do_not_exist_have_no_flag_and_no_interrupt) {
  test::simulate([&] {
    EXPECT_EQ(host.read32(stm32_ipcc::HWCFGR), 2u);
    scr(0, transmit(3));
    EXPECT_EQ(sent(0), 0u);
    enable(0, stm32_ipcc::TXFIE);
    unmask(0, transmit(3));
    EXPECT_FALSE(line(0, TX));
    unmask(0, transmit(2));
    EXPECT_TRUE(line(0, TX));
  });
}

TEST_F(ipcc_unbuilt, a_number_of_channels_that_no_ipcc_has_is_refused) {
  for (const char* channels : {"0", "7"}) {
    sim_context other;
    ASSERT_TRUE(other.params.set("ipcc.channels", channels));
    EXPECT_THROW(stm32_ipcc("ipcc", other, node("ipcc", "")), std::invalid_argument);
  }
}

}  // namespace
}  // namespace rpsim
