// The programs of remote_fw/tests/r5 on the Cortex-R5F, and single instructions where a program cannot look.

#include "models/core/arm/cortex_r5.h"

#include <fstream>
#include <iterator>

#include "tests/models/bus_bench.h"

namespace rpsim {
namespace {

using test::node_source;
using test::ns;
using test::recorder;
using test::us;
using testing::ElementsAre;
using testing::HasSubstr;

/// Memory at 0 (512 KiB), at 0xFFFF0000 and a TCM at 0x78000000, with DMI; a console, and a device that counts its
/// reads, drives a level line and makes pulses after a time.
class board final : public sc_core::sc_module, private target_port::handler {
 public:
  static constexpr std::uint32_t RAM_BYTES = 0x80000, TCM = 0x78000000, TCM_BYTES = 0x8000, HIGH = 0xFFFF0000,
                                 CONSOLE = 0xFF000000, DEVICE = 0x02000000;
  explicit board(sc_core::sc_module_name name)
      : sc_module(name),
        port("port", *this),
        level("level"),
        pulse("pulse"),
        ram_(RAM_BYTES),
        tcm_(TCM_BYTES),
        high_(0x1000) {
    SC_HAS_PROCESS(board);
    SC_METHOD(elapsed);
    sensitive << timer_;
    dont_initialize();
  }
  void load(const std::string& program) {
    std::ifstream in(fmt::format("{}/r5/{}.bin", RPSIM_TEST_FIRMWARE, program), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    ASSERT_FALSE(bytes.empty()) << program;
    std::copy(bytes.begin(), bytes.end(), ram_.begin());
  }
  void put(std::uint32_t address, std::initializer_list<std::uint32_t> words) {
    for (const std::uint32_t w : words) {
      std::memcpy(&ram_.at(address), &w, 4);
      address += 4;
    }
  }
  std::uint32_t word(std::uint32_t address) const {
    std::uint32_t w = 0;
    std::memcpy(&w, &ram_.at(address), 4);
    return w;
  }

  target_port port;
  sc_core::sc_signal<bool> level, pulse;
  std::string text;
  bool finished = false;
  sc_core::sc_event finished_event;
  std::vector<std::pair<sc_core::sc_time, std::uint32_t>> writes;  // to DEVICE + 0x20
  unsigned accesses = 0;

 private:
  unsigned char* memory(std::uint64_t address, std::uint64_t& first, std::uint64_t& last) {
    const auto in = [&](std::vector<unsigned char>& m, std::uint64_t base) -> unsigned char* {
      if (address - base >= m.size()) return nullptr;
      first = base;
      last = base + m.size() - 1;
      return m.data() + (address - base);
    };
    if (unsigned char* p = in(ram_, 0)) return p;
    if (unsigned char* p = in(tcm_, TCM)) return p;
    return in(high_, HIGH);
  }
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    ++accesses;
    delay += ns(20);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    const auto address = static_cast<std::uint32_t>(p.get_address());
    std::uint32_t value = 0;
    std::uint64_t first = 0, last = 0;
    if (unsigned char* m = memory(address, first, last)) {
      if (p.is_read()) std::memcpy(p.get_data_ptr(), m, p.get_data_length());
      if (p.is_write()) std::memcpy(m, p.get_data_ptr(), p.get_data_length());
      return;
    }
    if (p.is_write()) std::memcpy(&value, p.get_data_ptr(), p.get_data_length());
    switch (address) {
      case CONSOLE:
        text += static_cast<char>(value);
        return;
      case CONSOLE + 4:
        finished = true;
        finished_event.notify(sc_core::SC_ZERO_TIME);
        return;
      case DEVICE:
        if (p.is_read()) std::memcpy(p.get_data_ptr(), &++reads_, 4);
        return;
      case DEVICE + 4:
        if (p.is_read()) std::memcpy(p.get_data_ptr(), &++reads_, 4);
        if (p.is_write()) level.write(value != 0);
        return;
      case DEVICE + 0x10:
        timer_.notify(ns(value));
        return;
      case DEVICE + 0x20:
        writes.emplace_back(sc_core::sc_time_stamp(), value);
        return;
      default:
        p.set_response_status(address - DEVICE < 0x1000 ? tlm::TLM_GENERIC_ERROR_RESPONSE
                                                        : tlm::TLM_ADDRESS_ERROR_RESPONSE);
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
    pulse.write(!pulse.read());
    if (pulse.read()) timer_.notify(ns(5));
  }

  std::vector<unsigned char> ram_, tcm_, high_;
  std::uint32_t reads_ = 0;
  sc_core::sc_event timer_;
};

struct processor {
  processor(sim_context& context, node_source& node, board& b, const std::string& label, unsigned cpu)
      : reset(fmt::format("{}_reset", label).c_str(), true),
        wfi(fmt::format("{}_wfi", label).c_str()),
        core(label.c_str(), context,
             node(label, fmt::format("clock-frequency = <800000000>; rpsim,cluster-cpu = <0 {}>; "
                                     "rpsim,tcm = <&{}_tcm>; {}_tcm: memories {{ rpsim,atcm = <0 0x79000000 0x8000>; "
                                     "rpsim,btcm = <0 0x78000000 0x8000>; }};",
                                     cpu, label, label))) {
    core.initiator()->bind(b.port);
    core.input("local-reset", 0)->bind(reset);
    core.output("wfi", 0)->bind(wfi);
  }
  sc_core::sc_signal<bool> reset, wfi;
  cortex_r5 core;
};

struct r5 : testing::Test {
  r5() { context.arm_engine = RPSIM_ARM_ENGINE; }
  /// Until the program says that it is done, or the time is over.
  void run(const sc_core::sc_time& limit) {
    sc_core::sc_spawn([this, limit] {
      sc_core::wait(limit, bus.finished_event);
      sc_core::sc_stop();
    });
    sc_core::sc_start();
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> l(1);
    for (const char c : bus.text) {
      if (c == '\n') {
        l.emplace_back();
      } else {
        l.back() += c;
      }
    }
    l.pop_back();
    return l;
  }
  void wire_interrupts(processor& p) {
    p.core.input("irq", 40)->bind(bus.level);
    p.core.input("irq", 41)->bind(bus.pulse);
  }

  sim_context context;
  node_source node;
  board bus{"board"};
};

TEST_F(r5, prints_what_qemu_prints) {
  processor p(context, node, bus, "r5f0", 0);
  bus.load("isa");
  p.reset.write(false);
  run(us(50000));
  std::ifstream in(RPSIM_R5_ISA_EXPECTED);
  const std::string expected{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(bus.text, expected);
  EXPECT_TRUE(bus.finished);
}

TEST_F(r5, interrupts_time_and_aborts_are_the_chips) {
  processor p(context, node, bus, "r5f0", 1);
  wire_interrupts(p);
  bus.load("system");
  p.reset.write(false);
  run(us(50000));
  EXPECT_THAT(
      lines(),
      ElementsAre("cache lines 00000020 00000020 80000001", "control 00c5187c", "masked, then taken 00000000 00000001",
                  "nested 00000003 00000004 00000005 00000002", "level 00000001 00000028",
                  "vectored 00000002 00000003 00000004 00000005 00000002", "fast interrupt 00000000 00000006",
                  "a hundred instructions 00000001", "waited for an interrupt 00000001 00000050",
                  "waited with interrupts masked 00000001", "then taken 00000002 00000001",
                  "nothing there 00000001 00000008 70000000", "a device's error 00000002 00001808 02000800",
                  "every read is made 00000006 00000004", "unaligned at a device 00000003 00000001 00000001",
                  "swapped 11223344 00000002", "TCM 00001234 41010019 00000018 00010001", "moved 00001234 50000019",
                  "no longer there 00000004 41010000", "high vectors 00000001", "done"));
}

}  // namespace
}  // namespace rpsim
