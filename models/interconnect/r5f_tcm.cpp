#include "models/interconnect/r5f_tcm.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace rpsim {

namespace {
// PROC_BOOT's CONFIG (reference/k3.md §3.7).
constexpr std::uint32_t LOCKSTEP = 1U << 8, TCM_RSTBASE = 1U << 11, BTCM_EN = 1U << 12, ATCM_EN = 1U << 13,
                        SINGLE_CORE = 1U << 15;
}  // namespace

r5f_tcm::r5f_tcm(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      memories_{pieces(node, "rpsim,atcm"), pieces(node, "rpsim,btcm")},
      upstream_("upstream", *this) {
  downstream_.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
  SC_HAS_PROCESS(r5f_tcm);
  SC_METHOD(config_changed);
  sensitive << config_;
}

std::vector<r5f_tcm::piece> r5f_tcm::pieces(const dt::node& node, std::string_view property) {
  constexpr unsigned CELLS = 3;
  const auto cells = node.cells(property);
  if (cells.empty() || cells.size() % CELLS != 0 || cells.size() > 2 * CELLS)
    node.fail(property, "takes system address (2 cells) and size, once or twice");
  std::vector<piece> list;
  for (std::size_t i = 0; i < cells.size(); i += CELLS)
    list.push_back({std::uint64_t{cells[i]} << 32 | cells[i + 1], cells[i + 2]});
  return list;
}

std::vector<moved_range> r5f_tcm::routes_for(std::uint32_t config) const {
  std::vector<moved_range> routes;
  const bool atcm_low = (config & TCM_RSTBASE) != 0;
  const bool both_cores = (config & (LOCKSTEP | SINGLE_CORE)) != 0;
  for (const bool low : {true, false}) {
    const bool atcm = low == atcm_low;
    if ((config & (atcm ? ATCM_EN : BTCM_EN)) == 0) continue;
    std::uint64_t at = low ? 0 : HIGH;
    for (const piece& p : memories_[atcm ? 0 : 1]) {
      routes.push_back({at, at + p.size - 1, p.base});
      at += p.size;
      if (!both_cores) break;
    }
  }
  return routes;
}

std::uint64_t r5f_tcm::system_address(std::uint32_t address, std::uint32_t config) const {
  for (const moved_range& r : routes_for(config)) {
    if (address >= r.first && address <= r.last) return r.system + (address - r.first);
  }
  return 0;
}

const moved_range* r5f_tcm::find(std::uint64_t address) const {
  const auto it =
      std::ranges::find_if(routes_, [&](const moved_range& r) { return address >= r.first && address <= r.last; });
  return it == routes_.end() ? nullptr : &*it;
}

void r5f_tcm::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::uint64_t address = payload.get_address();
  const moved_range* r = find(address);
  if (r == nullptr) return downstream_->b_transport(payload, delay);
  if (const unsigned length = payload.get_data_length(); length != 0 && length - 1 > r->last - address) [[unlikely]] {
    return bus_error(context(), label(), payload, tlm::TLM_ADDRESS_ERROR_RESPONSE, "crosses the end of a TCM");
  }
  payload.set_address(r->system + (address - r->first));
  downstream_->b_transport(payload, delay);
  payload.set_address(address);
}

unsigned r5f_tcm::transport_debug(tlm::tlm_generic_payload& payload) {
  const std::uint64_t address = payload.get_address();
  const unsigned length = payload.get_data_length();
  if (const moved_range* r = find(address)) {
    payload.set_address(r->system + (address - r->first));
    if (length != 0)
      payload.set_data_length(static_cast<unsigned>(std::min<std::uint64_t>(length - 1, r->last - address) + 1));
  }
  const unsigned done = downstream_->transport_dbg(payload);
  payload.set_address(address);
  payload.set_data_length(length);
  return done;
}

bool r5f_tcm::direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const std::uint64_t address = payload.get_address();
  moved_range way{0, std::numeric_limits<std::uint64_t>::max(), 0};
  if (const moved_range* r = find(address)) {
    way = *r;
  } else {
    for (const moved_range& other : routes_) {
      if (other.last < address) way.first = std::max(way.first, other.last + 1);
      if (other.first > address) way.last = std::min(way.last, other.first - 1);
    }
    way.system = way.first;
  }
  return translated_dmi(*downstream_.operator->(), way, payload, dmi);
}

tlm::tlm_sync_enum r5f_tcm::nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) {
  return tlm::TLM_ACCEPTED;  // never starts a non-blocking transaction
}

void r5f_tcm::invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) {
  upstream_->invalidate_direct_mem_ptr(start, end);  // what passes unchanged
  for (const moved_range& r : routes_) invalidate_translated(*upstream_.operator->(), r, start, end);
}

void r5f_tcm::config_changed() {
  routes_ = routes_for(config_.read());
  upstream_->invalidate_direct_mem_ptr(0, std::numeric_limits<std::uint64_t>::max());
}

}  // namespace rpsim
