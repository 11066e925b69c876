#pragma once
// What remote_fw/tests/m4/board.h describes around a Cortex-M4F: memory at 0 and at 0x20000000 with DMI, a UART whose
// text is kept, a timer; anything else is a bus error.

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/core/arm/cortex_m4.h"
#include "tests/models/bus_bench.h"

namespace rpsim::test {

class m4_board final : public sc_core::sc_module, private target_port::handler {
 public:
  static constexpr std::uint32_t CODE_BYTES = 0x40000, SRAM = 0x20000000, SRAM_BYTES = 0x10000;
  static constexpr double CYCLE_NS = 40;  // 25 MHz, as the MPS2's

  m4_board(sc_core::sc_module_name name, sim_context& context, node_source& node, const std::string& label)
      : sc_module(name),
        port("port", *this),
        reset("reset", true),
        irq("irq"),
        core(label.c_str(), context,
             node(label, "clock-frequency = <25000000>; arm,num-irq-priority-bits = <8>; rpsim,bit-band;")),
        code_(CODE_BYTES),
        sram_(SRAM_BYTES) {
    SC_HAS_PROCESS(m4_board);
    SC_METHOD(elapsed);
    sensitive << timer_;
    dont_initialize();
    core.initiator()->bind(port);
    core.input("local-reset", 0)->bind(reset);
    core.input("irq", 8)->bind(irq);
  }
  /// A program of remote_fw/tests/m4.
  void load(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.empty()) throw std::runtime_error(path + ": no program");
    std::copy(bytes.begin(), bytes.end(), code_.begin());
  }
  /// On until the program says that it is done, or the time is over.
  void run(const sc_core::sc_time& limit) {
    reset.write(false);
    sc_core::sc_start(limit);
  }

  target_port port;
  sc_core::sc_signal<bool, sc_core::SC_MANY_WRITERS> reset, irq;
  cortex_m4 core;
  std::string text;
  bool finished = false;
  /// Every access to a device: when, where, and what was written.
  struct access {
    sc_core::sc_time time;
    std::uint32_t address, value;
    bool operator==(const access&) const = default;
  };
  std::vector<access> accesses;

 private:
  enum device : std::uint32_t {
    TIMER_CTRL = 0x40000000,
    TIMER_VALUE = 0x40000004,
    TIMER_RELOAD = 0x40000008,
    TIMER_INTERRUPT = 0x4000000C,
    UART_DATA = 0x40004000,
    UART_LAST = 0x40004FFF
  };
  unsigned char* memory(std::uint64_t address, std::uint64_t& first, std::uint64_t& last) {
    const bool sram = address >= SRAM;
    std::vector<unsigned char>& m = sram ? sram_ : code_;
    first = sram ? SRAM : 0;
    last = first + m.size() - 1;
    return address <= last ? m.data() + (address - first) : nullptr;
  }
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    delay += ns(2 * CYCLE_NS);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    std::uint64_t first = 0, last = 0;
    if (unsigned char* m = memory(p.get_address(), first, last)) {
      if (p.is_read()) std::memcpy(p.get_data_ptr(), m, p.get_data_length());
      if (p.is_write()) std::memcpy(m, p.get_data_ptr(), p.get_data_length());
      return;
    }
    const auto address = static_cast<std::uint32_t>(p.get_address());
    std::uint32_t value = 0;
    if (p.is_write()) std::memcpy(&value, p.get_data_ptr(), p.get_data_length());
    if (p.is_read()) std::memset(p.get_data_ptr(), 0, p.get_data_length());
    accesses.push_back({sc_core::sc_time_stamp(), address, value});
    switch (address) {
      case UART_DATA:
        text += static_cast<char>(value);
        if (text.ends_with("done\n")) {
          finished = true;
          sc_core::sc_stop();
        }
        return;
      case TIMER_CTRL:
        timer_.cancel();
        if ((value & 1) != 0) timer_.notify(ns(CYCLE_NS) * reload_);
        return;
      case TIMER_RELOAD:
        reload_ = value;
        return;
      case TIMER_VALUE:
        return;
      case TIMER_INTERRUPT:
        irq.write(false);
        return;
      default:
        if (address < UART_DATA || address > UART_LAST) p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
  }
  bool direct_memory(tlm::tlm_generic_payload& p, tlm::tlm_dmi& dmi) override {
    std::uint64_t first = 0, last = 0;
    unsigned char* const m = memory(p.get_address(), first, last);
    if (m == nullptr) return false;
    dmi.set_dmi_ptr(m - (p.get_address() - first));
    dmi.set_start_address(first);
    dmi.set_end_address(last);
    dmi.allow_read_write();
    return true;
  }
  void elapsed() {
    irq.write(true);
    timer_.notify(ns(CYCLE_NS) * reload_);
  }

  std::vector<unsigned char> code_, sram_;
  std::uint32_t reload_ = 0;
  sc_core::sc_event timer_;
};

}  // namespace rpsim::test
