#include <gmock/gmock.h>

#include <array>
#include <fstream>

#include "models/common/context.h"
#include "models/common/device_tree.h"
#include "models/common/register_bank.h"

namespace rpsim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(params, quantities_are_read_in_their_unit) {
  EXPECT_EQ(parse_quantity("80us", "s"), 80e6);
  EXPECT_EQ(parse_quantity(" 1.5 ms ", "s"), 1.5e9);
  EXPECT_EQ(parse_quantity("0", "s"), 0);
  EXPECT_EQ(parse_quantity("400MHz", "Hz"), 400e6);
  EXPECT_EQ(parse_quantity("never-acks", "acks|never-acks"), 1);
  EXPECT_THAT(parse_quantity("80", "s").error(), HasSubstr("has no unit"));
  EXPECT_THAT(parse_quantity("80 Hz", "s").error(), HasSubstr("expected one of ps, ns, us, ms, s"));
  EXPECT_THAT(parse_quantity("never-ack", "acks|never-acks").error(), HasSubstr("did you mean never-acks?"));
  EXPECT_THAT(parse_quantity("1e999s", "s").error(), HasSubstr("not a number"));
  EXPECT_THAT(parse_quantity("20000000s", "s").error(), HasSubstr("longer than simulated time"));
  EXPECT_THAT(parse_quantity("0.1ps", "s").error(), HasSubstr("shorter than a picosecond"));
}

TEST(params, a_quantity_survives_being_written_and_read) {
  for (const double v : {1.0, 80e6, 1.5e9, 123456789.0, 5e12})
    EXPECT_EQ(parse_quantity(format_quantity(v, "s"), "s"), v);
}

TEST(params, an_override_before_the_declaration_takes_effect_at_it) {
  sim_context context;
  EXPECT_TRUE(context.params.set("dm.latency", "70us"));
  param& p =
      context.params.time({"dm.latency", provenance::assumed, "assumed", "a"}, sc_core::sc_time(1, sc_core::SC_MS));
  EXPECT_EQ(p.time(), sc_core::sc_time(70, sc_core::SC_US));
  EXPECT_EQ(p.default_value().text("s"), "1ms");
  EXPECT_TRUE(context.params.seal().empty());
}

TEST(params, a_name_that_nobody_declared_is_refused_with_the_nearest_one) {
  sim_context context;
  context.params.time({"dm.latency", provenance::assumed, "assumed", "a"}, sc_core::SC_ZERO_TIME);
  EXPECT_TRUE(context.params.set("dm.latncy", "70us"));
  EXPECT_THAT(context.params.seal(), ElementsAre(HasSubstr("did you mean dm.latency?")));
  EXPECT_THAT(context.params.set("dm.lat", "1us").error(), HasSubstr("no parameter 'dm.lat'"));
}

TEST(params, a_negative_time_is_refused) {
  sim_context context;
  context.params.time({"dm.latency", provenance::assumed, "assumed", "a"}, sc_core::SC_ZERO_TIME);
  EXPECT_THAT(context.params.set("dm.latency", "-1us").error(), HasSubstr("below"));
  EXPECT_THAT(context.params.set("dm.latency", "uniform(-1us, 1us)").error(), HasSubstr("below"));
}

TEST(params, distributions_stay_in_their_bounds_and_repeat_with_the_seed) {
  for (const char* text : {"uniform(50us, 150us)", "normal(100us, 20us, 50us, 150us)"}) {
    sim_context a(7), b(7), c(8);
    const auto draw = [&](sim_context& x) {
      EXPECT_TRUE(x.params.set("t", text));
      param& p = x.params.time({"t", provenance::assumed, "assumed", "a"}, sc_core::SC_ZERO_TIME);
      std::vector<std::uint64_t> values;
      for (int i = 0; i < 200; ++i) {
        values.push_back(p.time().value());
        EXPECT_GE(values.back(), 50'000'000u);
        EXPECT_LE(values.back(), 150'000'000u);
      }
      return values;
    };
    const auto first = draw(a);
    EXPECT_EQ(first, draw(b));
    EXPECT_NE(first, draw(c));
  }
}

TEST(params, jitter_draws_each_use_inside_the_declared_range_and_leaves_what_was_set) {
  const auto draw = [](std::uint64_t schedule) {
    sim_context x(7);
    const provenance p = provenance::assumed;
    param& ranged = x.params.time({"a.ranged", p, "s", "d", "50us .. 150us"}, sc_core::sc_time(90, sc_core::SC_US));
    param& fixed = x.params.time({"a.fixed", p, "s", "d"}, sc_core::sc_time(7, sc_core::SC_US));
    param& set = x.params.time({"a.set", p, "s", "d", "1us .. 10us"}, sc_core::sc_time(5, sc_core::SC_US));
    EXPECT_TRUE(x.params.set("a.set", "3us"));
    EXPECT_EQ(ranged.time(), sc_core::sc_time(90, sc_core::SC_US));  // in use, and settled
    x.rng.reseed(7, schedule);
    x.params.jitter();
    std::set<std::uint64_t> values;
    for (int i = 0; i < 100; ++i) values.insert(ranged.time().value());
    EXPECT_GE(*values.begin(), 50'000'000u);
    EXPECT_LE(*values.rbegin(), 150'000'000u);
    EXPECT_GT(values.size(), 90u);
    EXPECT_EQ(fixed.time(), sc_core::sc_time(7, sc_core::SC_US));
    EXPECT_EQ(set.time(), sc_core::sc_time(3, sc_core::SC_US));
    return values;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(params, a_declared_range_that_cannot_be_read_is_a_defect_of_the_model) {
  sim_context x;
  EXPECT_THAT(
      [&] {
        x.params.time({"a.b", provenance::assumed, "s", "d", "1us-2us"}, sc_core::SC_ZERO_TIME);
      },
      testing::ThrowsMessage<std::logic_error>(HasSubstr("a.b: range")));
}

TEST(params, a_distribution_is_refused_with_what_would_be_right) {
  EXPECT_THAT(distribution::parse("uniform(1us)", "s").error(), HasSubstr("expected uniform(low, high)"));
  EXPECT_THAT(distribution::parse("unifrom(1us, 2us)", "s").error(), HasSubstr("did you mean uniform?"));
  EXPECT_THAT(distribution::parse("uniform(2us, 1us)", "s").error(), HasSubstr("low is above high"));
  EXPECT_THAT(distribution::parse("uniform(2us, 1us", "s").error(), HasSubstr("parenthesis"));
  EXPECT_THAT(distribution::parse("normal(1s, 1us, 1us, 2us)", "s").error(), HasSubstr("four deviations"));
}

TEST(random, streams_are_independent_of_who_else_draws) {
  random_registry alone(3), crowd(3);
  crowd.stream("other").next();
  EXPECT_EQ(alone.stream("mine").next(), crowd.stream("mine").next());
  alone.reseed(3, 5);
  crowd.reseed(3, 5);
  EXPECT_EQ(alone.stream("mine").next(), crowd.stream("mine").next());
}

constexpr const char* TREE = R"(/dts-v1/;
/ {
	#address-cells = <2>;
	#size-cells = <2>;
	ctrl: controller@10 { reg = <0 0x10 0 0x20>, <1 0 0 4>; reg-names = "a", "b"; #irq-cells = <2>; };
	user: user { irqs = <&ctrl 1 2>, <&ctrl 3 4>; short = <&ctrl 1>; text = "x", "y"; };
	off { status = "disabled"; inner { }; };
	kept { status = "reserved"; };
};
)";

TEST(device_tree, reads_what_was_written) {
  const auto t = dt::tree::compile_text(TREE, "t.dts");
  const dt::node ctrl = t->by_label("ctrl");
  ASSERT_TRUE(ctrl);
  EXPECT_EQ(ctrl.label(), "ctrl");
  EXPECT_EQ(ctrl.base_name(), "controller");
  EXPECT_EQ(ctrl.reg("b")->base, 0x1'0000'0000u);
  const auto irqs = t->by_label("user").references("irqs", "#irq-cells");
  ASSERT_EQ(irqs.size(), 2u);
  EXPECT_EQ(irqs[1].target, ctrl);
  EXPECT_THAT(irqs[1].args, ElementsAre(3u, 4u));
  std::vector<std::string> names;
  for (const auto& n : t->all_enabled()) names.push_back(n.base_name());
  EXPECT_THAT(names, ElementsAre("", "controller", "user", "kept"));
}

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const dt::error& e) {
    return e.what();
  }
  return "no error";
}

TEST(device_tree, an_error_names_its_place) {
  const auto t = dt::tree::compile_text(TREE, "t.dts");
  const dt::node user = t->by_label("user");
  EXPECT_THAT(message([&] { user.references("short", "#irq-cells"); }), StartsWith("t.dts:6:48: /user: short"));
  EXPECT_THAT(message([&] { (void)user.required_u32("absent"); }), StartsWith("t.dts:6:"));
  EXPECT_THAT(message([] { dt::tree::compile_text("/dts-v1/;\n/ {\n\tx = <;\n};\n", "bad.dts"); }),
              StartsWith("bad.dts:3:7: syntax error"));
  EXPECT_THAT(message([] { dt::tree::compile_text("/dts-v1/;\n/ {\n\ta: b@1 { };\n\ta: c { };\n};\n", "bad.dts"); }),
              StartsWith("bad.dts:4:"));
  const std::string including = testing::TempDir() + "including.dts";
  std::ofstream(including) << "/dts-v1/;\n#include \"absent.dtsi\"\n/ { };\n";
  EXPECT_THAT(message([&] { dt::tree::compile(including); }),
              AllOf(StartsWith(including + ":2:10: "), HasSubstr("absent.dtsi")));
  EXPECT_THAT(message([] { dt::tree::compile("/nonexistent/x.dts"); }), StartsWith("/nonexistent/x.dts: cannot"));
}

struct bank_fixture : testing::Test {
  sim_context context;
  register_bank bank{context, "bank", 0x40};
  struct recorder : trace_sink {
    std::vector<std::string> reasons;
    void on_event(const event& e) override { reasons.emplace_back(e.text("reason")); }
  } errors;

  tlm::tlm_response_status access(tlm::tlm_command c, std::uint64_t address, std::uint32_t& value, unsigned size = 4) {
    std::array<std::uint32_t, 2> data{value};
    tlm::tlm_generic_payload p;
    p.set_command(c);
    p.set_address(address);
    p.set_data_ptr(reinterpret_cast<unsigned char*>(data.data()));
    p.set_data_length(size);
    p.set_streaming_width(size);
    sc_core::sc_time delay;
    bank.transport(p, delay);
    value = data[0];
    return p.get_response_status();
  }
};

TEST_F(bank_fixture, registers_keep_their_rights_and_reset_values) {
  std::uint32_t written = 0;
  bank.add(0x0, "ID", access::ro, 0x1234);
  bank.add(0x4, "CTL", access::rw, 7);
  bank.add(0x10, "ARRAY", access::rw, 1).count(4).on_write([&](unsigned i, std::uint32_t v) { written = 16 * i + v; });
  std::uint32_t v = 9;
  EXPECT_EQ(access(tlm::TLM_WRITE_COMMAND, 0x0, v), tlm::TLM_OK_RESPONSE);
  access(tlm::TLM_READ_COMMAND, 0x0, v);
  EXPECT_EQ(v, 0x1234u);
  v = 3;
  access(tlm::TLM_WRITE_COMMAND, 0x4, v);
  access(tlm::TLM_WRITE_COMMAND, 0x18, v);
  EXPECT_EQ(written, 35u);
  EXPECT_EQ(bank.get(0x4), 3u);
  bank.reset();
  EXPECT_EQ(bank.get(0x4), 7u);
}

TEST_F(bank_fixture, what_no_register_answers_is_a_bus_error_with_its_reason) {
  context.trace.add(errors);
  bank.add(0x0, "ID", access::ro);
  std::uint32_t v = 0;
  EXPECT_EQ(access(tlm::TLM_READ_COMMAND, 0x8, v), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(access(tlm::TLM_READ_COMMAND, 0x40, v), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(access(tlm::TLM_READ_COMMAND, 0x1, v), tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(access(tlm::TLM_READ_COMMAND, 0x0, v, 2), tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(errors.reasons.size(), 4u);
  EXPECT_EQ(errors.reasons[0], "no register here");
}

TEST_F(bank_fixture, two_registers_at_one_offset_are_refused_with_both_names) {
  bank.add(0x0, "A", access::ro);
  EXPECT_THAT([&] { bank.add(0x0, "B", access::ro); },
              testing::ThrowsMessage<std::logic_error>(HasSubstr("registers A and B share offset")));
}

TEST(trace, a_sink_gets_the_levels_it_asked_for) {
  struct counter : trace_sink {
    unsigned n = 0;
    void on_event(const event&) override { ++n; }
  } protocol, detail;
  rpsim::trace t;
  EXPECT_FALSE(t.on(trace_level::detail));
  t.add(protocol);
  t.add(detail, trace_level::detail);
  EXPECT_TRUE(t.on(trace_level::detail));
  t.emit("a", "x");
  t.emit(trace_level::detail, "a", "y", {{"n", 1u}});
  t.emit(trace_level::bus, "a", "z", {{"n", 1u}});
  EXPECT_EQ(protocol.n, 1u);
  EXPECT_EQ(detail.n, 2u);
  t.remove(detail);
  EXPECT_FALSE(t.on(trace_level::detail));
}

}  // namespace
}  // namespace rpsim
