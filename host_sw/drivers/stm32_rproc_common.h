#pragma once
// What both drivers of the STM32MP1's M4 do alike, the one that writes its registers (stm32_rproc.h) and the one that
// asks a TEE to (stm32_rproc_tee.h): mailboxes, watchdog interrupt, memory regions. Facts: reference/stm32mp1.md §1.2,
// §3, §5.3.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "host_sw/drivers/mailbox.h"
#include "host_sw/drivers/stm32_exti.h"
#include "host_sw/drivers/workqueue.h"
#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::drivers {

/// Parameter <host>.stm32_rproc_parse: declared before time starts, so that a scenario can set it, and found again by
/// the device.
param& stm32_parse_time_param(os::machine& machine);

/// The doorbells of both virtqueues, and what the firmware is asked for and acknowledges.
class stm32_mailboxes {
 public:
  enum id : std::uint8_t { VQ0, VQ1, SHUTDOWN, DETACH, COUNT };
  using missing = std::function<void(std::string_view name)>;

  stm32_mailboxes(os::machine& machine, os::device& dev, std::string kick_function)
      : machine_(machine), dev_(dev), kick_function_(std::move(kick_function)) {}
  /// The first `count` of them: COUNT, or DETACH for those before it. One that the tree does not have is told and stays
  /// unused. 0 or -EPROBE_DEFER.
  int request(remoteproc::rproc& r, unsigned count, const missing& tell);
  void free();

  void kick(int vqid);
  /// Rings, and sleeps until the M4 has acknowledged. < 0: -errno, -ETIME if it never did.
  int ask(id what);
  /// The shutdown request, of a core that may still work; a warning where it is not acknowledged.
  void ask_for_shutdown();

 private:
  struct mailbox {
    const char* name;
    int vq;  // -1: none
    unsigned timeout_ms;
    mbox_client client;
    mbox_chan* chan = nullptr;
    os::work vq_work;
  };
  mailbox vq(const char* name, int id) {
    return {name, id, 0, {}, nullptr, os::work([this, id] { receive(mailboxes_[static_cast<std::size_t>(id)]); })};
  }
  static mailbox acknowledged(const char* name, unsigned timeout_ms) {
    return {name, -1, timeout_ms, {}, nullptr, os::work({})};
  }
  void receive(const mailbox& m);
  /// A line of the remoteproc device, not of its parent.
  void log(os::log_level level, std::string text);

  static constexpr unsigned SHUTDOWN_TIMEOUT_MS = 500, DETACH_TIMEOUT_MS = 200;
  os::machine& machine_;
  os::device& dev_;
  const std::string kick_function_;
  remoteproc::rproc* rproc_ = nullptr;
  std::unique_ptr<workqueue> workqueue_;
  std::array<mailbox, COUNT> mailboxes_{vq("vq0", 0), vq("vq1", 1), acknowledged("shutdown", SHUTDOWN_TIMEOUT_MS),
                                        acknowledged("detach", DETACH_TIMEOUT_MS)};
};

/// The interrupt of the M4's watchdog, if the tree has it.
class stm32_watchdog {
 public:
  /// `processor` gives nullptr as long as the driver has not set its data: an edge that EXTI kept from before the probe
  /// comes at once. 0 or -errno.
  int request(os::machine& machine, os::device& dev, std::function<remoteproc::rproc*()> processor);
  void free();

 private:
  std::optional<device_irq> irq_;
  std::string name_;
};

/// The node's memory regions become carveouts, the M4's addresses as `address_of` has them. 0, or -EINVAL where it has
/// none.
int register_stm32_memory_regions(remoteproc::rproc& r,
                                  const std::function<std::optional<std::uint32_t>(dt::region)>& address_of);

}  // namespace rpsim::drivers
