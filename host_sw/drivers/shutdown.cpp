#include "host_sw/drivers/shutdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace rpsim::drivers {

using os::log_level;

namespace {

constexpr unsigned WFI_SLEEP_US = 200, WFI_TIMEOUT_US = 2000;

constexpr std::array POLICIES = std::to_array<shutdown_policy>({
    {.name = "none"},
    // 21 June 2024, posted for the R5 only and applied to every core here.
    {.name = "v1", .asks = true, .ack_timeout_ms = 1000, .halts_anyway = true},
    // 25 November 2025.
    {.name = "v2", .asks = true, .ack_timeout_ms = 5000},
    // TI's kernel 6.1: ti_k3_dsp_remoteproc.c; the suspend flow is that of its later ti_k3_common.c.
    {.name = "ti-sdk",
     .asks = true,
     .ack_timeout_ms = 3000,
     .frees_channel = true,
     .ignores_reset_result = true,
     .suspends = true},
    // What the review asked for; not posted as far as is known: assumed to be v2 in everything else.
    {.name = "v3",
     .asks = true,
     .ack_timeout_ms = 5000,
     .resets_crashed_unasked = true,
     .reads_capability = true,
     .needs_capability = true},
    // The last mail of the review: firmware that acknowledges without declaring it exists.
    {.name = "v3-acks-unflagged",
     .asks = true,
     .ack_timeout_ms = 5000,
     .resets_crashed_unasked = true,
     .reads_capability = true},
});

}  // namespace

const shutdown_policy* find_shutdown_policy(std::string_view name) {
  const auto p = std::ranges::find(POLICIES, name, &shutdown_policy::name);
  return p == POLICIES.end() ? nullptr : &*p;
}

std::vector<std::string_view> shutdown_policy_names() {
  std::vector<std::string_view> names;
  for (const shutdown_policy& p : POLICIES) names.push_back(p.name);
  return names;
}

int shutdown_handshake(const shutdown_policy& policy, const shutdown_link& link) {
  os::kernel& k = link.kernel;
  const auto failed = [&](int error, std::string text) {
    if (policy.halts_anyway) text += ". Halting core anyway.";
    k.printk(log_level::err, link.device, std::move(text));
    return policy.halts_anyway ? 0 : error;
  };

  link.acknowledged.reinit();
  if (const int error = link.send_shutdown(); error < 0) {
    return failed(error, policy.halts_anyway ? fmt::format("Sending SHUTDOWN message failed: {}", error)
                                             : fmt::format("PM mbox_send_message failed: {}", error));
  }
  link.handshake("requested", sc_core::sc_time(policy.ack_timeout_ms, sc_core::SC_MS));
  if (link.acknowledged.wait_timeout(k.msecs_to_jiffies(policy.ack_timeout_ms)) == 0) {
    link.handshake("timeout", {});
    return failed(-EBUSY, policy.halts_anyway ? "Timeout waiting SHUTDOWN_ACK message"
                                              : "timeout waiting for rproc completion event");
  }
  link.handshake("acked", sc_core::sc_time(WFI_TIMEOUT_US, sc_core::SC_US));
  if (policy.frees_channel) link.free_channel();
  if (const int error = k.poll_timeout(link.in_wfi, WFI_SLEEP_US, WFI_TIMEOUT_US); error != 0) {
    link.handshake("no_wfi", {});
    // Only v1 says anything about it.
    return policy.halts_anyway ? failed(error, "Timeout waiting for remote proc to be in WFI state") : error;
  }
  link.handshake("wfi_seen", {});
  return 0;
}

}  // namespace rpsim::drivers
