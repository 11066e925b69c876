#include "models/stm32/stm32_hsem.h"

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

constexpr std::uint32_t BY_A7 = 0x80000100, BY_M4 = 0x80000200;  // reference/stock-firmware.md: COREID 2 is the M4

struct hsem_fixture : testing::Test {
  hsem_fixture()
      : tree(dt::tree::compile_text("/dts-v1/;\n/ { host: host { }; m4: m4 { };\n"
                                    "hsem: hsem { rpsim,cores = <&host>, <&m4>; }; };\n",
                                    "test.dts")),
        hsem("hsem", context, tree->by_label("hsem")) {
    // One socket takes one master; what tells them apart is the name on the access.
    master.socket.bind(*hsem.target(0));
    master.payload.get_extension(who);
    hsem.output("irq", 0)->bind(a7_line);
    hsem.output("irq", 1)->bind(m4_line);
  }
  test::bus_master& as(const char* name) {
    who->name = name;
    return master;
  }
  void settle() {
    for (int i = 0; i < 3; ++i) sc_core::wait(sc_core::SC_ZERO_TIME);
  }

  sim_context context;
  std::unique_ptr<dt::tree> tree;
  stm32_hsem hsem;
  sc_core::sc_signal<bool> a7_line{"a7_line"}, m4_line{"m4_line"};
  test::bus_master master{"host"};
  initiator_extension* who = nullptr;
};

TEST_F(hsem_fixture, a_read_takes_a_free_semaphore_for_the_core_that_reads) {
  test::simulate([&] {
    EXPECT_EQ(as("m4").read32(0x080), BY_M4);
    EXPECT_EQ(as("host").read32(0x080), BY_M4) << "taken: who has it";
    EXPECT_EQ(as("host").read32(0x084), BY_A7) << "the next one";
    as("m4").write32(0x000, 0x200);  // free
    EXPECT_EQ(as("host").read32(0x080), BY_A7);
  });
}

TEST_F(hsem_fixture, two_steps_take_with_a_process_id_and_only_that_one_frees) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      as("m4").write32(0x008, BY_M4 | 5);
      EXPECT_EQ(as("m4").read32(0x008), BY_M4 | 5);
      as("host").write32(0x008, BY_A7 | 1);
      EXPECT_EQ(as("host").read32(0x008), BY_M4 | 5) << "refused";
      as("host").write32(0x008, 0x205);
      as("m4").write32(0x008, 0x204);
      EXPECT_EQ(as("m4").read32(0x008), BY_M4 | 5) << "another core, another process: still taken";
      as("m4").write32(0x008, 0x205);
      EXPECT_EQ(as("m4").read32(0x008), 0u);
    }
    as("m4").write32(0x008, BY_A7);
    EXPECT_EQ(as("m4").read32(0x008), 0u) << "nobody takes for somebody else";
    as("dma").write32(0x008, BY_M4);
    EXPECT_EQ(as("dma").read32(0x088), 0u) << "a master that is neither core";
  });
}

TEST_F(hsem_fixture, freeing_interrupts_who_enabled_it) {
  test::simulate([&] {
    for (int round = 0; round < 2; ++round) {
      as("m4").write32(0x110, 1U << 3);  // C2IER
      as("host").read32(0x080 + 4 * 3);
      settle();
      EXPECT_FALSE(m4_line.read());
      as("host").write32(4 * 3, 0x100);
      settle();
      EXPECT_TRUE(m4_line.read());
      EXPECT_FALSE(a7_line.read()) << "not enabled there";
      EXPECT_EQ(as("m4").read32(0x118), 1U << 3) << "C2ISR";
      EXPECT_EQ(as("m4").read32(0x11C), 1U << 3) << "C2MISR";
      EXPECT_EQ(as("host").read32(0x108), 1U << 3) << "C1ISR, whatever is enabled";
      EXPECT_EQ(as("host").read32(0x10C), 0u) << "C1MISR";
      as("m4").write32(0x114, 1U << 3);
      as("host").write32(0x104, 1U << 3);
      settle();
      EXPECT_FALSE(m4_line.read());
    }
  });
}

TEST_F(hsem_fixture, the_key_frees_all_that_a_core_has) {
  test::simulate([&] {
    as("host").write32(0x144, 0xBEEF0000);
    as("m4").read32(0x080);
    as("m4").read32(0x0FC);
    as("host").read32(0x084);
    as("host").write32(0x140, 0x12340200);
    EXPECT_EQ(as("host").read32(0x000), BY_M4) << "wrong key";
    as("host").write32(0x140, 0xBEEF0200);
    EXPECT_EQ(as("host").read32(0x000), 0u);
    EXPECT_EQ(as("host").read32(0x07C), 0u);
    EXPECT_EQ(as("host").read32(0x004), BY_A7);
  });
}

}  // namespace
}  // namespace rpsim
