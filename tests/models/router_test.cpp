#include "models/interconnect/router.h"

#include <array>
#include <numeric>

#include "models/common/register_bank.h"
#include "models/memory/memory.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::ns;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

struct platform_of_two_memories : testing::Test {
  platform_of_two_memories() {
    m4f_view = bus.add_view("m4f");
    host.socket.bind(bus.view(bus.add_view("host")));
    m4f.socket.bind(bus.view(m4f_view));
    bus.map(0x80000000, 0x10000, *ram.target(0), 0, "ram");
    bus.map(0x05000000, 0x2000, *iram.target(0), 0, "iram");
    power.write(module_state::enable);
    iram.power()->bind(power);
  }

  sim_context context;
  test::node_source node;
  ddr ram{"ram", context, node("ram", "reg = <0 0x80000000 0 0x10000>;")};
  sram iram{"iram", context, node("iram", "reg = <0 0x05000000 0 0x2000>;")};
  sc_core::sc_signal<module_state> power{"power"};
  router bus{"bus", context};
  test::bus_master host{"host"}, m4f{"m4f"};
  unsigned m4f_view;
};

TEST_F(platform_of_two_memories, an_access_reaches_its_target_and_the_payload_keeps_its_address) {
  test::simulate([&] {
    host.write32(0x80000010, 0x12345678);
    EXPECT_EQ(host.payload.get_address(), 0x80000010u);
    std::uint32_t there = 0;
    ram.debug_read(0x10, &there, 4);
    EXPECT_EQ(there, 0x12345678u);
    EXPECT_EQ(m4f.read32(0x80000010), 0x12345678u);
    EXPECT_EQ(m4f.payload.get_address(), 0x80000010u);
  });
}

TEST_F(platform_of_two_memories, time_is_the_hop_and_the_targets_own_latency) {
  EXPECT_TRUE(context.params.set("bus.latency", "15ns"));
  test::simulate([&] {
    host.read32(0x80000000);
    EXPECT_EQ(host.delay, ns(15 + 100));
    host.read32(0x05000000);
    EXPECT_EQ(host.delay, ns(15 + 20));
  });
}

TEST_F(platform_of_two_memories, a_view_sees_its_own_windows_before_the_system_map) {
  bus.map(m4f_view, 0x0, 0x1000, *iram.target(0), 0x1000, "iram");
  // In the middle of the system's RAM: the rest of the RAM stays reachable on both sides.
  bus.map(m4f_view, 0x80004000, 0x1000, *iram.target(0), 0, "iram");
  test::simulate([&] {
    m4f.write32(0x0, 0xA);
    EXPECT_EQ(host.read32(0x05001000), 0xAu);
    EXPECT_EQ(host.try_read32(0x0), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    m4f.write32(0x80004000, 0xB);
    EXPECT_EQ(host.read32(0x05000000), 0xBu);
    EXPECT_EQ(host.read32(0x80004000), 0u);
    m4f.write32(0x80003FFC, 0xC);
    m4f.write32(0x80005000, 0xD);
    EXPECT_EQ(host.read32(0x80003FFC), 0xCu);
    EXPECT_EQ(host.read32(0x80005000), 0xDu);
    std::array<std::uint8_t, 8> both{};
    EXPECT_EQ(m4f.read(0x80003FFC, both), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(host.read(0x80003FFC, both), tlm::TLM_OK_RESPONSE);
  });
}

TEST_F(platform_of_two_memories, an_overlap_is_refused_with_both_names_and_ranges) {
  const auto message = [&](auto&& f) -> std::string {
    try {
      f();
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message([&] { bus.map(0x8000FFFF, 0x10, *iram.target(0), 0, "late"); }),
            "\"late\" [0x8000ffff, 0x8001000e] overlaps \"ram\" [0x80000000, 0x8000ffff]");
  EXPECT_THAT(message([&] { bus.map(0x04FFFFFF, 0x80000000, *iram.target(0), 0, "all"); }), HasSubstr("overlaps"));
  bus.map(m4f_view, 0x1000, 0x1000, *iram.target(0), 0, "low");
  EXPECT_THAT(message([&] { bus.map(m4f_view, 0x1800, 1, *iram.target(0), 0, "in it"); }),
              AllOf(HasSubstr("\"in it\" [0x1800, 0x1800]"), HasSubstr("\"low\" [0x1000, 0x1fff]")));
  EXPECT_THAT(message([&] { bus.map(0x9000, 0, *iram.target(0), 0, "nothing"); }),
              HasSubstr("\"nothing\" at 0x9000 is empty"));
  EXPECT_THAT(message([&] { bus.map(~std::uint64_t{0}, 2, *iram.target(0), 0, "edge"); }),
              HasSubstr("ends past the address space"));
  bus.map(0x80010000, 0x1000, *iram.target(0), 0, "next to it");
  bus.map(~std::uint64_t{0}, 1, *iram.target(0), 0, "last byte");
}

TEST_F(platform_of_two_memories, a_miss_is_an_address_error_with_an_event_and_takes_nothing_down) {
  test::recorder trace(context);
  test::simulate([&] {
    EXPECT_EQ(host.try_read32(0x1000), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(m4f.try_write32(0x8000FFFE, 1), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(host.access(tlm::TLM_READ_COMMAND, 0x80000000, nullptr, 0), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(host.try_read32(~std::uint64_t{0}), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(host.read32(0x80000000), 0u);
  });
  EXPECT_THAT(
      trace.lines,
      ElementsAre("bus bus.error initiator=host address=0x1000 kind=read size=4 reason=nothing is mapped here",
                  "bus bus.error initiator=m4f address=0x8000fffe kind=write size=4 reason=crosses the end of ram",
                  HasSubstr("size=0"), HasSubstr("address=0xffffffffffffffff")));
}

TEST_F(platform_of_two_memories, at_bus_level_every_transaction_is_in_the_trace_and_below_it_none) {
  test::recorder quiet(context, trace_level::detail);
  test::simulate([&] {
    host.write32(0x80000000, 1);
    EXPECT_THAT(quiet.lines, IsEmpty());
    test::recorder all(context, trace_level::bus);
    host.write32(0x80000000, 0xCAFE);
    m4f.read32(0x80000000);
    m4f.try_read32(0x100);
    EXPECT_THAT(all.lines, ElementsAre("bus bus.write initiator=host address=0x80000000 size=4 value=0xcafe",
                                       "bus bus.read initiator=m4f address=0x80000000 size=4 value=0xcafe",
                                       HasSubstr("bus.error initiator=m4f address=0x100")));
  });
}

TEST_F(platform_of_two_memories, direct_access_is_clipped_to_the_window_and_translated) {
  bus.map(m4f_view, 0x100000, 0x800, *iram.target(0), 0x1000, "iram");  // inside it, neither first nor last
  test::simulate([&] {
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(m4f.direct(0x100400, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0x100000u);
    EXPECT_EQ(dmi.get_end_address(), 0x1007FFu);
    EXPECT_EQ(m4f.payload.get_address(), 0x100400u);
    EXPECT_EQ(dmi.get_read_latency(), ns(10 + 20));
    dmi.get_dmi_ptr()[4] = 0x5A;
    EXPECT_EQ(host.read32(0x05001004), 0x5Au);
    EXPECT_FALSE(m4f.direct(0x70000000, dmi));
  });
}

TEST_F(platform_of_two_memories, losing_power_takes_direct_access_back_from_every_view_that_maps_the_memory) {
  bus.map(m4f_view, 0x100000, 0x1000, *iram.target(0), 0x1000, "iram");
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      tlm::tlm_dmi dmi;
      ASSERT_TRUE(m4f.direct(0x100000, dmi));
      power.write(module_state::off);
      sc_core::wait(ns(1));
      EXPECT_THAT(host.invalidated, ElementsAre(Pair(0x05000000, 0x05001FFF)));
      EXPECT_THAT(m4f.invalidated,
                  testing::UnorderedElementsAre(Pair(0x05000000, 0x05001FFF), Pair(0x100000, 0x100FFF)));
      EXPECT_FALSE(m4f.direct(0x100000, dmi));
      power.write(module_state::enable);
      sc_core::wait(ns(1));
      host.invalidated.clear();
      m4f.invalidated.clear();
    }
  });
}

TEST_F(platform_of_two_memories, debug_access_goes_on_into_the_next_window_and_stops_at_a_hole) {
  bus.map(0x80010000, 0x1000, *iram.target(0), 0, "iram again");
  test::recorder trace(context, trace_level::bus);
  test::simulate([&] {
    std::array<std::uint8_t, 16> out{}, in{};
    std::iota(out.begin(), out.end(), std::uint8_t{1});
    EXPECT_EQ(host.debug(tlm::TLM_WRITE_COMMAND, 0x8000FFF8, out.data(), 16), 16u);
    EXPECT_EQ(host.debug(tlm::TLM_READ_COMMAND, 0x8000FFF8, in.data(), 16), 16u);
    EXPECT_EQ(in, out);
    EXPECT_EQ(host.debug(tlm::TLM_READ_COMMAND, 0x80010FFC, in.data(), 16), 4u);
    EXPECT_EQ(host.debug(tlm::TLM_READ_COMMAND, 0x1000, in.data(), 16), 0u);
    EXPECT_EQ(host.payload.get_data_length(), 16u);
  });
  EXPECT_THAT(trace.lines, IsEmpty());
}

TEST(router, a_platform_can_be_looked_at_before_the_simulation_starts) {
  sim_context context;
  test::node_source node;
  ddr ram("ram", context, node("ram", "reg = <0 0 0 0x1000>;"));
  router bus("bus", context);
  const unsigned view = bus.add_view("host");
  bus.map(0x1000, 0x1000, *ram.target(0), 0, "ram");
  const std::uint32_t value = 42;
  ASSERT_TRUE(ram.debug_write(8, &value, 4));
  std::uint32_t seen = 0;
  tlm::tlm_generic_payload p;
  p.set_read();
  p.set_address(0x1008);
  p.set_data_ptr(reinterpret_cast<unsigned char*>(&seen));
  p.set_data_length(4);
  EXPECT_EQ(bus.transport_debug(view, p), 4u);
  EXPECT_EQ(seen, 42u);
}

}  // namespace
}  // namespace rpsim
