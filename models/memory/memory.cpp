#include "models/memory/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

namespace rpsim {

namespace {

std::uint64_t window_size(const dt::node& node) {
  const auto windows = node.reg();
  if (windows.size() != 1 || windows[0].size == 0) node.fail("reg", "a memory has one window that is not empty");
  return windows[0].size;
}

std::byte* reserve(std::uint64_t size) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(p);
}

constexpr std::uint64_t page_start(std::uint64_t offset) { return offset & ~(memory::PAGE_BYTES - 1); }
constexpr std::uint64_t page_end(std::uint64_t offset) { return offset | (memory::PAGE_BYTES - 1); }

}  // namespace

memory::memory(sc_core::sc_module_name name, sim_context& context, const dt::node& node, sc_core::sc_time latency,
               const char* latency_source)
    : model(name, context, node),
      size_(window_size(node)),
      read_only_(node.has("read-only")),
      bytes_(reserve(size_)),
      latency_(context.params.time(
          {label() + ".latency", provenance::assumed, latency_source, "one access to the memory, of any length"},
          latency)),
      port_("target", *this) {}

memory::~memory() { munmap(bytes_, size_); }

void memory::refuse(tlm::tlm_generic_payload& payload) {
  bus_error(context(), label(), payload, tlm::TLM_GENERIC_ERROR_RESPONSE,
            fmt::format("module state {}", to_string(state())));
}

void memory::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (state() != module_state::enable) [[unlikely]]
    return refuse(payload);
  const std::uint64_t offset = payload.get_address();
  const unsigned length = payload.get_data_length();
  if (!holds(offset, length)) [[unlikely]] {
    return bus_error(context(), label(), payload, tlm::TLM_ADDRESS_ERROR_RESPONSE, "past the end of the memory");
  }
  // A streaming width of 0 is what a payload starts with; only a narrower one asks for streaming.
  if (payload.get_streaming_width() != 0 && payload.get_streaming_width() < length) [[unlikely]] {
    return bus_error(context(), label(), payload, tlm::TLM_BURST_ERROR_RESPONSE, "memory does not stream");
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND) [[unlikely]]
    return;
  if (read_only_ && payload.is_write()) [[unlikely]]
    return bus_error(context(), label(), payload, tlm::TLM_COMMAND_ERROR_RESPONSE, "read-only memory");
  delay += latency_.time();
  std::byte* const here = bytes_ + offset;
  unsigned char* const data = payload.get_data_ptr();
  if (const unsigned char* enables = payload.get_byte_enable_ptr(); enables == nullptr) [[likely]] {
    void* const to = payload.is_read() ? static_cast<void*>(data) : here;
    const void* const from = payload.is_read() ? static_cast<const void*>(here) : data;
    if (length == 4) {  // one move instead of a call: most accesses are words
      std::memcpy(to, from, 4);
    } else {
      std::memcpy(to, from, length);
    }
  } else {
    const unsigned period = payload.get_byte_enable_length();
    if (period == 0) {
      return bus_error(context(), label(), payload, tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE, "empty byte enables");
    }
    for (unsigned i = 0; i < length; ++i) {
      if (enables[i % period] == 0) continue;
      if (payload.is_read()) {
        data[i] = std::to_integer<unsigned char>(here[i]);
      } else {
        here[i] = std::byte{data[i]};
      }
    }
  }
  payload.set_dmi_allowed(true);
  if (!watches_.empty() && payload.is_write()) [[unlikely]]
    report(offset, length, initiator_name(payload));
}

void memory::report(std::uint64_t offset, std::uint64_t length, const char* by) {
  if (length == 0) return;
  const std::uint64_t last = offset + length - 1;
  for (const watch& w : watches_) {
    const std::uint64_t first_hit = std::max(offset, w.first), last_hit = std::min(last, w.last);
    if (first_hit > last_hit) continue;
    emit("memory.write", {{"region", w.name},
                          field::hex("offset", first_hit - w.first),
                          {"size", last_hit - first_hit + 1},
                          {"by", by}});
  }
}

unsigned memory::transport_debug(tlm::tlm_generic_payload& payload) {
  const unsigned length = payload.get_data_length();
  const bool done = payload.is_read() ? debug_read(payload.get_address(), payload.get_data_ptr(), length)
                    : payload.is_write()
                        ? !read_only_ && debug_write(payload.get_address(), payload.get_data_ptr(), length)
                        : false;
  return done ? length : 0;
}

bool memory::debug_read(std::uint64_t offset, void* to, std::size_t length) const {
  if (!holds(offset, length) || state() == module_state::off) return false;
  std::memcpy(to, bytes_ + offset, length);
  return true;
}

bool memory::debug_write(std::uint64_t offset, const void* from, std::size_t length) {
  if (!holds(offset, length) || state() == module_state::off) return false;
  std::memcpy(bytes_ + offset, from, length);
  return true;
}

bool memory::direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const std::uint64_t offset = payload.get_address();
  std::uint64_t first = 0, last = size_ - 1;
  bool watched = false;
  for (const watch& w : watches_) {
    const std::uint64_t from = page_start(w.first), to = page_end(w.last);
    if (to < offset) {
      first = std::max(first, to + 1);
    } else if (from > offset) {
      last = std::min(last, from - 1);
    } else {
      watched = true;
    }
  }
  if (offset >= size_ || watched || (read_only_ && payload.is_write()) || state() != module_state::enable) {
    dmi.set_start_address(page_start(offset));
    dmi.set_end_address(page_end(offset));
    return false;
  }
  dmi.set_start_address(first);
  dmi.set_end_address(last);
  dmi.set_dmi_ptr(reinterpret_cast<unsigned char*>(bytes_ + first));
  if (read_only_) {
    dmi.allow_read();
  } else {
    dmi.allow_read_write();
  }
  const sc_core::sc_time latency = latency_.time();
  dmi.set_read_latency(latency);
  dmi.set_write_latency(latency);
  dmi_granted_ = true;
  return true;
}

void memory::take_back_direct_access() {
  if (!dmi_granted_) return;
  dmi_granted_ = false;
  port_->invalidate_direct_mem_ptr(0, size_ - 1);
}

void memory::lose_content(std::uint32_t pattern) {
  if (pattern == 0) {
    madvise(bytes_, size_, MADV_DONTNEED);
    return;
  }
  for (std::uint64_t at = 0; at < size_; at += sizeof pattern) {
    std::memcpy(bytes_ + at, &pattern, std::min<std::uint64_t>(sizeof pattern, size_ - at));
  }
}

void memory::add_watch(std::uint64_t offset, std::uint64_t size, std::string name) {
  if (size == 0 || !holds(offset, size)) {
    throw std::out_of_range(
        fmt::format("{}: watch \"{}\" at {:#x} (+{:#x}) is not inside the memory", label(), name, offset, size));
  }
  watches_.push_back({offset, offset + size - 1, std::move(name)});
  if (dmi_granted_) port_->invalidate_direct_mem_ptr(page_start(offset), page_end(offset + size - 1));
}

void memory::remove_watch(std::string_view name) {
  std::erase_if(watches_, [&](const watch& w) { return w.name == name; });
}

ddr::ddr(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : memory(name, context, node, sc_core::sc_time(100, sc_core::SC_NS),
             "assumed: a DDR4 read that misses the caches") {}

sram::sram(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : memory(name, context, node, sc_core::sc_time(20, sc_core::SC_NS),
             "assumed: a few clocks of the core it belongs to"),
      lost_content_(context.params.number(
          {label() + ".lost_content", provenance::assumed, "assumed: what a RAM holds after power-up is unspecified",
           "32-bit word that fills the memory after its power was off"},
          0)) {
  SC_HAS_PROCESS(sram);
  powered_by(&power_);
  SC_METHOD(power_changed);
  sensitive << power_;
}

void sram::power_changed() {
  const module_state now = power_.read();
  if (now == module_state::enable) return;
  take_back_direct_access();
  if (now == module_state::off && !read_only()) lose_content(static_cast<std::uint32_t>(lost_content_.count()));
}

}  // namespace rpsim
