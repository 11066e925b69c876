#include "platforms/platform.h"

#include <gmock/gmock.h>

#include <array>
#include <fstream>
#include <sstream>

#include "docs/examples/doorbell.h"
#include "models/ti_sci/device_manager.h"

namespace rpsim {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* HEAD = R"(/dts-v1/;
/ {
	#address-cells = <2>; #size-cells = <2>;
	host: host-core { compatible = "rpsim,host-core"; clock-frequency = <1000000000>; rpsim,cpus = <1>; rpsim,interrupt-controller = <&gic>; };
	gic: gic@1800000 { compatible = "arm,gic-v3"; #interrupt-cells = <3>; interrupt-controller; reg = <0 0x1800000 0 0x10000>; };
	ddr: memory@80000000 { compatible = "rpsim,ddr"; reg = <0 0x80000000 0 0x10000000>; };
)";

std::string refusal(const std::string& rest) {
  sim_context context;
  try {
    platform p(context, dt::tree::compile_text(HEAD + rest + "};\n", "p.dts"));
    return "accepted";
  } catch (const dt::error& e) {
    return e.what();
  }
}

TEST(platform, am62x_is_built_with_every_part_wired) {
  sim_context context;
  platform p(context, dt::tree::compile(PLATFORMS "/k3-am62x.dts"));
  for (const char* label : {"host", "m4f", "gic", "mailbox0", "secure_proxy", "dm", "mcu_rti0", "mcu_timer0",
                            "m4f_iram", "m4f_dram", "memory", "m4f_rat", "m4f_control"}) {
    EXPECT_NE(p.find(label), nullptr) << label;
  }
  EXPECT_EQ(p.cores().size(), 1u);
  EXPECT_EQ(p.find_core("host"), nullptr);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const std::uint32_t written = 0x12345678;
  std::uint32_t read = 0;
  EXPECT_TRUE(p.debug_write(0x9CC00000, &written, 4));
  EXPECT_TRUE(p.debug_read(0x9CC00000, &read, 4));
  EXPECT_EQ(read, written);
  EXPECT_FALSE(p.debug_read(0x10, &read, 4));
  EXPECT_EQ(p.memory_at(0x9CC00000), p.memory_at(0x80000000));
  EXPECT_EQ(p.memory_at(0x29000000), nullptr);
}

/// SEV of one core is WFE's event of the other; nobody else's. Core 0: nop…, sev, b . — core 1: wfe, b .
TEST(platform, cores_of_an_r5f_cluster_wake_each_other) {
  sim_context context;
  context.arm_engine = RPSIM_ARM_ENGINE;
  context.arm_cores = {"r5f0_0", "r5f0_1"};
  struct : trace_sink {
    std::vector<std::string> wakes;
    void on_event(const event& e) override {
      if (e.name == "core.wake") wakes.push_back(std::string(e.source) + " " + std::string(e.fields[0].text));
    }
  } log;
  context.trace.add(log);
  platform p(context, dt::tree::compile(PLATFORMS "/k3-am64x.dts"));
  auto& dm = dynamic_cast<device_manager&>(*p.find("dm"));
  sc_core::sc_spawn([&] {
    constexpr std::uint32_t config = ti_sci::CONFIG_R5F_ATCM_EN | ti_sci::CONFIG_R5F_TCM_RSTBASE;
    constexpr std::uint32_t nop = 0xE320F000, wfe = 0xE320F002, sev = 0xE320F004, stay = 0xEAFFFFFE;
    const std::array cores{dm.find_processor(p.find("r5f0_0")->node()), dm.find_processor(p.find("r5f0_1")->node())};
    for (processor* c : cores) c->boot(0, config, true);
    for (const unsigned device : {121u, 122u}) dm.boot_device(device, 1ull << 63);
    while (dm.module_line(122).read() != module_state::enable) sc_core::wait(sc_core::SC_ZERO_TIME);
    std::vector<std::uint32_t> signals(2000, nop);
    signals.insert(signals.end(), {sev, stay});
    const std::uint32_t waits[] = {wfe, stay};
    EXPECT_TRUE(p.debug_write(0x78000000, signals.data(), 4 * signals.size()));
    EXPECT_TRUE(p.debug_write(0x78200000, waits, sizeof waits));
    for (processor* c : cores) c->boot(0, config, false);
  });
  sc_core::sc_start(sc_core::sc_time(100, sc_core::SC_US));
  EXPECT_THAT(log.wakes, testing::ElementsAre("r5f0_1 event"));
}

constexpr const char* MAILBOX =
    "\tm: mailbox@29000000 { compatible = \"ti,am64-mailbox\"; reg = <0 0x29000000 0 0x200>; "
    "ti,mbox-num-users = <4>; ti,mbox-num-fifos = <16>; ";

struct bad_tree {
  const char *name, *text, *place, *reason;
};
// One tree a process: SystemC keeps what a module's constructor registered before it threw.
struct refused : testing::TestWithParam<bad_tree> {};

TEST_P(refused, with_its_place_and_what_would_be_right) {
  EXPECT_THAT(refusal(GetParam().text), AllOf(StartsWith(GetParam().place), HasSubstr(GetParam().reason)));
}

const std::string NO_OUTPUT =
    std::string(MAILBOX) + "rpsim,outputs = <9>; rpsim,outputs-extended = <&gic 0 76 4>; };\n";
const std::string UNEVEN = std::string(MAILBOX) + "rpsim,outputs = <0 1>; rpsim,outputs-extended = <&gic 0 76 4>; };\n";
const std::string TWICE =
    std::string(MAILBOX) + "rpsim,outputs = <0 1>; rpsim,outputs-extended = <&gic 0 76 4>, <&gic 0 76 4>; };\n";

INSTANTIATE_TEST_SUITE_P(
    platform, refused,
    testing::Values(
        bad_tree{"unknown_compatible", "\tx: x@1000 { compatible = \"rpsim,srm\"; reg = <0 0x1000 0 0x1000>; };\n",
                 "p.dts:7:14: /x@1000: compatible", "did you mean \"rpsim,sram\"?"},
        bad_tree{"overlap", "\tx: x@80001000 { compatible = \"rpsim,sram\"; reg = <0 0x80001000 0 0x1000>; };\n",
                 "p.dts:7:", "ddr"},
        bad_tree{"translation_for_nobody",
                 "\tx: rat { compatible = \"rpsim,rat\"; reg = <0 0x1000 0 0x1000>; rpsim,regions = <4>; };\n",
                 "p.dts:7:", "leads nowhere"},
        bad_tree{
            "missing_reg",
            "\tm: mailbox { compatible = \"ti,am64-mailbox\"; ti,mbox-num-users = <4>; ti,mbox-num-fifos = <16>; };\n",
            "p.dts:7:", "`reg` lacks entry 0"},
        bad_tree{"no_such_output", NO_OUTPUT.c_str(), "p.dts:7:", "9 is not an output of m"},
        bad_tree{"more_outputs_than_inputs", UNEVEN.c_str(), "p.dts:7:", "names 2 outputs"},
        bad_tree{"input_driven_twice", TWICE.c_str(), "p.dts:7:", "driven twice"},
        bad_tree{"two_of_one_name",
                 "\tram@1000 { compatible = \"rpsim,sram\"; reg = <0 0x1000 0 0x1000>; };\n"
                 "\tram@2000 { compatible = \"rpsim,sram\"; reg = <0 0x2000 0 0x1000>; };\n",
                 "p.dts:8:", "a second instance called ram"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(platform, a_tree_without_a_host_is_refused) {
  sim_context context;
  EXPECT_THAT([&] { platform p(context, dt::tree::compile_text("/dts-v1/;\n/ { };\n", "p.dts")); },
              testing::ThrowsMessage<dt::error>(HasSubstr("has no host core")));
}

TEST(example, the_readme_model_works_from_a_device_tree_node) {
  sim_context context;
  model_factory factory;
  register_models(factory);
  factory.add<doorbell>("rpsim,doorbell");
  platform p(
      context,
      dt::tree::compile_text(std::string(HEAD) +
                                 "\tbell: doorbell@1000 { compatible = \"rpsim,doorbell\"; reg = <0 0x1000 0 0x10>;\n"
                                 "\t\trpsim,outputs = <0>; rpsim,outputs-extended = <&gic 0 5 4>; };\n};\n",
                             "p.dts"),
      factory);
  sc_core::sc_spawn([&] {
    const std::uint32_t one = 1;
    EXPECT_EQ(p.host().bus().write(0x1000, std::as_bytes(std::span(&one, 1))), bus_status::ok);
  });
  struct recorder : trace_sink {
    unsigned rung = 0;
    void on_event(const event& e) override { rung += e.name == "doorbell.rung"; }
  } recorder;
  context.trace.add(recorder);
  sc_core::sc_start(sc_core::sc_time(10, sc_core::SC_US));
  EXPECT_EQ(recorder.rung, 1u);
}

TEST(example, the_readme_shows_the_model_as_it_is) {
  const auto content = [](const char* path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  };
  EXPECT_THAT(content(PLATFORMS "/../README.md"), HasSubstr(content(PLATFORMS "/../docs/examples/doorbell.h")));
}

}  // namespace
}  // namespace rpsim
