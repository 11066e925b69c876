#include <array>

#include "models/core/native_host_core.h"
#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::now;
using test::ns;
using test::simulate;
using testing::ElementsAre;

/// 64 KiB of memory at 0 (answers after 30 ns), a device at 0x10000 (after 50 ns), nothing above.
class system_bus final : public target_port::handler, public sc_core::sc_module {
 public:
  explicit system_bus(sc_core::sc_module_name name) : sc_module(name), port("port", *this), memory(0x10000) {}
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    ++transports;
    initiators.insert(initiator_name(p));
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    const std::uint64_t a = p.get_address();
    if (a < memory.size() && p.get_data_length() <= memory.size() - a) {
      delay += ns(30);
      if (p.is_read()) std::memcpy(p.get_data_ptr(), &memory[a], p.get_data_length());
      if (p.is_write()) std::memcpy(&memory[a], p.get_data_ptr(), p.get_data_length());
      p.set_dmi_allowed(true);
    } else if (a >= 0x10000 && a < 0x20000) {
      delay += ns(50);
      seen.push_back(now());
      if (refuse) p.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    } else {
      p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
  }
  bool direct_memory(tlm::tlm_generic_payload& p, tlm::tlm_dmi& dmi) override {
    if (p.get_address() >= memory.size()) return false;
    dmi.set_dmi_ptr(memory.data());
    dmi.set_start_address(0);
    dmi.set_end_address(memory.size() - 1);
    dmi.set_read_latency(ns(30));
    dmi.set_write_latency(ns(30));
    dmi.allow_read_write();
    return true;
  }
  target_port port;
  std::vector<unsigned char> memory;
  std::vector<sc_core::sc_time> seen;
  std::set<std::string> initiators;
  unsigned transports = 0;
  bool refuse = false;
};

struct host : testing::Test {
  host()
      : core("host", context, node("host", "rpsim,cpus = <4>;")),
        controller("gic", context, node("gic", "reg = <0 0 0 0x10000>;")) {
    core.initiator()->bind(system.port);
    gicd.socket.bind(*controller.target(0));
    controller.input("irq", 108)->bind(line);
    core.attach(controller);
  }
  bus_port& bus() { return static_cast<host_core&>(core).bus(); }
  bus_status read(std::uint64_t address, std::span<std::byte> to) { return bus().read(address, to); }

  sim_context context;
  test::node_source node;
  test::recorder events{context};
  system_bus system{"system"};
  sc_core::sc_signal<bool> line{"line"};
  test::bus_master gicd{"a53"};
  native_host_core core;
  gic controller;
};

TEST_F(host, a_device_access_takes_the_targets_latency_and_its_own) {
  simulate([&] {
    std::array<std::byte, 4> word{};
    EXPECT_EQ(bus().read(0x10000, word), bus_status::ok);
    EXPECT_EQ(now(), ns(450));
    EXPECT_EQ(bus().write(0x10000, word), bus_status::ok);
    EXPECT_EQ(now(), ns(700));
    EXPECT_THAT(system.seen, ElementsAre(ns(0), ns(450)));
    EXPECT_THAT(system.initiators, ElementsAre("host"));
  });
}

TEST_F(host, quiet_registers_cost_what_each_costs_and_stop_short_of_what_else_happens) {
  simulate([&] {
    std::array<std::uint32_t, 4> words{};
    EXPECT_EQ(bus().read_quietly(0x10000, words), 4u);
    EXPECT_EQ(now(), 4 * ns(450));
    EXPECT_THAT(system.seen, ElementsAre(ns(0), ns(0), ns(0), ns(0))) << "ahead of their time";
    sc_core::sc_event other;
    other.notify(ns(300));
    EXPECT_EQ(bus().write_quietly(0x10000, words), 2u);
    EXPECT_EQ(now(), 4 * ns(450) + 2 * ns(250));
    system.refuse = true;
    EXPECT_EQ(bus().write_quietly(0x10000, words), 0u);
  });
}

TEST_F(host, quiet_registers_are_accessed_one_by_one_where_a_trace_shows_them) {
  test::recorder all(context, trace_level::bus);
  simulate([&] {
    std::array<std::uint32_t, 2> words{};
    EXPECT_EQ(bus().read_quietly(0x10000, words), 1u);
    EXPECT_EQ(now(), ns(450));
  });
}

TEST_F(host, latencies_are_parameters) {
  ASSERT_TRUE(context.params.set("host.mmio_read", "1us"));
  simulate([&] {
    std::array<std::byte, 4> word{};
    EXPECT_EQ(bus().read(0x10000, word), bus_status::ok);
    EXPECT_EQ(now(), ns(1050));
  });
}

TEST_F(host, memory_is_reached_directly_after_the_first_access_at_the_same_cost) {
  simulate([&] {
    std::array<std::byte, 256> data{};
    data[255] = std::byte{42};
    EXPECT_EQ(bus().write(0x100, data), bus_status::ok);
    EXPECT_EQ(now(), ns(30 + 4 * 80));
    EXPECT_EQ(system.transports, 1u);
    data = {};
    EXPECT_EQ(bus().read(0x100, data), bus_status::ok);
    EXPECT_EQ(now(), ns(2 * (30 + 4 * 80)));
    EXPECT_EQ(data[255], std::byte{42});
    EXPECT_EQ(bus().fill(0x1000, std::byte{7}, 0x2000), bus_status::ok);
    EXPECT_EQ(system.transports, 1u);
    EXPECT_EQ(system.memory[0x2FFF], 7);
    EXPECT_EQ(system.memory[0x3000], 0);
  });
}

TEST_F(host, invalidated_memory_is_asked_for_again) {
  simulate([&] {
    std::array<std::byte, 4> word{};
    bus().read(0, word);
    bus().read(0, word);
    EXPECT_EQ(system.transports, 1u);
    EXPECT_TRUE(core.window(0x8000));
    system.port->invalidate_direct_mem_ptr(0x100, 0x200);
    EXPECT_FALSE(core.window(0x8000));
    bus().read(0, word);
    EXPECT_EQ(system.transports, 2u);
  });
}

TEST_F(host, an_access_across_the_end_of_memory_is_an_error_and_writes_nothing_outside) {
  simulate([&] {
    std::array<std::byte, 8> data{};
    EXPECT_EQ(bus().read(0xFFF8, data), bus_status::ok);
    EXPECT_NE(bus().read(0xFFFC, data), bus_status::ok);
    EXPECT_EQ(bus().read(0xFFFFFFFFFFFFFFFC, data), bus_status::decode_error);
    EXPECT_NE(bus().fill(0xFFF0, std::byte{1}, 0x20), bus_status::ok);
    EXPECT_EQ(system.memory[0xFFFF], 0);
    EXPECT_EQ(bus().read(0x20000, data), bus_status::decode_error);
    system.refuse = true;
    EXPECT_EQ(bus().read(0x10000, data), bus_status::error);
    EXPECT_EQ(bus().read(0x10000, {}), bus_status::ok) << "nothing was asked for";
  });
}

TEST_F(host, a_window_checks_both_ends_of_a_value) {
  simulate([&] {
    std::array<std::byte, 4> word{};
    bus().read(0, word);
    const dmi_window w = core.window(0);
    std::uint32_t value = 1;
    system.memory[0xFFFC] = 9;
    EXPECT_TRUE(w.read(0xFFFC, value));
    EXPECT_EQ(value, 9u);
    EXPECT_FALSE(w.read(0xFFFD, value));
    EXPECT_FALSE(w.read(0x10000, value));
    EXPECT_FALSE(w.read(0xFFFFFFFFFFFFFFFF, value));
    EXPECT_FALSE(dmi_window().read(0, value));
  });
}

TEST_F(host, threads_access_the_bus_at_once_without_disturbing_each_other) {
  unsigned done = 0;
  for (unsigned t = 0; t < 8; ++t) {
    sc_core::sc_spawn([&, t] {
      for (unsigned i = 0; i < 100; ++i) {
        std::uint32_t mine = t << 16 | i, back = 0;
        EXPECT_EQ(bus().write(0x4000 + 4 * t, std::as_bytes(std::span(&mine, 1))), bus_status::ok);
        std::array<std::byte, 4> word{};
        bus().read(0x10000 + 4 * t, word);
        EXPECT_EQ(bus().read(0x4000 + 4 * t, std::as_writable_bytes(std::span(&back, 1))), bus_status::ok);
        EXPECT_EQ(back, mine);
      }
      ++done;
    });
  }
  sc_core::sc_start();
  EXPECT_EQ(done, 8u);
  EXPECT_EQ(now(), 100 * (2 * ns(110) + ns(450)) - ns(0)) << "each thread pays for its own accesses only";
}

TEST_F(host, a_thread_that_is_thrown_out_of_an_access_leaves_the_bus_usable) {
  struct killed {};
  simulate([&] {
    std::array<std::byte, 4> word{};
    for (unsigned i = 0; i < 20; ++i) {
      bool unwound = false;
      auto victim = sc_core::sc_spawn([&] {
        try {
          bus().read(0x10000, word);
        } catch (const killed&) {
          unwound = true;
        }
      });
      sc_core::wait(ns(20 * i + 1));
      if (!victim.terminated()) victim.throw_it(killed{});
      sc_core::wait(ns(1));
      EXPECT_TRUE(unwound) << i;
    }
    EXPECT_EQ(bus().read(0x10000, word), bus_status::ok);
  });
}

TEST_F(host, interrupts_come_from_its_controller) {
  simulate([&] {
    gicd.write32(0x100 + 12, 1u << 12);
    EXPECT_FALSE(core.interrupt_pending());
    line.write(true);
    sc_core::wait(core.interrupt_event());
    EXPECT_TRUE(core.interrupt_pending());
    EXPECT_EQ(core.acknowledge(), 108u);
    line.write(false);
    sc_core::wait(ns(1));
    core.end_of_interrupt(108);
    EXPECT_FALSE(core.interrupt_pending());
    EXPECT_EQ(core.cpus(), 4u);
  });
}

TEST_F(host, a_hung_host_finishes_no_access_and_sees_no_interrupt) {
  bool returned = false;
  sc_core::sc_spawn([&] {
    std::array<std::byte, 4> word{};
    bus().read(0x10000, word);
    returned = true;
  });
  sc_core::sc_start(ns(100));
  core.inject(core_fault::hang);
  sc_core::sc_start(test::us(10));
  EXPECT_FALSE(returned);
  EXPECT_EQ(core.acknowledge(), unsigned{gic::SPURIOUS});
  EXPECT_THAT(events.take(), ElementsAre("host core.hang reason=injected"));
}

}  // namespace
}  // namespace rpsim
