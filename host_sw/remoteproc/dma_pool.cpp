#include "host_sw/remoteproc/dma_pool.h"

#include <algorithm>
#include <bit>

namespace rpsim::remoteproc {

dma_pool::dma_pool(std::uint64_t pa, std::uint64_t size, std::uint64_t device_base)
    : pa_(pa), device_base_(device_base), used_(size / PAGE_SIZE) {}

std::uint64_t dma_pool::run(std::uint64_t size) const {
  if (size == 0 || size > used_.size() * PAGE_SIZE) return 0;
  return std::bit_ceil((size + PAGE_SIZE - 1) / PAGE_SIZE);
}

std::optional<std::uint64_t> dma_pool::allocate(std::uint64_t size) {
  const std::uint64_t pages = run(size);
  if (pages == 0) return std::nullopt;
  for (std::uint64_t page = 0; page + pages <= used_.size(); page += pages) {
    const auto first = used_.begin() + static_cast<std::ptrdiff_t>(page);
    const auto last = first + static_cast<std::ptrdiff_t>(pages);
    if (std::find(first, last, true) != last) continue;
    std::fill(first, last, true);
    return pa_ + page * PAGE_SIZE;
  }
  return std::nullopt;
}

void dma_pool::free(std::uint64_t pa, std::uint64_t size) {
  const std::uint64_t pages = run(size), page = (pa - pa_) / PAGE_SIZE;
  if (pages == 0 || pa < pa_ || page + pages > used_.size()) return;
  std::fill_n(used_.begin() + static_cast<std::ptrdiff_t>(page), pages, false);
}

}  // namespace rpsim::remoteproc
