#include "models/stm32/stm32_gpio.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

constexpr std::uint32_t MODER = 0x00, IDR = 0x10, ODR = 0x14, BSRR = 0x18, AFRL = 0x20, BRR = 0x28;

TEST(stm32_gpio, set_and_reset_registers_change_the_outputs_and_only_outputs_read_back) {
  sim_context context;
  test::node_source node;
  stm32_gpio gpioh("gpioh", context, node("gpioh", ""));
  test::bus_master m4("m4");
  m4.socket.bind(*gpioh.target(0));
  test::simulate([&] {
    EXPECT_EQ(m4.read32(MODER), 0xFFFFFFFFu) << "all analog after reset";
    m4.write32(MODER, 0xFFFFFFFF & ~(2u << 14));  // pin 7 an output
    m4.write32(BSRR, 1u << 7 | 1u << 3);
    EXPECT_EQ(m4.read32(ODR), 1u << 7 | 1u << 3);
    EXPECT_EQ(m4.read32(IDR), 1u << 7) << "pin 3 is no output";
    m4.write32(BSRR, 1u << (16 + 7));
    EXPECT_EQ(m4.read32(ODR), 1u << 3);
    m4.write32(BSRR, 1u << (16 + 7) | 1u << 7);
    EXPECT_EQ(m4.read32(ODR), 1u << 7 | 1u << 3) << "set wins";
    m4.write32(BRR, 1u << 3);
    EXPECT_EQ(m4.read32(ODR), 1u << 7);
    EXPECT_EQ(m4.read32(BSRR), 0u);
    m4.write32(AFRL, 0x77);
    EXPECT_EQ(m4.read32(AFRL), 0x77u);
    std::uint8_t low = 0;
    EXPECT_EQ(m4.read(ODR, {&low, 1}), tlm::TLM_OK_RESPONSE) << "as a byte, too";
    EXPECT_EQ(low, 0x80);
  });
}

}  // namespace
}  // namespace rpsim
