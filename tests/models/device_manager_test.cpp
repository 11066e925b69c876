#include "models/ti_sci/device_manager.h"

#include "tests/models/ti_sci_bench.h"

namespace rpsim::test {
namespace {

using sc_core::SC_MS;
using sc_core::SC_NS;
using sc_core::SC_US;
using namespace ti_sci;
using testing::HasSubstr;

// AM62x's numbers; device 20 has an LPSC of its own, 121 and 122 are an R5F cluster.
constexpr const char* NODES = R"(
  pds: pds { #power-domain-cells = <2>; };
  m4f: m4f-core { compatible = "rpsim,native-core", "arm,cortex-m4f"; power-domains = <&pds 9 1>; };
  a53: a53-cores { compatible = "rpsim,host-core"; };
  r5f0: r5f0-core { compatible = "rpsim,native-core", "arm,cortex-r5f"; power-domains = <&pds 121 1>; };
  r5f1: r5f1-core { compatible = "rpsim,native-core", "arm,cortex-r5f"; power-domains = <&pds 122 1>; };
  dm: device-manager {
    rpsim,secure-proxy = <&secure_proxy>;
    hosts {
      a53_2 { rpsim,host-id = <12>; rpsim,rx-thread = <64>; rpsim,tx-thread = <65>; rpsim,input = <0>;
              rpsim,core = <&a53>; };
      m4_0 { rpsim,host-id = <30>; rpsim,rx-thread = <66>; rpsim,tx-thread = <67>; rpsim,input = <1>; };
    };
    lpscs {
      lpsc_m4f: lpsc-6 { rpsim,lpsc = <6>; rpsim,local-reset; rpsim,power-domain; };
      lpsc_other: lpsc-20 { rpsim,lpsc = <20>; };
      lpsc_boot: lpsc-21 { rpsim,lpsc = <21>; };
      lpsc_r5f0: lpsc-30 { rpsim,lpsc = <30>; rpsim,local-reset; };
      lpsc_r5f1: lpsc-31 { rpsim,lpsc = <31>; rpsim,local-reset; };
    };
    devices {
      mcu_m4fss0_core0 { rpsim,device-id = <9>; rpsim,lpsc = <&lpsc_m4f>; };
      mcu_rti0 { rpsim,device-id = <131>; rpsim,lpsc = <&lpsc_m4f>; };
      other { rpsim,device-id = <20>; rpsim,lpsc = <&lpsc_other>; };
      boot { rpsim,device-id = <21>; rpsim,lpsc = <&lpsc_boot>; rpsim,boot-on; };
      boot_too { rpsim,device-id = <22>; rpsim,lpsc = <&lpsc_boot>; rpsim,boot-on; };
      r5f0 { rpsim,device-id = <121>; rpsim,lpsc = <&lpsc_r5f0>; };
      r5f1 { rpsim,device-id = <122>; rpsim,lpsc = <&lpsc_r5f1>; };
    };
    processors {
      m4f { rpsim,processor-id = <0x18>; rpsim,core = <&m4f>; rpsim,hosts = <12 30>; rpsim,status = "wfi"; };
      r5f0 { rpsim,processor-id = <0x01>; rpsim,core = <&r5f0>; rpsim,hosts = <12>;
             rpsim,status = "wfe", "wfi", "lockstep-permitted"; };
      r5f1 { rpsim,processor-id = <0x02>; rpsim,core = <&r5f1>; rpsim,hosts = <12>; rpsim,second-core = <&r5f0>; };
    };
    resources { rpsim,ranges = <3 0 12 0 16>, <3 0 30 16 8>, <3 0 128 30 2>, <3 0 12 40 4>; };
    clocks { rpsim,clocks = <9 0 0 400000000>, <9 300 1 0>; };
  };
)";

struct dm_bench {
  sim_context context;
  recorder log;
  scripted_faults faults;
  std::unique_ptr<dt::tree> tree = compile(std::string(PROXY_NODE) + NODES);
  secure_proxy proxy;
  device_manager dm;
  small_bus bus;
  bus_master cpu{"cpu"};
  test_host linux_host{cpu, 12, 12, 13}, m4f{cpu, 30, 16, 17};
  sc_core::sc_signal<bool> irq_64{"irq_64"}, irq_66{"irq_66"}, r5f0_wfi{"r5f0_wfi"}, r5f1_wfi{"r5f1_wfi"};

  sc_core::sc_signal<bool, sc_core::SC_MANY_WRITERS> wfi{"wfi"};

  dm_bench()
      : proxy("secure_proxy", context, tree->by_label("secure_proxy")),
        dm("dm", context, tree->by_label("dm")),
        bus("bus", proxy) {
    context.trace.add(log);
    context.faults = &faults;
    cpu.socket.bind(bus.from_hosts);
    dm.initiator()->bind(bus.from_dm);
    proxy.output("irq", 12)->bind(linux_host.irq);
    proxy.output("irq", 16)->bind(m4f.irq);
    proxy.output("irq", 64)->bind(irq_64);
    proxy.output("irq", 66)->bind(irq_66);
    dm.input("irq", 0)->bind(irq_64);
    dm.input("irq", 1)->bind(irq_66);
    dm.wfi_input(0x18).bind(wfi);
    dm.wfi_input(0x01).bind(r5f0_wfi);
    dm.wfi_input(0x02).bind(r5f1_wfi);
  }

  module_state module(unsigned device) { return dm.module_line(device).read(); }
  std::string last_reason() const {
    const auto nacks = log.lines("tisci.response", "result=NACK");
    return nacks.empty() ? "" : nacks.back().substr(nacks.back().find("reason=") + 7);
  }
};

constexpr bool NACKED = false;
using device_state = test_host::device_state;

// ---- transport

TEST(device_manager, answers_a_request_after_its_latency) {
  dm_bench b;
  simulate([&] {
    for (int round = 0; round < 2; ++round) {
      message get = b.linux_host.request(message_type::GET_DEVICE);
      get.put(8, std::uint32_t{9});
      b.linux_host.send(get);
      const sc_time sent = sc_core::sc_time_stamp();
      sc_core::wait(b.linux_host.irq.posedge_event());
      // There and back through the proxy, the interrupt, 16 reads, the processing, 16 accesses.
      EXPECT_EQ(sc_core::sc_time_stamp() - sent,
                2 * sc_time(500, SC_NS) + sc_time(200, SC_NS) + 16 * ACCESS + sc_time(90, SC_US) + 16 * ACCESS);
      EXPECT_TRUE(b.linux_host.receive());
    }
  });
  EXPECT_EQ(b.log.lines("tisci.request").front(),
            "dm host=12 seq=1 type=0x201 msg=GET_DEVICE device=9 name=mcu_m4fss0_core0");
  EXPECT_EQ(b.log.lines("tisci.response").back(), "dm host=12 seq=2 type=0x201 msg=GET_DEVICE result=ACK");
}

TEST(device_manager, tells_its_version) {
  dm_bench b;
  simulate([&] {
    const auto r = b.linux_host.call(b.linux_host.request(message_type::VERSION));
    ASSERT_TRUE(r);
    EXPECT_EQ(r->flags(), FLAG_RESPONSE_ACK);
    EXPECT_STREQ(reinterpret_cast<const char*>(&r->words[2]), "rpsim device manager");
    EXPECT_EQ(r->get<std::uint8_t>(42), 4u);
  });
}

TEST(device_manager, without_a_wish_for_a_response_there_is_none) {
  dm_bench b;
  simulate([&] {
    message m = b.linux_host.request(message_type::SET_DEVICE);
    m.put(4, std::uint32_t{0});
    m.put(8, std::uint32_t{9});
    m.put(16, DEVICE_SW_ON);
    b.linux_host.send(m);
    EXPECT_FALSE(b.linux_host.receive());
    EXPECT_EQ(b.module(9), module_state::enable) << "but it is carried out";
  });
  EXPECT_EQ(b.log.count("tisci.response"), 0u);
}

TEST(device_manager, serves_requests_one_by_one_and_hosts_in_turn) {
  dm_bench b;
  simulate([&] {
    for (int i = 0; i < 3; ++i) {
      message m = b.linux_host.request(message_type::GET_DEVICE);
      m.put(8, std::uint32_t{9});
      b.linux_host.send(m);
    }
    b.m4f.send(b.m4f.request(message_type::VERSION));
    sc_core::wait(1, SC_MS);
    EXPECT_EQ(b.cpu.count(12), 3u);
    EXPECT_EQ(b.cpu.count(16), 1u);
  });
  const auto taken = b.log.lines("tisci.request");
  ASSERT_EQ(taken.size(), 4u);
  EXPECT_THAT(taken[0], HasSubstr("host=12 seq=1"));
  EXPECT_THAT(taken[1], HasSubstr("host=30 seq=1"));
  EXPECT_THAT(taken[2], HasSubstr("host=12 seq=2"));
  EXPECT_THAT(taken[3], HasSubstr("host=12 seq=3"));
  for (std::size_t i = 0, requests = 0, responses = 0; i < b.log.entries.size(); ++i) {
    requests += b.log.entries[i].name == "tisci.request";
    responses += b.log.entries[i].name == "tisci.response";
    EXPECT_LE(requests - responses, 1u);
  }
}

TEST(device_manager, a_spoofed_host_is_dropped_without_an_answer) {
  dm_bench b;
  simulate([&] {
    message m = b.linux_host.request(message_type::VERSION);
    m.put(2, std::uint8_t{30});
    b.linux_host.send(m);
    EXPECT_FALSE(b.linux_host.receive());
    EXPECT_FALSE(b.m4f.receive());
    EXPECT_TRUE(b.linux_host.acked(b.linux_host.request(message_type::VERSION))) << "the next one is served";
  });
  EXPECT_EQ(b.log.count("tisci.discarded", "host=30"), 1u);
  EXPECT_EQ(b.log.count("tisci.request"), 1u);
}

TEST(device_manager, responses_that_nobody_reads_run_out_of_credits) {
  dm_bench b;
  simulate([&] {
    for (int i = 0; i < 7; ++i) {
      b.linux_host.send(b.linux_host.request(message_type::VERSION));
      sc_core::wait(1, SC_MS);
    }
    EXPECT_EQ(b.cpu.count(12), 6u);
    EXPECT_EQ(b.log.count("tisci.discarded", "no credit on thread 65"), 1u);
    EXPECT_TRUE(b.m4f.acked(b.m4f.request(message_type::VERSION))) << "the other host is served";
    for (unsigned i = 1; i <= 6; ++i) EXPECT_EQ(b.linux_host.receive()->seq(), i);
    EXPECT_TRUE(b.linux_host.acked(b.linux_host.request(message_type::VERSION)));
  });
}

TEST(device_manager, unknown_messages_devices_and_processors_are_refused) {
  dm_bench b;
  simulate([&] {
    EXPECT_EQ(b.linux_host.acked(b.linux_host.request(static_cast<message_type>(0x0022))), NACKED);
    EXPECT_EQ(b.last_reason(), "unknown message");
    EXPECT_EQ(b.linux_host.get(200), NACKED);
    EXPECT_EQ(b.last_reason(), "unknown device");
    EXPECT_EQ(b.linux_host.acked(b.linux_host.processor(message_type::PROC_REQUEST, 0x30)), NACKED);
    EXPECT_EQ(b.last_reason(), "unknown processor");
    EXPECT_EQ(b.linux_host.acked(b.linux_host.request(message_type::PROC_AUTH_BOOT)), NACKED);
  });
}

TEST(device_manager, a_nack_carries_nothing) {
  dm_bench b;
  simulate([&] {
    message m = b.linux_host.request(message_type::GET_DEVICE);
    m.put(8, std::uint32_t{200});
    const auto r = b.linux_host.call(m);
    ASSERT_TRUE(r);
    for (unsigned i = 1; i < MESSAGE_WORDS; ++i) EXPECT_EQ(r->words[i], 0u);
  });
}

TEST(device_manager, a_system_reset_is_acknowledged_and_noted) {
  dm_bench b;
  simulate([&] { EXPECT_TRUE(b.linux_host.acked(b.linux_host.request(message_type::SYS_RESET))); });
  EXPECT_EQ(b.log.count("soc.reset_request", "host=12"), 1u);
}

// ---- devices

TEST(device_manager, get_and_put_switch_the_module_twice) {
  dm_bench b;
  simulate([&] {
    EXPECT_EQ(b.linux_host.state(9), (device_state{0, RESET_LOCAL, DEVICE_SW_AUTO_OFF, DEVICE_HW_OFF}));
    for (unsigned round = 1; round <= 2; ++round) {
      EXPECT_TRUE(b.linux_host.get(9));
      EXPECT_EQ(b.module(9), module_state::enable) << "the response comes after the transition";
      EXPECT_EQ(b.linux_host.state(9), (device_state{round, RESET_LOCAL, DEVICE_SW_ON, DEVICE_HW_ON}));
      EXPECT_EQ(b.m4f.state(9).programmed, DEVICE_SW_RETENTION) << "programmed state is the asking host's";
      EXPECT_TRUE(b.linux_host.put(9));
      EXPECT_EQ(b.module(9), module_state::off);
      EXPECT_EQ(b.linux_host.state(9), (device_state{round, RESET_LOCAL, DEVICE_SW_AUTO_OFF, DEVICE_HW_OFF}));
    }
  });
  EXPECT_EQ(b.log.lines("device.get", "host=12").front(), "dm device=9 name=mcu_m4fss0_core0 host=12 mask=0x1000");
  EXPECT_EQ(b.log.count("device.get"), 2u);
  EXPECT_EQ(b.log.count("device.put"), 2u);
}

TEST(device_manager, a_host_cannot_drop_the_reference_of_another) {
  dm_bench b;
  simulate([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_TRUE(b.linux_host.get(9));
      EXPECT_TRUE(b.m4f.get(131));
      EXPECT_TRUE(b.linux_host.put(131)) << "acknowledged, and nothing happens";
      EXPECT_TRUE(b.linux_host.put(9));
      EXPECT_EQ(b.module(9), module_state::enable) << "MCU_RTI0 keeps the LPSC on";
      EXPECT_EQ(b.linux_host.state(9).current, DEVICE_HW_ON);
      EXPECT_EQ(b.linux_host.state(9).programmed, DEVICE_SW_AUTO_OFF);
      EXPECT_TRUE(b.m4f.put(131));
      EXPECT_EQ(b.module(9), module_state::off);
    }
  });
}

TEST(device_manager, retention_keeps_the_module_powered) {
  dm_bench b;
  simulate([&] {
    EXPECT_TRUE(b.linux_host.get(20));
    EXPECT_TRUE(b.linux_host.set_device(20, DEVICE_SW_RETENTION));
    EXPECT_EQ(b.module(20), module_state::disable);
    EXPECT_EQ(b.linux_host.state(20), (device_state{1, 0, DEVICE_SW_RETENTION, DEVICE_HW_ON}))
        << "Disable reads as on: the state does not prove that clocks run";
    EXPECT_TRUE(b.linux_host.put(20));
    EXPECT_EQ(b.linux_host.state(20), (device_state{1, 0, DEVICE_SW_AUTO_OFF, DEVICE_HW_OFF}));
    EXPECT_EQ(b.linux_host.set_device(20, 3), NACKED);
    EXPECT_EQ(b.last_reason(), "no device state 3");
  });
}

TEST(device_manager, an_exclusive_device_is_closed_to_others_until_a_request_without_the_flag) {
  dm_bench b;
  simulate([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_TRUE(b.linux_host.get(20, FLAG_DEVICE_EXCLUSIVE));
      EXPECT_EQ(b.m4f.get(20), NACKED);
      EXPECT_EQ(b.last_reason(), "host 12 has the device exclusively");
      EXPECT_EQ(b.m4f.put(20), NACKED);
      EXPECT_EQ(b.m4f.set_resets(20, 0), NACKED);
      EXPECT_EQ(b.m4f.state(20).current, DEVICE_HW_ON) << "looking is allowed";
      EXPECT_TRUE(b.linux_host.get(20)) << "not exclusive any more";
      EXPECT_TRUE(b.m4f.get(20));
      EXPECT_EQ(b.linux_host.get(20, FLAG_DEVICE_EXCLUSIVE), NACKED);
      EXPECT_EQ(b.last_reason(), "not exclusive: host 30 has the device enabled");
      EXPECT_TRUE(b.m4f.put(20));
      EXPECT_TRUE(b.linux_host.put(20));
    }
  });
}

TEST(device_manager, the_power_up_reference_ends_with_the_first_request) {
  dm_bench b;
  simulate([&] {
    EXPECT_EQ(b.module(21), module_state::enable);
    EXPECT_EQ(b.linux_host.state(21), (device_state{0, 0, DEVICE_SW_AUTO_OFF, DEVICE_HW_ON}));
    EXPECT_TRUE(b.linux_host.get(21, FLAG_DEVICE_EXCLUSIVE)) << "the power-up reference is nobody's";
    EXPECT_TRUE(b.linux_host.put(21));
    EXPECT_EQ(b.module(21), module_state::enable) << "device 22 has it still";
    EXPECT_TRUE(b.linux_host.acked(b.linux_host.request(message_type::DROP_POWERUP_REF)));
    sc_core::wait(100, SC_US);
    EXPECT_EQ(b.module(21), module_state::sw_rst_disable);
  });
  EXPECT_EQ(b.log.count("device.put", "device=22 name=boot_too host=63 mask=0x0"), 1u);
}

TEST(device_manager, resets_are_set_and_read_back) {
  dm_bench b;
  simulate([&] {
    EXPECT_TRUE(b.dm.local_reset_line(9).read()) << "held from power-up";
    for (int round = 0; round < 2; ++round) {
      EXPECT_TRUE(b.linux_host.set_resets(9, 0)) << "in any module state";
      EXPECT_FALSE(b.dm.local_reset_line(9).read());
      EXPECT_EQ(b.linux_host.state(9).resets, 0u);
      EXPECT_TRUE(b.linux_host.set_resets(9, RESET_LOCAL));
      EXPECT_TRUE(b.dm.local_reset_line(9).read());
      EXPECT_EQ(b.linux_host.state(9).resets, RESET_LOCAL);
    }
    EXPECT_EQ(b.linux_host.set_resets(9, 4), NACKED);
    EXPECT_EQ(b.last_reason(), "no resets 0x4");

    EXPECT_TRUE(b.linux_host.get(20));
    EXPECT_TRUE(b.linux_host.set_resets(20, RESET_LOCAL | RESET_MODULE));
    EXPECT_EQ(b.linux_host.state(20).resets, RESET_MODULE) << "no local reset there";
    EXPECT_EQ(b.module(20), module_state::sync_reset);
    EXPECT_TRUE(b.linux_host.set_resets(20, 0));
    EXPECT_EQ(b.linux_host.state(20), (device_state{2, 0, DEVICE_SW_ON, DEVICE_HW_ON})) << "context lost again";
  });
  EXPECT_EQ(b.log.count("reset.deassert", "core=m4f kind=local"), 2u);
  EXPECT_EQ(b.log.count("reset.assert", "core=m4f kind=local"), 2u);
}

TEST(device_manager, switching_a_running_core_off_hangs_in_trans_and_is_refused_both_ways) {
  dm_bench b;
  simulate([&] {
    EXPECT_TRUE(b.linux_host.get(9));
    EXPECT_TRUE(b.linux_host.set_resets(9, 0));
    const sc_time start = sc_core::sc_time_stamp();
    EXPECT_EQ(b.linux_host.put(9), NACKED);
    EXPECT_EQ(b.last_reason(), "the LPSC is still in TRANS");
    EXPECT_GT(sc_core::sc_time_stamp() - start, sc_time(1, SC_MS)) << "10 000 polls";
    EXPECT_EQ(b.linux_host.state(9), (device_state{1, 0, DEVICE_SW_AUTO_OFF, DEVICE_HW_TRANS}));
    EXPECT_EQ(b.linux_host.get(9), NACKED);
    EXPECT_EQ(b.last_reason(), "the LPSC is still in TRANS");
    b.wfi.write(true);
    sc_core::wait(1, SC_MS);
    EXPECT_EQ(b.module(9), module_state::enable) << "it holds the reference of the refused request";
    EXPECT_TRUE(b.linux_host.put(9));
    EXPECT_EQ(b.module(9), module_state::off);
  });
}

TEST(device_manager, a_core_in_local_reset_is_switched_off) {
  dm_bench b;
  simulate([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_TRUE(b.linux_host.set_resets(9, RESET_LOCAL));
      EXPECT_TRUE(b.linux_host.get(9));
      EXPECT_TRUE(b.linux_host.set_resets(9, 0));
      EXPECT_TRUE(b.linux_host.set_resets(9, RESET_LOCAL));
      EXPECT_TRUE(b.linux_host.put(9));
      EXPECT_EQ(b.module(9), module_state::off);
    }
  });
}

TEST(device_manager, a_boot_loader_leaves_the_core_running_before_the_first_request) {
  dm_bench b;
  b.dm.boot_device(9, host_bit(35));
  EXPECT_THROW(b.dm.boot_device(200, 0), std::invalid_argument);
  simulate([&] {
    sc_core::wait(1, SC_NS);
    EXPECT_EQ(b.module(9), module_state::enable);
    EXPECT_FALSE(b.dm.local_reset_line(9).read());
    EXPECT_EQ(b.linux_host.state(9), (device_state{1, 0, DEVICE_SW_AUTO_OFF, DEVICE_HW_ON}));
    EXPECT_TRUE(b.linux_host.get(9));
    EXPECT_TRUE(b.linux_host.put(9));
    EXPECT_EQ(b.module(9), module_state::enable) << "the boot loader's host has it still";
  });
  EXPECT_EQ(b.log.when("lpsc.state"), sc_core::SC_ZERO_TIME);
  EXPECT_EQ(b.log.count("device.get", "host=35 mask=0x800000000"), 1u);
}

TEST(device_manager, names_what_cannot_be_wired) {
  dm_bench b;
  EXPECT_TRUE(b.dm.has_device(131));
  EXPECT_FALSE(b.dm.has_device(132));
  EXPECT_THROW(b.dm.module_line(132), dt::error);
  EXPECT_THROW(b.dm.local_reset_line(20), dt::error);
  EXPECT_THROW(b.dm.wfi_input(0x19), dt::error);
  EXPECT_EQ(b.dm.input("irq", 2), nullptr);
}

// ---- processors

TEST(device_manager, a_reset_of_the_host_gives_back_its_processors_if_told_so_and_no_others) {
  dm_bench b;
  using enum message_type;
  auto& l = b.linux_host;
  auto& m = b.m4f;
  simulate([&] {
    EXPECT_TRUE(l.acked(l.processor(PROC_REQUEST, 0x01)));
    EXPECT_TRUE(m.acked(m.processor(PROC_REQUEST, 0x18)));
    b.dm.host_reset(host_reset_kind::reset);
    EXPECT_EQ(l.acked(l.processor(PROC_REQUEST, 0x01)), NACKED);
    ASSERT_TRUE(b.context.params.set("dm.host_reset_releases_processors", "yes"));
    for (int round = 0; round < 2; ++round) {
      b.dm.host_reset(host_reset_kind::reset);
      EXPECT_TRUE(l.acked(l.processor(PROC_REQUEST, 0x01)));
      EXPECT_EQ(l.acked(l.processor(PROC_REQUEST, 0x18)), NACKED) << "the M4F's own";
    }
  });
}

TEST(device_manager, one_host_owns_a_processor_at_a_time) {
  dm_bench b;
  using enum message_type;
  auto& l = b.linux_host;
  auto& m = b.m4f;
  simulate([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(l.acked(l.processor(PROC_RELEASE, 0x18)), NACKED);
      EXPECT_EQ(b.last_reason(), "nobody owns the processor");
      EXPECT_TRUE(l.acked(l.processor(PROC_REQUEST, 0x18)));
      EXPECT_EQ(l.acked(l.processor(PROC_REQUEST, 0x18)), NACKED);
      EXPECT_EQ(m.acked(m.processor(PROC_REQUEST, 0x18)), NACKED);
      EXPECT_EQ(m.acked(m.processor(PROC_RELEASE, 0x18)), NACKED);
      EXPECT_EQ(m.acked(m.processor(PROC_SET_CONFIG, 0x18)), NACKED);
      EXPECT_EQ(m.acked(m.processor(PROC_SET_CONTROL, 0x18)), NACKED);
      EXPECT_EQ(b.last_reason(), "host 12 owns the processor");

      message over = l.processor(PROC_HANDOVER, 0x18);
      over.put(9, std::uint8_t{40});
      EXPECT_EQ(l.acked(over), NACKED) << "host 40 is not permitted";
      over = l.processor(PROC_HANDOVER, 0x18);
      over.put(9, std::uint8_t{30});
      EXPECT_TRUE(l.acked(over));
      EXPECT_EQ(l.acked(l.processor(PROC_RELEASE, 0x18)), NACKED);
      EXPECT_TRUE(m.acked(m.processor(PROC_RELEASE, 0x18)));
    }
    EXPECT_EQ(m.acked(m.processor(PROC_REQUEST, 0x01)), NACKED);
    EXPECT_EQ(b.last_reason(), "host 30 is not permitted");
    EXPECT_EQ(m.acked(m.processor(PROC_GET_STATUS, 0x01)), NACKED);
  });
  EXPECT_EQ(b.log.count("proc.request", "processor=24 name=m4f host=12"), 2u);
  EXPECT_EQ(b.log.count("proc.release"), 4u);
}

TEST(device_manager, a_processor_request_takes_the_hop_to_tifs) {
  dm_bench b;
  simulate([&] {
    b.linux_host.send(b.linux_host.processor(message_type::PROC_GET_STATUS, 0x18));
    sc_core::wait(b.linux_host.irq.posedge_event());
  });
  EXPECT_EQ(b.log.when("tisci.response") - b.log.when("tisci.request"), sc_time(165, SC_US));
}

TEST(device_manager, the_wfi_flag_is_the_line) {
  dm_bench b;
  simulate([&] {
    const auto status = [&](unsigned processor) {
      const auto r = b.linux_host.call(b.linux_host.processor(message_type::PROC_GET_STATUS, processor));
      return r && r->flags() == FLAG_RESPONSE_ACK ? r->get<std::uint32_t>(25) : ~0u;
    };
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(status(0x18), 0u);
      b.wfi.write(true);
      EXPECT_EQ(status(0x18), STATUS_WFI);
      b.wfi.write(false);
    }
    b.r5f0_wfi.write(true);
    b.r5f1_wfi.write(true);
    EXPECT_EQ(status(0x01), STATUS_WFI | STATUS_R5F_LOCKSTEP_PERMITTED);
    EXPECT_EQ(status(0x02), 0u) << "a flag that rpsim,status does not list";
  });
}

TEST(device_manager, config_and_control_are_checked_stored_and_read_back) {
  dm_bench b;
  using enum message_type;
  auto& l = b.linux_host;
  simulate([&] {
    for (unsigned p : {0x01, 0x02, 0x18}) EXPECT_TRUE(l.acked(l.processor(PROC_REQUEST, p)));
    const auto config = [&](unsigned p, std::uint64_t vector, std::uint32_t set, std::uint32_t clear) {
      message m = l.processor(PROC_SET_CONFIG, p);
      m.put(9, vector);
      m.put(17, set);
      m.put(21, clear);
      return l.acked(m);
    };
    const auto control = [&](unsigned p, std::uint32_t set, std::uint32_t clear) {
      message m = l.processor(PROC_SET_CONTROL, p);
      m.put(9, set);
      m.put(13, clear);
      return l.acked(m);
    };
    EXPECT_TRUE(config(0x01, 0x1122334455667788, CONFIG_R5F_LOCKSTEP | CONFIG_R5F_TEINIT, 0));
    EXPECT_TRUE(config(0x01, 0x1122334455667788, 0, CONFIG_R5F_TEINIT));
    EXPECT_TRUE(control(0x01, CONTROL_R5F_CORE_HALT, 0));
    const auto r = l.call(l.processor(PROC_GET_STATUS, 0x01));
    ASSERT_TRUE(r);
    EXPECT_EQ(r->get<std::uint8_t>(8), 0x01u);
    EXPECT_EQ(r->get<std::uint64_t>(9), 0x1122334455667788u);
    EXPECT_EQ(r->get<std::uint32_t>(17), CONFIG_R5F_LOCKSTEP | CONFIG_R5F_BTCM_EN | CONFIG_R5F_TCM_RSTBASE);
    EXPECT_EQ(r->get<std::uint32_t>(21), CONTROL_R5F_CORE_HALT);
    EXPECT_EQ(b.dm.find_processor(0x01)->control(), CONTROL_R5F_CORE_HALT);
    EXPECT_TRUE(control(0x01, 0, CONTROL_R5F_CORE_HALT));
    EXPECT_EQ(b.dm.find_processor(0x01)->control(), 0u);

    EXPECT_EQ(control(0x01, 1u << 2, 0), NACKED) << "TIFS's own";
    EXPECT_EQ(config(0x02, 0, CONFIG_R5F_LOCKSTEP, 0), NACKED);
    EXPECT_EQ(b.last_reason(), "fuses permit no lockstep");
    EXPECT_EQ(config(0x02, 0, 0, CONFIG_R5F_TEINIT), NACKED);
    EXPECT_THAT(b.last_reason(), HasSubstr("core 0"));
    EXPECT_TRUE(config(0x02, 0, 1u << 12, 1u << 13));

    EXPECT_TRUE(config(0x18, 0, 0x3, 0));
    EXPECT_EQ(config(0x18, 0, CONFIG_R5F_LOCKSTEP, 0), NACKED);
    EXPECT_EQ(control(0x18, CONTROL_R5F_CORE_HALT, 0), NACKED) << "an M4F has no control bits";
  });
}

TEST(device_manager, wait_status_polls_the_line) {
  dm_bench b;
  simulate([&] {
    const auto wait_wfi = [&](bool expected) {
      message m = b.linux_host.processor(message_type::PROC_WAIT_STATUS, 0x18);
      m.put(9, std::uint8_t{20});    // tries
      m.put(10, std::uint8_t{2});    // matches in a row
      m.put(11, std::uint8_t{100});  // us between them
      m.put(12, std::uint8_t{50});   // us before
      m.put(expected ? 13 : 21, STATUS_WFI);
      return b.linux_host.acked(m);
    };
    EXPECT_EQ(wait_wfi(true), NACKED);
    EXPECT_EQ(b.log.when("tisci.response") - b.log.when("tisci.request"), sc_time(165 + 50 + 20 * 100, SC_US));
    sc_core::sc_spawn([&] {
      sc_core::wait(1, SC_MS);
      b.wfi.write(true);
    });
    EXPECT_TRUE(wait_wfi(true));
    EXPECT_EQ(wait_wfi(false), NACKED);
    b.wfi.write(false);
    EXPECT_TRUE(wait_wfi(false));
    EXPECT_EQ(b.log.when("tisci.response") - b.log.when("tisci.request"), sc_time(165 + 50 + 100, SC_US));
  });
}

// ---- resources

message range_request(test_host& h, unsigned type, unsigned subtype, unsigned secondary = HOST_NONE) {
  message m = h.request(message_type::RM_GET_RESOURCE_RANGE);
  m.put(8, static_cast<std::uint16_t>(type));
  m.put(10, static_cast<std::uint8_t>(subtype));
  m.put(11, static_cast<std::uint8_t>(secondary));
  return m;
}

TEST(device_manager, tells_a_hosts_resource_ranges) {
  dm_bench b;
  simulate([&] {
    const auto range = [&](test_host& h, const message& m) -> std::vector<unsigned> {
      const auto r = h.call(m);
      EXPECT_TRUE(r && r->flags() == FLAG_RESPONSE_ACK);
      if (!r) return {};
      return {r->get<std::uint16_t>(8), r->get<std::uint16_t>(10), r->get<std::uint16_t>(12),
              r->get<std::uint16_t>(14)};
    };
    using testing::ElementsAre;
    EXPECT_THAT(range(b.linux_host, range_request(b.linux_host, 3, 0)), ElementsAre(0, 16, 40, 4));
    EXPECT_THAT(range(b.m4f, range_request(b.m4f, 3, 0)), ElementsAre(16, 8, 0, 0));
    EXPECT_THAT(range(b.linux_host, range_request(b.linux_host, 3, 0, 30)), ElementsAre(16, 8, 0, 0));
    EXPECT_THAT(range(b.linux_host, range_request(b.linux_host, 3, 0, HOST_ALL)), ElementsAre(30, 2, 0, 0));
    EXPECT_THAT(range(b.linux_host, range_request(b.linux_host, 99, 0)), ElementsAre(0, 0, 0, 0))
        << "an unknown type is acknowledged with zeros";
    EXPECT_EQ(b.linux_host.acked(range_request(b.linux_host, 3, 0, 77)), NACKED);
    EXPECT_EQ(b.last_reason(), "unknown host 77");
  });
}

TEST(device_manager, an_interrupt_route_needs_a_free_output_of_the_host) {
  dm_bench b;
  simulate([&] {
    const auto irq = [&](test_host& h, message_type type, unsigned input, unsigned output, unsigned source = 3,
                         std::uint32_t valid = IRQ_DST_ID | IRQ_DST_HOST_IRQ, unsigned secondary = 0) {
      message m = h.request(type);
      m.put(8, valid);
      m.put(12, static_cast<std::uint16_t>(source));
      m.put(14, static_cast<std::uint16_t>(input));
      m.put(16, std::uint16_t{3});
      m.put(18, static_cast<std::uint16_t>(output));
      m.put(27, static_cast<std::uint8_t>(secondary));
      return h.acked(m);
    };
    using enum message_type;
    auto& l = b.linux_host;
    for (int round = 0; round < 2; ++round) {
      EXPECT_TRUE(irq(l, RM_IRQ_SET, 5, 15));
      EXPECT_EQ(irq(l, RM_IRQ_SET, 6, 15), NACKED);
      EXPECT_EQ(b.last_reason(), "output 15 is in use");
      EXPECT_EQ(irq(l, RM_IRQ_SET, 5, 14), NACKED);
      EXPECT_EQ(b.last_reason(), "input 5 is in use");
      EXPECT_EQ(irq(l, RM_IRQ_SET, 6, 16), NACKED);
      EXPECT_EQ(b.last_reason(), "output 16 of device 3 is not assigned to host 12");
      EXPECT_TRUE(irq(l, RM_IRQ_SET, 6, 31)) << "from the pool of all hosts";
      EXPECT_EQ(irq(l, RM_IRQ_SET, 7, 13, 4), NACKED) << "a router has one id";
      EXPECT_TRUE(irq(l, RM_IRQ_SET, 7, 16, 3, IRQ_DST_ID | IRQ_DST_HOST_IRQ | IRQ_SECONDARY_HOST, 30));
      EXPECT_EQ(irq(l, RM_IRQ_SET, 8, 13, 3, IRQ_DST_ID), NACKED);

      EXPECT_EQ(irq(b.m4f, RM_IRQ_RELEASE, 5, 15), NACKED) << "not its output";
      EXPECT_EQ(irq(l, RM_IRQ_RELEASE, 6, 15), NACKED);
      EXPECT_EQ(b.last_reason(), "no such route");
      EXPECT_TRUE(irq(l, RM_IRQ_RELEASE, 5, 15));
      EXPECT_EQ(irq(l, RM_IRQ_RELEASE, 5, 15), NACKED);
      EXPECT_TRUE(irq(l, RM_IRQ_RELEASE, 6, 31));
      EXPECT_TRUE(irq(b.m4f, RM_IRQ_RELEASE, 7, 16));
    }
  });
}

// ---- clocks

message clock_message(test_host& h, message_type type, unsigned device, unsigned clock, unsigned at, unsigned wide_at) {
  message m = h.request(type);
  m.put(8, std::uint32_t{device});
  m.put(at, static_cast<std::uint8_t>(clock < 255 ? clock : 255));
  m.put(wide_at, std::uint32_t{clock});
  return m;
}

TEST(device_manager, clocks_are_fixed_and_gated_per_request) {
  dm_bench b;
  using enum message_type;
  auto& l = b.linux_host;
  simulate([&] {
    const auto frequency = [&](unsigned clock) {
      const auto r = l.call(clock_message(l, GET_FREQ, 9, clock, 12, 13));
      return r ? r->get<std::uint64_t>(8) : 0;
    };
    EXPECT_EQ(frequency(0), 400000000u);
    EXPECT_EQ(frequency(300), 1ull << 32) << "an id beyond a byte";
    EXPECT_EQ(l.acked(clock_message(l, GET_FREQ, 9, 1, 12, 13)), NACKED);
    EXPECT_EQ(b.last_reason(), "unknown clock");

    const auto ask = [&](message_type type, std::uint64_t min, std::uint64_t target, std::uint64_t max) {
      message m = clock_message(l, type, 9, 0, 36, 37);
      m.put(12, min);
      m.put(20, target);
      m.put(28, max);
      return *l.call(m);
    };
    EXPECT_EQ(ask(SET_FREQ, 100, 400000000, 500000000).flags(), FLAG_RESPONSE_ACK);
    EXPECT_EQ(ask(SET_FREQ, 100, 200, 300).flags(), 0u);
    EXPECT_EQ(ask(SET_FREQ, 300, 200, 500000000).flags(), 0u);
    EXPECT_EQ(ask(QUERY_FREQ, 100, 400000000, 500000000).get<std::uint64_t>(8), 400000000u);
    EXPECT_EQ(ask(QUERY_FREQ, 100, 200, 300).get<std::uint64_t>(8), 0u);

    for (const auto& [state, programmed, current] : {std::tuple(CLOCK_SW_UNREQ, CLOCK_SW_UNREQ, CLOCK_HW_NOT_READY),
                                                     std::tuple(CLOCK_SW_REQ, CLOCK_SW_AUTO, CLOCK_HW_READY)}) {
      message set = clock_message(l, SET_CLOCK, 9, 0, 12, 14);
      set.put(13, state);
      EXPECT_TRUE(l.acked(set));
      const auto r = l.call(clock_message(l, GET_CLOCK, 9, 0, 12, 13));
      ASSERT_TRUE(r);
      EXPECT_EQ(r->get<std::uint8_t>(8), programmed);
      EXPECT_EQ(r->get<std::uint8_t>(9), current);
    }
    message set = clock_message(l, SET_CLOCK, 9, 0, 12, 14);
    set.put(13, std::uint8_t{3});
    EXPECT_EQ(l.acked(set), NACKED);

    EXPECT_EQ(l.call(clock_message(l, GET_NUM_CLOCK_PARENTS, 9, 0, 12, 13))->get<std::uint8_t>(8), 1u);
    EXPECT_EQ(l.acked(clock_message(l, GET_CLOCK_PARENT, 9, 0, 12, 13)), NACKED);
    EXPECT_EQ(l.acked(clock_message(l, SET_CLOCK_PARENT, 9, 0, 12, 14)), NACKED);

    EXPECT_TRUE(b.m4f.get(9, FLAG_DEVICE_EXCLUSIVE));
    EXPECT_EQ(ask(SET_FREQ, 100, 400000000, 500000000).flags(), 0u) << "exclusivity covers clocks";
    EXPECT_EQ(frequency(0), 400000000u);
  });
}

// ---- faults

TEST(device_manager, faults_disturb_one_request_each) {
  dm_bench b;
  using kind = fault_action::kind;
  simulate([&] {
    const auto get_9 = [&] {
      message m = b.linux_host.request(message_type::SET_DEVICE);
      m.put(8, std::uint32_t{9});
      m.put(16, DEVICE_SW_ON);
      return m;
    };
    b.faults.arm({kind::nack});
    EXPECT_EQ(b.linux_host.acked(get_9()), NACKED);
    EXPECT_EQ(b.last_reason(), "fault");
    EXPECT_EQ(b.module(9), module_state::off) << "not carried out";

    b.faults.arm({kind::drop});
    EXPECT_FALSE(b.linux_host.call(get_9()));
    EXPECT_EQ(b.module(9), module_state::off);
    EXPECT_EQ(b.log.count("tisci.request"), 1u) << "the dropped one never came";

    b.faults.arm({kind::silence});
    EXPECT_FALSE(b.linux_host.call(get_9()));
    EXPECT_EQ(b.module(9), module_state::enable) << "carried out";

    b.faults.arm({kind::corrupt, {}, 9 ^ 20});
    EXPECT_TRUE(b.linux_host.acked(get_9()));
    EXPECT_EQ(b.module(20), module_state::enable);
    EXPECT_EQ(b.log.count("tisci.request", "device=20 name=other"), 1u);

    b.faults.arm({kind::duplicate});
    EXPECT_TRUE(b.linux_host.acked(get_9()));
    EXPECT_TRUE(b.linux_host.receive()) << "a second response to the same request";
    EXPECT_FALSE(b.linux_host.receive());

    EXPECT_TRUE(b.linux_host.put(9));
    EXPECT_EQ(b.module(9), module_state::off) << "nothing is left of it";
  });
  EXPECT_EQ(b.faults.asked, std::vector<std::string>(5, "host type msg device "));
}

TEST(device_manager, a_delayed_request_holds_back_its_own_host_only) {
  dm_bench b;
  simulate([&] {
    b.faults.arm({fault_action::kind::delay, sc_time(3, SC_MS)});
    b.linux_host.send(b.linux_host.request(message_type::VERSION));
    b.linux_host.send(b.linux_host.request(message_type::SYS_RESET));
    const sc_time sent = sc_core::sc_time_stamp();
    sc_core::wait(100, SC_US);
    EXPECT_TRUE(b.m4f.acked(b.m4f.request(message_type::VERSION)));
    EXPECT_LT(sc_core::sc_time_stamp() - sent, sc_time(1, SC_MS));
    const auto first = b.linux_host.receive();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->type(), message_type::VERSION);
    EXPECT_GT(sc_core::sc_time_stamp() - sent, sc_time(3, SC_MS));
    EXPECT_LT(sc_core::sc_time_stamp() - sent, sc_time(3200, SC_US));
    EXPECT_EQ(b.linux_host.receive()->type(), message_type::SYS_RESET);
  });
  EXPECT_EQ(b.faults.asked, std::vector<std::string>{"host type msg "}) << "asked once per message";
}

// ---- the tree

/// A property as it is above, what it becomes, and the message that follows.
struct wrong_tree {
  const char *from, *to, *message;
};

class device_manager_tree : public testing::TestWithParam<wrong_tree> {};

TEST_P(device_manager_tree, is_refused) {
  const auto& [from, to, reason] = GetParam();
  std::string nodes = std::string(PROXY_NODE) + NODES;
  const auto at = nodes.find(from);
  ASSERT_NE(at, std::string::npos);
  sim_context context;
  const auto tree = compile(nodes.replace(at, std::strlen(from), to));
  try {
    device_manager dm("dm", context, tree->by_label("dm"));
    FAIL() << "it was built";
  } catch (const dt::error& e) {
    EXPECT_THAT(e.what(), HasSubstr(reason));
    EXPECT_THAT(e.what(), testing::StartsWith("test.dts:")) << "with its place";
  }
}

INSTANTIATE_TEST_SUITE_P(
    wrong, device_manager_tree,
    testing::Values(wrong_tree{"rpsim,rx-thread = <64>", "rpsim,rx-thread = <65>", "no inbound thread 65"},
                    wrong_tree{"rpsim,host-id = <30>", "rpsim,host-id = <12>", "host 12 is there twice"},
                    wrong_tree{"rpsim,input = <1>", "rpsim,input = <0>", "input 0 is there twice"},
                    wrong_tree{"rpsim,host-id = <30>", "rpsim,host-id = <128>", "host ids below 63"},
                    wrong_tree{"rpsim,device-id = <131>", "rpsim,device-id = <9>", "device 9 is there twice"},
                    wrong_tree{"rpsim,lpsc = <&lpsc_other>", "rpsim,lpsc = <&m4f>", "not an LPSC"},
                    wrong_tree{"rpsim,status = \"wfi\"", "rpsim,status = \"wfe\"", "no status flag \"wfe\""},
                    wrong_tree{"processor-id = <0x02>", "processor-id = <0x01>", "processor 0x1 is there twice"},
                    wrong_tree{"\"arm,cortex-m4f\"", "\"arm,cortex-m7\"", "no processor that TI-SCI"},
                    wrong_tree{"<&pds 9 1>", "<&pds 8 1>", "no such device"},
                    wrong_tree{"<3 0 30 16 8>", "<3 0 30 16>", "wants type, subtype, host, start, count"},
                    wrong_tree{"<9 300 1 0>", "<9 300 1>", "wants device, clock, frequency"}));

}  // namespace
}  // namespace rpsim::test
