#include "host_sw/rpmsg/virtio_rpmsg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace rpsim::rpmsg {

namespace {

constexpr std::uint32_t FEATURE_NS = 1;          // bit 0: the remote announces its services
constexpr std::uint32_t DYNAMIC_ADDRESS = 1024;  // the first address given out
constexpr std::uint32_t NS_DESTROY = 1;
constexpr unsigned TX_TIMEOUT_MS = 15000;
constexpr unsigned RATE_SECONDS = 5, RATE_BURST = 10;

struct header {
  std::uint32_t src, dst, reserved;
  std::uint16_t len, flags;
};

struct announcement {
  char name[NAME_SIZE];
  std::uint32_t address, flags;
};

std::string sysfs_path(const channel& c) { return "/sys/bus/rpmsg/devices/" + c.device_name(); }

}  // namespace

bool rate_limit::pass() {
  const std::uint64_t now = kernel_.jiffies();
  if (count_ == 0 || now - begin_ > std::uint64_t{RATE_SECONDS} * kernel_.hz()) {
    begin_ = now;
    count_ = 0;
  }
  if (count_ == RATE_BURST) return false;
  ++count_;
  return true;
}

// ---- channel

channel::channel(std::shared_ptr<virtproc> owner, std::string name, std::uint32_t src, std::uint32_t dst)
    : owner_(owner),
      kernel_(owner->os_),
      name_(std::move(name)),
      device_name_(fmt::format("{}.{}.{}.{}", owner->device_name(), name_, static_cast<std::int32_t>(src),
                               static_cast<std::int32_t>(dst))),
      src_(src),
      dst_(dst),
      device_lock_(kernel_, device_name_) {}

int channel::send(std::string_view data) {
  const auto owner = owner_.lock();
  if (endpoint_ == nullptr || owner == nullptr) return -EINVAL;
  return owner->send(*this, endpoint_->address, dst_, data, true);
}

int channel::trysend(std::string_view data) {
  const auto owner = owner_.lock();
  if (endpoint_ == nullptr || owner == nullptr) return -EINVAL;
  return owner->send(*this, endpoint_->address, dst_, data, false);
}

std::size_t channel::mtu() const { return virtproc::BUFFER_SIZE - virtproc::HEADER_SIZE; }

void channel::log(os::log_level level, std::string text) {
  kernel_.printk(level, fmt::format("{} {}", driver_ != nullptr ? driver_->name : "rpmsg", device_name_),
                 std::move(text));
}

// ---- virtproc: bring-up and teardown

virtproc::virtproc(std::shared_ptr<bus::impl> b, virtio::device& device)
    : bus_(std::move(b)),
      os_(bus_->os),
      device_(device),
      name_(device.name()),
      tx_lock_(os_, "rpmsg tx"),
      endpoints_lock_(os_, "rpmsg endpoints"),
      senders_(os_),
      no_recipient_(os_) {}

void virtproc::log(os::log_level level, std::string text) {
  os_.printk(level, "virtio_rpmsg_bus " + name_, std::move(text));
}

int virtproc::probe() {
  const std::array requests{virtio::device::queue_request{"input",
                                                          [me = weak_from_this()](virtio::virtqueue& queue) {
                                                            if (const auto p = me.lock()) p->received(queue);
                                                          }},
                            virtio::device::queue_request{"output", [me = weak_from_this()](virtio::virtqueue&) {
                                                            if (const auto p = me.lock()) p->senders_.wake_up_all();
                                                          }}};
  std::vector<std::shared_ptr<virtio::virtqueue>> queues;
  if (const int error = device_.find_vqs(requests, queues); error != 0) return error;
  rx_ = queues[0];
  tx_ = queues[1];
  if (rx_->num() != tx_->num()) log(os::log_level::warning, "WARNING: rings of different size");

  buffer_count_ = rx_->num() < MAX_BUFFERS / 2 ? rx_->num() * 2 : MAX_BUFFERS;
  buffers_ = device_.alloc_coherent(std::size_t{buffer_count_} * BUFFER_SIZE);
  if (buffers_ == 0) {
    device_.del_vqs();
    return -ENOMEM;
  }
  for (std::uint32_t i = 0; i < buffer_count_ / 2; ++i) {
    if (const int error = rx_->add_in(buffers_ + std::uint64_t{i} * BUFFER_SIZE, BUFFER_SIZE); error != 0) {
      log(os::log_level::warning, fmt::format("WARNING: rx buffer {} not added: {}", i, error));
    }
  }
  tx_->disable_cb();

  if ((device_.features() & FEATURE_NS) != 0) {
    register_channel(std::make_shared<channel>(shared_from_this(), "rpmsg_ns", NS_ADDR, NS_ADDR));
  }
  // The doorbell must not ring before the device is ready, nor be forgotten.
  const bool kick = rx_->kick_prepare();
  device_.ready();
  if (kick) rx_->notify();
  log(os::log_level::info, "rpmsg host is online");
  return 0;
}

void virtproc::remove() {
  device_.reset();
  while (!channels_.empty()) unregister(channels_.front());
  endpoints_.clear();
  device_.del_vqs();
  device_.free_coherent(buffers_, std::size_t{buffer_count_} * BUFFER_SIZE);
}

// ---- endpoints and channels

std::shared_ptr<endpoint> virtproc::create_endpoint(channel& c, rx_callback callback, std::uint32_t address) {
  const os::mutex_guard guard(endpoints_lock_);
  if (address == ADDR_ANY) {
    address = DYNAMIC_ADDRESS;
    while (endpoints_.contains(address)) ++address;
  } else if (endpoints_.contains(address)) {
    log(os::log_level::err, fmt::format("idr_alloc failed: {}", -ENOSPC));
    return nullptr;
  }
  return endpoints_[address] = std::make_shared<endpoint>(os_, address, &c, std::move(callback));
}

void virtproc::destroy_endpoint(endpoint& e) {
  {
    const os::mutex_guard guard(endpoints_lock_);
    endpoints_.erase(e.address);
  }
  const os::mutex_guard guard(e.callback_lock);  // waits for a callback that runs
  e.callback = nullptr;
}

channel* virtproc::find(std::string_view name, std::uint32_t src, std::uint32_t dst) {
  const auto it = std::ranges::find_if(channels_, [&](const std::shared_ptr<channel>& c) {
    return (src == ADDR_ANY || src == c->src()) && (dst == ADDR_ANY || dst == c->dst()) && c->name() == name;
  });
  return it == channels_.end() ? nullptr : it->get();
}

bool virtproc::create_channel(std::string_view name, std::uint32_t src, std::uint32_t dst) {
  if (find(name, src, dst) != nullptr) {
    log(os::log_level::err, fmt::format("channel {}:{:x}:{:x} already exist", name, src, dst));
    return false;
  }
  register_channel(std::make_shared<channel>(shared_from_this(), std::string(name), src, dst));
  return true;
}

void virtproc::register_channel(const std::shared_ptr<channel>& c) {
  channels_.push_back(c);
  os::vfs& fs = bus_->machine.fs();
  const std::string path = sysfs_path(*c);
  fs.add_directory(path);
  const auto attribute = [&](const char* file, std::string (*show)(const channel&)) {
    fs.add_attribute(path + "/" + file, 0444,
                     [weak = std::weak_ptr(c), show]() -> os::expected<std::string> {
                       const auto alive = weak.lock();
                       if (alive == nullptr) return tl::unexpected(ENODEV);
                       return show(*alive) + "\n";
                     },
                     {});
  };
  attribute("name", [](const channel& ch) { return ch.name(); });
  attribute("modalias", [](const channel& ch) { return "rpmsg:" + ch.name(); });
  attribute("dst", [](const channel& ch) { return fmt::format("{:#x}", ch.dst()); });
  attribute("src", [](const channel& ch) { return fmt::format("{:#x}", ch.src()); });
  attribute("announce",
            [](const channel&) { return std::string("false"); });  // as for every source that was not asked for

  const driver& d = *bus_->match(c->name());
  const os::mutex_guard guard(c->device_lock_);
  c->driver_ = &d;
  if (const int error = bind(*c, d); error != 0) {
    c->log(os::log_level::err, fmt::format("probe with driver {} failed with error {}", d.name, error));
    c->driver_ = nullptr;
  }
}

int virtproc::bind(channel& c, const driver& d) {
  const bool is_service = &d == &bus_->name_service;
  if (d.callback) {
    c.endpoint_ = create_endpoint(c, d.callback, c.src_);
    if (c.endpoint_ == nullptr) {
      c.log(os::log_level::err, "failed to create endpoint");
      return -ENOMEM;
    }
    c.src_ = c.endpoint_->address;
  }
  if (is_service) {
    c.endpoint_ = create_endpoint(
        c, [this](channel&, std::string_view data, std::uint32_t) { announced(data); }, NS_ADDR);
    return c.endpoint_ != nullptr ? 0 : -ENOMEM;
  }
  os_.events().emit("rpmsg", "rpmsg.channel.created", {{"channel", c.name()}, {"src", c.src()}, {"dst", c.dst()}});
  const int error = d.probe(c);
  if (error != 0) {
    c.log(os::log_level::err, fmt::format("rpmsg_dev_probe: failed: {}", error));
    if (c.endpoint_ != nullptr) destroy_endpoint(*c.endpoint_);
    c.endpoint_.reset();
  }
  return error;
}

void virtproc::unregister(const std::shared_ptr<channel>& gone) {
  const std::shared_ptr<channel> c = gone;  // the argument may be in the list
  {
    const os::mutex_guard guard(c->device_lock_);
    if (c->driver_ != nullptr) {
      if (c->driver_->remove) c->driver_->remove(*c);
      if (c->endpoint_ != nullptr) destroy_endpoint(*c->endpoint_);
      c->endpoint_.reset();
    }
  }
  c->driver_data.reset();
  bus_->machine.fs().remove(sysfs_path(*c));
  channels_.remove(c);
  if (c->driver_ != &bus_->name_service) {
    os_.events().emit("rpmsg", "rpmsg.channel.destroyed",
                      {{"channel", c->name()}, {"src", c->src()}, {"dst", c->dst()}});
  }
}

void virtproc::announced(std::string_view data) {
  announcement a;
  if (data.size() != sizeof a) {
    log(os::log_level::err, fmt::format("malformed ns msg ({})", data.size()));
    return;
  }
  std::memcpy(&a, data.data(), sizeof a);
  a.name[NAME_SIZE - 1] = '\0';
  const std::string name = a.name;
  const bool destroy = (a.flags & NS_DESTROY) != 0;
  log(os::log_level::info, fmt::format("{}ing channel {} addr {:#x}", destroy ? "destroy" : "creat", name, a.address));
  if (!destroy) {
    if (!create_channel(name, ADDR_ANY, a.address)) log(os::log_level::err, "rpmsg_create_channel failed");
    return;
  }
  const auto it = std::ranges::find(channels_, find(name, ADDR_ANY, a.address), &std::shared_ptr<channel>::get);
  if (it != channels_.end()) {
    unregister(*it);
  } else {
    log(os::log_level::err, fmt::format("rpmsg_destroy_channel failed: {}", -EINVAL));
  }
}

// ---- messages

std::uint64_t virtproc::get_tx_buffer() {
  const os::mutex_guard guard(tx_lock_);
  if (tx_used_ < buffer_count_ / 2) {
    return buffers_ + std::uint64_t{BUFFER_SIZE} * (buffer_count_ / 2 + tx_used_++);
  }
  const auto used = tx_->get_buf();
  return used ? used->buffer : 0;
}

/// While a sender sleeps the remote shall ring when it has consumed a message.
void virtproc::count_sleeper(int change) {
  const os::mutex_guard guard(tx_lock_);
  if (change > 0 && sleepers_++ == 0) tx_->enable_cb();
  if (change < 0 && --sleepers_ == 0) tx_->disable_cb();
}

int virtproc::send(channel& from, std::uint32_t src, std::uint32_t dst, std::string_view data, bool wait) {
  if (src == ADDR_ANY || dst == ADDR_ANY) {
    from.log(os::log_level::err, fmt::format("invalid addr (src {:#x}, dst {:#x})", src, dst));
    return -EINVAL;
  }
  if (data.size() > BUFFER_SIZE - HEADER_SIZE) {
    from.log(os::log_level::err, fmt::format("message is too big ({})", data.size()));
    return -EMSGSIZE;
  }
  std::uint64_t buffer = get_tx_buffer();
  if (buffer == 0 && !wait) return -ENOMEM;
  while (buffer == 0) {
    count_sleeper(+1);
    const unsigned long left = senders_.wait_event_timeout(
        [&] {
          buffer = get_tx_buffer();
          return buffer != 0;
        },
        os_.msecs_to_jiffies(TX_TIMEOUT_MS));
    count_sleeper(-1);
    if (left == 0) {
      from.log(os::log_level::err, "timeout waiting for a tx buffer");
      return -os::ERESTARTSYS;
    }
  }

  const header h{src, dst, 0, static_cast<std::uint16_t>(data.size()), 0};
  std::string message(reinterpret_cast<const char*>(&h), sizeof h);
  message += data;
  os_.memcpy_toio(buffer, message.data(), message.size());

  const os::mutex_guard guard(tx_lock_);
  if (const int error = tx_->add_out(buffer, static_cast<std::uint32_t>(message.size())); error != 0) {
    from.log(os::log_level::err, fmt::format("virtqueue_add_outbuf failed: {}", error));
    return error;
  }
  os_.events().emit("rpmsg", "rpmsg.sent",
                    {{"src", src}, {"dst", dst}, {"len", data.size()}, {"channel", from.name()}});
  tx_->kick();
  return 0;
}

void virtproc::received(virtio::virtqueue& queue) {
  auto used = queue.get_buf();
  if (!used) {
    log(os::log_level::err, "uhm, incoming signal, but no used buffer ?");
    return;
  }
  unsigned count = 0;
  for (; used; used = queue.get_buf()) {
    if (receive(queue, used->buffer, used->length) != 0) break;
    ++count;
  }
  if (count != 0) queue.kick();
}

int virtproc::receive(virtio::virtqueue& queue, std::uint64_t message, std::uint32_t length) {
  header h;
  os_.memcpy_fromio(&h, message, sizeof h);
  // Unsigned, as in Linux: a used length below that of a header passes.
  if (length > BUFFER_SIZE || h.len > std::uint64_t{length} - HEADER_SIZE) {
    log(os::log_level::warning, fmt::format("inbound msg too big: ({}, {})", length, h.len));
    return -EINVAL;
  }
  std::shared_ptr<endpoint> e;
  {
    const os::mutex_guard guard(endpoints_lock_);
    if (const auto it = endpoints_.find(h.dst); it != endpoints_.end()) e = it->second;
  }
  if (e != nullptr) {
    std::string data(h.len, '\0');
    os_.memcpy_fromio(data.data(), message + HEADER_SIZE, data.size());
    const os::mutex_guard guard(e->callback_lock);
    if (e->callback) {
      os_.events().emit("rpmsg", "rpmsg.received",
                        {{"src", h.src}, {"dst", h.dst}, {"len", data.size()}, {"channel", e->owner->name()}});
      e->callback(*e->owner, data, h.src);
    }
  } else if (no_recipient_.pass()) {
    log(os::log_level::warning, "msg received with no recipient");
  }
  if (const int error = queue.add_in(message, BUFFER_SIZE); error != 0) {
    log(os::log_level::err, fmt::format("failed to add a virtqueue buffer: {}", error));
    return error;
  }
  return 0;
}

}  // namespace rpsim::rpmsg
