#pragma once
// The remoteproc core: life cycle of one remote processor as Linux's remoteproc_core.c has it (linux-source-6.12,
// "MAIN" in reference/remoteproc-core.md §1), with every roll-back order, error code and hazard. Where Linux would
// corrupt its own memory the calling host thread ends in kernel::oops() at that point; the hazards by name:
//
// A history other than main may lack some of them and have others (histories.h):
//
//   H1   a boot recovery that fails after its stop leaves OFFLINE with power >= 1
//   H3   a crash report in DETACHED starts a recovery; oops where it copies from a table that is not there
//   H4   clean_table is freed twice, or used after it was freed (oops)
//   H7   a vdev with fewer than two vrings is torn down (oops)
//   H10  a carveout's name is used as a format string, or has no terminator (oops)
//   no-cached-table    a recovery after an attach copies from a table that was never cached (oops; v4 and v5)
//   double-free        the cached table is freed twice (oops; v5)
//   elf-overread    the ELF loader reads behind the image's last page (oops)
//   table-overread  an access behind the heap copy of a resource table (oops)
//   vring-uaf       a virtqueue is used after del_vqs (oops)
//   vring-loop      the remote makes an endless chain of descriptors (oops)
//   driver-gone     an op of a driver that was removed is called (oops)
//
// What a pointer into remote memory is in Linux is a host physical address here, reached over the host core's bus.
// All functions run on a host thread; those that take the processor's lock sleep.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "host_sw/remoteproc/rproc_ops.h"

namespace rpsim::remoteproc {

/// Something that starts after and stops before the remote processor. An empty function is a missing op.
struct subdev {
  std::function<int()> prepare, start;
  std::function<void(bool crashed)> stop;
  std::function<void()> unprepare;
};

class rproc {
 public:
  /// `firmware` "" means rproc-<name>-fw. @throws std::invalid_argument for an unknown history.
  static std::unique_ptr<rproc> alloc(os::machine& machine, os::device& parent, std::string name, rproc_ops ops,
                                      std::string firmware = "", core_options options = {});
  /// Open files of this processor answer ENODEV from now on. After add(), del() must have run.
  ~rproc();
  rproc(const rproc&) = delete;
  rproc& operator=(const rproc&) = delete;

  // ---- life cycle: 0 or -errno as in reference/remoteproc-core.md §1.13
  int add();
  int del();
  int boot();
  int shutdown();
  int detach();
  int set_firmware(std::string_view name);
  int trigger_recovery();
  /// From any context. Queues the crash work; a report while it is queued is merged into that one.
  void report_crash(crash_type type);
  /// The remote rang for the vring with this notify id.
  os::irqreturn vq_interrupt(int notifyid);
  /// The driver comes to a point that rests on a fact which no source confirms: `topic` of the history's description.
  void rests_on(std::string_view topic);
  /// What the panic notifier does: the longest delay in ms that any running processor's panic op asked for.
  static unsigned long panic(os::machine& machine);

  // ---- set up by the driver before add()
  void set_detached();
  void set_auto_boot(bool on);
  void set_recovery_disabled(bool on);
  void set_sysfs_read_only(bool on);
  /// RPROC_FEAT_ATTACH_ON_RECOVERY.
  void set_attach_on_recovery(bool on);
  /// The parent's coherent DMA pool (memory-region 0): vrings, buffers and carveouts without a place come from it.
  void set_dma_pool(dt::region region);
  /// Kept by reference until removed.
  void add_subdev(subdev& s);
  void remove_subdev(subdev& s);

  // ---- from prepare, parse_fw, start, attach
  /// Registers memory that is mapped already. Dropped by every stop, detach and failed boot.
  void add_carveout(std::string name, std::uint64_t pa, std::uint32_t da, std::size_t len);
  /// Registers the parent's memory-region `index`, not mapped: the pool of a `vdev<k>buffer`.
  void add_reserved_carveout(std::string name, unsigned index, std::uint32_t da, std::size_t len);
  void coredump_add_segment(std::uint64_t da, std::size_t size);
  /// The trace buffers, those that no segment begins at yet.
  void coredump_add_traces();
  /// `dump` fills the destination from `offset` of the segment. `name` is used by coredump_using_sections().
  using dump_function = std::function<void(rproc&, std::uint64_t da, std::span<std::byte> to, std::size_t offset)>;
  void coredump_add_custom_segment(std::uint64_t da, std::size_t size, dump_function dump, std::string name = "");
  /// 0, or -EINVAL for a class that is neither ELFCLASS32 (1) nor ELFCLASS64 (2).
  int coredump_set_elf_info(int elf_class, unsigned machine);

  // ---- state
  const std::string& name() const;
  unsigned index() const;
  /// Held through every life-cycle operation.
  os::mutex& lock();
  rproc_state state() const;  // unlocked, as sysfs reads it
  int power() const;          // outstanding boots
  int max_notifyid() const;   // -1: none
  std::uint64_t boot_address() const;
  os::device& parent() const;
  os::machine& machine() const;
  /// Device address to host physical address: the driver's hook, then the carveouts in order. 0: not translatable.
  std::uint64_t da_to_pa(std::uint64_t da, std::size_t len) const;

  /// The core's own files only (rproc_internal.h).
  struct impl;
  impl& internal() { return *impl_; }

 private:
  explicit rproc(std::shared_ptr<impl> i);
  std::shared_ptr<impl> impl_;
};

}  // namespace rpsim::remoteproc
