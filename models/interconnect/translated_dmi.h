#pragma once
// Direct memory access through something that moves addresses: what is granted downstream, in the addresses of
// upstream, and only as far as these move alike.

#include <algorithm>
#include <cstdint>
#include <tlm>

namespace rpsim {

/// A stretch of upstream's addresses that goes to `system` and on.
struct moved_range {
  std::uint64_t first, last, system;
};

/// What `downstream` grants for the payload's address, which is in the range.
inline bool translated_dmi(tlm::tlm_fw_transport_if<>& downstream, const moved_range& range,
                           tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const std::uint64_t address = payload.get_address();
  const std::uint64_t shift = range.system - range.first;
  payload.set_address(address + shift);
  const bool granted = downstream.get_direct_mem_ptr(payload, dmi);
  payload.set_address(address);
  const std::uint64_t start = std::max<std::uint64_t>(dmi.get_start_address(), range.system);
  const std::uint64_t end = std::min<std::uint64_t>(dmi.get_end_address(), range.last + shift);
  if (granted) dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (start - dmi.get_start_address()));
  dmi.set_start_address(start - shift);
  dmi.set_end_address(end - shift);
  return granted;
}

/// Takes back what was granted upstream for downstream's addresses from `start` to `end`.
inline void invalidate_translated(tlm::tlm_bw_transport_if<>& upstream, const moved_range& range, std::uint64_t start,
                                  std::uint64_t end) {
  const std::uint64_t first = std::max(start, range.system);
  const std::uint64_t last = std::min(end, range.system + (range.last - range.first));
  if (first > last) return;
  upstream.invalidate_direct_mem_ptr(range.first + (first - range.system), range.first + (last - range.system));
}

}  // namespace rpsim
