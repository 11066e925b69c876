#include "tests/models/ti_sci_bench.h"

namespace rpsim::test {
namespace {

using sc_core::SC_NS;

/// The proxy alone: the test plays both ends.
struct proxy_bench {
  sim_context context;
  recorder log;
  std::unique_ptr<dt::tree> tree;
  secure_proxy proxy;
  small_bus bus;
  bus_master cpu{"cpu"};
  bus_master nobody{"nobody"};  // the bus has a second master
  std::map<unsigned, std::unique_ptr<sc_core::sc_signal<bool>>> irq;

  explicit proxy_bench(const std::string& nodes = PROXY_NODE)
      : tree(compile(nodes)), proxy("secure_proxy", context, tree->by_label("secure_proxy")), bus("bus", proxy) {
    context.trace.add(log, trace_level::detail);
    cpu.socket.bind(bus.from_hosts);
    nobody.socket.bind(bus.from_dm);
    for (unsigned thread = 0; thread < 100; ++thread) {
      line_out* line = proxy.output("irq", thread);
      if (line == nullptr) continue;
      irq[thread] = std::make_unique<sc_core::sc_signal<bool>>(fmt::format("irq_{}", thread).c_str());
      line->bind(*irq[thread]);
    }
  }
};

message numbered(unsigned n) {
  message m = message::make(message_type::GET_DEVICE, 12, static_cast<std::uint8_t>(n), 2);
  for (unsigned i = 2; i < ti_sci::MESSAGE_WORDS; ++i) m.words[i] = n << 16 | i;
  return m;
}

const sc_time SETTLE(1, sc_core::SC_US);  // more than the latency

TEST(secure_proxy, carries_a_message_after_its_latency_and_interrupts_until_it_is_read) {
  proxy_bench b;
  simulate([&] {
    const message m = numbered(7);
    b.cpu.post(13, m);
    const sc_time sent = sc_core::sc_time_stamp();
    EXPECT_FALSE(b.irq[64]->read());
    sc_core::wait(b.irq[64]->posedge_event());
    EXPECT_EQ(sc_core::sc_time_stamp(), sent + sc_time(500, SC_NS));
    EXPECT_EQ(b.cpu.count(64), 1u);
    EXPECT_EQ(b.cpu.read(bus_master::DATA + 64 * 0x1000), 13u) << "the private word names the sender";
    for (unsigned i = 0; i + 1 < ti_sci::MESSAGE_WORDS; ++i) EXPECT_EQ(b.cpu.read(bus_master::word(64, i)), m.words[i]);
    std::uint32_t part = 0;
    EXPECT_EQ(b.cpu.access(tlm::TLM_READ_COMMAND, bus_master::word(64, 0) + 3, part, 1), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(part, m.words[0] >> 24) << "the sequence number, as TI's sciclient reads it";
    EXPECT_TRUE(b.irq[64]->read()) << "only the last word pops";
    EXPECT_EQ(b.cpu.read(bus_master::word(64, 14)), m.words[14]);
    sc_core::wait(SETTLE);
    EXPECT_FALSE(b.irq[64]->read());
    EXPECT_EQ(b.cpu.count(64), 0u);
  });
  EXPECT_EQ(b.log.lines("tisci.sent"),
            std::vector<std::string>{"secure_proxy thread=13 host=12 seq=7 type=0x201 msg=GET_DEVICE"});
  EXPECT_EQ(b.log.count("irq.raised", "line=64"), 1u);
  EXPECT_EQ(b.log.count("irq.lowered", "line=64"), 1u);
}

TEST(secure_proxy, annotated_time_of_the_last_write_counts) {
  proxy_bench b;
  simulate([&] {
    const sc_time start = sc_core::sc_time_stamp();
    std::uint32_t value = 0;
    tlm::tlm_generic_payload p;
    p.set_command(tlm::TLM_WRITE_COMMAND);
    p.set_address(bus_master::word(13, 14));
    p.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    p.set_data_length(4);
    p.set_streaming_width(4);
    sc_time ahead(3, sc_core::SC_US);
    b.cpu.socket->b_transport(p, ahead);
    sc_core::wait(b.irq[64]->posedge_event());
    EXPECT_EQ(sc_core::sc_time_stamp() - start, sc_time(3500, SC_NS) + ACCESS);
  });
}

TEST(secure_proxy, a_credit_returns_when_the_reader_pops) {
  proxy_bench b;
  simulate([&] {
    EXPECT_EQ(b.cpu.status(13), 5u << 16 | 5u);
    for (unsigned round = 0; round < 2; ++round) {
      for (unsigned i = 1; i <= 3; ++i) b.cpu.post(13, numbered(i));
      EXPECT_EQ(b.cpu.count(13), 2u);
      sc_core::wait(SETTLE);
      EXPECT_EQ(b.cpu.status(64), secure_proxy::STATUS_INBOUND | 5u << 16 | 3u);
      EXPECT_EQ(b.cpu.count(13), 2u) << "delivery alone returns nothing";
      for (unsigned i = 1; i <= 3; ++i) {
        EXPECT_EQ(b.cpu.fetch(64).seq(), i) << "in order";
        EXPECT_EQ(b.cpu.count(13), 2u + i);
      }
    }
  });
}

TEST(secure_proxy, without_a_credit_a_message_is_held_and_a_second_one_is_lost) {
  proxy_bench b;
  simulate([&] {
    for (unsigned i = 1; i <= 5; ++i) b.cpu.post(13, numbered(i));
    EXPECT_EQ(b.cpu.count(13), 0u);
    b.cpu.post(13, numbered(6));
    sc_core::wait(SETTLE);
    EXPECT_EQ(b.cpu.count(64), 5u) << "the sixth is held";
    EXPECT_EQ(b.cpu.status(13) & secure_proxy::STATUS_ERROR, 0u);

    b.cpu.post(13, numbered(7));
    EXPECT_NE(b.cpu.status(13) & secure_proxy::STATUS_ERROR, 0u);
    EXPECT_EQ(b.log.count("tisci.discarded", "thread=13 host=12 seq=7"), 1u);

    EXPECT_EQ(b.cpu.fetch(64).seq(), 1u);
    EXPECT_EQ(b.cpu.count(13), 0u) << "the held message took the credit";
    sc_core::wait(SETTLE);
    EXPECT_EQ(b.cpu.count(64), 5u);
    for (unsigned i = 2; i <= 6; ++i) EXPECT_EQ(b.cpu.fetch(64).seq(), i);
    EXPECT_EQ(b.cpu.count(13), 5u);
    EXPECT_EQ(b.cpu.count(64), 0u);
  });
}

TEST(secure_proxy, waits_for_a_place_in_a_destination_that_is_full) {
  proxy_bench b(R"(
    secure_proxy: mailbox@4d000000 {
      reg-names = "target_data", "rt", "scfg";
      reg = <0x4d000000 0x80000>, <0x4a600000 0x80000>, <0x4a400000 0x80000>;
      a { rpsim,thread = <1>; rpsim,direction = "outbound"; rpsim,messages = <5>; rpsim,destination = <3>; };
      b { rpsim,thread = <2>; rpsim,direction = "outbound"; rpsim,messages = <5>; rpsim,destination = <3>; };
      c { rpsim,thread = <3>; rpsim,direction = "inbound"; rpsim,messages = <2>; };
    };)");
  simulate([&] {
    for (unsigned i = 1; i <= 2; ++i) b.cpu.post(1, numbered(i));
    b.cpu.post(2, numbered(3));
    sc_core::wait(SETTLE);
    EXPECT_EQ(b.cpu.count(3), 2u);
    EXPECT_EQ(b.cpu.fetch(3).seq(), 1u);
    EXPECT_EQ(b.cpu.count(1), 4u);
    sc_core::wait(SETTLE);
    EXPECT_EQ(b.cpu.count(3), 2u) << "the third came in";
    EXPECT_EQ(b.cpu.fetch(3).seq(), 2u);
    EXPECT_EQ(b.cpu.read(bus_master::DATA + 3 * 0x1000), 2u);
    EXPECT_EQ(b.cpu.fetch(3).seq(), 3u);
    EXPECT_EQ(b.cpu.count(2), 5u);
  });
}

TEST(secure_proxy, the_count_saturates_at_255) {
  proxy_bench b(R"(
    secure_proxy: mailbox@4d000000 {
      reg-names = "scfg", "rt", "target_data";
      reg = <0x4a400000 0x80000>, <0x4a600000 0x80000>, <0x4d000000 0x80000>;
      a { rpsim,thread = <1>; rpsim,direction = "outbound"; rpsim,messages = <300>; rpsim,destination = <3>; };
      c { rpsim,thread = <3>; rpsim,direction = "inbound"; rpsim,messages = <300>; };
    };)");
  simulate([&] {
    EXPECT_EQ(b.cpu.status(1), 255u << 16 | 255u);
    for (unsigned i = 0; i < 257; ++i) b.cpu.write(bus_master::word(1, 14), i);
    sc_core::wait(SETTLE);
    EXPECT_EQ(b.cpu.count(1), 43u);
    EXPECT_EQ(b.cpu.count(3), 255u);
    for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(b.cpu.read(bus_master::word(3, 14)), i);
    EXPECT_EQ(b.cpu.count(3), 254u);
  });
}

TEST(secure_proxy, interrupts_from_its_threshold_on) {
  proxy_bench b;
  simulate([&] {
    b.cpu.write(bus_master::RT + 64 * 0x1000 + secure_proxy::THR, 2);
    EXPECT_EQ(b.cpu.read(bus_master::RT + 64 * 0x1000 + secure_proxy::THR), 2u);
    b.cpu.post(13, numbered(1));
    sc_core::wait(SETTLE);
    EXPECT_FALSE(b.irq[64]->read());
    b.cpu.post(13, numbered(2));
    sc_core::wait(SETTLE);
    EXPECT_TRUE(b.irq[64]->read());
    b.cpu.fetch(64);
    sc_core::wait(SETTLE);
    EXPECT_FALSE(b.irq[64]->read());
    b.cpu.write(bus_master::RT + 64 * 0x1000 + secure_proxy::THR, 1);
    sc_core::wait(SETTLE);
    EXPECT_TRUE(b.irq[64]->read()) << "a level: lowering the threshold is enough";
  });
}

TEST(secure_proxy, an_access_against_the_direction_sets_the_error_until_it_is_cleared) {
  proxy_bench b;
  simulate([&] {
    EXPECT_EQ(b.cpu.read(bus_master::word(13, 0)), 0u);
    EXPECT_NE(b.cpu.status(13) & secure_proxy::STATUS_ERROR, 0u);
    b.cpu.write(bus_master::word(12, 14), 1);
    EXPECT_NE(b.cpu.status(12) & secure_proxy::STATUS_ERROR, 0u);
    EXPECT_EQ(b.cpu.count(12), 0u);
    b.cpu.write(bus_master::RT + 13 * 0x1000 + secure_proxy::STATUS, 0);
    EXPECT_EQ(b.cpu.status(13), 5u << 16 | 5u);
  });
}

TEST(secure_proxy, an_empty_inbound_thread_reads_zero_without_an_error) {
  proxy_bench b;
  simulate([&] {
    for (unsigned i = 0; i < ti_sci::MESSAGE_WORDS; ++i) EXPECT_EQ(b.cpu.read(bus_master::word(12, i)), 0u);
    EXPECT_EQ(b.cpu.status(12), secure_proxy::STATUS_INBOUND | 6u << 16);
  });
}

TEST(secure_proxy, tells_direction_and_destination_in_its_configuration) {
  proxy_bench b;
  simulate([&] {
    EXPECT_EQ(b.cpu.read(bus_master::SCFG + 0x1000 + 13 * 0x1000 + secure_proxy::CTL), 5u << 16);
    EXPECT_EQ(b.cpu.read(bus_master::SCFG + 0x1000 + 13 * 0x1000 + secure_proxy::DST), 64u);
    EXPECT_EQ(b.cpu.read(bus_master::SCFG + 0x1000 + 12 * 0x1000 + secure_proxy::CTL),
              secure_proxy::CTL_INBOUND | 6u << 16);
    b.cpu.write(bus_master::SCFG + 0x1000 + 12 * 0x1000 + secure_proxy::CTL, 0);
    EXPECT_EQ(b.cpu.read(bus_master::SCFG + 0x1000 + 12 * 0x1000 + secure_proxy::CTL),
              secure_proxy::CTL_INBOUND | 6u << 16);
  });
}

TEST(secure_proxy, unconfigured_threads_and_odd_accesses_are_bus_errors) {
  proxy_bench b;
  simulate([&] {
    std::uint32_t value = 0;
    EXPECT_EQ(b.cpu.access(tlm::TLM_WRITE_COMMAND, bus_master::word(14, 0), value), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.cpu.access(tlm::TLM_READ_COMMAND, bus_master::RT + 14 * 0x1000, value),
              tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.cpu.access(tlm::TLM_READ_COMMAND, bus_master::SCFG, value), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.cpu.access(tlm::TLM_READ_COMMAND, bus_master::DATA + 12 * 0x1000 + 0x40, value),
              tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.cpu.access(tlm::TLM_WRITE_COMMAND, bus_master::word(13, 0), value, 2), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(b.cpu.access(tlm::TLM_READ_COMMAND, bus_master::word(12, 0) + 2, value), tlm::TLM_BURST_ERROR_RESPONSE);
  });
  EXPECT_EQ(b.log.count("bus.error"), 6u);
  EXPECT_EQ(b.log.count("bus.error", "no such thread"), 3u);
}

TEST(secure_proxy, a_debugger_looks_without_popping) {
  proxy_bench b;
  simulate([&] {
    b.cpu.post(13, numbered(9));
    sc_core::wait(SETTLE);
    std::uint32_t value = 0;
    tlm::tlm_generic_payload p;
    p.set_command(tlm::TLM_READ_COMMAND);
    p.set_address(64 * 0x1000 + secure_proxy::DATA_LAST);
    p.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    p.set_data_length(4);
    EXPECT_EQ((*b.bus.out[0])->transport_dbg(p), 4u);
    EXPECT_EQ(value, numbered(9).words[14]);
    EXPECT_EQ(b.cpu.count(64), 1u);
  });
}

TEST(secure_proxy, refuses_threads_that_cannot_be_built) {
  const auto reason = [](const std::string& threads) -> std::string {
    sim_context context;
    const auto tree = compile("p: p@0 { reg-names = \"target_data\"; reg = <0 0x80000>; " + threads + "};");
    try {
      secure_proxy proxy("p", context, tree->by_label("p"));
    } catch (const dt::error& e) {
      return e.what();
    }
    return "";
  };
  const std::string in = "a { rpsim,thread = <1>; rpsim,direction = \"inbound\"; rpsim,messages = <5>; };";
  EXPECT_THAT(reason("a { rpsim,thread = <1>; rpsim,direction = \"up\"; rpsim,messages = <5>; };"),
              testing::HasSubstr("\"inbound\" or \"outbound\""));
  EXPECT_THAT(reason(in + "b { rpsim,thread = <1>; rpsim,direction = \"inbound\"; rpsim,messages = <5>; };"),
              testing::HasSubstr("thread 1 is there twice"));
  EXPECT_THAT(reason(in + "b { rpsim,thread = <2>; rpsim,direction = \"outbound\"; rpsim,messages = <5>; "
                          "rpsim,destination = <2>; };"),
              testing::HasSubstr("thread 2 is not an inbound thread"));
  EXPECT_THAT(reason("a { rpsim,thread = <190>; rpsim,direction = \"inbound\"; rpsim,messages = <5>; };"),
              testing::HasSubstr("threads go up to 189"));
}

}  // namespace
}  // namespace rpsim::test
