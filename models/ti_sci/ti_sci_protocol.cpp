#include "models/ti_sci/ti_sci_protocol.h"

namespace rpsim::ti_sci {

std::string_view name(message_type type) {
  using enum message_type;
  switch (type) {
    case VERSION:
      return "VERSION";
    case SYS_RESET:
      return "SYS_RESET";
    case SET_CLOCK:
      return "SET_CLOCK";
    case GET_CLOCK:
      return "GET_CLOCK";
    case SET_CLOCK_PARENT:
      return "SET_CLOCK_PARENT";
    case GET_CLOCK_PARENT:
      return "GET_CLOCK_PARENT";
    case GET_NUM_CLOCK_PARENTS:
      return "GET_NUM_CLOCK_PARENTS";
    case SET_FREQ:
      return "SET_FREQ";
    case QUERY_FREQ:
      return "QUERY_FREQ";
    case GET_FREQ:
      return "GET_FREQ";
    case SET_DEVICE:
      return "SET_DEVICE";
    case GET_DEVICE:
      return "GET_DEVICE";
    case SET_DEVICE_RESETS:
      return "SET_DEVICE_RESETS";
    case DROP_POWERUP_REF:
      return "DROP_POWERUP_REF";
    case RM_IRQ_SET:
      return "RM_IRQ_SET";
    case RM_IRQ_RELEASE:
      return "RM_IRQ_RELEASE";
    case RM_GET_RESOURCE_RANGE:
      return "RM_GET_RESOURCE_RANGE";
    case PROC_REQUEST:
      return "PROC_REQUEST";
    case PROC_RELEASE:
      return "PROC_RELEASE";
    case PROC_HANDOVER:
      return "PROC_HANDOVER";
    case PROC_SET_CONFIG:
      return "PROC_SET_CONFIG";
    case PROC_SET_CONTROL:
      return "PROC_SET_CONTROL";
    case PROC_AUTH_BOOT:
      return "PROC_AUTH_BOOT";
    case PROC_GET_STATUS:
      return "PROC_GET_STATUS";
    case PROC_WAIT_STATUS:
      return "PROC_WAIT_STATUS";
  }
  return "?";
}

}  // namespace rpsim::ti_sci
