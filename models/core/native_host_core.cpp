#include "models/core/native_host_core.h"

#include <algorithm>
#include <array>

namespace rpsim {

struct native_host_core::transaction {
  explicit transaction(const char* initiator) {
    who.name = initiator;
    payload.set_extension(&who);
  }
  ~transaction() { payload.clear_extension(&who); }
  tlm::tlm_generic_payload payload;
  initiator_extension who;
};

/// A transaction object for the duration of one access, also when the thread is unwound in the middle of it.
class native_host_core::lease {
 public:
  explicit lease(native_host_core& core) : core_(core) {
    if (core.idle_.empty()) {
      core.all_.push_back(std::make_unique<transaction>(core.label().c_str()));
      core.idle_.push_back(core.all_.back().get());
    }
    transaction_ = core.idle_.back();
    core.idle_.pop_back();
  }
  ~lease() { core_.idle_.push_back(transaction_); }
  lease(const lease&) = delete;
  lease& operator=(const lease&) = delete;
  transaction& operator*() const { return *transaction_; }

 private:
  native_host_core& core_;
  transaction* transaction_;
};

native_host_core::native_host_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : host_core(name, context, node),
      socket_("bus"),
      cpus_(node.u32("rpsim,cpus").value_or(4)),
      mmio_read_(context.params.time({"host.mmio_read", provenance::assumed, "reference/k3.md §7: 200..600 ns, assumed",
                                      "a device register read by the host: the CPU waits for it", "200ns .. 600ns"},
                                     sc_core::sc_time(400, sc_core::SC_NS))),
      mmio_write_(
          context.params.time({"host.mmio_write", provenance::assumed, "reference/k3.md §7: 100..300 ns, assumed",
                               "a posted device register write", "100ns .. 300ns"},
                              sc_core::sc_time(200, sc_core::SC_NS))),
      ddr_access_(context.params.time({"host.ddr_access", provenance::assumed, "assumed: about 0.8 GB/s, uncached",
                                       "memory accessed by the host, for each 64 bytes begun"},
                                      sc_core::sc_time(80, sc_core::SC_NS))) {
  if (cpus_ == 0) node.fail("rpsim,cpus", "must be at least 1");
  socket_.bind(*static_cast<tlm::tlm_bw_transport_if<>*>(this));
}

native_host_core::~native_host_core() = default;

void native_host_core::inject(core_fault what) {
  if (what == core_fault::spurious_wake || stopped_) return;
  stopped_ = true;
  if (what == core_fault::hang) {
    emit("core.hang", {{"reason", "injected"}});
  } else {
    emit("core.lockup", {{"reason", "injected"}});
  }
}

void native_host_core::spend(const sc_core::sc_time& t) {
  if (t != sc_core::SC_ZERO_TIME) sc_core::wait(t);
  while (stopped_) sc_core::wait(never_);
}

sc_core::sc_time native_host_core::memory_time(std::uint64_t length) {
  return ddr_access_.time() * static_cast<double>((length + 63) / 64);
}

dmi_window native_host_core::window(std::uint64_t address) const {
  for (const dmi_window& w : windows_) {
    if (w.find(tlm::TLM_READ_COMMAND, address, 1) != nullptr) return w;
  }
  return {};
}

unsigned char* native_host_core::direct(tlm::tlm_command command, std::uint64_t address, std::uint64_t length,
                                        sc_core::sc_time& cost) {
  if (length == 0 || stopped_) return nullptr;
  for (const dmi_window& w : windows_) {
    if (auto* memory = w.find(command, address, length)) {
      cost = w.latency(command) + memory_time(length);
      return memory;
    }
  }
  return nullptr;
}

bus_status native_host_core::read(std::uint64_t address, std::span<std::byte> data) {
  sc_core::sc_time cost;
  if (const auto* from = direct(tlm::TLM_READ_COMMAND, address, data.size(), cost)) {
    std::memcpy(data.data(), from, data.size());
    spend(cost);
    return bus_status::ok;
  }
  return access(tlm::TLM_READ_COMMAND, address, data.data(), data.size());
}

bus_status native_host_core::write(std::uint64_t address, std::span<const std::byte> data) {
  sc_core::sc_time cost;
  if (auto* to = direct(tlm::TLM_WRITE_COMMAND, address, data.size(), cost)) {
    std::memcpy(to, data.data(), data.size());
    spend(cost);
    return bus_status::ok;
  }
  // TLM has one data pointer for both directions; a target does not write through it on a write command.
  return access(tlm::TLM_WRITE_COMMAND, address, const_cast<std::byte*>(data.data()), data.size());
}

bus_status native_host_core::fill(std::uint64_t address, std::byte value, std::uint64_t length) {
  sc_core::sc_time cost;
  if (auto* to = direct(tlm::TLM_WRITE_COMMAND, address, length, cost)) {
    std::memset(to, static_cast<int>(value), length);
    spend(cost);
    return bus_status::ok;
  }
  std::array<std::byte, 4096> chunk;
  chunk.fill(value);
  while (length != 0) {
    const std::uint64_t n = std::min<std::uint64_t>(length, chunk.size());
    const bus_status s = write(address, std::span(chunk).first(n));
    if (s != bus_status::ok) return s;
    address += n;
    length -= n;
  }
  return bus_status::ok;
}

bus_status native_host_core::access(tlm::tlm_command command, std::uint64_t address, std::byte* data,
                                    std::uint64_t length) {
  if (length == 0) return bus_status::ok;
  spend(sc_core::SC_ZERO_TIME);
  sc_core::sc_time delay;
  const bus_status status = transact(command, address, data, length, delay);
  spend(delay);
  return status;
}

std::size_t native_host_core::read_quietly(std::uint64_t address, std::span<std::uint32_t> registers) {
  return access_quietly(tlm::TLM_READ_COMMAND, address, registers.data(), registers.size());
}

std::size_t native_host_core::write_quietly(std::uint64_t address, std::span<const std::uint32_t> registers) {
  return access_quietly(tlm::TLM_WRITE_COMMAND, address, const_cast<std::uint32_t*>(registers.data()),
                        registers.size());
}

std::size_t native_host_core::access_quietly(tlm::tlm_command command, std::uint64_t address, std::uint32_t* data,
                                             std::size_t count) {
  spend(sc_core::SC_ZERO_TIME);
  if (context().trace.on(trace_level::bus)) count = 1;  // accesses in a trace bear their time
  sc_core::sc_time delay;
  std::size_t done = 0;
  bool ok = true;
  do {
    ok = transact(command, address + 4 * done, reinterpret_cast<std::byte*>(data + done), 4, delay) == bus_status::ok;
  } while (ok && ++done < count && delay < sc_core::sc_time_to_pending_activity());
  spend(delay);
  return ok ? done : 0;
}

bus_status native_host_core::transact(tlm::tlm_command command, std::uint64_t address, std::byte* data,
                                      std::uint64_t length, sc_core::sc_time& delay) {
  const lease l(*this);
  transaction& t = *l;
  auto& p = t.payload;
  p.set_command(command);
  p.set_address(address);
  p.set_data_ptr(reinterpret_cast<unsigned char*>(data));
  p.set_data_length(static_cast<unsigned>(length));
  p.set_streaming_width(static_cast<unsigned>(length));
  p.set_byte_enable_ptr(nullptr);
  p.set_dmi_allowed(false);
  p.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  socket_->b_transport(p, delay);
  const auto status = p.get_response_status();
  const bool memory = p.is_dmi_allowed();
  if (memory) {
    delay += memory_time(length);
    request_window(t, address);
  } else {
    // A device takes accesses of at most eight bytes from these CPUs.
    param& each = command == tlm::TLM_READ_COMMAND ? mmio_read_ : mmio_write_;
    delay += each.time() * static_cast<double>((length + 7) / 8);
  }
  switch (status) {
    case tlm::TLM_OK_RESPONSE:
      return bus_status::ok;
    case tlm::TLM_ADDRESS_ERROR_RESPONSE:
      return bus_status::decode_error;
    default:
      return bus_status::error;
  }
}

void native_host_core::request_window(transaction& t, std::uint64_t address) {
  if (window(address)) return;     // the access ran past the end of what is known
  t.payload.set_address(address);  // the interconnect may have translated it
  tlm::tlm_dmi dmi;
  if (!socket_->get_direct_mem_ptr(t.payload, dmi)) return;
  const dmi_window w(dmi);
  if (w) windows_.push_back(w);
}

tlm::tlm_sync_enum native_host_core::nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) {
  return tlm::TLM_COMPLETED;  // this core only uses the blocking transport
}

void native_host_core::invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) {
  std::erase_if(windows_, [&](const dmi_window& w) { return w.overlaps(start, end); });
}

}  // namespace rpsim
