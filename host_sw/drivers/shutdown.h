#pragma once
// How a K3 driver stops a core: the variants of the graceful-shutdown series and of TI's kernel, as data, and the
// handshake they share. Facts: reference/k3.md §5 and the review it cites.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host_sw/os/os.h"

namespace rpsim::drivers {

struct shutdown_policy {
  std::string_view name;
  bool asks = false;  // sends SHUTDOWN and waits for its acknowledge
  unsigned ack_timeout_ms = 0;
  bool halts_anyway = false;   // a failed handshake is logged, the core is reset all the same
  bool frees_channel = false;  // the mailbox channel is requested in start and attach, freed after the acknowledge
  bool ignores_reset_result = false;
  bool resets_crashed_unasked = false;  // a core in state CRASHED is not asked
  bool reads_capability = false;        // knows the vendor entry of the resource table
  bool needs_capability = false;        // firmware that does not declare there that it answers is not asked
  bool suspends = false;                // takes part in system sleep through a PM notifier
};

/// none, v1, v2, ti-sdk, v3, v3-acks-unflagged. nullptr for another name.
const shutdown_policy* find_shutdown_policy(std::string_view name);
std::vector<std::string_view> shutdown_policy_names();

/// What the handshake needs of the driver.
struct shutdown_link {
  os::kernel& kernel;
  std::string_view device;             // for log lines
  os::completion& acknowledged;        // completed by SHUTDOWN_ACK
  std::function<int()> send_shutdown;  // < 0: -errno
  std::function<bool()> in_wfi;        // one PROC_GET_STATUS
  std::function<void()> free_channel;
  /// Event `handshake`: requested, acked, wfi_seen, timeout, no_wfi; requested and acked with how long the driver
  /// waits for what comes next.
  std::function<void(std::string_view phase, sc_core::sc_time limit)> handshake;
};

/// Asks the core to shut down and waits until it has parked. 0 when the core may be reset: it is in WFI, or the policy
/// resets it regardless. Else -EBUSY without an acknowledge in time, -ETIMEDOUT when it never reached WFI, or the error
/// of the send; the core is as it was.
int shutdown_handshake(const shutdown_policy& policy, const shutdown_link& link);

}  // namespace rpsim::drivers
