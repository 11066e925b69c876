// rpmsg_chrdev: /dev/rpmsg<N> for a channel, with the channel's own endpoint. Facts: linux-source-6.12
// drivers/rpmsg/rpmsg_char.c.

#include <fmt/format.h>

#include <deque>

#include "host_sw/rpmsg/virtio_rpmsg.h"

namespace rpsim::rpmsg {

namespace {

/// One endpoint device; lives until the channel has gone and nobody has it open.
class eptdev {
 public:
  eptdev(std::shared_ptr<bus::impl> b, channel& c)
      : bus_(std::move(b)),
        os_(bus_->os),
        channel_(&c),
        number_(bus_->chrdevs.get()),
        name_(c.name()),
        src_(c.src()),
        dst_(c.dst()),
        ept_lock_(os_, fmt::format("rpmsg{}", number_)),
        readers_(os_) {}
  ~eptdev() { bus_->chrdevs.put(number_); }
  eptdev(const eptdev&) = delete;
  eptdev& operator=(const eptdev&) = delete;

  std::string device_path() const { return fmt::format("/dev/rpmsg{}", number_); }
  std::string class_path() const { return fmt::format("/sys/class/rpmsg/rpmsg{}", number_); }
  os::vfs& fs() { return bus_->machine.fs(); }
  const std::string& name() const { return name_; }
  std::uint32_t src() const { return src_; }
  std::uint32_t dst() const { return dst_; }

  void received(std::string_view data) {
    queue_.emplace_back(data);
    readers_.wake_up_all();
  }

  int open() {
    const os::mutex_guard guard(ept_lock_);
    if (open_) return -EBUSY;
    if (channel_ == nullptr) return -ENETRESET;
    open_ = true;
    return 0;
  }

  void release() {
    const os::mutex_guard guard(ept_lock_);
    drop();
  }
  /// Without the lock: for a destructor, which must not sleep.
  void drop() {
    open_ = false;
    queue_.clear();
  }

  int write(std::string_view data) {
    const int error = ept_lock_.lock_interruptible();
    if (error != 0) return -os::ERESTARTSYS;
    const os::mutex_guard guard(ept_lock_, std::adopt_lock);
    return open_ ? channel_->send(data) : -EPIPE;
  }

  /// `jiffies` 0: for ever.
  int read(std::string& data, unsigned long jiffies) {
    if (!open_) return -EPIPE;
    const auto ready = [this] { return !queue_.empty() || !open_; };
    if (jiffies == 0) {
      readers_.wait_event(ready);
    } else if (readers_.wait_event_timeout(ready, jiffies) == 0) {
      return -ETIMEDOUT;
    }
    if (!open_) return -EPIPE;
    data = std::move(queue_.front());
    queue_.pop_front();
    return 0;
  }

  /// The channel goes. Waits for a writer that waits for a buffer: 15 s if the remote does not come back.
  void destroy() {
    {
      const os::mutex_guard guard(ept_lock_);
      channel_ = nullptr;
      open_ = false;
    }
    readers_.wake_up_all();
    fs().remove(device_path());
    fs().remove(class_path());
  }

 private:
  const std::shared_ptr<bus::impl> bus_;
  os::kernel& os_;
  channel* channel_;  // nullptr once it has gone
  const unsigned number_;
  const std::string name_;
  const std::uint32_t src_, dst_;
  os::mutex ept_lock_;
  bool open_ = false;  // has its endpoint
  std::deque<std::string> queue_;
  os::wait_queue readers_;
};

using eptdev_ptr = std::shared_ptr<eptdev>;

class eptdev_file final : public os::file {
 public:
  explicit eptdev_file(eptdev_ptr d) : device_(std::move(d)) {}
  os::expected<std::string> read() override {
    std::string data;
    if (const int error = device_->read(data, 0); error != 0) return tl::unexpected(-error);
    return data;
  }
  os::expected<std::size_t> write(std::string_view data) override {
    if (const int error = device_->write(data); error != 0) return tl::unexpected(-error);
    return data.size();
  }
  os::expected<void> release() override {
    device_->release();
    return {};
  }

 private:
  eptdev_ptr device_;
};

class eptdev_user final : public user_endpoint {
 public:
  eptdev_user(os::kernel& kernel, eptdev_ptr d) : os_(kernel), device_(std::move(d)) {}
  ~eptdev_user() override { device_->drop(); }
  int send(std::string_view message) override { return device_->write(message); }
  int receive(std::string& message, unsigned timeout_ms) override {
    return device_->read(message, std::max(1ul, os_.msecs_to_jiffies(timeout_ms)));
  }

 private:
  os::kernel& os_;
  eptdev_ptr device_;
};

}  // namespace

driver chrdev_driver(bus::impl& b) {
  driver d;
  d.name = "rpmsg_chrdev";
  d.callback = [](channel& c, std::string_view data, std::uint32_t) {
    if (c.driver_data != nullptr) std::static_pointer_cast<eptdev>(c.driver_data)->received(data);
  };
  d.probe = [&b](channel& c) {
    const auto device = std::make_shared<eptdev>(b.shared_from_this(), c);
    device->fs().add_device(device->device_path(), [device]() -> os::expected<std::unique_ptr<os::file>> {
      if (const int error = device->open(); error != 0) return tl::unexpected(-error);
      return std::make_unique<eptdev_file>(device);
    });
    const std::string path = device->class_path();
    const auto attribute = [&](const char* file, std::string text) {
      device->fs().add_attribute(path + "/" + file, 0444, [text]() -> os::expected<std::string> { return text; }, {});
    };
    device->fs().add_directory(path);
    attribute("name", device->name() + "\n");
    attribute("src", fmt::format("{}\n", static_cast<std::int32_t>(device->src())));
    attribute("dst", fmt::format("{}\n", static_cast<std::int32_t>(device->dst())));
    c.driver_data = device;
    return 0;
  };
  d.remove = [](channel& c) { std::static_pointer_cast<eptdev>(c.driver_data)->destroy(); };
  return d;
}

int open_chrdev(channel& c, std::unique_ptr<user_endpoint>& opened) {
  const auto device = std::static_pointer_cast<eptdev>(c.driver_data);
  if (device == nullptr) return -ENETRESET;
  if (const int error = device->open(); error != 0) return error;
  opened = std::make_unique<eptdev_user>(c.kernel(), device);
  return 0;
}

}  // namespace rpsim::rpmsg
