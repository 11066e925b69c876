#include "models/uart/k3_uart.h"
#include "models/uart/stm32_usart.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::us;
using testing::ElementsAre;
using testing::IsEmpty;

void settle() {
  for (int i = 0; i < 3; ++i) sc_core::wait(sc_core::SC_ZERO_TIME);
}

/// 16 MHz and divisor 1: a character takes 10 us.
struct k3_uart_fixture : testing::Test {
  static constexpr std::uint32_t THR = 0x00, IER = 0x04, IIR = 0x08, FCR = 0x08, LCR = 0x0C, LSR = 0x14, MDR1 = 0x20,
                                 SSR = 0x44, SYSC = 0x54, SYSS = 0x58;
  k3_uart_fixture() {
    m4.socket.bind(*uart.target(0));
    uart.output("irq", 0)->bind(irq);
    uart.power()->bind(state);
  }
  /// As TI's driver does it.
  void open() {
    m4.write32(SYSC, 2);
    EXPECT_EQ(m4.read32(SYSS) & 1, 1u);
    m4.write32(MDR1, 7);
    m4.write32(LCR, 0x83);
    m4.write32(0x00, 1);  // DLL
    m4.write32(0x04, 0);  // DLH
    EXPECT_EQ(m4.read32(0x00), 1u);
    m4.write32(LCR, 0x03);
    m4.write32(FCR, 0x01);
    m4.write32(MDR1, 0);
  }
  void write8(std::uint32_t at, std::uint8_t value) { EXPECT_EQ(m4.write(at, {&value, 1}), tlm::TLM_OK_RESPONSE); }

  sim_context context;
  test::node_source node;
  k3_uart uart{"mcu_uart0", context, node("mcu_uart0", "clock-frequency = <16000000>;")};
  sc_core::sc_signal<bool> irq{"irq"};
  sc_core::sc_signal<module_state> state{"state", module_state::enable};
  test::bus_master m4{"m4"};
};

TEST_F(k3_uart_fixture, lines_come_out_one_character_time_after_the_other) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      open();
      EXPECT_EQ(m4.read32(LSR), 0x60u);
      const sc_core::sc_time t0 = now();
      for (const char c : std::string("hi!\r\n")) write8(THR, static_cast<std::uint8_t>(c));
      EXPECT_EQ(m4.read32(LSR), 0u);
      sc_core::wait(us(45));
      EXPECT_EQ(m4.read32(LSR), 0x20u) << "FIFO empty, the last one is being sent";
      sc_core::wait(us(10));
      EXPECT_EQ(m4.read32(LSR), 0x60u);
      EXPECT_THAT(trace.times, ElementsAre(t0 + us(50)));
      EXPECT_THAT(trace.take(), ElementsAre("mcu_uart0 fw.log text=hi!"));
    }
  });
}

TEST_F(k3_uart_fixture, the_thr_interrupt_is_identified_once_and_comes_again_when_the_fifo_has_emptied) {
  test::simulate([&] {
    open();
    EXPECT_EQ(m4.read32(IIR) & 0x3F, 1u) << "nothing pending";
    m4.write32(IER, 2);
    settle();
    EXPECT_TRUE(irq.read()) << "enabled over an empty FIFO";
    EXPECT_EQ(m4.read32(IIR) & 0x3F, 2u);
    settle();
    EXPECT_FALSE(irq.read());
    for (int round = 0; round < 2; ++round) {
      write8(THR, 'a');
      write8(THR, 'b');
      settle();
      EXPECT_FALSE(irq.read());
      sc_core::wait(us(10));
      settle();
      EXPECT_TRUE(irq.read());
      write8(THR, 'c');  // serves it, as reading IIR does: until the FIFO empties again
      settle();
      EXPECT_FALSE(irq.read());
      sc_core::wait(us(15));
      EXPECT_TRUE(irq.read());
      m4.write32(IER, 0);
      settle();
      EXPECT_FALSE(irq.read());
      m4.read32(IIR);
      m4.write32(IER, 2);
      settle();
      EXPECT_TRUE(irq.read());
      m4.read32(IIR);
      sc_core::wait(us(50));  // all sent
    }
  });
}

TEST_F(k3_uart_fixture, what_does_not_fit_the_fifo_is_lost_and_a_prompt_is_shown_after_a_pause) {
  test::recorder trace(context);
  test::simulate([&] {
    open();
    for (int i = 0; i < 70; ++i) write8(THR, static_cast<std::uint8_t>('0' + i % 10));
    EXPECT_EQ(m4.read32(SSR), 1u);
    sc_core::wait(us(20000));
    EXPECT_EQ(m4.read32(SSR), 0u);
  });
  // One character is in the shift register, 64 in the FIFO.
  EXPECT_THAT(trace.lines, ElementsAre("mcu_uart0 fw.log text=" + [] {
                std::string s;
                for (int i = 0; i < 65; ++i) s += static_cast<char>('0' + i % 10);
                return s;
              }()));
}

TEST_F(k3_uart_fixture, nothing_leaves_a_disabled_or_a_reset_uart) {
  test::recorder trace(context);
  test::simulate([&] {
    write8(THR, 'x');  // MDR1 = 7 after reset
    sc_core::wait(us(20000));
    EXPECT_EQ(m4.read32(LSR), 0u);
    state.write(module_state::sync_reset);
    sc_core::wait(us(1));
    EXPECT_EQ(m4.try_read32(LSR), tlm::TLM_GENERIC_ERROR_RESPONSE);
    trace.take();
    state.write(module_state::enable);
    sc_core::wait(us(1));
    EXPECT_EQ(m4.read32(LSR), 0x60u);
    sc_core::wait(us(20000));
  });
  EXPECT_THAT(trace.lines, IsEmpty());
}

/// 1 MHz and BRR 10: a character takes 100 us.
struct stm32_usart_fixture : testing::Test {
  static constexpr std::uint32_t CR1 = 0x00, BRR = 0x0C, ISR = 0x1C, ICR = 0x20, TDR = 0x28;
  stm32_usart_fixture() {
    m4.socket.bind(*usart.target(0));
    usart.output("irq", 0)->bind(irq);
  }
  sim_context context;
  test::node_source node;
  stm32_usart usart{"usart3", context, node("usart3", "clock-frequency = <1000000>;")};
  sc_core::sc_signal<bool> irq{"irq"};
  test::bus_master m4{"m4"};
};

TEST_F(stm32_usart_fixture, enables_are_acknowledged_and_characters_become_lines) {
  test::recorder trace(context);
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(m4.read32(ISR), 0xC0u) << "reset value: TXE, TC";
      m4.write32(BRR, 10);
      m4.write32(CR1, 0x0D);  // UE, RE, TE
      EXPECT_EQ(m4.read32(ISR), 0x6000C0u) << "TEACK, REACK";
      const sc_core::sc_time t0 = now();
      for (const char c : std::string("ok\n")) {
        while ((m4.read32(ISR) & 0x80) == 0) sc_core::wait(us(1));
        m4.write32(TDR, static_cast<std::uint8_t>(c));
      }
      EXPECT_EQ(m4.read32(ISR) & 0xC0, 0u);
      while ((m4.read32(ISR) & 0x40) == 0) sc_core::wait(us(1));
      EXPECT_EQ(now() - t0, us(300));
      EXPECT_EQ(m4.debug32(ISR), 0x6000C0u);
      EXPECT_THAT(trace.take(), ElementsAre("usart3 fw.log text=ok"));
      m4.write32(CR1, 0);
    }
  });
}

TEST_F(stm32_usart_fixture, interrupts_follow_their_enables) {
  test::simulate([&] {
    m4.write32(BRR, 10);
    m4.write32(CR1, 0x89);  // UE, TE, TXEIE
    settle();
    EXPECT_TRUE(irq.read());
    m4.write32(CR1, 0x49);  // TCIE
    settle();
    EXPECT_TRUE(irq.read());
    m4.write32(ICR, 0x40);
    settle();
    EXPECT_FALSE(irq.read());
    m4.write32(TDR, 'a');
    sc_core::wait(us(50));
    EXPECT_FALSE(irq.read());
    sc_core::wait(us(51));
    EXPECT_TRUE(irq.read());
  });
}

}  // namespace
}  // namespace rpsim
