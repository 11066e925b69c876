// Kernel drivers of channels: Linux's sample client and its tty. Facts: linux-source-6.12
// samples/rpmsg/rpmsg_client_sample.c, drivers/tty/rpmsg_tty.c.

#include <fmt/format.h>

#include "host_sw/rpmsg/virtio_rpmsg.h"

namespace rpsim::rpmsg {

namespace {

constexpr unsigned SAMPLE_MESSAGES = 100, MAX_TTYS = 32;
constexpr std::string_view SAMPLE_TEXT = "hello world!";

/// /dev/ttyRPMSG<N>, raw. What arrives while nobody has it open is lost, as with every tty.
class tty_port {
 public:
  tty_port(std::shared_ptr<bus::impl> b, channel& c, unsigned number)
      : bus_(std::move(b)), channel_(&c), number_(number), readers_(bus_->os) {}
  ~tty_port() { bus_->ttys.put(number_); }
  tty_port(const tty_port&) = delete;
  tty_port& operator=(const tty_port&) = delete;

  std::string path() const { return fmt::format("/dev/ttyRPMSG{}", number_); }
  void open() { ++users_; }
  void close() {
    if (--users_ == 0) input_.clear();
  }
  void received(std::string_view data) {
    if (users_ == 0) return;
    input_ += data;
    readers_.wake_up_all();
  }
  void hang_up() {
    channel_ = nullptr;
    bus_->machine.fs().remove(path());
    readers_.wake_up_all();
  }
  /// Waits for the first character; "" after a hang-up.
  std::string read() {
    readers_.wait_event([this] { return !input_.empty() || channel_ == nullptr; });
    return std::exchange(input_, {});
  }
  /// Characters taken, or -errno if none was.
  long write(std::string_view data) {
    std::size_t done = 0;
    while (done < data.size()) {
      if (channel_ == nullptr) return done != 0 ? static_cast<long>(done) : -EIO;
      const std::string_view part = data.substr(done, channel_->mtu());
      if (const int error = channel_->trysend(part); error != 0) return done != 0 ? static_cast<long>(done) : error;
      done += part.size();
    }
    return static_cast<long>(done);
  }

 private:
  const std::shared_ptr<bus::impl> bus_;
  channel* channel_;  // nullptr after the hang-up
  const unsigned number_;
  unsigned users_ = 0;
  std::string input_;
  os::wait_queue readers_;
};

class tty_file final : public os::file {
 public:
  explicit tty_file(std::shared_ptr<tty_port> p) : port_(std::move(p)) { port_->open(); }
  os::expected<std::string> read() override { return port_->read(); }
  os::expected<std::size_t> write(std::string_view data) override {
    const long taken = port_->write(data);
    if (taken < 0) return tl::unexpected(static_cast<int>(-taken));
    return static_cast<std::size_t>(taken);
  }
  os::expected<void> release() override {
    port_->close();
    return {};
  }

 private:
  std::shared_ptr<tty_port> port_;
};

}  // namespace

driver sample_client() {
  driver d;
  d.name = "rpmsg_client_sample";
  d.ids = {"rpmsg-client-sample"};
  d.probe = [](channel& c) {
    c.log(os::log_level::info, fmt::format("new channel: {:#x} -> {:#x}!", c.src(), c.dst()));
    c.driver_data = std::make_shared<unsigned>(0);
    const int error = c.send(SAMPLE_TEXT);
    if (error != 0) c.log(os::log_level::err, fmt::format("rpmsg_send failed: {}", error));
    return error;
  };
  d.callback = [](channel& c, std::string_view, std::uint32_t src) {
    unsigned& count = *std::static_pointer_cast<unsigned>(c.driver_data);
    c.log(os::log_level::info, fmt::format("incoming msg {} (src: {:#x})", ++count, src));
    if (count >= SAMPLE_MESSAGES) return c.log(os::log_level::info, "goodbye!");
    const int error = c.send(SAMPLE_TEXT);
    if (error != 0) c.log(os::log_level::err, fmt::format("rpmsg_send failed: {}", error));
  };
  d.remove = [](channel& c) { c.log(os::log_level::info, "rpmsg sample client driver is removed"); };
  return d;
}

driver tty_client(bus::impl& b) {
  driver d;
  d.name = "rpmsg_tty";
  d.ids = {"rpmsg-tty"};
  d.probe = [&b](channel& c) {
    const unsigned number = b.ttys.get();
    const auto port = std::make_shared<tty_port>(b.shared_from_this(), c, number);
    if (number >= MAX_TTYS) {
      c.log(os::log_level::err, "Failed to alloc tty port");
      return -ENOSPC;
    }
    b.machine.fs().add_device(
        port->path(), [port]() -> os::expected<std::unique_ptr<os::file>> { return std::make_unique<tty_file>(port); });
    c.driver_data = port;
    return 0;
  };
  d.callback = [](channel& c, std::string_view data, std::uint32_t) {
    std::static_pointer_cast<tty_port>(c.driver_data)->received(data);
  };
  d.remove = [](channel& c) { std::static_pointer_cast<tty_port>(c.driver_data)->hang_up(); };
  return d;
}

}  // namespace rpsim::rpmsg
