#include "tests/bench/bus_paths.h"

#include <fmt/format.h>

#include <cstdlib>

#include "models/common/register_bank.h"
#include "models/core/native_host_core.h"
#include "models/interconnect/router.h"
#include "models/memory/memory.h"

namespace rpsim::bench {

namespace {
// Eight 64 KiB memories and a register block, accessed in a pseudo-random order: a router must not live on its last
// hit.
constexpr unsigned MEMORIES = 8;
constexpr std::uint64_t WINDOW = 0x10000;

std::string source() {
  std::string text = "/dts-v1/;\n/ { #address-cells = <2>; #size-cells = <2>;\n";
  for (unsigned i = 0; i < MEMORIES; ++i) {
    text += fmt::format("m{0}: sram@{1:x} {{ compatible = \"rpsim,sram\"; reg = <0 0x{1:x} 0 0x10000>; }};\n", i,
                        i * WINDOW);
  }
  return text + "};\n";
}

struct counter final : trace_sink {
  // A recorder as a reader of the trace has it: the event's numbers, kept in a ring.
  struct record {
    std::uint64_t time, sequence, value;
    const char* name;
  };
  std::vector<record> ring = std::vector<record>(4096);
  void on_event(const event& e) override {
    ring[e.sequence % ring.size()] = {e.time.value(), e.sequence, e.fields.empty() ? 0 : e.fields[0].number,
                                      e.name.data()};
  }
};

struct initiator final : sc_core::sc_module, tlm::tlm_bw_transport_if<> {
  explicit initiator(sc_core::sc_module_name n) : sc_module(n) { socket.bind(*this); }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override {
    return tlm::TLM_COMPLETED;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
  tlm::tlm_initiator_socket<32> socket{"socket"};
};
}  // namespace

struct bus_paths::impl final : sc_core::sc_module {
  sim_context context;
  std::unique_ptr<dt::tree> tree = dt::tree::compile_text(source(), "bench.dts");
  router bus{"bus", context};
  std::vector<std::unique_ptr<sram>> memories;
  register_bank quiet_bank{context, "quiet", 0x1000}, traced_bank{context, "traced", 0x1000};
  target_port quiet_port{"quiet", quiet_bank}, traced_port{"traced", traced_bank};
  sc_core::sc_signal<module_state> on{"on", module_state::enable};
  initiator cpu{"cpu"};
  counter sink;
  tlm::tlm_generic_payload payload;
  std::uint32_t data = 0, state = 1;
  std::uint64_t checksum = 0;

  explicit impl(sc_core::sc_module_name n) : sc_module(n) {
    for (unsigned i = 0; i < MEMORIES; ++i) {
      const std::string name = fmt::format("m{}", i);
      memories.push_back(std::make_unique<sram>(name.c_str(), context, tree->by_label(name)));
      if (auto* power = memories.back()->power()) power->bind(on);
      bus.map(i * WINDOW, WINDOW, *memories.back()->target(0), 0, name);
    }
    quiet_bank.add(0, "DATA", access::rw).count(64).on_read([this](unsigned i) { return state + i; });
    traced_bank.add(0, "DATA", access::rw).count(64).on_read([this](unsigned i) {
      context.trace.emit("traced", "register.read", {{"index", i}, field::hex("value", state)});
      return state + i;
    });
    bus.map(0x100000, 0x1000, quiet_port, 0, "quiet");
    bus.map(0x200000, 0x1000, traced_port, 0, "traced");
    cpu.socket.bind(bus.view(bus.add_view("cpu")));
    payload.set_command(tlm::TLM_READ_COMMAND);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&data));
    payload.set_data_length(4);
    payload.set_streaming_width(4);
  }

  std::uint32_t random() { return state = state * 1664525u + 1013904223u; }

  void read(std::uint64_t address) {
    sc_core::sc_time delay;
    payload.set_address(address);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    payload.set_dmi_allowed(false);
    cpu.socket->b_transport(payload, delay);
    if (!payload.is_response_ok()) std::abort();
    checksum += data;
  }
};

bus_paths::bus_paths() : impl_(std::make_unique<impl>("bench")) { sc_core::sc_start(sc_core::SC_ZERO_TIME); }
bus_paths::~bus_paths() = default;

std::vector<std::string_view> bus_paths::names() { return {"routed_read", "register", "register_traced", "dmi_read"}; }

std::uint64_t bus_paths::run(std::string_view path, std::uint64_t n) {
  impl& b = *impl_;
  if (path == "routed_read") {
    for (std::uint64_t i = 0; i < n; ++i) b.read(((b.random() >> 8) % (MEMORIES * WINDOW)) & ~3u);
  } else if (path == "register") {
    for (std::uint64_t i = 0; i < n; ++i) b.read(0x100000 + ((b.random() >> 8) & 0xFC));
  } else if (path == "register_traced") {
    b.context.trace.add(b.sink);
    for (std::uint64_t i = 0; i < n; ++i) b.read(0x200000 + ((b.random() >> 8) & 0xFC));
    b.context.trace.remove(b.sink);
  } else if (path == "dmi_read") {
    tlm::tlm_dmi dmi;
    b.payload.set_address(0);
    if (!b.cpu.socket->get_direct_mem_ptr(b.payload, dmi)) std::abort();
    const dmi_window window(dmi);
    for (std::uint64_t i = 0; i < n; ++i) {
      std::uint32_t value = 0;
      if (!window.read((b.random() >> 8) & 0xFFFC, value)) std::abort();
      b.checksum += value;
    }
  } else {
    std::abort();
  }
  return b.checksum;
}

}  // namespace rpsim::bench
