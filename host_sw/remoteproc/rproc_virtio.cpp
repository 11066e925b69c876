// The virtio transport over a resource table: vdev entries and the devices that their subdevices register.
// Facts: reference/remoteproc-core.md §3.4, §7.2–7.4.

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {
/// kmalloc's limit: a ring whose book-keeping (16 bytes a descriptor) is larger cannot be made.
constexpr std::size_t KMALLOC_MAX = 4 << 20, DESC_STATE_SIZE = 16;
}  // namespace

class vdev::virtio_device final : public virtio::device {
 public:
  explicit virtio_device(vdev& v)
      : v_(v), r_(v.r_), number_(r_.sys->virtio_devices.get()), name_(fmt::format("virtio{}", number_)) {}

  /// register_virtio_device(): a driver's failure is not one of the device's.
  void add() {
    reset();
    add_status(virtio::ACKNOWLEDGE);
    auto* found = r_.machine.provider_of<virtio::driver>(r_.machine.tree().root());
    if (found == nullptr || found->device_id() != v_.id_) return;
    driver_ = found;
    if (const int error = probe(); error != 0) {
      log(os::log_level::err, fmt::format("probe with driver {} failed with error {}", found->name(), error));
      driver_ = nullptr;
    }
  }

  void remove() {
    if (driver_ != nullptr) {
      driver_->remove(*this);
      if (get_status() != 0) log(os::log_level::warning, "WARNING: the driver did not reset the device");
      add_status(virtio::ACKNOWLEDGE);
    }
    r_.sys->virtio_devices.put(number_);
  }

  const std::string& name() const override { return name_; }
  std::uint32_t id() const override { return v_.id_; }
  std::uint32_t features() const override { return features_; }

  std::uint8_t get_status() override { return r_.table.u8(v_.table_offset_ + rsc::VDEV_STATUS); }
  void set_status(std::uint8_t status) override {
    r_.table.set_u8(v_.table_offset_ + rsc::VDEV_STATUS, status);
    r_.emit("virtio.status", {{"vdev", v_.index_}, {"status", status}});
  }
  void reset() override { set_status(0); }

  int find_vqs(std::span<const queue_request> requests,
               std::vector<std::shared_ptr<virtio::virtqueue>>& queues) override {
    for (unsigned i = 0; i < requests.size(); ++i) {
      std::shared_ptr<virtio::virtqueue> queue;
      if (const int error = find_vq(i, requests[i], queue); error != 0) {
        del_vqs();
        queues.clear();
        return error;
      }
      queues.push_back(std::move(queue));
    }
    return 0;
  }

  void del_vqs() override {
    for (vring& ring : v_.rings_) {
      if (ring.queue == nullptr) continue;
      ring.queue->destroy();
      ring.queue.reset();
    }
  }

  void get_config(std::uint32_t offset, std::span<std::byte> to) override {
    if (const auto at = config(offset, to.size(), "get")) r_.table.read(*at, to);
  }
  void set_config(std::uint32_t offset, std::span<const std::byte> from) override {
    if (const auto at = config(offset, from.size(), "set")) r_.table.write(*at, from);
  }

  std::uint64_t alloc_coherent(std::size_t size) override {
    const std::optional<std::uint64_t> pa = v_.pool_ != nullptr ? v_.pool_->allocate(size) : std::nullopt;
    if (!pa) return 0;
    r_.os.memset_io(*pa, 0, size);
    return *pa;
  }
  void free_coherent(std::uint64_t pa, std::size_t size) override { v_.pool_->free(pa, size); }

 private:
  void log(os::log_level level, std::string text) {
    const std::string_view bus_or_driver = driver_ != nullptr ? driver_->name() : "virtio";
    r_.os.printk(level, fmt::format("{} {}", bus_or_driver, name_), std::move(text));
  }

  int probe() {
    add_status(virtio::DRIVER);
    const std::uint32_t offered = r_.table.u32(v_.table_offset_ + rsc::VDEV_DFEATURES);
    const std::uint32_t transport = virtio::RING_F_INDIRECT_DESC | virtio::RING_F_EVENT_IDX;
    features_ = offered & (driver_->features() | transport);
    r_.table.set_u32(v_.table_offset_ + rsc::VDEV_GFEATURES, features_);
    const int error = driver_->probe(*this);
    if (error != 0) {
      add_status(virtio::FAILED);
    } else if ((get_status() & virtio::DRIVER_OK) == 0) {
      ready();
    }
    return error;
  }

  int find_vq(unsigned i, const queue_request& request, std::shared_ptr<virtio::virtqueue>& queue) {
    if (i >= v_.rings_.size()) return -EINVAL;
    const carveout* memory = r_.find_carveout(fmt::format("vdev{}vring{}", v_.index_, i));
    if (memory == nullptr || memory->pa == 0) return -ENOMEM;

    vring& ring = v_.rings_[i];
    const auto num = static_cast<std::uint32_t>(ring.num);
    const auto align = static_cast<std::uint64_t>(static_cast<std::int64_t>(ring.align));
    const auto size = static_cast<std::uint32_t>(virtio::vring_size(num, align));  // an int in Linux
    r_.os.memset_io(memory->pa, 0, size);
    if (DESC_STATE_SIZE * std::uint64_t{num} > KMALLOC_MAX) {
      r_.err("vring_new_virtqueue {} failed", request.name);
      r_.free_vring(ring);
      return -ENOMEM;
    }
    queue = std::make_shared<virtio::virtqueue>(
        r_.os, virtio::virtqueue::setup{.name = request.name,
                                        .index = i,
                                        .num = num,
                                        .align = align,
                                        .pa = memory->pa,
                                        .features = features_,
                                        .log_name = fmt::format("{} {}", driver_->name(), name_),
                                        .trace_name = r_.dev_name,
                                        .notify = [&r = r_, id = ring.notifyid] { r.ops.kick(*r.self, id); },
                                        .callback = request.callback});
    ring.queue = queue;
    r_.table.set_u32(v_.table_offset_ + rsc::VDEV_VRINGS + i * rsc::VRING_SIZE + rsc::VRING_DA, memory->da);
    r_.emit("vring.setup", {{"vdev", v_.index_},
                            {"index", i},
                            field::hex("da", memory->da),
                            field::hex("pa", memory->pa),
                            field::hex("size", size),
                            {"num", num}});
    return 0;
  }

  /// Where in the table; nothing if it is out of the config space that the table (now) declares.
  std::optional<std::uint64_t> config(std::uint32_t offset, std::size_t length, std::string_view what) {
    const std::uint32_t space = r_.table.u32(v_.table_offset_ + rsc::VDEV_CONFIG_LEN);
    const auto end = static_cast<std::uint32_t>(offset + length);
    if (end > space || end < length) {
      log(os::log_level::err, fmt::format("rproc_virtio_{}: access out of bounds", what));
      return std::nullopt;
    }
    const std::uint64_t vrings = r_.table.u8(v_.table_offset_ + rsc::VDEV_STATUS + 1);
    return v_.table_offset_ + rsc::VDEV_VRINGS + vrings * rsc::VRING_SIZE + offset;
  }

  vdev& v_;
  rproc::impl& r_;
  const unsigned number_;
  const std::string name_;
  virtio::driver* driver_ = nullptr;  // bound
  std::uint32_t features_ = 0;
};

vdev::vdev(rproc::impl& r, std::uint32_t id, unsigned index, std::size_t table_offset)
    : r_(r),
      id_(id),
      index_(index),
      platform_id_(r.sys->vdevs.get()),
      table_offset_(table_offset),
      name_(fmt::format("rproc-virtio.{}.auto", platform_id_)) {
  for (unsigned i = 0; i < rings_.size(); ++i) rings_[i].index = i;
  subdev_.start = [this] { return add_virtio_device(); };
  subdev_.stop = [this](bool) { remove_virtio_device(); };
}

vdev::~vdev() = default;

int vdev::probe(const rsc::vdev_entry& entry) {
  const unsigned count = entry.num_of_vrings;
  for (unsigned i = 0; i < count; ++i) {
    const rsc::vring_entry& v = entry.vrings[i];
    if (v.num == 0 || v.align == 0) {
      r_.err("invalid qsz ({}) or alignment ({})", v.num, v.align);
      return -EINVAL;
    }
    rings_[i].num = static_cast<std::int32_t>(v.num);
    rings_[i].align = static_cast<std::int32_t>(v.align);
    rings_[i].owner = this;
  }
  for (unsigned i = 0; i < count; ++i) {
    if (const int error = r_.alloc_vring(*this, i, entry.vrings[i]); error != 0) {
      while (i-- > 0) r_.free_vring(rings_[i]);
      return error;
    }
  }
  r_.subdevs.push_back(&subdev_);
  return 0;
}

void vdev::remove() {
  for (vring& ring : rings_) r_.free_vring(ring);  // both, however many there are: H7
  std::erase(r_.subdevs, &subdev_);
  r_.sys->vdevs.put(platform_id_);
}

int vdev::bind_buffer_pool() {
  const carveout* buffer = r_.find_carveout(fmt::format("vdev{}buffer", index_));
  if (buffer == nullptr) {
    // The parent's region 0, if there is one; the allocation will tell.
    const std::optional<dt::region> region = r_.memory_region(0);
    pool_ = region ? r_.pool_of(*region) : r_.pool;
    return 0;
  }
  if (buffer->reserved_memory) {
    const std::optional<dt::region> region = r_.memory_region(*buffer->reserved_memory);
    if (!region) {
      r_.os.printk(os::log_level::err, "rproc-virtio " + name_, "Can't associate reserved memory");
      return -EINVAL;
    }
    pool_ = r_.pool_of(*region);
    return 0;
  }
  if (buffer->pa != 0) {
    r_.os.printk(os::log_level::warning, "rproc-virtio " + name_, fmt::format("vdev {} buffer already mapped", index_));
  }
  own_pool_.emplace(buffer->pa != 0 ? buffer->pa : buffer->dma, buffer->len, buffer->da);
  pool_ = &*own_pool_;
  return 0;
}

int vdev::add_virtio_device() {
  const std::string log_name = "rproc-virtio " + name_;
  if (!r_.ops.kick) {
    r_.os.printk(os::log_level::err, log_name, fmt::format(".kick method not defined for {}", r_.name));
    return -EINVAL;
  }
  if (const int error = bind_buffer_pool(); error != 0) return error;
  device_ = std::make_unique<virtio_device>(*this);
  device_->add();
  r_.os.printk(os::log_level::info, log_name, fmt::format("registered {} (type {})", device_->name(), id_));
  return 0;
}

void vdev::remove_virtio_device() {
  if (device_ == nullptr) return;
  device_->remove();
  device_.reset();
  own_pool_.reset();
  pool_ = nullptr;
}

}  // namespace rpsim::remoteproc
