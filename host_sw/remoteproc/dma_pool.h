#pragma once
// A coherent DMA pool: the reserved region of a device, given out in runs of 2^n pages, each at the first free place
// aligned to its own length (linux-source-6.12 kernel/dma/coherent.c over bitmap_find_free_region). With a 1 MiB pool,
// two 256 x 4096 vrings and 512 buffers land at +0, +0x4000 and +0x40000: what TI's firmware expects of its buffers
// (reference/stock-firmware.md item 7).

#include <cstdint>
#include <optional>
#include <vector>

namespace rpsim::remoteproc {

class dma_pool {
 public:
  static constexpr std::uint64_t PAGE_SIZE = 4096;

  /// `device_base`: the region's address as the remote sees it.
  dma_pool(std::uint64_t pa, std::uint64_t size, std::uint64_t device_base);
  std::uint64_t pa() const { return pa_; }
  std::uint64_t device_address(std::uint64_t pa) const { return device_base_ + (pa - pa_); }

  /// Host physical address, not zeroed. None for a size of 0: get_order(0) is larger than any pool.
  std::optional<std::uint64_t> allocate(std::uint64_t size);
  void free(std::uint64_t pa, std::uint64_t size);

 private:
  std::uint64_t run(std::uint64_t size) const;  // pages, a power of two; 0: none that the pool could hold
  std::uint64_t pa_, device_base_;
  std::vector<bool> used_;  // by page
};

}  // namespace rpsim::remoteproc
