#pragma once
// What a model's test needs around the model: a node of its own, a bus master, and the trace as lines of text.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/common/context.h"
#include "models/common/device_tree.h"
#include "models/common/model.h"

namespace rpsim::test {

inline sc_core::sc_time ns(double v) { return sc_core::sc_time(v, sc_core::SC_NS); }
inline sc_core::sc_time us(double v) { return sc_core::sc_time(v, sc_core::SC_US); }
inline sc_core::sc_time now() { return sc_core::sc_time_stamp(); }

/// The tree with one node under the root, labelled as said: node("sram", "reg = <0 0 0 0x1000>;").
class node_source {
 public:
  dt::node operator()(const std::string& label, const std::string& properties) {
    trees_.push_back(dt::tree::compile_text(
        fmt::format("/dts-v1/;\n/ {{ #address-cells = <2>; #size-cells = <2>;\n{0}: {0} {{ {1} }}; }};\n", label,
                    properties),
        "test.dts"));
    return trees_.back()->by_label(label);
  }

 private:
  std::vector<std::unique_ptr<dt::tree>> trees_;
};

/// Each event as "source name key=value …", and when it happened.
class recorder final : public trace_sink {
 public:
  explicit recorder(sim_context& context, trace_level up_to = trace_level::protocol) : trace_(context.trace) {
    trace_.add(*this, up_to);
  }
  ~recorder() { trace_.remove(*this); }
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;

  void on_event(const event& e) override {
    std::string line = fmt::format("{} {}", e.source, e.name);
    for (const field& f : e.fields) {
      switch (f.type) {
        case field::kind::hex:
          line += fmt::format(" {}={:#x}", f.key, f.number);
          break;
        case field::kind::text:
          line += fmt::format(" {}={}", f.key, f.text);
          break;
        default:
          line += fmt::format(" {}={}", f.key, f.number);
      }
    }
    lines.push_back(std::move(line));
    times.push_back(e.time);
  }
  /// The lines so far; the next call begins after them.
  std::vector<std::string> take() {
    times.clear();
    return std::exchange(lines, {});
  }

  std::vector<std::string> lines;
  std::vector<sc_core::sc_time> times;

 private:
  rpsim::trace& trace_;
};

/// A bus master under the test's hand. Accesses take no simulated time by themselves: `delay` is what the target asked
/// for.
class bus_master final : public sc_core::sc_module, private tlm::tlm_bw_transport_if<> {
 public:
  explicit bus_master(sc_core::sc_module_name name) : sc_module(name), socket("socket") {
    socket.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
    who_.name = this->basename();
    payload.set_extension(&who_);
  }
  ~bus_master() override { payload.clear_extension(&who_); }

  tlm::tlm_response_status access(tlm::tlm_command command, std::uint64_t address, void* data, unsigned length) {
    prepare(command, address, data, length);
    delay = sc_core::SC_ZERO_TIME;
    socket->b_transport(payload, delay);
    return payload.get_response_status();
  }
  tlm::tlm_response_status read(std::uint64_t address, std::span<std::uint8_t> to) {
    return access(tlm::TLM_READ_COMMAND, address, to.data(), static_cast<unsigned>(to.size()));
  }
  tlm::tlm_response_status write(std::uint64_t address, std::span<const std::uint8_t> from) {
    return access(tlm::TLM_WRITE_COMMAND, address, const_cast<std::uint8_t*>(from.data()),
                  static_cast<unsigned>(from.size()));
  }
  /// A read that must succeed.
  std::uint32_t read32(std::uint64_t address) {
    std::uint32_t value = 0;
    EXPECT_EQ(access(tlm::TLM_READ_COMMAND, address, &value, 4), tlm::TLM_OK_RESPONSE) << std::hex << address;
    return value;
  }
  void write32(std::uint64_t address, std::uint32_t value) {
    EXPECT_EQ(access(tlm::TLM_WRITE_COMMAND, address, &value, 4), tlm::TLM_OK_RESPONSE) << std::hex << address;
  }
  tlm::tlm_response_status try_read32(std::uint64_t address) {
    std::uint32_t value = 0;
    return access(tlm::TLM_READ_COMMAND, address, &value, 4);
  }
  tlm::tlm_response_status try_write32(std::uint64_t address, std::uint32_t value) {
    return access(tlm::TLM_WRITE_COMMAND, address, &value, 4);
  }
  bool direct(std::uint64_t address, tlm::tlm_dmi& dmi) {
    prepare(tlm::TLM_READ_COMMAND, address, nullptr, 4);
    dmi.init();
    return socket->get_direct_mem_ptr(payload, dmi);
  }
  unsigned debug(tlm::tlm_command command, std::uint64_t address, void* data, unsigned length) {
    prepare(command, address, data, length);
    return socket->transport_dbg(payload);
  }
  std::uint32_t debug32(std::uint64_t address) {
    std::uint32_t value = 0;
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, address, &value, 4), 4u);
    return value;
  }

  tlm::tlm_initiator_socket<32> socket;
  tlm::tlm_generic_payload payload;
  sc_core::sc_time delay;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> invalidated;  // first and last byte

 private:
  void prepare(tlm::tlm_command command, std::uint64_t address, void* data, unsigned length) {
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(static_cast<unsigned char*>(data));
    payload.set_data_length(length);
    payload.set_streaming_width(length);
    payload.set_dmi_allowed(false);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override {
    return tlm::TLM_COMPLETED;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override {
    invalidated.emplace_back(start, end);
  }

  initiator_extension who_;
};

/// Runs the body as software would run: in a thread of the simulation, until it returns.
inline void simulate(const std::function<void()>& body) {
  bool done = false;
  sc_core::sc_spawn([&] {
    body();
    done = true;
    sc_core::sc_stop();
  });
  sc_core::sc_start();
  EXPECT_TRUE(done) << "nothing left to wait for";
}

}  // namespace rpsim::test
