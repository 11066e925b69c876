#include "host_sw/rpmsg/rpmsg.h"

#include <algorithm>

#include "host_sw/rpmsg/virtio_rpmsg.h"

namespace rpsim::rpmsg {

const rpmsg::driver* bus::impl::match(std::string_view channel_name) const {
  if (channel_name == name_service.name) return &name_service;
  const auto it = std::ranges::find_if(
      drivers, [&](const rpmsg::driver& d) { return std::ranges::count(d.ids, channel_name) != 0; });
  return it == drivers.end() ? &chrdev : &*it;
}

bus::bus(os::machine& machine) : impl_(std::make_shared<impl>(machine)) {
  impl_->name_service.name = "rpmsg_ns";
  impl_->chrdev = chrdev_driver(*impl_);
  impl_->drivers = {tty_client(*impl_)};
  machine.fs().add_directory("/sys/bus/rpmsg/devices");
  machine.fs().add_directory("/sys/class/rpmsg");
  machine.provide<virtio::driver>(machine.tree().root(), this);
  machine.provide<bus>(machine.tree().root(), this);
}

bus::~bus() {
  impl_->machine.withdraw<virtio::driver>(this);
  impl_->machine.withdraw<bus>(this);
}

std::uint32_t bus::features() const { return 1; }  // VIRTIO_RPMSG_F_NS, bit 0

int bus::probe(virtio::device& device) {
  const auto p = std::make_shared<virtproc>(impl_, device);
  device.driver_data = p;
  const int error = p->probe();
  if (error != 0) {
    device.driver_data.reset();
    return error;
  }
  impl_->virtprocs.push_back(p);
  return 0;
}

void bus::remove(virtio::device& device) {
  std::static_pointer_cast<virtproc>(device.driver_data)->remove();
  device.driver_data.reset();
  std::erase_if(impl_->virtprocs, [](const std::weak_ptr<virtproc>& p) { return p.expired(); });
}

void bus::add_driver(rpmsg::driver d) { impl_->drivers.push_back(std::move(d)); }

int bus::modprobe(std::string_view module) {
  std::string name(module);
  std::ranges::replace(name, '-', '_');
  if (name == "rpmsg_tty" || name == "rpmsg_char" || name == "rpmsg_ns") return 0;
  rpmsg::driver sample = sample_client();
  if (name != sample.name) return -ENOENT;
  if (std::ranges::none_of(impl_->drivers, [&](const rpmsg::driver& d) { return d.name == name; })) {
    add_driver(std::move(sample));
  }
  return 0;
}

std::vector<channel_info> bus::channels() const {
  std::vector<channel_info> all;
  for (const std::weak_ptr<virtproc>& weak : impl_->virtprocs) {
    const auto p = weak.lock();
    if (p == nullptr) continue;
    for (const std::shared_ptr<channel>& c : p->channels()) {
      if (c->driver() == &impl_->name_service) continue;
      all.push_back({c->name(), c->device_name(), c->src(), c->dst(), c->driver() != nullptr ? c->driver()->name : ""});
    }
  }
  return all;
}

std::unique_ptr<user_endpoint> bus::open(std::string_view channel_name, int& error) {
  error = -ENOENT;
  for (const std::weak_ptr<virtproc>& weak : impl_->virtprocs) {
    const auto p = weak.lock();
    if (p == nullptr) continue;
    for (const std::shared_ptr<channel>& c : p->channels()) {
      if (c->name() != channel_name || c->driver() == &impl_->name_service) continue;
      std::unique_ptr<user_endpoint> opened;
      error = c->driver() == &impl_->chrdev ? open_chrdev(*c, opened) : -EBUSY;
      return opened;
    }
  }
  return nullptr;
}

}  // namespace rpsim::rpmsg
