#include <fmt/format.h>
#include <gmock/gmock.h>

#include <span>

#include "platforms/platform.h"

namespace rpsim {
namespace {

using testing::ElementsAre;

constexpr std::uint32_t GICD = 0xA0021000, IPCC = 0x4C001000, MP_GCR = 0x5000010C, EXTI = 0x5000D000,
                        WWDG1 = 0x4000A000;
constexpr unsigned SPURIOUS = 1023;

/// Reset lines, watchdog and interrupt lines, each as "source name value".
class recorder final : public trace_sink {
 public:
  void on_event(const event& e) override {
    if (e.source == "m4" || e.name.starts_with("bus.")) return;
    lines.push_back(fmt::format("{} {}", e.source, e.name));
    if (const field* line = e.find("line")) lines.back() += fmt::format(" {}", line->number);
  }
  std::vector<std::string> take() { return std::exchange(lines, {}); }
  std::vector<std::string> lines;
};

struct stm32mp157 : testing::Test {
  stm32mp157() { context.trace.add(trace, trace_level::detail); }
  ~stm32mp157() override { context.trace.remove(trace); }

  void write(std::uint32_t address, std::uint32_t value) {
    EXPECT_EQ(p.host().bus().write(address, std::as_bytes(std::span(&value, 1))), bus_status::ok)
        << std::hex << address;
  }
  std::uint32_t read(std::uint32_t address) {
    std::uint32_t value = 0;
    EXPECT_EQ(p.host().bus().read(address, std::as_writable_bytes(std::span(&value, 1))), bus_status::ok)
        << std::hex << address;
    return value;
  }
  void enable(unsigned spi) { write(GICD + 0x100 + 4 * ((32 + spi) / 32), 1U << ((32 + spi) % 32)); }
  /// The SPI that is taken, or SPURIOUS.
  unsigned take_interrupt() {
    sc_core::wait(1, sc_core::SC_US);
    const unsigned intid = p.host().acknowledge();
    return intid == SPURIOUS ? SPURIOUS : intid - 32;
  }
  void run(const std::function<void()>& body) {
    bool done = false;
    sc_core::sc_spawn([&] {
      body();
      done = true;
      sc_core::sc_stop();
    });
    sc_core::sc_start();
    EXPECT_TRUE(done);
  }

  sim_context context;
  recorder trace;
  platform p{context, dt::tree::compile(PLATFORMS "/stm32mp157.dts")};
};

TEST_F(stm32mp157, every_part_is_there) {
  for (const char* label : {"host", "m4", "intc", "ipcc", "rcc", "pwr", "tamp", "exti", "wwdg1", "retram_memory",
                            "sram1", "sram2", "sram3", "sram4", "memory", "m4_control"}) {
    EXPECT_NE(p.find(label), nullptr) << label;
  }
  EXPECT_EQ(p.cores().size(), 1u);
}

TEST_F(stm32mp157, the_mcu_srams_answer_at_two_addresses) {
  run([&] {
    for (const std::uint32_t a : {0x10000000u, 0x1001FFFCu, 0x10020000u, 0x10040000u, 0x1005FFFCu}) {
      write(a, ~a);
      EXPECT_EQ(read(a + 0x20000000), ~a);
      write(a + 0x20000000, a);
      EXPECT_EQ(read(a), a);
    }
    for (const std::uint32_t a : {0x38000000u, 0xDFFFFFFCu, 0x5C00A144u}) {  // RETRAM, DDR, BKP17R
      write(a, ~a);
      EXPECT_EQ(read(a), ~a);
    }
    write(0x50001014, 1);  // PWR_MCUCR, where Linux's pwr_mcu node says
    EXPECT_EQ(read(0x50001014), 1u);
  });
}

TEST_F(stm32mp157, ipcc_interrupts_reach_both_sides) {
  run([&] {
    enable(100);
    enable(101);
    for (int round = 0; round < 2; ++round) {
      write(IPCC + 0x004, ~1U);  // C1: receive channel 1
      write(IPCC + 0x000, 1);
      write(IPCC + 0x018, 1U << 16);  // C2 sends on it
      EXPECT_EQ(take_interrupt(), 100u);
      write(IPCC + 0x008, 1);
      p.host().end_of_interrupt(132);
      EXPECT_EQ(take_interrupt(), SPURIOUS);
      EXPECT_THAT(trace.take(), ElementsAre("ipcc ipcc.set", "ipcc irq.raised 0", "exti irq.raised 61",
                                            "ipcc ipcc.cleared", "ipcc irq.lowered 0", "exti irq.lowered 61"));
      write(IPCC + 0x004, ~(1U << 16));  // C1: channel 1 is free
      write(IPCC + 0x000, 1U << 16);
      EXPECT_EQ(take_interrupt(), 101u);
      write(IPCC + 0x000, 0);
      p.host().end_of_interrupt(133);
      EXPECT_EQ(take_interrupt(), SPURIOUS);
      trace.take();
    }
  });
}

TEST_F(stm32mp157, the_m4s_watchdog_parks_it_and_interrupts_the_host) {
  run([&] {
    enable(143);
    write(EXTI + 0x40, 1U << 4);  // RTSR3, C1IMR3: line 68
    write(EXTI + 0xA0, 1U << 4);
    for (int round = 0; round < 2; ++round) {
      write(MP_GCR, 1);
      write(MP_GCR, 0);
      sc_core::wait(5, sc_core::SC_US);
      write(WWDG1, 0xFF);
      sc_core::wait(3, sc_core::SC_MS);  // 64 * 4096 / 104.4 MHz = 2.5 ms
      EXPECT_EQ(take_interrupt(), 143u);
      write(EXTI + 0x4C, 1U << 4);
      p.host().end_of_interrupt(175);
      EXPECT_EQ(take_interrupt(), SPURIOUS);
      EXPECT_EQ(read(WWDG1), 0x7Fu);
      EXPECT_THAT(trace.take(), ElementsAre("rcc reset.deassert", "wwdg1 watchdog.expired", "rcc reset.assert",
                                            "exti irq.raised 68", "exti irq.lowered 68"));
    }
  });
}

}  // namespace
}  // namespace rpsim
