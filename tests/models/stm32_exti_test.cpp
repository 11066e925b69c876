#include "models/stm32/stm32_exti.h"

#include <array>

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::us;
using testing::ElementsAre;

constexpr unsigned IPCC_RX0 = 61, WWDG1_RESET = 68;
constexpr std::uint32_t trigger(std::uint32_t reg, unsigned line) { return reg + 0x20 * (line / 32); }
constexpr std::uint32_t mask(std::uint32_t reg, unsigned line) { return reg + 0x10 * (line / 32); }
constexpr auto bit = stm32_exti::bit;

struct exti_fixture : testing::Test {
  exti_fixture() {
    host.socket.bind(*exti.target(0));
    exti.input("irq", IPCC_RX0)->bind(ipcc);
    exti.input("irq", WWDG1_RESET)->bind(wwdg);
    exti.output("irq", IPCC_RX0)->bind(spi_100);
    exti.output("irq", WWDG1_RESET)->bind(spi_143);
  }
  std::uint32_t trg(std::uint32_t reg) { return host.read32(trigger(reg, WWDG1_RESET)); }
  void set_trg(std::uint32_t reg, std::uint32_t value) { host.write32(trigger(reg, WWDG1_RESET), value); }
  void unmask(unsigned line, bool on = true) { host.write32(mask(stm32_exti::C1IMR, line), on ? bit(line) : 0); }
  void settle() {
    for (int i = 0; i < 4; ++i) sc_core::wait(sc_core::SC_ZERO_TIME);
  }
  void pulse() {
    wwdg.write(true);
    settle();
    wwdg.write(false);
    settle();
  }

  sim_context context;
  test::node_source node;
  stm32_exti exti{"exti", context, node("exti", "")};
  sc_core::sc_signal<bool> ipcc{"ipcc"}, wwdg{"wwdg"}, spi_100{"spi_100"}, spi_143{"spi_143"};
  test::bus_master host{"host"};
};

TEST_F(exti_fixture, software_can_tell_which_lines_remember_edges) {
  test::simulate([&] {
    EXPECT_EQ(host.read32(0x3EC), 0x000FFFFFu);
    EXPECT_EQ(host.read32(0x3E8), 0u);
    EXPECT_EQ(host.read32(0x3E4), bit(65) | bit(66) | bit(68) | bit(73));
    host.write32(trigger(stm32_exti::RTSR, IPCC_RX0), 0xFFFFFFFF);
    EXPECT_EQ(host.read32(trigger(stm32_exti::RTSR, IPCC_RX0)), 0u) << "direct lines have no edge";
    EXPECT_EQ(host.read32(0x3F0), 0u) << "not modelled";
  });
}

TEST_F(exti_fixture, a_rising_edge_stays_pending_until_it_is_cleared) {
  test::recorder trace(context, trace_level::detail);
  test::simulate([&] {
    set_trg(stm32_exti::RTSR, bit(WWDG1_RESET));
    unmask(WWDG1_RESET);
    for (int round = 0; round < 2; ++round) {
      sc_core::wait(us(5));
      pulse();
      EXPECT_TRUE(spi_143.read()) << "the pulse is over, the interrupt is not";
      EXPECT_EQ(trg(stm32_exti::RPR), bit(WWDG1_RESET));
      EXPECT_EQ(trg(stm32_exti::FPR), 0u);
      sc_core::wait(us(5));
      EXPECT_TRUE(spi_143.read());
      set_trg(stm32_exti::FPR, bit(WWDG1_RESET));
      set_trg(stm32_exti::RPR, ~bit(WWDG1_RESET));
      settle();
      EXPECT_TRUE(spi_143.read()) << "another's bits";
      set_trg(stm32_exti::RPR, bit(WWDG1_RESET));
      settle();
      EXPECT_FALSE(spi_143.read());
    }
  });
  EXPECT_THAT(trace.lines, ElementsAre("exti irq.raised line=68", "exti irq.lowered line=68", "exti irq.raised line=68",
                                       "exti irq.lowered line=68"));
  EXPECT_THAT(trace.times, ElementsAre(us(5), us(10), us(15), us(20)));
}

TEST_F(exti_fixture, the_mask_hides_a_pending_edge_and_does_not_forget_it) {
  test::simulate([&] {
    set_trg(stm32_exti::RTSR, bit(WWDG1_RESET));
    for (int round = 0; round < 2; ++round) {
      pulse();
      EXPECT_FALSE(spi_143.read());
      EXPECT_EQ(trg(stm32_exti::RPR), bit(WWDG1_RESET));
      unmask(WWDG1_RESET);
      settle();
      EXPECT_TRUE(spi_143.read());
      unmask(WWDG1_RESET, false);
      settle();
      EXPECT_FALSE(spi_143.read());
      set_trg(stm32_exti::RPR, bit(WWDG1_RESET));
    }
  });
}

TEST_F(exti_fixture, only_selected_edges_count) {
  test::simulate([&] {
    unmask(WWDG1_RESET);
    pulse();
    EXPECT_EQ(trg(stm32_exti::RPR) | trg(stm32_exti::FPR), 0u);
    EXPECT_FALSE(spi_143.read());
    set_trg(stm32_exti::FTSR, bit(WWDG1_RESET));
    pulse();
    EXPECT_EQ(trg(stm32_exti::RPR), 0u);
    EXPECT_EQ(trg(stm32_exti::FPR), bit(WWDG1_RESET));
    EXPECT_TRUE(spi_143.read());
    set_trg(stm32_exti::FPR, bit(WWDG1_RESET));
    settle();
    EXPECT_FALSE(spi_143.read());
  });
}

TEST_F(exti_fixture, software_can_raise_an_edge_of_a_configurable_line) {
  test::simulate([&] {
    unmask(WWDG1_RESET);
    for (int round = 0; round < 2; ++round) {
      set_trg(stm32_exti::SWIER, bit(WWDG1_RESET));
      settle();
      EXPECT_TRUE(spi_143.read());
      EXPECT_EQ(trg(stm32_exti::SWIER), 0u);
      set_trg(stm32_exti::RPR, bit(WWDG1_RESET));
      settle();
      EXPECT_FALSE(spi_143.read());
    }
    host.write32(trigger(stm32_exti::SWIER, IPCC_RX0), bit(IPCC_RX0));
    settle();
    EXPECT_FALSE(spi_100.read()) << "a direct line is the peripheral's";
  });
}

TEST_F(exti_fixture, a_direct_line_passes_whatever_the_masks_say) {
  test::simulate([&] {
    for (const bool masked : {true, false}) {
      unmask(IPCC_RX0, !masked);
      ipcc.write(true);
      settle();
      EXPECT_TRUE(spi_100.read());
      EXPECT_FALSE(spi_143.read());
      ipcc.write(false);
      settle();
      EXPECT_FALSE(spi_100.read());
    }
    EXPECT_EQ(host.read32(trigger(stm32_exti::RPR, IPCC_RX0)), 0u);
  });
}

TEST_F(exti_fixture, the_m4s_masks_are_kept_and_do_not_concern_the_host) {
  test::simulate([&] {
    set_trg(stm32_exti::RTSR, bit(WWDG1_RESET));
    host.write32(mask(stm32_exti::C2IMR, WWDG1_RESET), bit(WWDG1_RESET));
    host.write32(mask(stm32_exti::C2EMR, WWDG1_RESET), 0x55);
    EXPECT_EQ(host.read32(0xE0), bit(WWDG1_RESET));
    EXPECT_EQ(host.read32(0xE4), 0x55u);
    pulse();
    EXPECT_FALSE(spi_143.read());
  });
}

TEST_F(exti_fixture, only_a_loss_of_power_resets_it) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      set_trg(stm32_exti::RTSR, bit(WWDG1_RESET));
      unmask(WWDG1_RESET);
      pulse();
      exti.host_reset(host_reset_kind::reset);
      exti.host_reset(host_reset_kind::standby);
      settle();
      EXPECT_TRUE(spi_143.read());
      exti.host_reset(host_reset_kind::power_loss);
      settle();
      EXPECT_FALSE(spi_143.read());
      EXPECT_EQ(trg(stm32_exti::RTSR), 0u);
    }
  });
}

TEST_F(exti_fixture, there_are_76_lines) {
  EXPECT_NE(exti.input("irq", 75), nullptr);
  EXPECT_EQ(exti.input("irq", 76), nullptr);
  EXPECT_EQ(exti.output("irq", 76), nullptr);
  EXPECT_EQ(exti.output("wwdg-reset", 0), nullptr);
}

}  // namespace
}  // namespace rpsim
