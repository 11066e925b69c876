#pragma once
// What an rpmsg driver has of its channel. The bus's own view is virtio_rpmsg.h.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "host_sw/rpmsg/rpmsg.h"

namespace rpsim::rpmsg {

/// A local address and who is called for it.
struct endpoint {
  endpoint(os::kernel& kernel, std::uint32_t a, channel* c, rx_callback cb)
      : address(a), owner(c), callback(std::move(cb)), callback_lock(kernel, "rpmsg endpoint") {}
  const std::uint32_t address;
  channel* const owner;
  rx_callback callback;     // empty once the endpoint is destroyed
  os::mutex callback_lock;  // held while the callback runs
};

/// An rpmsg device: a service that the remote announced, or the name service itself.
class channel {
 public:
  channel(std::shared_ptr<virtproc> owner, std::string name, std::uint32_t src, std::uint32_t dst);

  const std::string& name() const { return name_; }
  const std::string& device_name() const { return device_name_; }  // "virtio0.rpmsg-tty.-1.1025"
  std::uint32_t src() const { return src_; }
  std::uint32_t dst() const { return dst_; }
  const rpmsg::driver* driver() const { return driver_; }

  /// From the channel's endpoint to its remote address: 0 or -errno (reference/remoteproc-core.md §7.7).
  int send(std::string_view data);
  int trysend(std::string_view data);
  /// The largest payload.
  std::size_t mtu() const;
  void log(os::log_level level, std::string text);
  os::kernel& kernel() const { return kernel_; }

  std::shared_ptr<void> driver_data;

 private:
  friend class virtproc;
  const std::weak_ptr<virtproc> owner_;
  os::kernel& kernel_;
  const std::string name_, device_name_;
  std::uint32_t src_;
  const std::uint32_t dst_;
  const rpmsg::driver* driver_ = nullptr;  // bound
  std::shared_ptr<endpoint> endpoint_;
  os::mutex device_lock_;  // probe and remove do not overlap
};

}  // namespace rpsim::rpmsg
