#include "models/interconnect/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace rpsim {

/// A window as it was asked for.
struct router::mapping {
  std::uint64_t base, last;  // both inside
  std::uint64_t offset;      // what the target calls `base`
  downstream* to;
  std::string name;

  std::string text() const { return fmt::format("\"{}\" [{:#x}, {:#x}]", name, base, last); }
};

/// A piece of a view: system windows are cut where the view's own lie over them.
struct router::window {
  std::uint64_t base, last;  // both inside
  std::uint64_t shift;       // added, modulo 2^64, gives the target's address
  tlm::tlm_fw_transport_if<>* target;
  const downstream* to;
  const std::string* name;
};

/// The initiator's end of a target: no socket of its own, because a target may be mapped after construction.
class router::downstream final : public tlm::tlm_bw_transport_if<> {
 public:
  downstream(router& owner, tlm::tlm_target_socket<32>& socket) : owner_(owner), socket_(socket) {
    socket.get_base_port().bind(*this);
  }
  bool is(const tlm::tlm_target_socket<32>& socket) const { return &socket_ == &socket; }
  tlm::tlm_fw_transport_if<>* target() const {
    return dynamic_cast<tlm::tlm_fw_transport_if<>*>(socket_.get_base_export().get_interface());
  }

 private:
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override {
    return tlm::TLM_ACCEPTED;  // the router never starts a non-blocking transaction
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override {
    owner_.invalidate(*this, start, end);
  }

  router& owner_;
  tlm::tlm_target_socket<32>& socket_;
};

/// A module, so that its socket has a place in the hierarchy.
class router::view_port final : public sc_core::sc_module, private target_port::handler {
 public:
  view_port(sc_core::sc_module_name name, router& owner) : sc_module(name), owner_(owner), socket_("socket", *this) {}

  tlm::tlm_target_socket<32>& socket() { return socket_; }
  std::vector<mapping>& own() { return own_; }
  void assemble(const std::vector<mapping>& system);
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  void invalidate(const downstream& from, std::uint64_t start, std::uint64_t end);

 private:
  const window* find(std::uint64_t address) const {
    const auto after = std::upper_bound(windows_.begin(), windows_.end(), address,
                                        [](std::uint64_t a, const window& w) { return a < w.base; });
    if (after == windows_.begin()) return nullptr;
    const window& w = *std::prev(after);
    return address <= w.last ? &w : nullptr;
  }

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
  void miss(tlm::tlm_generic_payload& payload, const window* crossed);
  void record(const char* event, const tlm::tlm_generic_payload& payload);

  router& owner_;
  std::vector<mapping> own_;
  std::vector<window> windows_;   // by base, none overlapping
  const window* last_ = nullptr;  // the one hit last
  target_port socket_;
};

void router::view_port::assemble(const std::vector<mapping>& system) {
  windows_.clear();
  const auto put = [this](const mapping& m, std::uint64_t base, std::uint64_t last) {
    windows_.push_back({base, last, m.offset - m.base, m.to->target(), m.to, &m.name});
  };
  for (const mapping& m : own_) put(m, m.base, m.last);
  for (const mapping& m : system) {
    std::uint64_t base = m.base;  // what is left of the window
    bool left = true;
    for (const mapping& over : own_) {
      if (over.last < base || over.base > m.last) continue;
      if (over.base > base) put(m, base, over.base - 1);
      left = over.last < m.last;
      if (!left) break;
      base = over.last + 1;
    }
    if (left) put(m, base, m.last);
  }
  std::sort(windows_.begin(), windows_.end(), [](const window& a, const window& b) { return a.base < b.base; });
  last_ = nullptr;
}

void router::view_port::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::uint64_t address = payload.get_address();
  const window* w = last_;
  if (w == nullptr || address < w->base || address > w->last) [[unlikely]] {
    w = find(address);
    if (w == nullptr) return miss(payload, nullptr);
    last_ = w;
  }
  // An empty access has no last byte and fits nowhere.
  if (std::uint64_t{payload.get_data_length()} - 1 > w->last - address) [[unlikely]]
    return miss(payload, w);

  delay += owner_.latency_.time();
  const bool traced = owner_.context_.trace.on(trace_level::bus);
  if (traced && payload.is_write()) [[unlikely]]
    record("bus.write", payload);
  payload.set_address(address + w->shift);
  w->target->b_transport(payload, delay);
  payload.set_address(address);
  if (traced && payload.is_read() && payload.is_response_ok()) [[unlikely]]
    record("bus.read", payload);
}

void router::view_port::miss(tlm::tlm_generic_payload& payload, const window* crossed) {
  bus_error(owner_.context_, owner_.label_, payload, tlm::TLM_ADDRESS_ERROR_RESPONSE,
            crossed == nullptr ? "nothing is mapped here" : fmt::format("crosses the end of {}", *crossed->name));
}

void router::view_port::record(const char* event, const tlm::tlm_generic_payload& payload) {
  std::uint64_t value = 0;
  std::memcpy(&value, payload.get_data_ptr(), std::min<std::size_t>(payload.get_data_length(), sizeof value));
  owner_.context_.trace.emit(trace_level::bus, owner_.label_, event,
                             {{"initiator", initiator_name(payload)},
                              field::hex("address", payload.get_address()),
                              {"size", payload.get_data_length()},
                              field::hex("value", value)});
}

bool router::view_port::direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const std::uint64_t address = payload.get_address();
  const window* w = find(address);
  if (w == nullptr) {
    dmi.set_start_address(address);
    dmi.set_end_address(address);
    return false;
  }
  payload.set_address(address + w->shift);
  const bool granted = w->target->get_direct_mem_ptr(payload, dmi);
  payload.set_address(address);
  // Clip to the window in the target's addresses, then translate. A refusal names a range, too.
  const std::uint64_t start = std::max<std::uint64_t>(dmi.get_start_address(), w->base + w->shift);
  const std::uint64_t end = std::min<std::uint64_t>(dmi.get_end_address(), w->last + w->shift);
  if (granted) {
    dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (start - dmi.get_start_address()));
    const sc_core::sc_time hop = owner_.latency_.time();
    dmi.set_read_latency(dmi.get_read_latency() + hop);
    dmi.set_write_latency(dmi.get_write_latency() + hop);
  }
  dmi.set_start_address(start - w->shift);
  dmi.set_end_address(end - w->shift);
  return granted;
}

unsigned router::view_port::transport_debug(tlm::tlm_generic_payload& payload) {
  const std::uint64_t address = payload.get_address();
  const unsigned length = payload.get_data_length();
  unsigned char* const data = payload.get_data_ptr();
  unsigned done = 0;
  while (done < length) {
    const window* w = find(address + done);
    if (w == nullptr) break;
    const auto piece =
        static_cast<unsigned>(std::min<std::uint64_t>(length - done - 1, w->last - (address + done)) + 1);
    payload.set_address(address + done + w->shift);
    payload.set_data_ptr(data + done);
    payload.set_data_length(piece);
    const unsigned n = w->target->transport_dbg(payload);
    done += n;
    if (n < piece) break;
  }
  payload.set_address(address);
  payload.set_data_ptr(data);
  payload.set_data_length(length);
  return done;
}

void router::view_port::invalidate(const downstream& from, std::uint64_t start, std::uint64_t end) {
  for (const window& w : windows_) {
    if (w.to != &from) continue;
    const std::uint64_t first = std::max(start, w.base + w.shift);
    const std::uint64_t last = std::min(end, w.last + w.shift);
    if (first <= last) socket_->invalidate_direct_mem_ptr(first - w.shift, last - w.shift);
  }
}

router::router(sc_core::sc_module_name name, sim_context& context)
    : sc_module(name),
      context_(context),
      label_(basename()),
      latency_(context.params.time({"bus.latency", provenance::assumed, "assumed: a few interconnect clocks",
                                    "one pass through the interconnect"},
                                   sc_core::sc_time(10, sc_core::SC_NS))) {}

router::~router() = default;

unsigned router::add_view(const std::string& name) {
  views_.push_back(std::make_unique<view_port>(fmt::format("{}_{}", label_, name).c_str(), *this));
  flat_ = false;
  return static_cast<unsigned>(views_.size() - 1);
}

tlm::tlm_target_socket<32>& router::view(unsigned index) { return views_.at(index)->socket(); }

router::downstream& router::reach(tlm::tlm_target_socket<32>& target) {
  for (const auto& d : downstreams_) {
    if (d->is(target)) return *d;
  }
  return *downstreams_.emplace_back(std::make_unique<downstream>(*this, target));
}

void router::add(std::vector<mapping>& layer, mapping m) {
  for (const mapping& other : layer) {
    if (m.base <= other.last && other.base <= m.last) {
      throw std::invalid_argument(fmt::format("{} overlaps {}", m.text(), other.text()));
    }
  }
  layer.insert(std::upper_bound(layer.begin(), layer.end(), m.base,
                                [](std::uint64_t base, const mapping& other) { return base < other.base; }),
               std::move(m));
  flat_ = false;
}

namespace {
std::uint64_t last_of(std::uint64_t base, std::uint64_t size, const std::string& name) {
  if (size == 0) throw std::invalid_argument(fmt::format("\"{}\" at {:#x} is empty", name, base));
  if (size - 1 > ~base) {
    throw std::invalid_argument(fmt::format("\"{}\" at {:#x} (+{:#x}) ends past the address space", name, base, size));
  }
  return base + (size - 1);
}
}  // namespace

void router::map(std::uint64_t base, std::uint64_t size, tlm::tlm_target_socket<32>& target,
                 std::uint64_t target_offset, const std::string& name) {
  add(system_, {base, last_of(base, size, name), target_offset, &reach(target), name});
}

void router::map(unsigned view, std::uint64_t base, std::uint64_t size, tlm::tlm_target_socket<32>& target,
                 std::uint64_t target_offset, const std::string& name) {
  add(views_.at(view)->own(), {base, last_of(base, size, name), target_offset, &reach(target), name});
}

void router::flatten() {
  for (const auto& v : views_) v->assemble(system_);
  flat_ = true;
}

void router::end_of_elaboration() { flatten(); }

unsigned router::transport_debug(unsigned view, tlm::tlm_generic_payload& payload) {
  if (!flat_) flatten();
  return views_.at(view)->transport_debug(payload);
}

void router::invalidate(const downstream& from, std::uint64_t start, std::uint64_t end) {
  for (const auto& v : views_) v->invalidate(from, start, end);
}

}  // namespace rpsim
