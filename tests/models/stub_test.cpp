#include "models/stub/stub.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct stub_fixture : testing::Test {
  std::unique_ptr<stub> make(const std::string& properties) {
    auto made = std::make_unique<stub>("pads", context, node("pads", "reg = <0 0x1000 0 0x100>; " + properties));
    made->power()->bind(state);
    m4.socket.bind(*made->target(0));
    return made;
  }
  std::string refusal(const std::string& properties) {
    try {
      const stub made("pads", context, node("pads", "reg = <0 0x1000 0 0x100>; " + properties));
    } catch (const dt::error& e) {
      return e.what();
    }
    return "";
  }

  sim_context context;
  test::node_source node;
  sc_core::sc_signal<module_state> state{"state", module_state::enable};
  test::bus_master m4{"m4"};
};

TEST_F(stub_fixture, remembers_what_was_written_in_any_width_until_a_module_reset) {
  const auto pads = make(R"(rpsim,policy = "remember"; rpsim,value = <7>; rpsim,registers = <0x10 0x11223344>;)");
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(m4.read32(0x10), 0x11223344u);
      EXPECT_EQ(m4.read32(0x14), 7u) << "not listed";
      m4.write32(0x14, 0xCAFE);
      const std::uint8_t byte = 0xAA;
      EXPECT_EQ(m4.write(0x11, {&byte, 1}), tlm::TLM_OK_RESPONSE);
      EXPECT_EQ(m4.read32(0x10), 0x1122AA44u);
      EXPECT_EQ(m4.read32(0x14), 0xCAFEu);
      EXPECT_EQ(m4.debug32(0x14), 0xCAFEu);
      state.write(module_state::sync_reset);
      sc_core::wait(sc_core::SC_ZERO_TIME);
      sc_core::wait(sc_core::SC_ZERO_TIME);
      EXPECT_EQ(m4.try_read32(0x10), tlm::TLM_GENERIC_ERROR_RESPONSE) << "not powered";
      state.write(module_state::enable);
      sc_core::wait(sc_core::SC_ZERO_TIME);
    }
  });
}

TEST_F(stub_fixture, a_constant_is_not_changed_by_writes) {
  const auto pads = make(R"(rpsim,policy = "constant"; rpsim,registers = <0x58 1>;)");
  test::simulate([&] {
    m4.write32(0x58, 0);
    EXPECT_EQ(m4.read32(0x58), 1u);
    m4.write32(0x5C, 5);
    EXPECT_EQ(m4.read32(0x5C), 0u);
  });
}

TEST_F(stub_fixture, kicks_keep_writes_out_of_their_partition_until_both_are_right) {
  const auto pads = std::make_unique<stub>(
      "pads", context,
      node("pads", "reg = <0 0x1000 0 0xC000>; rpsim,policy = \"remember\"; rpsim,kicks; rpsim,unlocked = <1>;"));
  pads->power()->bind(state);
  m4.socket.bind(*pads->target(0));
  test::recorder trace(context, trace_level::detail);
  test::simulate([&] {
    m4.write32(0x4010, 1);
    EXPECT_EQ(m4.read32(0x4010), 1u) << "left open";
    for (std::uint32_t round = 1; round <= 2; ++round) {
      m4.write32(0x0010, round);
      EXPECT_EQ(m4.read32(0x0010), round - 1) << "locked";
      m4.write32(0x1008, 0x68EF3490);
      m4.write32(0x0010, round);
      EXPECT_EQ(m4.read32(0x0010), round - 1) << "half unlocked";
      m4.write32(0x100C, 0xD172BC5A);
      m4.write32(0x0010, round);
      EXPECT_EQ(m4.read32(0x0010), round);
      m4.write32(0x8010, round);
      EXPECT_EQ(m4.read32(0x8010), 0u) << "another partition";
      m4.write32(0x1008, 0);
      m4.write32(0x100C, 0);
    }
    state.write(module_state::sync_reset);
    sc_core::wait(sc_core::SC_ZERO_TIME);
    state.write(module_state::enable);
    sc_core::wait(sc_core::SC_ZERO_TIME);
    sc_core::wait(sc_core::SC_ZERO_TIME);
    m4.write32(0x4010, 1);
    EXPECT_EQ(m4.read32(0x4010), 0u) << "a reset locks";
  });
  EXPECT_THAT(trace.lines, testing::Contains(HasSubstr("offset=0x10 register= kind=locked write")));
  EXPECT_THAT(trace.lines, testing::Not(testing::Contains(HasSubstr("offset=0x1008"))));
}

TEST_F(stub_fixture, partitions_that_are_none_are_refused) {
  EXPECT_THAT(refusal(R"(rpsim,policy = "remember"; rpsim,kicks; rpsim,unlocked = <0>;)"),
              HasSubstr("0 is no partition"));
}

TEST_F(stub_fixture, a_bus_error_is_one_and_so_is_what_lies_outside) {
  const auto pads = make(R"(rpsim,policy = "bus-error";)");
  test::recorder trace(context, trace_level::detail);
  test::simulate([&] {
    EXPECT_EQ(m4.try_read32(0x20), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(m4.try_write32(0xFE, 1), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  });
  EXPECT_THAT(trace.lines, ElementsAre(HasSubstr("bus.error initiator=m4 address=0x20 kind=read"),
                                       HasSubstr("reason=outside the window")));
}

TEST_F(stub_fixture, every_access_is_an_event_of_detail_level_with_the_registers_name) {
  const auto pads = make(R"(rpsim,policy = "remember"; rpsim,registers = <0x08 0>; rpsim,register-names = "KICK0";)");
  test::recorder all(context, trace_level::detail);
  test::recorder protocol(context);
  test::simulate([&] {
    m4.write32(0x08, 0x68EF3490);
    m4.read32(0x08);
    m4.read32(0x0C);
  });
  EXPECT_THAT(all.lines,
              ElementsAre("pads unmodelled.access offset=0x8 register=KICK0 kind=write size=4 value=0x68ef3490 by=m4",
                          "pads unmodelled.access offset=0x8 register=KICK0 kind=read size=4 value=0x68ef3490 by=m4",
                          "pads unmodelled.access offset=0xc register= kind=read size=4 value=0x0 by=m4"));
  EXPECT_THAT(protocol.lines, IsEmpty());
}

TEST_F(stub_fixture, a_node_that_cannot_be_meant_is_refused_with_its_place) {
  EXPECT_THAT(refusal(""), HasSubstr("rpsim,policy"));
  EXPECT_THAT(refusal(R"(rpsim,policy = "ram";)"), HasSubstr("\"ram\" is none of remember, constant, bus-error"));
  EXPECT_THAT(refusal(R"(rpsim,policy = "remember"; rpsim,registers = <0x100 0>;)"),
              HasSubstr("0x100 is no register of a window of 0x100 bytes"));
  EXPECT_THAT(refusal(R"(rpsim,policy = "remember"; rpsim,registers = <4 0>, <4 1>;)"), HasSubstr("0x4 twice"));
  EXPECT_THAT(refusal(R"(rpsim,policy = "remember"; rpsim,registers = <4 0>; rpsim,register-names = "A", "B";)"),
              HasSubstr("names 2 registers, rpsim,registers has 1"));
  EXPECT_THAT(refusal(R"(rpsim,policy = "remember"; rpsim,registers = <4>;)"), HasSubstr("test.dts:"));
}

}  // namespace
}  // namespace rpsim
