#include "models/common/model.h"

#include <algorithm>
#include <cstring>

namespace rpsim {

const char* to_string(module_state s) {
  switch (s) {
    case module_state::off:
      return "off";
    case module_state::sw_rst_disable:
      return "SwRstDisable";
    case module_state::sync_reset:
      return "SyncReset";
    case module_state::disable:
      return "Disable";
    case module_state::enable:
      return "Enable";
    case module_state::trans:
      return "Trans";
  }
  return "?";
}

void bus_error(sim_context& context, std::string_view source, tlm::tlm_generic_payload& payload,
               tlm::tlm_response_status status, std::string_view reason) {
  payload.set_response_status(status);
  context.trace.emit(source, "bus.error",
                     {{"initiator", initiator_name(payload)},
                      field::hex("address", payload.get_address()),
                      {"kind", payload.is_write() ? "write" : "read"},
                      {"size", payload.get_data_length()},
                      {"reason", reason}});
}

void unmodelled_access(sim_context& context, std::string_view source, const tlm::tlm_generic_payload& payload,
                       std::string_view register_name, bool locked) {
  if (!context.trace.on(trace_level::detail)) return;
  std::uint64_t value = 0;
  std::memcpy(&value, payload.get_data_ptr(), std::min<std::size_t>(payload.get_data_length(), sizeof value));
  context.trace.emit(trace_level::detail, source, "unmodelled.access",
                     {field::hex("offset", payload.get_address()),
                      {"register", register_name},
                      {"kind", locked               ? "locked write"
                               : payload.is_write() ? "write"
                                                    : "read"},
                      {"size", payload.get_data_length()},
                      field::hex("value", value),
                      {"by", initiator_name(payload)}});
}

}  // namespace rpsim
