// Split virtqueues, driver side. Facts: linux-source-6.12 drivers/virtio/virtio_ring.c (split ring, no indirect
// descriptors as every buffer has one part), reference/remoteproc-core.md §7.

#include <fmt/format.h>

#include <cstring>

#include "host_sw/remoteproc/virtio.h"

namespace rpsim::virtio {

namespace {

constexpr std::uint16_t DESC_F_NEXT = 1, DESC_F_WRITE = 2, AVAIL_F_NO_INTERRUPT = 1, USED_F_NO_NOTIFY = 1;
constexpr std::uint64_t DESC_SIZE = 16, USED_ELEM_SIZE = 8;

// Of the start, so that a ring's address never has a say: memory for rings is aligned to its own length.
std::uint64_t used_offset(std::uint32_t num, std::uint64_t align) {
  return (DESC_SIZE * num + 2ull * static_cast<std::uint32_t>(3 + num) + align - 1) & ~(align - 1);
}

}  // namespace

std::uint64_t vring_size(std::uint32_t num, std::uint64_t align) {
  return used_offset(num, align) + 2 * 3 + USED_ELEM_SIZE * num;
}

virtqueue::virtqueue(os::kernel& kernel, setup s)
    : kernel_(kernel),
      setup_(std::move(s)),
      used_(setup_.pa + used_offset(setup_.num, setup_.align)),
      token_(setup_.num),
      next_free_(setup_.num),
      free_count_(setup_.num),
      event_idx_((setup_.features & RING_F_EVENT_IDX) != 0) {
  for (std::uint32_t i = 0; i + 1 < setup_.num; ++i) next_free_[i] = static_cast<std::uint16_t>(i + 1);
}

void virtqueue::check_alive() {
  if (destroyed_) kernel_.oops("vring-uaf", fmt::format("virtqueue {} is used after it was deleted", setup_.name));
}

int virtqueue::add_in(std::uint64_t buffer, std::uint32_t length) { return add(buffer, length, DESC_F_WRITE); }
int virtqueue::add_out(std::uint64_t buffer, std::uint32_t length) { return add(buffer, length, 0); }

int virtqueue::add(std::uint64_t buffer, std::uint32_t length, std::uint16_t flags) {
  check_alive();
  if (broken_) return -EIO;
  if (free_count_ == 0) {
    if (flags == 0) setup_.notify();  // the device should get on with it
    return -ENOSPC;
  }
  const std::uint32_t head = free_head_;
  free_head_ = next_free_[head];
  --free_count_;
  token_[head] = buffer;

  struct {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t flags, next;
  } const descriptor{buffer, length, flags, static_cast<std::uint16_t>(free_head_)};
  static_assert(sizeof descriptor == DESC_SIZE);
  kernel_.memcpy_toio(setup_.pa + DESC_SIZE * head, &descriptor, sizeof descriptor);

  kernel_.writew(static_cast<std::uint16_t>(head), avail() + 4 + 2ull * (avail_idx_ & (setup_.num - 1)));
  kernel_.writew(++avail_idx_, avail() + 2);
  kernel_.events().emit(trace_level::detail, setup_.trace_name, "vring.desc",
                        {{"index", setup_.index}, {"desc", head}, field::hex("pa", buffer), {"len", length}});
  if (++added_ == 0xFFFF) kick();
  return 0;
}

bool virtqueue::more_used() { return last_used_idx_ != kernel_.readw(used_ + 2); }

void virtqueue::bad_ring(const std::string& what) {
  kernel_.printk(os::log_level::err, setup_.log_name, fmt::format("{}:{}", setup_.name, what));
  broken_ = true;
}

std::optional<virtqueue::used> virtqueue::get_buf() {
  check_alive();
  if (broken_ || !more_used()) return std::nullopt;

  const std::uint64_t element = used_ + 4 + USED_ELEM_SIZE * (last_used_idx_ & (setup_.num - 1));
  const std::uint32_t id = kernel_.readl(element);
  const std::uint32_t length = kernel_.readl(element + 4);
  if (id >= setup_.num) {
    bad_ring(fmt::format("id {} out of range", id));
    return std::nullopt;
  }
  if (token_[id] == 0) {
    bad_ring(fmt::format("id {} is not a head!", id));
    return std::nullopt;
  }
  const used result{token_[id], length};
  token_[id] = 0;

  // The end of the chain is looked for in shared memory: a device that sets NEXT makes the host free what it never
  // used.
  std::uint32_t last = id;
  for (std::uint32_t steps = 0; (kernel_.readw(setup_.pa + DESC_SIZE * last + 12) & DESC_F_NEXT) != 0; ++steps) {
    if (steps == setup_.num) kernel_.oops("vring-loop", "endless chain of descriptors");
    last = next_free_[last] % setup_.num;
    ++free_count_;
  }
  next_free_[last] = static_cast<std::uint16_t>(free_head_);
  free_head_ = id;
  ++free_count_;

  ++last_used_idx_;
  if ((avail_flags_ & AVAIL_F_NO_INTERRUPT) == 0) kernel_.writew(last_used_idx_, used_event());
  return result;
}

void virtqueue::disable_cb() {
  check_alive();
  if ((avail_flags_ & AVAIL_F_NO_INTERRUPT) != 0) return;
  avail_flags_ |= AVAIL_F_NO_INTERRUPT;
  if (event_triggered_) return;
  if (event_idx_) {
    kernel_.writew(0, used_event());
  } else {
    kernel_.writew(avail_flags_, avail());
  }
}

bool virtqueue::enable_cb() {
  check_alive();
  event_triggered_ = false;
  if ((avail_flags_ & AVAIL_F_NO_INTERRUPT) != 0) {
    avail_flags_ &= static_cast<std::uint16_t>(~AVAIL_F_NO_INTERRUPT);
    if (!event_idx_) kernel_.writew(avail_flags_, avail());
  }
  kernel_.writew(last_used_idx_, used_event());
  return broken_ || !more_used();
}

bool virtqueue::kick_prepare() {
  check_alive();
  const auto from = static_cast<std::uint16_t>(avail_idx_ - added_);
  added_ = 0;
  if (!event_idx_) return (kernel_.readw(used_) & USED_F_NO_NOTIFY) == 0;
  const auto past_event = static_cast<std::uint16_t>(avail_idx_ - kernel_.readw(avail_event()) - 1);
  return past_event < static_cast<std::uint16_t>(avail_idx_ - from);
}

void virtqueue::notify() {
  check_alive();
  if (!broken_) setup_.notify();
}

os::irqreturn virtqueue::interrupt() {
  check_alive();
  if (!more_used()) return os::irqreturn::none;
  if (broken_) return os::irqreturn::handled;
  if (event_idx_) event_triggered_ = true;
  setup_.callback(*this);
  return os::irqreturn::handled;
}

}  // namespace rpsim::virtio
