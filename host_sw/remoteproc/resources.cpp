// Entries of the resource table, carveouts and ring memory. Facts: reference/remoteproc-core.md §3.3–3.6.

#include <algorithm>

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {

constexpr std::size_t CARVEOUT_NAME_MAX = 31;  // characters
constexpr std::size_t MAX_VRINGS = 2;

}  // namespace

int rproc::impl::handle_resources() {
  if (!table) return 0;
  return rsc::for_each_entry(
      table, table_sz, [this](const char* what) { err("{}", what); },
      [this](std::uint32_t type, std::size_t offset, std::size_t available) {
        return handle_entry(type, offset, available);
      });
}

int rproc::impl::handle_entry(std::uint32_t type, std::size_t offset, std::size_t available) {
  if (type >= rsc::VENDOR_START && type <= rsc::VENDOR_END) {
    const int result = ops.handle_rsc ? ops.handle_rsc(*self, type, table.copy(offset, available), offset) : 1;
    if (result == 1) log(os::log_level::warning, "unsupported vendor resource {}", type);
    return std::min(result, 0);
  }
  switch (type) {
    case rsc::CARVEOUT:
      return handle_carveout(offset, available);
    case rsc::DEVMEM:
      return -EINVAL;  // there is no IOMMU domain
    case rsc::TRACE:
      return handle_trace(offset, available);
    case rsc::VDEV:
      return handle_vdev(offset, available);
    default:
      log(os::log_level::warning, "unsupported resource {}", type);
      return 0;
  }
}

std::string rproc::impl::carveout_name(std::size_t offset) {
  const std::size_t rest = table_sz - offset;
  std::vector<std::byte> bytes = table.copy(offset, std::min(rest, rsc::NAME_SIZE));
  if (std::ranges::find(bytes, std::byte{0}) == bytes.end()) bytes = table.copy(offset, rest);
  if (std::ranges::find(bytes, std::byte{0}) == bytes.end()) {
    os.oops("H10", "a carveout's name has no terminator in the resource table");
  }
  const std::string format = rsc::name_at(bytes, 0, bytes.size());
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '%' && format.compare(i, 2, "%%") != 0) {
      os.oops("H10", fmt::format("carveout name '{}' is used as a format string", format));
    }
    if (format[i] == '%') ++i;
    text += format[i];
  }
  return text.substr(0, CARVEOUT_NAME_MAX);
}

int rproc::impl::handle_carveout(std::size_t offset, std::size_t available) {
  if (rsc::CARVEOUT_SIZE > available) {
    err("carveout rsc is truncated");
    return -EINVAL;
  }
  const rsc::carveout_entry entry(table.copy(offset, rsc::CARVEOUT_SIZE));
  if (entry.reserved != 0) {
    err("carveout rsc has non zero reserved bytes");
    return -EINVAL;
  }
  const std::string wanted = carveout_name(offset + rsc::CARVEOUT_SIZE - rsc::NAME_SIZE);
  if (carveout* c = find_carveout(wanted); c != nullptr) {
    if (c->table_offset) {
      err("Carveout already associated to resource table");
      return -ENOMEM;
    }
    if (!carveout_fits(*c, entry.da, entry.len)) return -ENOMEM;
    c->table_offset = offset;
    c->flags = entry.flags;
    return 0;
  }
  register_carveout({.name = wanted,
                     .len = entry.len,
                     .da = entry.da,
                     .flags = entry.flags,
                     .allocate = true,
                     .table_offset = offset});
  return 0;
}

int rproc::impl::handle_trace(std::size_t offset, std::size_t available) {
  if (rsc::TRACE_SIZE > available) {
    err("trace rsc is truncated");
    return -EINVAL;
  }
  const rsc::trace_entry entry(table.copy(offset, rsc::TRACE_SIZE));
  if (entry.reserved != 0) {
    err("trace rsc has non zero reserved bytes");
    return -EINVAL;
  }
  traces.push_back({entry.da, entry.len, fmt::format("{}/trace{}", debugfs_path(), traces.size())});
  add_trace_file(traces.back());
  return 0;
}

int rproc::impl::handle_vdev(std::size_t offset, std::size_t available) {
  if (rsc::VDEV_SIZE > available) {
    err("vdev rsc is truncated");
    return -EINVAL;
  }
  // One snapshot: the remote may change the live table between two looks, and then only the first one counts here.
  const std::size_t most = rsc::VDEV_SIZE + MAX_VRINGS * rsc::VRING_SIZE;
  const rsc::vdev_entry entry(table.copy(offset, std::min(available, most)));
  if (entry.size() + entry.config_len > available) {
    err("vdev rsc is truncated");
    return -EINVAL;
  }
  if (entry.reserved[0] != 0 || entry.reserved[1] != 0) {
    err("vdev rsc has non zero reserved bytes");
    return -EINVAL;
  }
  if (entry.num_of_vrings > MAX_VRINGS) {
    err("too many vrings: {}", entry.num_of_vrings);
    return -EINVAL;
  }
  const auto v = std::make_shared<vdev>(*this, entry.id, nb_vdev++, offset);
  if (const int error = v->probe(entry); error != 0) return past->vdev_failed(error);
  vdevs.push_back(v);
  return 0;
}

// ---- carveouts

void rproc::impl::report_carveout(const carveout& c, std::string_view what) {
  emit(
      "rproc.carveout",
      {{"carveout", c.name}, field::hex("pa", c.pa), field::hex("da", c.da), field::hex("len", c.len), {"what", what}});
}

carveout* rproc::impl::find_carveout(std::string_view wanted) {
  const auto it = std::ranges::find(carveouts, wanted, &carveout::name);
  return it == carveouts.end() ? nullptr : &*it;
}

carveout& rproc::impl::register_carveout(carveout c) {
  c.name.resize(std::min(c.name.size(), CARVEOUT_NAME_MAX));
  carveouts.push_back(std::move(c));
  carveout& added = carveouts.back();
  if (added.pa != 0) report_carveout(added, "add");
  return added;
}

bool rproc::impl::carveout_fits(const carveout& c, std::uint32_t da, std::uint32_t len) {
  if (len > c.len) {
    err("Registered carveout doesn't fit len request");
    return false;
  }
  if (da == rsc::ADDR_ANY) return true;
  if (c.da == rsc::ADDR_ANY) return false;
  const std::uint32_t delta = da - c.da;
  if (static_cast<std::int32_t>(delta) < 0) {
    err("Registered carveout doesn't fit da request");
    return false;
  }
  if (static_cast<std::uint32_t>(delta + len) > c.len) {
    err("Registered carveout doesn't fit len request");
    return false;
  }
  return true;
}

std::optional<dt::region> rproc::impl::memory_region(unsigned i) const {
  const std::vector<dt::node> regions = parent.node ? parent.node.phandles("memory-region") : std::vector<dt::node>();
  if (i >= regions.size() || regions[i].reg().empty()) return std::nullopt;
  return regions[i].reg().front();
}

std::string rproc::impl::parent_log_name() const {
  return (parent.driver != nullptr ? parent.driver->name + " " : std::string()) + parent.name;
}

dma_pool* rproc::impl::pool_of(dt::region region) {
  return &pools.try_emplace(region.base, region.base, region.size, region.base).first->second;
}

int rproc::impl::alloc_carveout(carveout& c) {
  const std::optional<std::uint64_t> pa = pool != nullptr ? pool->allocate(c.len) : std::nullopt;
  if (!pa) {
    os.printk(os::log_level::err, parent_log_name(), fmt::format("failed to allocate dma memory: len {:#x}", c.len));
    return -ENOMEM;
  }
  os.memset_io(*pa, 0, c.len);
  c.pa = *pa;
  c.dma = pool->device_address(*pa);
  if (c.da != rsc::ADDR_ANY && c.da != static_cast<std::uint32_t>(c.dma)) {
    os.printk(os::log_level::warning, parent_log_name(), "Allocated carveout doesn't fit device address request");
  }
  if (c.da == rsc::ADDR_ANY) {
    if (c.dma >> 32 != 0) {
      log(os::log_level::warning, "DMA address cast in 32bit to fit resource table format");
    }
    c.da = static_cast<std::uint32_t>(c.dma);
  }
  report_carveout(c, "add");
  return 0;
}

void rproc::impl::release_carveout(carveout& c) {
  if (c.pa == 0) return;
  if (c.allocate) pool->free(c.pa, c.len);
  report_carveout(c, "remove");
}

int rproc::impl::alloc_registered_carveouts() {
  for (carveout& c : carveouts) {
    if (c.allocate) {
      if (const int error = alloc_carveout(c); error != 0) {
        err("Unable to allocate carveout {}: {}", c.name, error);
        return -ENOMEM;
      }
    }
    if (!c.table_offset) continue;
    const std::uint64_t pa = c.pa != 0 ? c.pa : c.dma;
    if (pa >> 32 != 0) {
      log(os::log_level::warning, "Physical address cast in 32bit to fit resource table format");
    }
    table.set_u32(*c.table_offset + rsc::CARVEOUT_PA, static_cast<std::uint32_t>(pa));
    table.set_u32(*c.table_offset + rsc::CARVEOUT_DA, c.da);
    table.set_u32(*c.table_offset + rsc::CARVEOUT_LEN, static_cast<std::uint32_t>(c.len));
  }
  return 0;
}

// ---- rings

int rproc::impl::alloc_vring(vdev& v, unsigned i, const rsc::vring_entry& entry) {
  vring& ring = v.ring(i);
  const auto align = static_cast<std::uint64_t>(static_cast<std::int64_t>(ring.align));
  const std::uint64_t bytes = virtio::vring_size(static_cast<std::uint32_t>(ring.num), align);
  const std::uint64_t size = (bytes + dma_pool::PAGE_SIZE - 1) / dma_pool::PAGE_SIZE * dma_pool::PAGE_SIZE;

  const std::string place = fmt::format("vdev{}vring{}", v.index(), i);
  if (const carveout* c = find_carveout(place); c != nullptr) {
    if (!carveout_fits(*c, entry.da, static_cast<std::uint32_t>(size))) return -ENOMEM;
  } else {
    register_carveout({.name = place, .len = size, .da = entry.da, .allocate = true});
  }

  int id = 0;
  while (notifyids.contains(id)) ++id;
  notifyids.emplace(id, &ring);
  max_notifyid = std::max(max_notifyid, id);
  ring.notifyid = id;
  table.set_u32(v.table_offset() + rsc::VDEV_VRINGS + i * rsc::VRING_SIZE + rsc::VRING_NOTIFYID,
                static_cast<std::uint32_t>(id));
  return 0;
}

void rproc::impl::free_vring(vring& ring) {
  if (ring.owner == nullptr && past->knows_missing_vrings()) return;
  if (ring.owner == nullptr) os.oops("H7", "a vring that the vdev does not have is freed");
  notifyids.erase(ring.notifyid);
  if (!table) return;
  const std::size_t entry = ring.owner->table_offset() + rsc::VDEV_VRINGS + ring.index * rsc::VRING_SIZE;
  table.set_u32(entry + rsc::VRING_DA, past->freed_vring_da());
  table.set_u32(entry + rsc::VRING_NOTIFYID, rsc::ADDR_ANY);
}

}  // namespace rpsim::remoteproc
