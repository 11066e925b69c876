#pragma once
// A secure proxy and a device manager on a small bus, with two hosts (12 and 30) that a test plays, and the recorded
// trace. Addresses, threads and ids are AM62x's.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/ti_sci/device_manager.h"
#include "models/ti_sci/secure_proxy.h"

namespace rpsim::test {

using sc_core::sc_time;
using ti_sci::message;
using ti_sci::message_type;

inline const sc_time ACCESS(10, sc_core::SC_NS);  // what the test's bus adds to every access

inline constexpr const char* PROXY_NODE = R"(
  secure_proxy: mailbox@4d000000 {
    compatible = "ti,am654-secure-proxy";
    reg-names = "target_data", "rt", "scfg";
    reg = <0x4d000000 0x80000>, <0x4a600000 0x80000>, <0x4a400000 0x80000>;
    thread-12 { rpsim,thread = <12>; rpsim,direction = "inbound"; rpsim,messages = <6>; };
    thread-13 { rpsim,thread = <13>; rpsim,direction = "outbound"; rpsim,messages = <5>; rpsim,destination = <64>; };
    thread-16 { rpsim,thread = <16>; rpsim,direction = "inbound"; rpsim,messages = <6>; };
    thread-17 { rpsim,thread = <17>; rpsim,direction = "outbound"; rpsim,messages = <5>; rpsim,destination = <66>; };
    thread-64 { rpsim,thread = <64>; rpsim,direction = "inbound"; rpsim,messages = <5>; };
    thread-65 { rpsim,thread = <65>; rpsim,direction = "outbound"; rpsim,messages = <6>; rpsim,destination = <12>; };
    thread-66 { rpsim,thread = <66>; rpsim,direction = "inbound"; rpsim,messages = <5>; };
    thread-67 { rpsim,thread = <67>; rpsim,direction = "outbound"; rpsim,messages = <6>; rpsim,destination = <16>; };
  };
)";

inline std::unique_ptr<dt::tree> compile(const std::string& nodes) {
  return dt::tree::compile_text("/dts-v1/;\n/ {\n#address-cells = <1>;\n#size-cells = <1>;\n" + nodes + "};\n",
                                "test.dts");
}

/// Every event as one line: "time name source key=value …".
class recorder final : public trace_sink {
 public:
  struct entry {
    sc_time time;
    std::string name, line;
  };
  std::vector<entry> entries;

  void on_event(const event& e) override {
    std::string line(e.source);
    for (const field& f : e.fields) {
      line += fmt::format(" {}=", f.key);
      switch (f.type) {
        case field::kind::text:
          line += f.text;
          break;
        case field::kind::hex:
          line += fmt::format("{:#x}", f.number);
          break;
        default:
          line += fmt::format("{}", f.number);
      }
    }
    entries.push_back({e.time, std::string(e.name), line});
  }

  /// The lines of events of that name that contain the text.
  std::vector<std::string> lines(std::string_view name, std::string_view with = "") const {
    std::vector<std::string> found;
    for (const entry& e : entries) {
      if (e.name == name && e.line.find(with) != std::string::npos) found.push_back(e.line);
    }
    return found;
  }
  unsigned count(std::string_view name, std::string_view with = "") const {
    return static_cast<unsigned>(lines(name, with).size());
  }
  /// When the last one happened.
  sc_time when(std::string_view name, std::string_view with = "") const {
    sc_time t = sc_core::SC_ZERO_TIME;
    for (const entry& e : entries) {
      if (e.name == name && e.line.find(with) != std::string::npos) t = e.time;
    }
    return t;
  }
};

/// Answers the next questions about "tisci.request" with what a test put in.
class scripted_faults final : public fault_hook {
 public:
  void arm(fault_action a) {
    next_.push_back(a);
    armed_ = true;
  }
  fault_action decide(std::string_view point, std::string_view, std::initializer_list<field> what) override {
    EXPECT_EQ(point, "tisci.request");
    asked.emplace_back();
    for (const field& f : what) asked.back() += std::string(f.key) + " ";
    const fault_action a = next_.front();
    next_.erase(next_.begin());
    armed_ = !next_.empty();
    return a;
  }
  std::vector<std::string> asked;

 private:
  std::vector<fault_action> next_;
};

/// Routes by address to the proxy's three windows.
class small_bus final : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<small_bus> from_hosts{"from_hosts"}, from_dm{"from_dm"};
  std::vector<std::unique_ptr<tlm_utils::simple_initiator_socket<small_bus>>> out;

  small_bus(sc_core::sc_module_name name, model& proxy) : sc_module(name), regions_(proxy.node().reg()) {
    from_hosts.register_b_transport(this, &small_bus::transport);
    from_dm.register_b_transport(this, &small_bus::transport);
    for (unsigned i = 0; i < regions_.size(); ++i) {
      out.push_back(std::make_unique<tlm_utils::simple_initiator_socket<small_bus>>(fmt::format("out_{}", i).c_str()));
      out.back()->bind(*proxy.target(i));
    }
  }

 private:
  void transport(tlm::tlm_generic_payload& p, sc_time& delay) {
    delay += ACCESS;
    const std::uint64_t address = p.get_address();
    for (unsigned i = 0; i < regions_.size(); ++i) {
      if (address < regions_[i].base || address >= regions_[i].base + regions_[i].size) continue;
      p.set_address(address - regions_[i].base);
      (*out[i])->b_transport(p, delay);
      p.set_address(address);
      return;
    }
    p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
  std::vector<dt::region> regions_;
};

/// What the two hosts share: their way onto the bus. Calls come from processes.
class bus_master final : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<bus_master> socket{"socket"};
  explicit bus_master(sc_core::sc_module_name name) : sc_module(name) {}

  tlm::tlm_response_status access(tlm::tlm_command command, std::uint64_t address, std::uint32_t& value,
                                  unsigned length = 4) {
    tlm::tlm_generic_payload p;
    p.set_command(command);
    p.set_address(address);
    p.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    p.set_data_length(length);
    p.set_streaming_width(length);
    p.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_time delay;
    socket->b_transport(p, delay);
    if (delay != sc_core::SC_ZERO_TIME) sc_core::wait(delay);
    return p.get_response_status();
  }
  std::uint32_t read(std::uint64_t address) {
    std::uint32_t value = 0;
    EXPECT_EQ(access(tlm::TLM_READ_COMMAND, address, value), tlm::TLM_OK_RESPONSE) << std::hex << address;
    return value;
  }
  void write(std::uint64_t address, std::uint32_t value) {
    EXPECT_EQ(access(tlm::TLM_WRITE_COMMAND, address, value), tlm::TLM_OK_RESPONSE) << std::hex << address;
  }

  static constexpr std::uint64_t DATA = 0x4d000000, RT = 0x4a600000, SCFG = 0x4a400000;
  static std::uint64_t word(unsigned thread, unsigned n) { return DATA + thread * 0x1000 + 4 + 4 * n; }
  std::uint32_t status(unsigned thread) { return read(RT + thread * 0x1000 + secure_proxy::STATUS); }
  unsigned count(unsigned thread) { return status(thread) & secure_proxy::STATUS_CUR_CNT; }
  void post(unsigned thread, const message& m) {
    for (unsigned i = 0; i < ti_sci::MESSAGE_WORDS; ++i) write(word(thread, i), m.words[i]);
  }
  message fetch(unsigned thread) {
    message m;
    for (unsigned i = 0; i < ti_sci::MESSAGE_WORDS; ++i) m.words[i] = read(word(thread, i));
    return m;
  }
};

/// A host's software: requests out on one thread, responses in on another.
class test_host {
 public:
  test_host(bus_master& bus, unsigned id, unsigned rx, unsigned tx)
      : irq(fmt::format("host_{}_irq", id).c_str()), bus_(bus), id_(id), rx_(rx), tx_(tx) {}

  sc_core::sc_signal<bool> irq;

  message request(message_type type) {
    return message::make(type, static_cast<std::uint8_t>(id_), ++seq_, ti_sci::FLAG_REQUEST_AOP);
  }
  void send(const message& m) { bus_.post(tx_, m); }
  /// The next response, or nothing within the time.
  std::optional<message> receive(sc_time within = sc_time(5, sc_core::SC_MS)) {
    if (!irq.read()) sc_core::wait(within, irq.posedge_event());
    if (!irq.read()) return std::nullopt;
    const message m = bus_.fetch(rx_);
    sc_core::wait(sc_time(100, sc_core::SC_NS));  // the line falls
    return m;
  }
  std::optional<message> call(const message& m) {
    send(m);
    const auto r = receive();
    if (r) {
      EXPECT_EQ(r->type(), m.type());
      EXPECT_EQ(r->host(), m.host());
      EXPECT_EQ(r->seq(), m.seq());
    }
    return r;
  }
  bool acked(const message& m) {
    const auto r = call(m);
    EXPECT_TRUE(r) << "no response to " << ti_sci::name(m.type());
    return r && r->flags() == ti_sci::FLAG_RESPONSE_ACK;
  }

  bool set_device(unsigned device, std::uint8_t state, std::uint32_t flags = 0) {
    message m = request(message_type::SET_DEVICE);
    m.put(4, m.flags() | flags);
    m.put(8, std::uint32_t{device});
    m.put(16, state);
    return acked(m);
  }
  bool get(unsigned device, std::uint32_t flags = 0) { return set_device(device, ti_sci::DEVICE_SW_ON, flags); }
  bool put(unsigned device) { return set_device(device, ti_sci::DEVICE_SW_AUTO_OFF); }
  bool set_resets(unsigned device, std::uint32_t resets) {
    message m = request(message_type::SET_DEVICE_RESETS);
    m.put(8, std::uint32_t{device});
    m.put(12, resets);
    return acked(m);
  }
  struct device_state {
    std::uint32_t context_losses, resets;
    unsigned programmed, current;
    bool operator==(const device_state&) const = default;
  };
  device_state state(unsigned device) {
    message m = request(message_type::GET_DEVICE);
    m.put(8, std::uint32_t{device});
    const auto r = call(m);
    EXPECT_TRUE(r && r->flags() == ti_sci::FLAG_RESPONSE_ACK);
    if (!r) return {};
    return {r->get<std::uint32_t>(8), r->get<std::uint32_t>(12), r->get<std::uint8_t>(16), r->get<std::uint8_t>(17)};
  }
  message processor(message_type type, unsigned id) {
    message m = request(type);
    m.put(8, static_cast<std::uint8_t>(id));
    return m;
  }

 private:
  bus_master& bus_;
  unsigned id_, rx_, tx_;
  std::uint8_t seq_ = 0;
};

inline std::ostream& operator<<(std::ostream& os, const test_host::device_state& s) {
  return os << fmt::format("{{losses {}, resets {}, programmed {}, current {}}}", s.context_losses, s.resets,
                           s.programmed, s.current);
}

/// Runs a test's body as a process and then until nothing happens any more.
inline void simulate(std::function<void()> body) {
  bool done = false;
  sc_core::sc_spawn([&] {
    body();
    done = true;
  });
  sc_core::sc_start(sc_time(1, sc_core::SC_SEC));
  EXPECT_TRUE(done) << "the test's body did not end within a simulated second";
}

}  // namespace rpsim::test
