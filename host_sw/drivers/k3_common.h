#pragma once
// What the drivers of K3 cores have in common: the mailbox callback, kicks, the reset and power sequence of cores that
// have a local reset and of those that have not, address translation, graceful shutdown, system sleep.
// Facts: reference/k3.md §2, §4.2, §4.4, §4.5, §5; drivers/remoteproc/ti_k3_{m4,dsp,r5}_remoteproc.c of
// linux-source-6.12.

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
  /// ECHO_REQUEST when the channel is requested, which is the first thing at probe, and the channel is freed before the
  /// processor is deleted (6.12: R5F, DSP). Else the ping comes in start and attach.
  bool mailbox_first = false;
  /// The core has the ops of its mode alone: start and stop, or attach and detach (6.12: R5F, DSP).
  bool ops_of_mode = false;
};

/// One core. Kinds of cores override how it is found, powered, started and halted.
class k3_rproc {
 public:
  /// @throws std::invalid_argument for an unknown shutdown variant.
  k3_rproc(os::machine& machine, os::device& dev, const k3_core_data& data, const k3_options& options);
  virtual ~k3_rproc() = default;
  k3_rproc(const k3_rproc&) = delete;
  k3_rproc& operator=(const k3_rproc&) = delete;

  /// 0 or -errno; a failed probe has given back what it took. In two halves for those who have several cores: first
  /// what belongs to the core, then the processor that is made of it.
  int probe();
  int probe_core();
  int probe_rproc();
  void remove();

 protected:
  struct memory {
    std::uint64_t bus_address = 0;
    std::uint32_t device_address = 0;
    std::uint64_t size = 0;
  };
  enum class mode : std::uint8_t { remoteproc, ipc_only };

  /// Fills memories_. 0 or -errno.
  virtual int get_memories();
  /// What the core is found to be, and what is set up for it at probe. 0 or -errno.
  virtual int find_mode(mode& m);
  virtual int prepare();
  virtual int unprepare();
  /// The part of start and stop that is the core's.
  virtual int run() { return release(); }
  virtual int halt() { return reset(); }

  int fail(int error, const std::string& text);
  int reset();
  int release();
  os::kernel& kernel() const { return machine_.os(); }
  void log(os::log_level level, std::string text) { kernel().printk(level, dev_.name, std::move(text)); }

  os::machine& machine_;
  os::device& dev_;
  const k3_core_data data_;
  const k3_options options_;
  const shutdown_policy& policy_;
  ti_sci* sci_ = nullptr;
  std::uint32_t device_id_ = 0;
  std::uint8_t processor_id_ = 0;
  std::unique_ptr<reset_control> reset_;
  std::vector<memory> memories_;
  std::unique_ptr<remoteproc::rproc> rproc_;

 private:
  int acquire_core();
  int acquire_rproc();
  /// Undone in reverse at remove and after a failed probe, as Linux's managed resources.
  void on_release(std::function<void()> undo) { releases_.push_back(std::move(undo)); }
  void release_all();
  int get_reserved_memory();
  remoteproc::rproc_ops make_ops(mode m);

  int request_mailbox();
  void free_mailbox();
  int send(std::uint32_t word) { return mbox_ != nullptr ? mbox_->send_message(mbox_message::word(word)) : -EINVAL; }
  void receive(std::uint32_t word);
  int ping();
  void kick(int vqid);

  int open_channel();
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
  void handshake(std::string_view phase, sc_core::sc_time limit = {});

  std::vector<memory> reserved_;
  dt::region dma_pool_;
  mbox_client client_;
  mbox_chan* mbox_ = nullptr;
  std::vector<std::function<void()>> releases_;

  os::completion shutdown_acked_, suspend_answered_;
  std::uint32_t suspend_answer_ = 0;
  bool suspended_ = false;         // this driver put the core to sleep or left it on for the time
  bool answers_shutdown_ = false;  // declared by the firmware's resource table
};

/// A platform driver whose devices are k3_rprocs, each made by `make`.
/// @throws std::invalid_argument for an unknown shutdown variant.
using k3_maker = std::function<std::shared_ptr<k3_rproc>(os::device&)>;
os::platform_driver k3_driver(std::string name, std::vector<std::string> compatible, const k3_options& options,
                              k3_maker make);
/// Refuses an unknown shutdown variant before there is a device. @throws std::invalid_argument
void check_shutdown_variant(const k3_options& options);

}  // namespace rpsim::drivers
