#pragma once
// The bus's own view: one virtproc per virtio device of id 7. Facts: reference/remoteproc-core.md §7.2, §7.3, §7.6–7.8.

#include <array>
#include <list>
#include <map>

#include "host_sw/remoteproc/subsystem.h"
#include "host_sw/rpmsg/channel.h"

namespace rpsim::rpmsg {

struct bus::impl : std::enable_shared_from_this<bus::impl> {
  explicit impl(os::machine& m) : machine(m), os(m.os()) {}
  const rpmsg::driver* match(std::string_view channel_name) const;

  os::machine& machine;
  os::kernel& os;
  std::list<rpmsg::driver> drivers;
  rpmsg::driver name_service, chrdev;
  std::list<std::weak_ptr<virtproc>> virtprocs;
  remoteproc::id_allocator chrdevs, ttys;
};

// The drivers that every machine has (clients.cpp, chrdev.cpp).
driver sample_client();
driver tty_client(bus::impl& b);
driver chrdev_driver(bus::impl& b);
/// Opens the chrdev bound to the channel: 0 or -errno.
int open_chrdev(channel& c, std::unique_ptr<user_endpoint>& opened);

/// printk_ratelimited(): ten lines in five seconds.
class rate_limit {
 public:
  explicit rate_limit(os::kernel& kernel) : kernel_(kernel) {}
  bool pass();

 private:
  os::kernel& kernel_;
  std::uint64_t begin_ = 0;
  unsigned count_ = 0;
};

class virtproc : public std::enable_shared_from_this<virtproc> {
 public:
  virtproc(std::shared_ptr<bus::impl> b, virtio::device& device);
  int probe();
  void remove();

  bus::impl& owner() { return *bus_; }
  const std::list<std::shared_ptr<channel>>& channels() const { return channels_; }
  const std::string& device_name() const { return name_; }
  int send(channel& from, std::uint32_t src, std::uint32_t dst, std::string_view data, bool wait);
  void log(os::log_level level, std::string text);

 private:
  static constexpr std::uint32_t BUFFER_SIZE = 512, MAX_BUFFERS = 512, HEADER_SIZE = 16;
  friend class channel;

  void received(virtio::virtqueue& queue);
  int receive(virtio::virtqueue& queue, std::uint64_t message, std::uint32_t length);
  void announced(std::string_view data);
  std::uint64_t get_tx_buffer();
  void count_sleeper(int change);
  channel* find(std::string_view name, std::uint32_t src, std::uint32_t dst);
  bool create_channel(std::string_view name, std::uint32_t src, std::uint32_t dst);
  void register_channel(const std::shared_ptr<channel>& c);
  int bind(channel& c, const driver& d);
  void unregister(const std::shared_ptr<channel>& c);
  std::shared_ptr<endpoint> create_endpoint(channel& c, rx_callback callback, std::uint32_t address);
  void destroy_endpoint(endpoint& e);

  const std::shared_ptr<bus::impl> bus_;
  os::kernel& os_;
  virtio::device& device_;
  const std::string name_;  // "virtio0"
  std::shared_ptr<virtio::virtqueue> rx_, tx_;
  std::uint64_t buffers_ = 0;  // host physical; the first half is for receiving
  std::uint32_t buffer_count_ = 0, tx_used_ = 0;
  os::mutex tx_lock_, endpoints_lock_;
  std::map<std::uint32_t, std::shared_ptr<endpoint>> endpoints_;
  std::list<std::shared_ptr<channel>> channels_;  // in order of registration
  os::wait_queue senders_;
  unsigned sleepers_ = 0;
  rate_limit no_recipient_;
};

}  // namespace rpsim::rpmsg
