#include "models/core/nvic.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::ns;
using test::simulate;

constexpr std::uint32_t CSR = 0xE000E010, RVR = 0xE000E014, CVR = 0xE000E018, ISER = 0xE000E100, ICER = 0xE000E180,
                        ISPR = 0xE000E200, ICPR = 0xE000E280, IABR = 0xE000E300, IPR = 0xE000E400, ICSR = 0xE000ED04,
                        AIRCR = 0xE000ED0C, CPACR = 0xE000ED88, DEMCR = 0xE000EDFC, DWT_CTRL = 0xE0001000,
                        CYCCNT = 0xE0001004;
constexpr unsigned exc(unsigned irq) { return nvic::EXTERNAL + irq; }

struct controller : testing::Test {
  controller()
      : unit(
            "nvic", context, "m4f", [this] { ++changes; }, [this] { ++resets; }) {
    for (unsigned i = 0; i < 4; ++i) unit.input(i)->bind(lines[i]);
    unit.input(50)->bind(lines[4]);
    unit.reset(ns(2.5));
  }
  std::uint32_t access(tlm::tlm_command c, std::uint32_t address, std::uint32_t value, unsigned length = 4) {
    tlm::tlm_generic_payload p;
    p.set_command(c);
    p.set_address(address);
    p.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    p.set_data_length(length);
    p.set_streaming_width(length);
    sc_core::sc_time delay;
    unit.transport(p, delay);
    EXPECT_TRUE(p.is_response_ok()) << std::hex << address;
    return value;
  }
  std::uint32_t read(std::uint32_t address) { return access(tlm::TLM_READ_COMMAND, address, 0); }
  void write(std::uint32_t address, std::uint32_t value) { access(tlm::TLM_WRITE_COMMAND, address, value); }
  void write8(std::uint32_t address, std::uint32_t value) { access(tlm::TLM_WRITE_COMMAND, address, value, 1); }
  void drive(unsigned line, bool level) {
    lines[line].write(level);
    sc_core::wait(ns(1));
  }
  unsigned next() const { return unit.preempting({}); }

  sim_context context;
  sc_core::sc_signal<bool> lines[5];
  unsigned changes = 0, resets = 0;
  nvic unit;
};

TEST_F(controller, a_line_is_taken_only_when_enabled) {
  simulate([&] {
    drive(0, true);
    EXPECT_EQ(next(), 0u);
    EXPECT_EQ(read(ISPR), 1u);
    write(ISER, 1);
    EXPECT_EQ(next(), exc(0));
    write(ICER, 1);
    EXPECT_EQ(next(), 0u);
  });
}

TEST_F(controller, the_lowest_priority_value_wins_and_then_the_lowest_number) {
  simulate([&] {
    write(ISER, 0xF);
    write(IPR, 0x60406040);
    for (unsigned i = 0; i < 4; ++i) drive(i, true);
    EXPECT_EQ(next(), exc(0));
    unit.enter(exc(0));
    EXPECT_EQ(next(), 0u) << "equal priority does not pre-empt";
    unit.leave(exc(0));
    drive(0, false);
    write(ICPR, 1);
    EXPECT_EQ(next(), exc(2));
    drive(2, false);
    write(ICPR, 4);
    EXPECT_EQ(next(), exc(1));
  });
}

TEST_F(controller, priorities_have_three_bits_and_can_be_written_bytewise) {
  simulate([&] {
    write8(IPR + 2, 0xFF);
    EXPECT_EQ(read(IPR), 0x00E00000u);
    write8(0xE000ED23, 0x7F);  // SysTick's
    EXPECT_EQ(read(0xE000ED20), 0x60000000u);
  });
}

TEST_F(controller, a_more_urgent_interrupt_nests_and_returns_unwind_in_order) {
  simulate([&] {
    write(ISER, 0x3);
    write(IPR, 0x2040);  // 0: priority 0x40, 1: 0x20
    drive(0, true);
    unit.enter(exc(0));
    drive(1, true);
    EXPECT_EQ(next(), exc(1));
    unit.enter(exc(1));
    EXPECT_EQ(read(IABR), 0x3u);
    EXPECT_EQ(unit.nesting(), 2u);
    EXPECT_EQ(read(ICSR) & 0x1FF, exc(1));
    EXPECT_EQ(next(), 0u);
    drive(1, false);
    unit.leave(exc(1));
    EXPECT_EQ(unit.active(), exc(0));
    EXPECT_EQ(next(), 0u);
  });
}

TEST_F(controller, prigroup_takes_the_low_bits_out_of_preemption) {
  simulate([&] {
    write(ISER, 0x3);
    write(IPR, 0x4060);
    drive(0, true);
    unit.enter(exc(0));
    drive(1, true);
    EXPECT_EQ(next(), exc(1));
    write(AIRCR, 0x05FA0000 | 6 << 8);  // groups: bit 7 alone
    EXPECT_EQ(next(), 0u);
    write(AIRCR, 0x12340000);  // wrong key
    EXPECT_EQ(read(AIRCR), 0xFA050600u);
  });
}

TEST_F(controller, a_level_that_stays_high_pends_again_at_the_return) {
  simulate([&] {
    write(ISER, 1);
    drive(0, true);
    unit.enter(exc(0));
    EXPECT_EQ(read(ISPR), 0u);
    unit.leave(exc(0));
    EXPECT_EQ(next(), exc(0));
    unit.enter(exc(0));
    drive(0, false);
    unit.leave(exc(0));
    EXPECT_EQ(next(), 0u);
  });
}

TEST_F(controller, a_pulse_while_its_handler_runs_is_not_lost) {
  simulate([&] {
    write(ISER, 1);
    drive(0, true);
    unit.enter(exc(0));
    drive(0, false);
    drive(0, true);
    drive(0, false);
    unit.leave(exc(0));
    EXPECT_EQ(next(), exc(0));
  });
}

TEST_F(controller, clearing_a_pending_level_that_is_still_high_changes_nothing) {
  simulate([&] {
    write(ISER + 4, 1u << 18);
    drive(4, true);
    write(ICPR + 4, 1u << 18);
    EXPECT_EQ(next(), exc(50));
    drive(4, false);
    EXPECT_EQ(next(), exc(50)) << "pending stays although the level has gone";
    write(ICPR + 4, 1u << 18);
    EXPECT_EQ(next(), 0u);
  });
}

TEST_F(controller, masks_hold_back_what_they_say_and_primask_does_not_keep_the_core_asleep) {
  simulate([&] {
    write(ISER, 0x3);
    write(IPR, 0x2080);
    drive(0, true);
    EXPECT_EQ(unit.preempting({.primask = true}), 0u);
    EXPECT_EQ(unit.waking({.primask = true}), exc(0));
    EXPECT_EQ(unit.preempting({.basepri = 0x80}), 0u);
    EXPECT_EQ(unit.waking({.basepri = 0x80}), 0u);
    EXPECT_EQ(unit.preempting({.basepri = 0xA0}), exc(0));
    drive(1, true);
    EXPECT_EQ(unit.preempting({.basepri = 0x80}), exc(1));
    EXPECT_EQ(unit.preempting({.faultmask = true}), 0u);
    unit.set_pending(nvic::NMI);
    EXPECT_EQ(unit.preempting({.primask = true, .faultmask = true}), unsigned{nvic::NMI});
  });
}

TEST_F(controller, systick_counts_core_cycles_and_pends_every_reload_plus_one) {
  simulate([&] {
    write(RVR, 399);
    write(CVR, 0);
    write(CSR, 7);
    sc_core::wait(ns(2.5 * 101));
    EXPECT_EQ(read(CVR), 299u);
    EXPECT_EQ(read(CSR) >> 16, 0u);
    sc_core::wait(ns(2.5 * 299));
    EXPECT_EQ(next(), unsigned{nvic::SYSTICK});
    EXPECT_EQ(read(CSR) >> 16, 1u);
    EXPECT_EQ(read(CSR) >> 16, 0u) << "COUNTFLAG clears when read";
    unit.enter(nvic::SYSTICK);
    unit.leave(nvic::SYSTICK);
    sc_core::wait(ns(2.5 * 399));
    EXPECT_EQ(next(), 0u);
    sc_core::wait(ns(2.5));
    EXPECT_EQ(next(), unsigned{nvic::SYSTICK});
    write(ICSR, 1u << 25);
    EXPECT_EQ(next(), 0u);
    write(CSR, 0);
    sc_core::wait(test::us(10));
    EXPECT_EQ(next(), 0u);
  });
}

TEST_F(controller, the_cycle_counter_counts_while_it_is_enabled) {
  simulate([&] {
    write(DEMCR, 1u << 24);
    EXPECT_EQ(read(CYCCNT), 0u);
    sc_core::wait(ns(100));
    EXPECT_EQ(read(CYCCNT), 0u);
    write(DWT_CTRL, 1);
    sc_core::wait(ns(100));
    EXPECT_EQ(read(CYCCNT), 40u);
    write(DWT_CTRL, 0);
    sc_core::wait(ns(100));
    EXPECT_EQ(read(CYCCNT), 40u);
    write(CYCCNT, 7);
    EXPECT_EQ(read(CYCCNT), 7u);
  });
}

TEST_F(controller, reset_forgets_everything_but_the_lines) {
  simulate([&] {
    write(ISER, 3);
    write(CPACR, 0xF00000);
    write(AIRCR, 0x05FA0004);
    EXPECT_EQ(resets, 1u);
    drive(0, true);
    unit.enter(exc(0));
    write(ISPR, 2);
    unit.reset(ns(2.5));
    EXPECT_EQ(read(ISER), 0u);
    EXPECT_EQ(read(CPACR), 0u);
    EXPECT_EQ(unit.nesting(), 0u);
    EXPECT_EQ(read(ISPR), 1u) << "the line is still high";
  });
}

TEST_F(controller, reserved_words_of_the_system_space_read_as_zero) {
  simulate([&] {
    EXPECT_EQ(read(0xE000ED90), 0u);  // MPU_TYPE: no MPU
    EXPECT_EQ(read(0xE000ED00), 0x410FC241u);
  });
}

}  // namespace
}  // namespace rpsim
