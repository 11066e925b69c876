#pragma once
// The remoteproc core's own view of a processor: shared by the files of this folder, nobody else's.

#include <fmt/format.h>

#include <array>
#include <list>
#include <map>
#include <optional>

#include "host_sw/remoteproc/dma_pool.h"
#include "host_sw/remoteproc/history.h"
#include "host_sw/remoteproc/remoteproc.h"
#include "host_sw/remoteproc/resource_table.h"
#include "host_sw/remoteproc/subsystem.h"
#include "host_sw/remoteproc/virtio.h"

namespace rpsim::remoteproc {

/// Memory that the remote addresses. Mapped when `pa` is not 0.
struct carveout {
  std::string name;  // 31 characters at most
  std::uint64_t pa = 0, dma = 0, len = 0;
  std::uint32_t da = rsc::ADDR_ANY, flags = 0;
  bool allocate = false;                    // by the default allocator, once the resource walk is through
  std::optional<std::size_t> table_offset;  // payload of the table entry it is bound to
  std::optional<unsigned> reserved_memory;  // index in memory-region
};

struct dump_segment {
  std::uint64_t da = 0;
  std::size_t size = 0;
  rproc::dump_function dump;
  std::string name;
};

struct trace_buffer {
  std::uint32_t da = 0, len = 0;
  std::string path;
};

enum class dump_mode : std::uint8_t { disabled, enabled, inline_ };
const char* to_string(dump_mode m);
std::optional<dump_mode> parse_dump_mode(std::string_view text);

class vdev;

struct vring {
  unsigned index = 0;
  std::int32_t num = 0, align = 0;  // int in Linux, too: 0x80000000 and above are negative
  int notifyid = -1;
  vdev* owner = nullptr;  // set once its table entry was parsed
  std::shared_ptr<virtio::virtqueue> queue;
};

struct rproc::impl : std::enable_shared_from_this<rproc::impl> {
  impl(os::machine& m, os::device& p, std::string n, rproc_ops o, std::string fw, core_options options);
  ~impl();

  // ---- remoteproc.cpp: life cycle
  int validate() const;
  int add();
  int del();
  void unregister();
  int boot();
  int shutdown();
  int detach();
  int set_firmware(std::string_view text);
  int trigger_recovery();
  void report_crash(crash_type type);
  void handle_crash();
  int fw_boot(const firmware& fw);
  int start(const firmware& fw);
  int attach();
  int attach_device();
  int stop_device(bool crashed);
  int detach_device();
  int boot_recovery();
  int attach_recovery();
  int prepare_subdevices();
  int start_subdevices();
  void stop_subdevices(bool crashed);
  void unprepare_subdevices();
  int prepare_device() { return call("prepare", ops.prepare); }
  int unprepare_device() { return call("unprepare", ops.unprepare); }
  int set_rsc_table();
  int reset_rsc_table_on_stop();
  int reset_rsc_table_on_detach();
  /// The table in effect becomes a heap copy of it. Returns where it was.
  rsc::table_pointer use_scratch_table();
  /// Overwrites the live table with the clean copy and frees that.
  void restore_clean_table(rsc::table_pointer& installed);
  void free_clean_table();
  int request_firmware(firmware& fw);
  void resource_cleanup();
  void release_firmware();
  /// resource_cleanup and what follows it at every end of a life: the device is unprepared, the heap copy freed.
  void release_resources();
  /// The life cycle comes to a point that rests on a fact which no source confirms: `topic` of the history's
  /// description.
  void rests_on(std::string_view topic);
  std::uint64_t da_to_pa(std::uint64_t da, std::size_t len) const;

  // ---- resources.cpp: entries of the table, carveouts, ring memory
  int handle_resources();
  int handle_entry(std::uint32_t type, std::size_t offset, std::size_t available);
  int handle_carveout(std::size_t offset, std::size_t available);
  int handle_trace(std::size_t offset, std::size_t available);
  int handle_vdev(std::size_t offset, std::size_t available);
  int alloc_registered_carveouts();
  int alloc_carveout(carveout& c);
  void release_carveout(carveout& c);
  carveout* find_carveout(std::string_view wanted);
  carveout& register_carveout(carveout c);
  void report_carveout(const carveout& c, std::string_view what);
  bool carveout_fits(const carveout& c, std::uint32_t da, std::uint32_t len);
  std::string carveout_name(std::size_t name_offset);
  int alloc_vring(vdev& v, unsigned i, const rsc::vring_entry& entry);
  void free_vring(vring& ring);
  /// The pool of a reserved region: one for all who use the region.
  dma_pool* pool_of(dt::region region);
  std::optional<dt::region> memory_region(unsigned i) const;
  std::string parent_log_name() const;

  // ---- sysfs.cpp, cdev.cpp, debugfs.cpp
  void add_cdev();
  void add_sysfs();
  void add_debugfs();
  void remove_cdev();
  void remove_sysfs();
  void remove_debugfs();
  void add_trace_file(const trace_buffer& t);
  std::string sysfs_path() const { return "/sys/class/remoteproc/" + dev_name; }
  std::string debugfs_path() const { return "/sys/kernel/debug/remoteproc/" + dev_name; }

  // ---- helpers
  int call(std::string_view op, const std::function<int(rproc&)>& f);
  void report_op(std::string_view op, int result);
  void set_state(rproc_state s);
  template <typename... A>
  void log(os::log_level level, fmt::format_string<A...> text, A&&... a) {
    os.printk(level, log_name, fmt::format(text, std::forward<A>(a)...));
  }
  template <typename... A>
  void err(fmt::format_string<A...> text, A&&... a) {
    log(os::log_level::err, text, std::forward<A>(a)...);
  }
  void emit(std::string_view event, std::initializer_list<field> fields) { os.events().emit(dev_name, event, fields); }

  os::machine& machine;
  os::kernel& os;
  os::device& parent;
  const std::shared_ptr<subsystem> sys;
  rproc* self = nullptr;  // nullptr once the driver has let go
  const std::uint64_t identity;
  const unsigned index;
  const std::string name, dev_name, log_name;  // "5000000.m4fss", "remoteproc0", "remoteproc remoteproc0"
  std::string firmware_name;
  rproc_ops ops;
  const std::string history_name;
  std::unique_ptr<history> past;

  os::mutex lock;
  rproc_state state = rproc_state::offline;
  int power = 0;
  bool auto_boot = true, recovery_disabled = false, sysfs_read_only = false, attach_on_recovery = false;
  bool subdevs_started = false, deleting = false, put_on_release = false, in_sysfs = false;
  bool attached_life = false;                     // this life began by an attach, not by a boot
  rproc_state crashed_in = rproc_state::offline;  // the state of the last crash
  unsigned crash_count = 0;
  int max_notifyid = -1;
  unsigned nb_vdev = 0;
  std::uint64_t boot_address = 0;
  dump_mode dump_conf = dump_mode::disabled;
  int elf_class = 0;
  std::uint16_t elf_machine = 0;

  rsc::table_pointer table;  // table_ptr
  rsc::heap_copy cached_table;
  rsc::heap_copy clean_table;
  bool clean_table_dangling = false;  // freed, the pointer still set
  std::size_t table_sz = 0;

  std::list<carveout> carveouts;
  std::list<trace_buffer> traces;
  std::list<std::shared_ptr<vdev>> vdevs;  // rvdevs
  std::list<subdev*> subdevs;
  std::list<dump_segment> dump_segments;
  std::map<int, vring*> notifyids;
  std::map<std::uint64_t, dma_pool> pools;  // by base
  dma_pool* pool = nullptr;                 // the parent's

  os::work crash_work, attach_work, boot_work;
};

/// One vdev entry: a platform device of driver rproc-virtio, and the virtio device that its subdevice starts.
class vdev {
 public:
  vdev(rproc::impl& r, std::uint32_t id, unsigned index, std::size_t table_offset);
  ~vdev();
  /// Parses the rings, takes memory and ids for them, becomes a subdevice: 0 or -errno (nobody looks at it: H8).
  int probe(const rsc::vdev_entry& entry);
  /// Gives both rings back.
  void remove();

  rproc::impl& owner() { return r_; }
  unsigned index() const { return index_; }
  std::size_t table_offset() const { return table_offset_; }
  vring& ring(unsigned i) { return rings_[i]; }

 private:
  class virtio_device;
  int add_virtio_device();
  int bind_buffer_pool();
  void remove_virtio_device();

  rproc::impl& r_;
  const std::uint32_t id_;
  const unsigned index_, platform_id_;
  const std::size_t table_offset_;
  const std::string name_;  // "rproc-virtio.0.auto"
  std::array<vring, 2> rings_;
  subdev subdev_;
  std::optional<dma_pool> own_pool_;
  dma_pool* pool_ = nullptr;
  std::unique_ptr<virtio_device> device_;
};

/// sysfs_streq(): equal but for one newline at the end of the written text, which ends at its first NUL.
bool sysfs_streq(std::string_view written, std::string_view word);
/// !strncmp(written, word, count): what cdev and debugfs do, so that a prefix of the word matches.
bool prefix_of(std::string_view written, std::string_view word);

}  // namespace rpsim::remoteproc
