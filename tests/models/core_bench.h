#pragma once
// What a core's test needs around the core: a bus of plain memory that notes what is written to it, its lines, and the
// application note of an image.

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "models/core/native_core.h"
#include "remote_fw/hal/native/native_image.h"
#include "tests/models/bus_bench.h"

namespace rpsim::test {

/// Memory from 0; OUT words that the test reads; anything else is a bus error. Every access takes LATENCY.
class tiny_bus final : public sc_core::sc_module, private target_port::handler {
 public:
  static constexpr std::uint32_t OUT = 0x40000000, OUT_WORDS = 16;
  static constexpr std::uint32_t MEMORY_BYTES = 0x10000;
  static constexpr double LATENCY_NS = 50;
  struct output {
    sc_core::sc_time time;
    unsigned index;
    std::uint32_t value;
    bool operator==(const output&) const = default;
  };

  explicit tiny_bus(sc_core::sc_module_name name) : sc_module(name), port("port", *this), memory_(MEMORY_BYTES) {}

  void put(std::uint32_t address, const void* data, std::size_t length) {
    std::memcpy(&memory_.at(address), data, length);
  }
  /// What the host's loader leaves there for the native core.
  void put_note(std::uint32_t address, const std::string& id) {
    const std::uint32_t header[] = {sizeof(RPSIM_NOTE_NAME), static_cast<std::uint32_t>(id.size() + 1),
                                    RPSIM_NOTE_APPLICATION};
    put(address, header, sizeof(header));
    put(address + 12, RPSIM_NOTE_NAME, sizeof(RPSIM_NOTE_NAME));
    put(address + 20, id.c_str(), id.size() + 1);
  }
  std::vector<std::uint32_t> values(unsigned index) const {
    std::vector<std::uint32_t> v;
    for (const output& o : outputs) {
      if (o.index == index) v.push_back(o.value);
    }
    return v;
  }

  target_port port;
  std::vector<output> outputs;
  std::array<std::uint32_t, OUT_WORDS> inputs{};  // what reading OUT gives
  unsigned accesses = 0;
  std::vector<sc_core::sc_time> memory_times;  // when it was accessed
  bool memory_is_quiet = false;

 private:
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    ++accesses;
    delay += ns(LATENCY_NS);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    const std::uint64_t address = p.get_address();
    const unsigned length = p.get_data_length();
    if (address < MEMORY_BYTES && length <= MEMORY_BYTES - address) {
      if (p.is_read()) std::memcpy(p.get_data_ptr(), &memory_[address], length);
      if (p.is_write()) std::memcpy(&memory_[address], p.get_data_ptr(), length);
      memory_times.push_back(now());
      if (auto* quiet = p.get_extension<quiet_access>(); quiet != nullptr && memory_is_quiet)
        quiet->bytes = MEMORY_BYTES - static_cast<std::uint32_t>(address);
    } else if (address >= OUT && address + length <= OUT + 4 * OUT_WORDS && length == 4 && address % 4 == 0) {
      const unsigned index = static_cast<unsigned>(address - OUT) / 4;
      if (p.is_read()) std::memcpy(p.get_data_ptr(), &inputs[index], 4);
      if (p.is_write()) {
        outputs.push_back({now(), index, 0});
        std::memcpy(&outputs.back().value, p.get_data_ptr(), 4);
      }
    } else {
      p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
  }
  unsigned transport_debug(tlm::tlm_generic_payload& p) override {
    if (p.get_address() >= MEMORY_BYTES || p.get_data_length() > MEMORY_BYTES - p.get_address()) return 0;
    if (p.is_read()) std::memcpy(p.get_data_ptr(), &memory_[p.get_address()], p.get_data_length());
    return p.get_data_length();
  }
  bool direct_memory(tlm::tlm_generic_payload& p, tlm::tlm_dmi& dmi) override {
    if (p.get_address() >= MEMORY_BYTES) return false;
    dmi.set_start_address(0);
    dmi.set_end_address(MEMORY_BYTES - 1);
    dmi.set_dmi_ptr(memory_.data());
    dmi.allow_read_write();
    return true;
  }
  std::vector<std::uint8_t> memory_;
};

/// A native core on its own bus, held in reset until release().
struct core_bench {
  static constexpr std::uint32_t NOTE = 0x200;
  core_bench(sim_context& context, node_source& node, const std::string& label, const std::string& image)
      : bus((label + "_bus").c_str()),
        reset((label + "_reset").c_str(), true),
        wfi((label + "_wfi").c_str()),
        core(label.c_str(), context, node(label, "clock-frequency = <400000000>; rpsim,application-note = <0x200>;")) {
    context.native_image_directory = RPSIM_TEST_IMAGES;
    core.initiator()->bind(bus.port);
    core.input("local-reset", 0)->bind(reset);
    core.output("wfi", 0)->bind(wfi);
    if (!image.empty()) bus.put_note(NOTE, "k3-am62x-m4f/" + image);
  }
  void line(unsigned irq, sc_core::sc_signal<bool>& signal) { core.input("irq", irq)->bind(signal); }
  void release() { reset.write(false); }
  void hold() { reset.write(true); }

  tiny_bus bus;
  sc_core::sc_signal<bool> reset;
  sc_core::sc_signal<bool> wfi;
  native_core core;
};

}  // namespace rpsim::test
