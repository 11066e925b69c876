#pragma once
// What a virtio driver sees of its device: config operations and split virtqueues, the host being the driver side.
// Facts: reference/remoteproc-core.md §7.1–7.5; linux-source-6.12 drivers/virtio/{virtio,virtio_ring}.c.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host_sw/os/os.h"

namespace rpsim::virtio {

inline constexpr std::uint32_t ID_RPMSG = 7;

enum status : std::uint8_t {
  ACKNOWLEDGE = 1,
  DRIVER = 2,
  DRIVER_OK = 4,
  FEATURES_OK = 8,
  NEEDS_RESET = 0x40,
  FAILED = 0x80,
};

inline constexpr std::uint32_t RING_F_INDIRECT_DESC = 1u << 28, RING_F_EVENT_IDX = 1u << 29;

/// Bytes of a split ring, before page rounding. Types are Linux's: the table's alignment arrives sign-extended.
std::uint64_t vring_size(std::uint32_t num, std::uint64_t align);

/// A split virtqueue in shared memory. Little endian, no access to it is trusted.
class virtqueue {
 public:
  struct setup {
    std::string name;  // "input"
    unsigned index = 0;
    std::uint32_t num = 0;  // a power of two; other numbers index as Linux's masks do
    std::uint64_t align = 0;
    std::uint64_t pa = 0;  // of the descriptor table
    std::uint32_t features = 0;
    std::string log_name;    // what kernel log lines call the device
    std::string trace_name;  // source of vring.desc
    std::function<void()> notify;
    std::function<void(virtqueue&)> callback;
  };
  virtqueue(os::kernel& kernel, setup s);

  std::uint32_t num() const { return setup_.num; }
  unsigned index() const { return setup_.index; }
  bool broken() const { return broken_; }

  /// One buffer for the device to write / to read: 0, -ENOSPC, -EIO when broken. `buffer` (not 0) is also the token.
  int add_in(std::uint64_t buffer, std::uint32_t length);
  int add_out(std::uint64_t buffer, std::uint32_t length);
  struct used {
    std::uint64_t buffer;
    std::uint32_t length;  // as the device says; not checked
  };
  std::optional<used> get_buf();
  void disable_cb();
  /// false if a used buffer is waiting already.
  bool enable_cb();
  bool kick_prepare();
  void notify();
  void kick() {
    if (kick_prepare()) notify();
  }
  os::irqreturn interrupt();
  /// del_vqs: any later use is one of freed memory (oops "vring-uaf").
  void destroy() { destroyed_ = true; }

 private:
  void check_alive();
  int add(std::uint64_t buffer, std::uint32_t length, std::uint16_t flags);
  bool more_used();
  void bad_ring(const std::string& what);
  std::uint64_t avail() const { return setup_.pa + 16ull * setup_.num; }
  std::uint64_t used_event() const { return avail() + 4 + 2ull * setup_.num; }
  std::uint64_t avail_event() const { return used_ + 4 + 8ull * setup_.num; }

  os::kernel& kernel_;
  setup setup_;
  std::uint64_t used_;
  std::vector<std::uint64_t> token_;  // per descriptor; 0: not in flight
  std::vector<std::uint16_t> next_free_;
  std::uint32_t free_head_ = 0, free_count_;
  std::uint16_t avail_idx_ = 0, avail_flags_ = 0, last_used_idx_ = 0, added_ = 0;
  bool event_idx_, event_triggered_ = false, broken_ = false, destroyed_ = false;
};

/// A virtio device as its driver sees it.
class device {
 public:
  virtual ~device() = default;
  virtual const std::string& name() const = 0;  // "virtio0"
  virtual std::uint32_t id() const = 0;
  /// What both sides agreed on, as written to the device.
  virtual std::uint32_t features() const = 0;

  virtual std::uint8_t get_status() = 0;
  virtual void set_status(std::uint8_t status) = 0;
  virtual void reset() = 0;
  void add_status(std::uint8_t bits) { set_status(get_status() | bits); }
  void ready() { set_status(get_status() | DRIVER_OK); }

  struct queue_request {
    std::string name;
    std::function<void(virtqueue&)> callback;
  };
  /// 0, -EINVAL for more than two, -ENOMEM without mapped ring memory.
  virtual int find_vqs(std::span<const queue_request> requests, std::vector<std::shared_ptr<virtqueue>>& queues) = 0;
  virtual void del_vqs() = 0;
  /// Out of bounds: a log line, no access.
  virtual void get_config(std::uint32_t offset, std::span<std::byte> to) = 0;
  virtual void set_config(std::uint32_t offset, std::span<const std::byte> from) = 0;
  /// Coherent memory, zeroed. 0: none.
  virtual std::uint64_t alloc_coherent(std::size_t size) = 0;
  virtual void free_coherent(std::uint64_t pa, std::size_t size) = 0;

  std::shared_ptr<void> driver_data;
};

class driver {
 public:
  virtual ~driver() = default;
  virtual std::string_view name() const = 0;
  virtual std::uint32_t device_id() const = 0;
  virtual std::uint32_t features() const = 0;
  virtual int probe(device& d) = 0;
  virtual void remove(device& d) = 0;
};

}  // namespace rpsim::virtio
