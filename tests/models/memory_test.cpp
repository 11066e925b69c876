#include "models/memory/memory.h"

#include <array>
#include <stdexcept>

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::ns;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

struct memories : testing::Test {
  memories() {
    host.socket.bind(*ram.target(0));
    m4f.socket.bind(*tcm.target(0));
    tcm.power()->bind(power);
  }
  void power_to(module_state s) {
    power.write(s);
    sc_core::wait(ns(1));
  }

  sim_context context;
  test::node_source node;
  sc_core::sc_signal<module_state> power{"power", module_state::enable};
  ddr ram{"ram", context, node("ram", "reg = <0 0x80000000 0 0x80000000>;")};
  sram tcm{"tcm", context, node("tcm", "reg = <0 0 0 0x4000>;")};
  test::bus_master host{"host"}, m4f{"m4f"};
};

TEST_F(memories, a_burst_of_any_length_takes_one_latency) {
  std::vector<std::uint8_t> out(100'001), in(100'001);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i * 7);
  test::simulate([&] {
    EXPECT_EQ(host.write(0x7FFE0003, out), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(host.delay, ns(100));
    EXPECT_EQ(host.read(0x7FFE0003, in), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(in, out);
    m4f.read32(0);
    EXPECT_EQ(m4f.delay, ns(20));
  });
}

TEST_F(memories, latency_is_a_parameter) {
  EXPECT_TRUE(context.params.set("ram.latency", "250ns"));
  test::simulate([&] {
    host.read32(0);
    EXPECT_EQ(host.delay, ns(250));
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(host.direct(0, dmi));
    EXPECT_EQ(dmi.get_write_latency(), ns(250));
  });
}

TEST_F(memories, byte_enables_repeat_over_the_burst) {
  test::simulate([&] {
    const std::array<std::uint8_t, 8> ones{1, 1, 1, 1, 1, 1, 1, 1};
    std::array<unsigned char, 4> enables{0xFF, 0, 0, 0xFF};
    m4f.payload.set_byte_enable_ptr(enables.data());
    m4f.payload.set_byte_enable_length(4);
    EXPECT_EQ(m4f.write(0, ones), tlm::TLM_OK_RESPONSE);
    m4f.payload.set_byte_enable_length(0);
    EXPECT_EQ(m4f.write(0, ones), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    m4f.payload.set_byte_enable_ptr(nullptr);
    EXPECT_EQ(m4f.read32(0), 0x01000001u);
    EXPECT_EQ(m4f.read32(4), 0x01000001u);
  });
}

TEST_F(memories, nothing_past_the_end_is_touched) {
  test::recorder trace(context);
  test::simulate([&] {
    EXPECT_EQ(m4f.try_read32(0x3FFC), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(m4f.try_write32(0x3FFD, 1), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(m4f.try_read32(0x4000), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(m4f.try_read32(~std::uint64_t{0} - 1), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    std::uint32_t word = 0;
    EXPECT_FALSE(tcm.debug_read(0x3FFD, &word, 4));
    EXPECT_FALSE(tcm.debug_write(~std::uint64_t{0}, &word, 4));
    tlm::tlm_dmi dmi;
    EXPECT_FALSE(m4f.direct(0x4000, dmi));
  });
  EXPECT_THAT(
      trace.lines,
      ElementsAre("tcm bus.error initiator=m4f address=0x3ffd kind=write size=4 reason=past the end of the memory",
                  HasSubstr("address=0x4000"), HasSubstr("address=0xfffffffffffffffe")));
}

TEST_F(memories, a_rom_is_read_and_never_written) {
  sram rom{"rom", context, node("rom", "reg = <0 0 0 0x4000>; read-only;")};
  test::bus_master m4{"m4"};
  sc_core::sc_signal<module_state> rom_power{"rom_power", module_state::enable};
  m4.socket.bind(*rom.target(0));
  rom.power()->bind(rom_power);
  const std::uint32_t content = 0x600DC0DE;
  ASSERT_TRUE(rom.debug_write(8, &content, 4));
  test::recorder trace(context);
  test::simulate([&] {
    for (const module_state s : {module_state::enable, module_state::off, module_state::enable}) {
      rom_power.write(s);
      sc_core::wait(ns(1));
    }
    EXPECT_EQ(m4.read32(8), content);
    EXPECT_EQ(m4.try_write32(8, 1), tlm::TLM_COMMAND_ERROR_RESPONSE);
    std::uint32_t word = 1;
    EXPECT_EQ(m4.debug(tlm::TLM_WRITE_COMMAND, 8, &word, 4), 0u);
    EXPECT_EQ(m4.read32(8), content);
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(m4.direct(8, dmi));
    EXPECT_TRUE(dmi.is_read_allowed());
    EXPECT_FALSE(dmi.is_write_allowed());
    m4.payload.set_write();
    EXPECT_FALSE(m4.socket->get_direct_mem_ptr(m4.payload, dmi));
  });
  EXPECT_THAT(trace.lines,
              ElementsAre("rom bus.error initiator=m4 address=0x8 kind=write size=4 reason=read-only memory"));
}

TEST_F(memories, a_command_to_ignore_moves_nothing) {
  test::simulate([&] {
    m4f.write32(0, 0x55);
    std::uint32_t word = 0xAA;
    EXPECT_EQ(m4f.access(tlm::TLM_IGNORE_COMMAND, 0, &word, 4), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(word, 0xAAu);
    EXPECT_EQ(m4f.read32(0), 0x55u);
  });
}

TEST_F(memories, streaming_is_refused) {
  test::simulate([&] {
    std::array<unsigned char, 8> data{};
    tlm::tlm_generic_payload p;
    p.set_write();
    p.set_data_ptr(data.data());
    p.set_data_length(8);
    p.set_streaming_width(4);
    sc_core::sc_time delay;
    host.socket->b_transport(p, delay);
    EXPECT_EQ(p.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);
  });
}

TEST_F(memories, sram_answers_in_enable_only_and_forgets_in_off_only) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      m4f.write32(0x100, 0xFEED);
      for (const auto& [state, name] : {std::pair{module_state::disable, "Disable"},
                                        {module_state::sync_reset, "SyncReset"},
                                        {module_state::sw_rst_disable, "SwRstDisable"},
                                        {module_state::trans, "Trans"}}) {
        power_to(state);
        test::recorder trace(context);
        EXPECT_EQ(m4f.try_read32(0x100), tlm::TLM_GENERIC_ERROR_RESPONSE);
        EXPECT_EQ(m4f.try_write32(0x100, 0), tlm::TLM_GENERIC_ERROR_RESPONSE);
        EXPECT_THAT(trace.lines, ElementsAre(HasSubstr(fmt::format("kind=read size=4 reason=module state {}", name)),
                                             HasSubstr(fmt::format("kind=write size=4 reason=module state {}", name))));
        power_to(module_state::enable);
        EXPECT_EQ(m4f.read32(0x100), 0xFEEDu) << name;
      }
      power_to(module_state::off);
      EXPECT_EQ(m4f.try_read32(0x100), tlm::TLM_GENERIC_ERROR_RESPONSE);
      std::uint32_t word = 0;
      EXPECT_FALSE(tcm.debug_read(0x100, &word, 4));
      power_to(module_state::enable);
      EXPECT_EQ(m4f.read32(0x100), 0u);
    }
  });
}

TEST_F(memories, content_that_is_lost_can_be_a_pattern) {
  EXPECT_TRUE(context.params.set("tcm.lost_content", "3735928559"));
  test::simulate([&] {
    m4f.write32(0x3FFC, 1);
    power_to(module_state::off);
    power_to(module_state::enable);
    EXPECT_EQ(m4f.read32(0), 0xDEADBEEFu);
    EXPECT_EQ(m4f.read32(0x3FFC), 0xDEADBEEFu);
  });
}

TEST_F(memories, direct_access_is_given_in_enable_and_taken_back_when_it_ends) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      tlm::tlm_dmi dmi;
      m4f.read32(0);
      EXPECT_TRUE(m4f.payload.is_dmi_allowed());
      ASSERT_TRUE(m4f.direct(0x10, dmi));
      EXPECT_TRUE(dmi.is_read_write_allowed());
      EXPECT_EQ(dmi.get_start_address(), 0u);
      EXPECT_EQ(dmi.get_end_address(), 0x3FFFu);
      power_to(module_state::disable);
      EXPECT_THAT(m4f.invalidated, ElementsAre(Pair(0u, 0x3FFFu)));
      EXPECT_FALSE(m4f.direct(0x10, dmi));
      power_to(module_state::off);  // nothing is out any more: nothing to take back
      EXPECT_EQ(std::exchange(m4f.invalidated, {}).size(), 1u);
      power_to(module_state::enable);
    }
  });
}

TEST_F(memories, a_watch_reports_each_write_that_touches_it_and_nothing_else) {
  tcm.add_watch(0x102, 4, "table");
  test::recorder trace(context);
  test::simulate([&] {
    m4f.write32(0x0FE, 0);
    m4f.write32(0x106, 0);
    m4f.read32(0x102);
    std::uint32_t word = 0;
    tcm.debug_write(0x102, &word, 4);
    EXPECT_EQ(m4f.debug(tlm::TLM_WRITE_COMMAND, 0x102, &word, 4), 4u);
    EXPECT_EQ(m4f.debug(tlm::TLM_READ_COMMAND, 0x102, &word, 4), 4u);
    EXPECT_THAT(trace.take(), IsEmpty());
    m4f.write32(0x100, 0);
    m4f.write32(0x104, 0);
    m4f.write(0x0, std::vector<std::uint8_t>(0x1000));
    EXPECT_THAT(trace.take(), ElementsAre("tcm memory.write region=table offset=0x0 size=2 by=m4f",
                                          "tcm memory.write region=table offset=0x2 size=2 by=m4f",
                                          "tcm memory.write region=table offset=0x0 size=4 by=m4f"));
    tcm.add_watch(0x104, 0x10, "next");
    m4f.write32(0x104, 0);
    EXPECT_THAT(trace.take(), ElementsAre("tcm memory.write region=table offset=0x2 size=2 by=m4f",
                                          "tcm memory.write region=next offset=0x0 size=4 by=m4f"));
    tcm.remove_watch("table");
    m4f.write32(0x100, 0);
    EXPECT_THAT(trace.take(), IsEmpty());
  });
}

TEST_F(memories, direct_access_leaves_out_the_pages_that_hold_a_watch) {
  test::simulate([&] {
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(m4f.direct(0, dmi));
    tcm.add_watch(0x1FFC, 8, "across");
    EXPECT_THAT(m4f.invalidated, ElementsAre(Pair(0x1000u, 0x2FFFu)));
    EXPECT_FALSE(m4f.direct(0x1000, dmi));
    EXPECT_FALSE(m4f.direct(0x2FFF, dmi));
    ASSERT_TRUE(m4f.direct(0xFFF, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0u);
    EXPECT_EQ(dmi.get_end_address(), 0xFFFu);
    ASSERT_TRUE(m4f.direct(0x3000, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0x3000u);
    EXPECT_EQ(dmi.get_end_address(), 0x3FFFu);
    dmi.get_dmi_ptr()[0] = 0x77;
    EXPECT_EQ(m4f.read32(0x3000), 0x77u);
    tcm.remove_watch("across");
    ASSERT_TRUE(m4f.direct(0x1000, dmi));
    EXPECT_EQ(dmi.get_end_address(), 0x3FFFu);
  });
}

TEST_F(memories, a_watch_outside_the_memory_is_refused) {
  EXPECT_THROW(tcm.add_watch(0x3FFF, 2, "late"), std::out_of_range);
  EXPECT_THROW(tcm.add_watch(0, 0, "empty"), std::out_of_range);
}

TEST(memory, a_node_without_a_window_is_refused_with_its_place) {
  sim_context context;
  test::node_source node;
  try {
    ddr m("ram", context, node("ram", "compatible = \"rpsim,ddr\";"));
    FAIL();
  } catch (const dt::error& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("test.dts:"), HasSubstr("one window")));
  }
}

}  // namespace
}  // namespace rpsim
