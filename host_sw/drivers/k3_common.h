#pragma once
// What the drivers of K3 cores have in common: the mailbox callback, kicks, the reset and power sequence of cores that
// have a local reset and of those that have not, address translation, graceful shutdown, system sleep.
// Facts: reference/k3.md §2, §4.2, §4.4, §4.5, §5; drivers/remoteproc/ti_k3_{m4,dsp}_remoteproc.c of linux-source-6.12.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host_sw/drivers/mailbox.h"
#include "host_sw/drivers/reset_ti_sci.h"
#include "host_sw/drivers/shutdown.h"
#include "host_sw/drivers/ti_sci.h"
#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::drivers {

/// What a scenario selects about a K3 driver.
struct k3_options {
  std::string shutdown = "none";  // shutdown_policy_names()
  bool report_crashes = false;    // RP_MBOX_CRASH reaches report_crash, and recovery is enabled; else it is logged
  bool auto_boot = true;          // 6.12: no K3 driver clears it, so a core whose firmware file exists boots at probe
  remoteproc::core_options core;
};

/// What differs between the kinds of cores.
struct k3_core_data {
  struct memory {
    const char* name;  // in reg-names
    std::uint32_t device_address;
  };
  const char* label;  // in log lines: "M4F"
  std::vector<memory> memories;
  bool uses_local_reset = true;
  bool pings = true;  // ECHO_REQUEST in start and attach
};

class k3_rproc {
 public:
  /// @throws std::invalid_argument for an unknown shutdown variant.
  k3_rproc(os::machine& machine, os::device& dev, const k3_core_data& data, const k3_options& options);
  k3_rproc(const k3_rproc&) = delete;
  k3_rproc& operator=(const k3_rproc&) = delete;

  /// 0 or -errno; a failed probe has given back what it took.
  int probe();
  void remove();

 private:
  struct memory {
    std::uint64_t bus_address = 0;
    std::uint32_t device_address = 0;
    std::uint64_t size = 0;
  };

  int acquire();
  /// Undone in reverse at remove and after a failed probe, as Linux's managed resources.
  void on_release(std::function<void()> undo) { releases_.push_back(std::move(undo)); }
  void release_all();
  int fail(int error, const std::string& text);
  int get_memories();
  int get_reserved_memory();
  remoteproc::rproc_ops make_ops();

  int request_mailbox();
  void free_mailbox();
  int send(std::uint32_t word) { return mbox_ != nullptr ? mbox_->send_message(mbox_message::word(word)) : -EINVAL; }
  void receive(std::uint32_t word);
  int ping();
  void kick(int vqid);

  int reset();
  int release();
  int prepare();
  int unprepare();
  int start();
  int stop();
  int attach();
  int detach();
  bool wants_shutdown_request() const;
  std::uint64_t da_to_pa(std::uint64_t da, std::size_t len) const;
  remoteproc::live_table loaded_table() const;
  int handle_resource(std::uint32_t type, std::span<const std::byte> payload);

  int suspend_prepare();
  void post_suspend();

  void log(os::log_level level, std::string text) { kernel().printk(level, dev_.name, std::move(text)); }
  os::kernel& kernel() const { return machine_.os(); }
  void handshake(std::string_view phase, sc_core::sc_time limit = {});

  os::machine& machine_;
  os::device& dev_;
  const k3_core_data data_;
  const k3_options options_;
  const shutdown_policy& policy_;

  ti_sci* sci_ = nullptr;
  std::uint32_t device_id_ = 0;
  std::uint8_t processor_id_ = 0;
  std::unique_ptr<reset_control> reset_;
  std::vector<memory> memories_, reserved_;
  dt::region dma_pool_;
  mbox_client client_;
  mbox_chan* mbox_ = nullptr;
  std::unique_ptr<remoteproc::rproc> rproc_;
  std::vector<std::function<void()>> releases_;

  os::completion shutdown_acked_, suspend_answered_;
  std::uint32_t suspend_answer_ = 0;
  bool suspended_ = false;         // this driver put the core to sleep or left it on for the time
  bool answers_shutdown_ = false;  // declared by the firmware's resource table
};

/// A platform driver whose devices are k3_rprocs.
os::platform_driver k3_driver(os::machine& machine, std::string name, std::vector<std::string> compatible,
                              k3_core_data data, k3_options options);

}  // namespace rpsim::drivers
