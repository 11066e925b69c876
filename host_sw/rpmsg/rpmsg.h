#pragma once
// The rpmsg bus over virtio: virtio_rpmsg_bus, the name service, the drivers that bind to channels, and user endpoints.
// Facts: reference/remoteproc-core.md §7.6–7.8; linux-source-6.12 drivers/rpmsg, drivers/tty/rpmsg_tty.c,
// samples/rpmsg/rpmsg_client_sample.c.
//
// A channel binds to the driver that lists its name. Any other channel binds to rpmsg_chrdev and gets /dev/rpmsg<N>; on
// a real system user space asks for that by writing driver_override and bind, or through /dev/rpmsg_ctrl<N>.

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host_sw/os/driver.h"
#include "host_sw/remoteproc/virtio.h"

namespace rpsim::rpmsg {

inline constexpr std::uint32_t ADDR_ANY = 0xFFFFFFFF;
inline constexpr std::uint32_t NS_ADDR = 53;
inline constexpr std::size_t NAME_SIZE = 32;

class channel;
struct endpoint;
class virtproc;

/// Runs under the endpoint's callback lock; its thread is the one that serves the virtqueue.
using rx_callback = std::function<void(channel&, std::string_view data, std::uint32_t src)>;

/// An rpmsg driver. Bound channels get an endpoint if there is a callback, before probe.
struct driver {
  std::string name;              // "rpmsg_tty"
  std::vector<std::string> ids;  // channel names
  std::function<int(channel&)> probe;
  rx_callback callback;
  std::function<void(channel&)> remove;
};

struct channel_info {
  std::string name, device;  // "rpmsg-tty", "virtio0.rpmsg-tty.-1.1025"
  std::uint32_t src = ADDR_ANY, dst = ADDR_ANY;
  std::string driver;  // "" if none is bound
};

/// An open /dev/rpmsg<N>.
class user_endpoint {
 public:
  virtual ~user_endpoint() = default;
  /// write(2) without O_NONBLOCK: 0 or -errno. Sleeps up to 15 s for a buffer (-ERESTARTSYS); -EPIPE when the channel
  /// has gone; -EMSGSIZE above 496 bytes.
  virtual int send(std::string_view message) = 0;
  /// The next message: 0, -EPIPE when the channel has gone, -ETIMEDOUT when none came in time.
  virtual int receive(std::string& message, unsigned timeout_ms) = 0;
};

/// The bus: virtio driver for device id 7. Registers itself with the machine for remoteproc to find
/// (provider_of<virtio::driver>, provider_of<rpmsg::bus> of the tree's root).
class bus : public virtio::driver {
 public:
  explicit bus(os::machine& machine);
  ~bus() override;
  bus(const bus&) = delete;
  bus& operator=(const bus&) = delete;

  /// Channels that a remote announced, in order of arrival.
  std::vector<channel_info> channels() const;
  /// Opens the character device of the first channel of that name. nullptr with `error`: -ENOENT no such channel,
  /// -EBUSY open already or bound to a kernel driver, -ENETRESET being removed.
  std::unique_ptr<user_endpoint> open(std::string_view channel_name, int& error);
  /// A driver for channels that come from now on; one that is there keeps what it has.
  void add_driver(rpmsg::driver d);
  /// Loads a module by name, '-' and '_' being the same: 0, also if it is loaded already, or -ENOENT. There is
  /// rpmsg_client_sample, Linux's sample; rpmsg_tty, rpmsg_char and rpmsg_ns are built in.
  int modprobe(std::string_view module);

  // virtio::driver
  std::string_view name() const override { return "virtio_rpmsg_bus"; }
  std::uint32_t device_id() const override { return virtio::ID_RPMSG; }
  std::uint32_t features() const override;
  int probe(virtio::device& device) override;
  void remove(virtio::device& device) override;

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

}  // namespace rpsim::rpmsg
