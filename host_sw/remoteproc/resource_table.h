#pragma once
// The resource table: its layout, the checks Linux makes, and access to the table in effect, which is either a copy on
// the host's heap or the one in remote memory. Facts: reference/remoteproc-core.md §3. Nothing read here is trusted.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host_sw/os/os.h"

namespace rpsim::remoteproc::rsc {

inline constexpr std::uint32_t ADDR_ANY = 0xFFFFFFFF;

enum type : std::uint32_t {
  CARVEOUT = 0,
  DEVMEM = 1,
  TRACE = 2,
  VDEV = 3,
  LAST = 4,
  VENDOR_START = 128,
  VENDOR_END = 512
};

// Sizes in bytes; an entry's size counts from behind its type word.
inline constexpr std::size_t HEADER_SIZE = 16, TYPE_SIZE = 4, CARVEOUT_SIZE = 52, TRACE_SIZE = 44, VDEV_SIZE = 24,
                             VRING_SIZE = 20, NAME_SIZE = 32;
// Offsets of what the host writes.
inline constexpr std::size_t CARVEOUT_DA = 0, CARVEOUT_PA = 4, CARVEOUT_LEN = 8, VDEV_DFEATURES = 8,
                             VDEV_GFEATURES = 12, VDEV_CONFIG_LEN = 16, VDEV_STATUS = 20, VDEV_VRINGS = 24,
                             VRING_DA = 0, VRING_NOTIFYID = 12;

std::uint32_t u32_at(std::span<const std::byte> bytes, std::size_t offset);

/// A carveout; a devmem entry has the same layout.
struct carveout_entry {
  explicit carveout_entry(std::span<const std::byte> payload);  // CARVEOUT_SIZE bytes at least
  std::uint32_t da, pa, len, flags, reserved;
};

struct trace_entry {
  explicit trace_entry(std::span<const std::byte> payload);  // TRACE_SIZE bytes at least
  std::uint32_t da, len, reserved;
};

struct vring_entry {
  std::uint32_t da = 0, align = 0, num = 0, notifyid = 0, pa = 0;
};

struct vdev_entry {
  explicit vdev_entry(std::span<const std::byte> payload);  // VDEV_SIZE bytes at least; vrings as far as they are there
  std::uint64_t size() const { return VDEV_SIZE + std::uint64_t{VRING_SIZE} * num_of_vrings; }
  std::uint32_t id, notifyid, dfeatures, gfeatures, config_len;
  std::uint8_t status, num_of_vrings, reserved[2];
  std::vector<vring_entry> vrings;
};

/// The text up to the first NUL, `size` characters at most.
std::string name_at(std::span<const std::byte> bytes, std::size_t offset, std::size_t size = NAME_SIZE);

/// What Linux finds wrong with the section's header (its log text), or nullptr. §3.2
const char* header_error(std::span<const std::byte> section);

using heap_copy = std::shared_ptr<std::vector<std::byte>>;

/// Linux's table_ptr. Access behind a heap copy is an oops ("table-overread"); behind a live table it is an access to
/// whatever lies there.
class table_pointer {
 public:
  explicit table_pointer(os::kernel& kernel) : kernel_(kernel) {}
  explicit operator bool() const { return heap_ != nullptr || live_ != 0; }
  bool live() const { return live_ != 0; }
  std::uint64_t pa() const { return live_; }

  void clear() { *this = nullptr; }
  table_pointer& operator=(std::nullptr_t);
  table_pointer& operator=(heap_copy copy);
  void point_to_live(std::uint64_t pa);

  void read(std::uint64_t offset, std::span<std::byte> to) const;
  void write(std::uint64_t offset, std::span<const std::byte> from);
  std::vector<std::byte> copy(std::uint64_t offset, std::size_t size) const;
  std::uint32_t u32(std::uint64_t offset) const;
  void set_u32(std::uint64_t offset, std::uint32_t value);
  std::uint8_t u8(std::uint64_t offset) const;
  void set_u8(std::uint64_t offset, std::uint8_t value);

 private:
  std::span<std::byte> heap_span(std::uint64_t offset, std::size_t size) const;
  os::kernel& kernel_;
  heap_copy heap_;
  std::uint64_t live_ = 0;
};

/// Calls `entry` with (type, payload offset, bytes available) for each entry; a non-zero result ends the walk and is
/// returned. -EINVAL for an entry that does not lie in `table_size`. The number of entries and their offsets are read
/// as they stand. §3.3
int for_each_entry(const table_pointer& table, std::size_t table_size,
                   const std::function<void(const char*)>& log_error,
                   const std::function<int(std::uint32_t type, std::size_t offset, std::size_t available)>& entry);

}  // namespace rpsim::remoteproc::rsc
