// The IPCC mailbox driver, its blocking sends, and EXTI's interrupts, on the real models of a whole STM32MP157. The M4
// is held in reset; the test is its side.

#include "host_sw/drivers/mailbox.h"
#include "host_sw/drivers/stm32_exti.h"
#include "host_sw/drivers/stm32_ipcc.h"
#include "host_sw/drivers/syscon.h"
#include "platforms/platform.h"
#include "tests/host_sw/fake_host.h"

namespace rpsim::test {
namespace {

using drivers::mbox_chan;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

class stm32_ipcc_driver : public testing::Test {
 protected:
  static constexpr std::uint32_t IPCC = 0x4C001000, C1CR = IPCC, C1MR = IPCC + 4, C1TOC2SR = IPCC + 0xC,
                                 C2SCR = IPCC + 0x18, C2TOC1SR = IPCC + 0x1C;
  static constexpr std::uint32_t EXTI = 0x5000D000, RTSR3 = EXTI + 0x40, SWIER3 = EXTI + 0x48, RPR3 = EXTI + 0x4C,
                                 C1IMR2 = EXTI + 0x90, C1IMR3 = EXTI + 0xA0;
  static constexpr unsigned VQ0 = 0, VQ1 = 1, SHUTDOWN = 2, DETACH = 3;

  stm32_ipcc_driver() {
    machine.add_driver(drivers::stm32_ipcc_driver(machine));
    machine.add_driver(drivers::stm32_exti_driver(machine));
    for (unsigned i = 0; i < clients.size(); ++i) {
      clients[i].device = "client";
      clients[i].rx_callback = [this, i](const drivers::mbox_message& m) {
        EXPECT_EQ(m.size, 0u);
        received.push_back(i);
      };
    }
    clients[SHUTDOWN].tx_block = clients[DETACH].tx_block = true;
    clients[SHUTDOWN].tx_tout_ms = 500;
    clients[DETACH].tx_tout_ms = 200;
  }
  /// A host thread after probe, with the rproc node's four channels requested.
  void in_thread(std::function<void()> body) {
    os::thread& t = kernel.spawn("test", [this, body] {
      machine.probe_all();
      request_all();
      body();
    });
    sc_core::sc_start(sc_core::sc_time(5, sc_core::SC_SEC));
    ASSERT_TRUE(kernel.ended(t));
  }
  void request_all() {
    for (unsigned i = 0; i < clients.size(); ++i) {
      int error = 0;
      chan[i] = drivers::mbox_request_channel(machine, consumer(), clients[i], i, error);
      ASSERT_EQ(error, 0);
    }
  }
  dt::node consumer() { return board.tree().by_label("m4_rproc"); }
  int send(unsigned i) { return chan[i]->send_message({}); }
  std::uint32_t peek(std::uint32_t address) {
    std::uint32_t value = 0;
    EXPECT_EQ(board.host().bus().read(address, std::as_writable_bytes(std::span(&value, 1))), bus_status::ok);
    return value;
  }
  void poke(std::uint32_t address, std::uint32_t value) {
    EXPECT_EQ(board.host().bus().write(address, std::as_bytes(std::span(&value, 1))), bus_status::ok);
  }
  // The M4's side.
  void remote_rings(unsigned i) { poke(C2SCR, 1u << (16 + i)); }
  void remote_acknowledges(unsigned i) { poke(C2SCR, 1u << i); }
  void settle(unsigned us = 200) { kernel.usleep_range(us, us); }

  sim_context context{3};
  recorder events{context};
  platform board{context, dt::tree::compile(PLATFORMS "/stm32mp157.dts")};
  os::kernel kernel{"host", board.host(), context, {.gicd_base = 0xA0021000}};
  os::machine machine{kernel, board.tree()};
  std::array<drivers::mbox_client, 4> clients;
  std::array<mbox_chan*, 4> chan{};
  std::vector<unsigned> received;
};

TEST_F(stm32_ipcc_driver, unmasks_the_receiver_of_a_channel_while_it_has_a_client) {
  in_thread([&] {
    EXPECT_EQ(peek(C1CR), 1u | 1u << 16);
    EXPECT_EQ(peek(C1MR), ~0xFu);
    drivers::mbox_free_channel(*chan[VQ1]);
    EXPECT_EQ(peek(C1MR), ~0xDu);
    EXPECT_NE(peek(C1IMR2) & 1u << 29, 0u);  // line 61
    ASSERT_TRUE(machine.fs().write("/sys/bus/platform/drivers/stm32-ipcc/unbind", "4c001000.mailbox"));
    EXPECT_EQ(peek(C1MR), ~0u);
    EXPECT_EQ(peek(C1IMR2) & 1u << 29, 0u);
  });
}

TEST_F(stm32_ipcc_driver, a_doorbell_reaches_its_client_and_is_acknowledged_twice) {
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      remote_rings(VQ1);
      remote_rings(SHUTDOWN);
      settle();
      EXPECT_EQ(peek(C2TOC1SR), 0u);
    }
  });
  EXPECT_THAT(received, ElementsAre(VQ1, SHUTDOWN, VQ1, SHUTDOWN));
}

TEST_F(stm32_ipcc_driver, a_doorbell_on_a_channel_without_a_client_stays_and_comes_with_the_next_one) {
  in_thread([&] {
    drivers::mbox_free_channel(*chan[VQ0]);
    remote_rings(VQ0);
    settle();
    EXPECT_EQ(peek(C2TOC1SR), 1u);
    EXPECT_THAT(received, IsEmpty());
    int error = 0;
    ASSERT_NE(drivers::mbox_request_channel(machine, consumer(), clients[VQ0], VQ0, error), nullptr);
    settle();
    EXPECT_THAT(received, ElementsAre(VQ0));
  });
}

TEST_F(stm32_ipcc_driver, the_transmit_interrupt_is_unmasked_from_send_to_acknowledge) {
  in_thread([&] {
    EXPECT_GE(send(VQ0), 0);
    EXPECT_EQ(peek(C1TOC2SR), 1u);
    EXPECT_EQ(peek(C1MR) & 1u << 16, 0u);
    remote_acknowledges(VQ0);
    settle();
    EXPECT_NE(peek(C1MR) & 1u << 16, 0u);
  });
}

// reference/stm32mp1.md §9, 9
TEST_F(stm32_ipcc_driver, of_22_unacknowledged_doorbells_the_last_finds_the_queue_full) {
  std::vector<int> results;
  in_thread([&] {
    for (int i = 0; i < 22; ++i) {
      results.push_back(send(VQ0));
      settle();
    }
    EXPECT_EQ(chan[VQ0]->queued(), 20u);
    for (int i = 0; i < 21; ++i) {
      EXPECT_EQ(peek(C1TOC2SR), 1u);
      remote_acknowledges(VQ0);
      settle();
    }
    EXPECT_EQ(peek(C1TOC2SR), 0u);
    EXPECT_EQ(chan[VQ0]->queued(), 0u);
    EXPECT_GE(send(VQ0), 0);
  });
  ASSERT_THAT(results, SizeIs(22));
  EXPECT_THAT(std::vector(results.begin(), results.end() - 1), Each(Ge(0)));
  EXPECT_EQ(results.back(), -ENOBUFS);
}

TEST_F(stm32_ipcc_driver, a_blocking_send_returns_when_it_is_acknowledged) {
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      kernel.spawn("m4", [this] {
        kernel.msleep(20);
        remote_acknowledges(SHUTDOWN);
      });
      const sc_core::sc_time start = sc_core::sc_time_stamp();
      EXPECT_GE(send(SHUTDOWN), 0);
      const double ms = (sc_core::sc_time_stamp() - start) / sc_core::sc_time(1, sc_core::SC_MS);
      EXPECT_THAT(ms, AllOf(Ge(20), Le(30)));
    }
  });
}

TEST_F(stm32_ipcc_driver, a_blocking_send_that_nobody_acknowledges_ends_with_etime) {
  in_thread([&] {
    for (const auto& [which, limit_ms] : {std::pair{SHUTDOWN, 500}, std::pair{DETACH, 200}}) {
      const sc_core::sc_time start = sc_core::sc_time_stamp();
      EXPECT_EQ(send(which), -ETIME);
      const double ms = (sc_core::sc_time_stamp() - start) / sc_core::sc_time(1, sc_core::SC_MS);
      EXPECT_THAT(ms, AllOf(Ge(limit_ms - 4), Le(limit_ms + 5)));
      EXPECT_EQ(chan[which]->queued(), 0u);
      EXPECT_NE(peek(C1TOC2SR) & 1u << which, 0u);
    }
  });
}

TEST_F(stm32_ipcc_driver, an_acknowledge_after_the_timeout_does_not_end_the_next_send) {
  in_thread([&] {
    EXPECT_EQ(send(DETACH), -ETIME);
    remote_acknowledges(DETACH);
    settle();
    EXPECT_EQ(send(DETACH), -ETIME);
    EXPECT_EQ(send(DETACH), -ETIME);  // on a channel that is still occupied
  });
  EXPECT_THAT(events.values("ipcc.set", "name"), ElementsAre("detach", "detach"));
}

TEST_F(stm32_ipcc_driver, masks_and_enables_outlive_a_system_sleep) {
  ASSERT_TRUE(context.params.set("host.suspend_time", "10ms"));
  in_thread([&] {
    EXPECT_EQ(machine.suspend(), 0);
    EXPECT_EQ(peek(C1CR), 1u | 1u << 16);
    EXPECT_EQ(peek(C1MR), ~0xFu);
    remote_rings(VQ0);
    settle();
  });
  EXPECT_THAT(received, ElementsAre(VQ0));
}

TEST_F(stm32_ipcc_driver, a_channel_that_the_block_has_not_is_einval) {
  in_thread([&] {
    auto* controller = machine.provider_of<drivers::mbox_controller>(board.tree().by_label("ipcc"));
    int error = 0;
    EXPECT_NE(controller->xlate({board.tree().by_label("ipcc"), {5}}, error), nullptr);
    EXPECT_EQ(controller->xlate({board.tree().by_label("ipcc"), {6}}, error), nullptr);
    EXPECT_EQ(error, -EINVAL);
  });
}

// -------------------------------------------------------------------------------------------------------------- EXTI

TEST_F(stm32_ipcc_driver, a_latched_edge_is_handled_once_and_cleared_twice) {
  unsigned handled = 0;
  in_thread([&] {
    int error = 0;
    auto irq = drivers::device_irq::get(machine, consumer(), 0U, error);  // line 68, rising
    ASSERT_TRUE(irq);
    ASSERT_EQ(irq->request(
                  [&] {
                    EXPECT_EQ(peek(RPR3), 1u << 4);
                    ++handled;
                    return os::irqreturn::handled;
                  },
                  os::IRQF_NONE, "wdg"),
              0);
    EXPECT_EQ(peek(RTSR3), 1u << 4);
    EXPECT_EQ(peek(C1IMR3), 1u << 4);
    for (unsigned round = 1; round <= 2; ++round) {
      poke(SWIER3, 1u << 4);
      settle();
      EXPECT_EQ(handled, round);
      EXPECT_EQ(peek(RPR3), 0u);
    }
    irq->free("wdg");
    EXPECT_EQ(peek(C1IMR3), 0u);
  });
}

TEST_F(stm32_ipcc_driver, an_interrupt_that_is_not_there_has_linux_errors) {
  in_thread([&] {
    int error = 0;
    EXPECT_FALSE(drivers::device_irq::get(machine, consumer(), 1U, error));
    EXPECT_EQ(error, -ENXIO);
    EXPECT_FALSE(drivers::device_irq::get(machine, board.tree().by_label("ipcc"), "wakeup", error));
    EXPECT_EQ(error, -ENXIO);
    auto* exti = machine.provider_of<drivers::stm32_exti>(board.tree().by_label("exti"));
    const auto handler = [] { return os::irqreturn::handled; };
    EXPECT_EQ(exti->request_threaded_irq(68, 4, handler, {}, os::IRQF_NONE, "level"), -EINVAL);
    EXPECT_EQ(exti->request_threaded_irq(69, 1, handler, {}, os::IRQF_NONE, "unwired"), -EINVAL);
  });
}

// ------------------------------------------------------------------------------------------------------------ syscon

TEST_F(stm32_ipcc_driver, a_register_map_is_shared_and_writes_only_what_changes) {
  recorder bus(context, trace_level::bus);
  in_thread([&] {
    int error = 0;
    const auto tamp = drivers::syscon_regmap_lookup_by_phandle(machine, consumer(), "st,syscfg-m4-state", error);
    ASSERT_NE(tamp, nullptr);
    EXPECT_EQ(drivers::syscon_regmap_lookup_by_phandle(machine, consumer(), "st,syscfg-rsc-tbl", error), tamp);
    bus.events.clear();
    EXPECT_EQ(tamp->update_bits(0x148, 0xFF00, 0xABCD), 0);
    EXPECT_EQ(tamp->update_bits(0x148, 0xFF00, 0xAB00), 0);
    EXPECT_THAT(bus.values("bus.write", "value"), ElementsAre("0xab00"));
    std::uint32_t value = 0;
    EXPECT_EQ(tamp->read(0x148, value), 0);
    EXPECT_EQ(value, 0xAB00u);
    EXPECT_EQ(tamp->read(0x400, value), -EIO);
    EXPECT_EQ(tamp->update_bits(0x14A, 1, 1), -EINVAL);
    EXPECT_EQ(drivers::syscon_regmap_lookup_by_phandle(machine, consumer(), "st,syscfg-tz", error), nullptr);
    EXPECT_EQ(error, -ENODEV);
    EXPECT_EQ(drivers::syscon_regmap_lookup_by_phandle(machine, consumer(), "mboxes", error), nullptr);
    EXPECT_EQ(error, -EINVAL);  // IPCC is no syscon
  });
}

}  // namespace
}  // namespace rpsim::test
