#include "models/core/vim.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::ns;
using test::simulate;

constexpr std::uint32_t BASE = 0x2FFF0000, VALID = 1U << 31;
constexpr std::uint32_t PRIIRQ = 0x08, PRIFIQ = 0x0C, IRQGSTS = 0x10, FIQGSTS = 0x14, IRQVEC = 0x18, FIQVEC = 0x1C,
                        ACTIRQ = 0x20, ACTFIQ = 0x24, IRQPRIMSK = 0x28, FIQPRIMSK = 0x2C, DEDVEC = 0x30, RAW = 0x400,
                        STS = 0x404, ENABLE = 0x408, DISABLE = 0x40C, IRQSTS = 0x410, FIQSTS = 0x414, INTMAP = 0x418,
                        INTTYPE = 0x41C, PRI = 0x1000, VEC = 0x2000;
constexpr std::uint32_t group(std::uint32_t reg, unsigned g) { return reg + 0x20 * g; }
constexpr std::uint32_t describes(unsigned irq, unsigned priority) { return VALID | priority << 16 | irq; }

struct manager : testing::Test {
  manager() : unit("vim", context, "r5f0", BASE, [this] { ++changes; }) {
    for (unsigned i = 0; i < 4; ++i) unit.input(i)->bind(lines[i]);
    unit.input(98)->bind(lines[4]);
    unit.input(511)->bind(lines[5]);
  }
  tlm::tlm_response_status access(tlm::tlm_command c, std::uint32_t offset, std::uint32_t& value, unsigned length = 4) {
    tlm::tlm_generic_payload p;
    p.set_command(c);
    p.set_address(BASE + offset);
    p.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    p.set_data_length(length);
    p.set_streaming_width(length);
    sc_core::sc_time delay;
    unit.transport(p, delay);
    EXPECT_EQ(p.get_address(), BASE + offset);
    return p.get_response_status();
  }
  std::uint32_t read(std::uint32_t offset) {
    std::uint32_t value = 0;
    EXPECT_EQ(access(tlm::TLM_READ_COMMAND, offset, value), tlm::TLM_OK_RESPONSE) << std::hex << offset;
    return value;
  }
  void write(std::uint32_t offset, std::uint32_t value) {
    EXPECT_EQ(access(tlm::TLM_WRITE_COMMAND, offset, value), tlm::TLM_OK_RESPONSE) << std::hex << offset;
  }
  void drive(unsigned line, bool level) {
    lines[line].write(level);
    sc_core::wait(ns(1));
  }
  void pulse(unsigned line) {
    drive(line, true);
    drive(line, false);
  }
  /// Enables inputs 0 … 3 with these priorities; vectors 0x100 * (n + 1).
  void prepare(std::array<unsigned, 4> priorities) {
    for (unsigned i = 0; i < 4; ++i) {
      write(PRI + 4 * i, priorities[i]);
      write(VEC + 4 * i, 0x100 * (i + 1));
    }
    write(ENABLE, 0xF);
  }
  bool irq() const { return unit.asserted(vim::kind::irq); }
  bool fiq() const { return unit.asserted(vim::kind::fiq); }

  sim_context context;
  sc_core::sc_signal<bool> lines[6];
  unsigned changes = 0;
  vim unit;
};

TEST_F(manager, comes_out_of_reset_with_everything_off_and_of_the_lowest_priority) {
  simulate([&] {
    EXPECT_EQ(read(0x04), 512u);
    EXPECT_EQ(read(group(ENABLE, 15)), 0u);
    EXPECT_EQ(read(PRI + 4 * 511), 15u);
    EXPECT_EQ(read(VEC + 4 * 511), 0u);
    EXPECT_EQ(read(IRQPRIMSK), 0xFFFFu);
    EXPECT_EQ(read(ACTIRQ), 0u);
    EXPECT_FALSE(irq());
    EXPECT_FALSE(fiq());
  });
}

TEST_F(manager, a_line_asserts_nirq_only_when_enabled_and_shows_in_its_group) {
  simulate([&] {
    drive(4, true);
    EXPECT_EQ(read(group(RAW, 3)), 1u << 2);
    EXPECT_EQ(read(group(STS, 3)), 0u);
    EXPECT_FALSE(irq());
    EXPECT_EQ(changes, 0u);
    write(group(ENABLE, 3), 1u << 2);
    EXPECT_TRUE(irq());
    EXPECT_EQ(changes, 1u);
    EXPECT_EQ(read(group(STS, 3)), 1u << 2);
    EXPECT_EQ(read(group(IRQSTS, 3)), 1u << 2);
    EXPECT_EQ(read(group(FIQSTS, 3)), 0u);
    EXPECT_EQ(read(IRQGSTS), 1u << 3);
    EXPECT_EQ(read(PRIIRQ), describes(98, 15));
    write(group(DISABLE, 3), 1u << 2);
    EXPECT_EQ(read(group(ENABLE, 3)), 0u);
    EXPECT_FALSE(irq());
    EXPECT_EQ(read(PRIIRQ), 0u);
  });
}

TEST_F(manager, the_last_input_is_wired) {
  simulate([&] {
    write(group(ENABLE, 15), 1u << 31);
    write(VEC + 4 * 511, 0x8004);
    drive(5, true);
    EXPECT_EQ(read(IRQGSTS), 1u << 15);
    EXPECT_EQ(read(IRQVEC), 0x8004u);
    EXPECT_EQ(read(ACTIRQ), describes(511, 15));
  });
}

TEST_F(manager, the_lowest_priority_value_wins_and_then_the_lowest_number) {
  simulate([&] {
    prepare({5, 3, 3, 4});
    for (unsigned i = 0; i < 4; ++i) drive(i, true);
    EXPECT_EQ(read(PRIIRQ), describes(1, 3));
    write(DISABLE, 1u << 1);
    EXPECT_EQ(read(PRIIRQ), describes(2, 3));
    write(DISABLE, 1u << 2);
    EXPECT_EQ(read(PRIIRQ), describes(3, 4));
  });
}

TEST_F(manager, a_level_that_is_still_high_cannot_be_cleared) {
  simulate([&] {
    prepare({1, 1, 1, 1});
    drive(0, true);
    write(STS, 1);
    EXPECT_EQ(read(STS), 1u);
    drive(0, false);
    EXPECT_EQ(read(STS), 1u) << "the status is latched until software clears it";
    write(STS, 1);
    EXPECT_EQ(read(STS), 0u);
    EXPECT_FALSE(irq());
  });
}

TEST_F(manager, a_pulse_is_latched_once_for_each_rising_edge) {
  simulate([&] {
    prepare({1, 1, 1, 1});
    write(INTTYPE, 1);
    pulse(0);
    EXPECT_TRUE(irq());
    write(STS, 1);
    EXPECT_FALSE(irq());
    drive(0, true);
    write(STS, 1);
    EXPECT_FALSE(irq()) << "a pulse input that stays high is no new interrupt";
    EXPECT_EQ(read(RAW), 0u);
    write(INTTYPE, 0);
    EXPECT_TRUE(irq()) << "as a level it is one";
  });
}

TEST_F(manager, software_sets_the_raw_status) {
  simulate([&] {
    prepare({1, 1, 1, 1});
    write(RAW, 1u << 2);
    EXPECT_EQ(read(PRIIRQ), describes(2, 1));
    write(IRQSTS, 1u << 2);
    EXPECT_FALSE(irq());
  });
}

TEST_F(manager, reading_the_vector_masks_equal_and_lower_priorities_until_it_is_written) {
  simulate([&] {
    prepare({4, 4, 6, 2});
    drive(0, true);
    EXPECT_EQ(read(IRQVEC), 0x100u);
    EXPECT_EQ(read(ACTIRQ), describes(0, 4));
    EXPECT_FALSE(irq()) << "the active one no longer asserts the line";
    drive(1, true);
    drive(2, true);
    EXPECT_FALSE(irq());
    drive(0, false);
    write(STS, 1);
    write(IRQVEC, 0);
    EXPECT_EQ(read(ACTIRQ), 0u);
    EXPECT_EQ(read(PRIIRQ), describes(1, 4));
  });
}

TEST_F(manager, a_more_urgent_interrupt_is_stacked_on_the_active_one_and_pops_back) {
  simulate([&] {
    prepare({4, 4, 6, 2});
    drive(0, true);
    EXPECT_EQ(read(IRQVEC), 0x100u);
    drive(3, true);
    EXPECT_TRUE(irq());
    EXPECT_EQ(read(ACTIRQ), describes(0, 4)) << "pending is not active";
    EXPECT_EQ(read(IRQVEC), 0x400u);
    EXPECT_EQ(read(ACTIRQ), describes(3, 2));
    drive(3, false);
    write(STS, 1u << 3);
    write(IRQVEC, 3);
    EXPECT_EQ(read(ACTIRQ), describes(0, 4));
    drive(1, true);
    EXPECT_FALSE(irq()) << "the outer one masks its priority again";
    write(IRQVEC, 0);
    EXPECT_EQ(read(ACTIRQ), 0u);
    EXPECT_TRUE(irq());
  });
}

TEST_F(manager, an_end_and_a_vector_without_an_interrupt_do_nothing) {
  simulate([&] {
    prepare({4, 4, 4, 4});
    EXPECT_EQ(read(IRQVEC), 0u);
    EXPECT_EQ(read(ACTIRQ), 0u);
    write(IRQVEC, 0);
    write(FIQVEC, 0);
    drive(0, true);
    EXPECT_EQ(read(IRQVEC), 0x100u);
    EXPECT_EQ(read(IRQVEC), 0u) << "nothing more urgent";
    EXPECT_EQ(read(ACTIRQ), describes(0, 4));
  });
}

TEST_F(manager, fiq_has_its_own_prioritisation) {
  simulate([&] {
    prepare({4, 4, 1, 9});
    write(INTMAP, 0x9);  // 0 and 3
    for (unsigned i = 0; i < 4; ++i) drive(i, true);
    EXPECT_TRUE(irq());
    EXPECT_TRUE(fiq());
    EXPECT_EQ(read(PRIIRQ), describes(2, 1));
    EXPECT_EQ(read(PRIFIQ), describes(0, 4));
    EXPECT_EQ(read(IRQSTS), 0x6u);
    EXPECT_EQ(read(FIQSTS), 0x9u);
    EXPECT_EQ(read(FIQGSTS), 1u);
    EXPECT_EQ(read(FIQVEC), 0x100u);
    EXPECT_EQ(read(ACTFIQ), describes(0, 4));
    EXPECT_FALSE(fiq());
    EXPECT_TRUE(irq()) << "an active FIQ masks no IRQ";
    for (unsigned i = 0; i < 4; ++i) drive(i, false);
    write(FIQSTS, 0xF);
    EXPECT_EQ(read(IRQSTS), 0x6u) << "FIQSTS clears only what is mapped to FIQ";
    EXPECT_EQ(read(FIQSTS), 0u);
    write(FIQVEC, 0);
    EXPECT_EQ(read(ACTFIQ), 0u);
  });
}

TEST_F(manager, the_priority_mask_has_one_enable_bit_a_priority) {
  simulate([&] {
    prepare({4, 5, 6, 7});
    for (unsigned i = 0; i < 4; ++i) drive(i, true);
    write(IRQPRIMSK, 0xFFFF0000 | ((1u << 4) - 1));
    EXPECT_EQ(read(IRQPRIMSK), 0xFu);
    EXPECT_FALSE(irq());
    write(IRQPRIMSK, 1u << 6);
    EXPECT_EQ(read(PRIIRQ), describes(2, 6));
    write(INTMAP, 1u << 3);
    write(FIQPRIMSK, 0);
    EXPECT_FALSE(fiq());
    EXPECT_EQ(read(FIQSTS), 1u << 3) << "the status is not masked";
  });
}

TEST_F(manager, the_vector_interface_does_what_reading_the_vector_does) {
  simulate([&] {
    prepare({4, 2, 4, 4});
    drive(0, true);
    EXPECT_EQ(unit.pending(vim::kind::irq), 0u);
    EXPECT_EQ(unit.acknowledge(vim::kind::irq), 0x100u);
    EXPECT_EQ(unit.active(vim::kind::irq), 0u);
    EXPECT_EQ(read(ACTIRQ), describes(0, 4));
    drive(1, true);
    EXPECT_EQ(unit.acknowledge(vim::kind::irq), 0x200u);
    unit.end(vim::kind::irq);
    EXPECT_EQ(read(ACTIRQ), describes(0, 4));
  });
}

TEST_F(manager, a_priority_changed_while_active_takes_effect_at_the_next_activation) {
  simulate([&] {
    prepare({4, 4, 4, 4});
    drive(0, true);
    read(IRQVEC);
    write(PRI, 15);
    drive(1, true);
    EXPECT_FALSE(irq());
    write(IRQVEC, 0);
    EXPECT_EQ(read(PRIIRQ), describes(1, 4));
  });
}

TEST_F(manager, vectors_are_word_addresses) {
  simulate([&] {
    write(VEC, 0x1237);
    write(DEDVEC, 0x4321);
    EXPECT_EQ(read(VEC), 0x1234u);
    EXPECT_EQ(read(DEDVEC), 0x4320u);
    write(PRI, 0x12);
    EXPECT_EQ(read(PRI), 2u);
  });
}

TEST_F(manager, reset_forgets_all_but_the_level_of_the_inputs) {
  simulate([&] {
    prepare({4, 4, 4, 4});
    write(INTTYPE, 1u << 1);
    write(INTMAP, 1u << 2);
    write(IRQPRIMSK, 0);
    drive(0, true);
    pulse(1);
    read(IRQVEC);
    unit.reset();
    EXPECT_EQ(read(RAW), 1u);
    EXPECT_EQ(read(ENABLE), 0u);
    EXPECT_EQ(read(INTTYPE), 0u);
    EXPECT_EQ(read(INTMAP), 0u);
    EXPECT_EQ(read(ACTIRQ), 0u);
    EXPECT_EQ(read(PRI), 15u);
    write(ENABLE, 1);
    EXPECT_EQ(read(PRIIRQ), describes(0, 15));
  });
}

TEST_F(manager, registers_are_words) {
  simulate([&] {
    std::uint32_t value = 0;
    EXPECT_EQ(access(tlm::TLM_READ_COMMAND, STS, value, 2), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(read(0x34), 0u) << "reserved";
    EXPECT_TRUE(unit.owns(BASE + 0x2FFC));
    EXPECT_FALSE(unit.owns(BASE + 0x3000));
  });
}

}  // namespace
}  // namespace rpsim
