#include "host_sw/remoteproc/resource_table.h"

#include <algorithm>
#include <cstring>

namespace rpsim::remoteproc::rsc {

std::uint32_t u32_at(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[offset + i]) << (8 * i);
  return value;
}

carveout_entry::carveout_entry(std::span<const std::byte> p)
    : da(u32_at(p, 0)), pa(u32_at(p, 4)), len(u32_at(p, 8)), flags(u32_at(p, 12)), reserved(u32_at(p, 16)) {}

trace_entry::trace_entry(std::span<const std::byte> p) : da(u32_at(p, 0)), len(u32_at(p, 4)), reserved(u32_at(p, 8)) {}

vdev_entry::vdev_entry(std::span<const std::byte> p)
    : id(u32_at(p, 0)),
      notifyid(u32_at(p, 4)),
      dfeatures(u32_at(p, 8)),
      gfeatures(u32_at(p, 12)),
      config_len(u32_at(p, 16)),
      status(std::to_integer<std::uint8_t>(p[20])),
      num_of_vrings(std::to_integer<std::uint8_t>(p[21])),
      reserved{std::to_integer<std::uint8_t>(p[22]), std::to_integer<std::uint8_t>(p[23])} {
  for (std::size_t i = 0; i < num_of_vrings && VDEV_VRINGS + (i + 1) * VRING_SIZE <= p.size(); ++i) {
    const auto v = p.subspan(VDEV_VRINGS + i * VRING_SIZE, VRING_SIZE);
    vrings.push_back({u32_at(v, 0), u32_at(v, 4), u32_at(v, 8), u32_at(v, 12), u32_at(v, 16)});
  }
}

std::string name_at(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
  std::string name;
  for (std::size_t i = offset; i < bytes.size() && name.size() < size && bytes[i] != std::byte{0}; ++i) {
    name += static_cast<char>(bytes[i]);
  }
  return name;
}

const char* header_error(std::span<const std::byte> section) {
  if (section.size() < HEADER_SIZE) return "header-less resource table";
  if (u32_at(section, 0) != 1) return "unsupported fw ver";
  if (u32_at(section, 8) != 0 || u32_at(section, 12) != 0) return "non zero reserved bytes";
  if (HEADER_SIZE + 4ull * u32_at(section, 4) > section.size()) return "resource table incomplete";
  return nullptr;
}

table_pointer& table_pointer::operator=(std::nullptr_t) {
  heap_.reset();
  live_ = 0;
  return *this;
}

table_pointer& table_pointer::operator=(heap_copy copy) {
  heap_ = std::move(copy);
  live_ = 0;
  return *this;
}

void table_pointer::point_to_live(std::uint64_t pa) {
  heap_.reset();
  live_ = pa;
}

std::span<std::byte> table_pointer::heap_span(std::uint64_t offset, std::size_t size) const {
  if (heap_ == nullptr) kernel_.oops("table-overread", "NULL resource table");
  if (offset > heap_->size() || size > heap_->size() - offset) {
    kernel_.oops("table-overread", "access behind the copy of the resource table");
  }
  return std::span(*heap_).subspan(offset, size);
}

void table_pointer::read(std::uint64_t offset, std::span<std::byte> to) const {
  if (live_ != 0) {
    kernel_.memcpy_fromio(to.data(), live_ + offset, to.size());
  } else {
    std::ranges::copy(heap_span(offset, to.size()), to.begin());
  }
}

void table_pointer::write(std::uint64_t offset, std::span<const std::byte> from) {
  if (live_ != 0) {
    kernel_.memcpy_toio(live_ + offset, from.data(), from.size());
  } else {
    std::ranges::copy(from, heap_span(offset, from.size()).begin());
  }
}

std::vector<std::byte> table_pointer::copy(std::uint64_t offset, std::size_t size) const {
  std::vector<std::byte> bytes(size);
  read(offset, bytes);
  return bytes;
}

std::uint32_t table_pointer::u32(std::uint64_t offset) const {
  if (live_ != 0 && (live_ + offset) % 4 == 0) return kernel_.readl(live_ + offset);
  return u32_at(copy(offset, 4), 0);
}

void table_pointer::set_u32(std::uint64_t offset, std::uint32_t value) {
  if (live_ != 0 && (live_ + offset) % 4 == 0) return kernel_.writel(value, live_ + offset);
  std::byte bytes[4];
  for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i));
  write(offset, bytes);
}

std::uint8_t table_pointer::u8(std::uint64_t offset) const {
  if (live_ != 0) return kernel_.readb(live_ + offset);
  return std::to_integer<std::uint8_t>(heap_span(offset, 1)[0]);
}

void table_pointer::set_u8(std::uint64_t offset, std::uint8_t value) {
  if (live_ != 0) return kernel_.writeb(value, live_ + offset);
  heap_span(offset, 1)[0] = std::byte{value};
}

int for_each_entry(const table_pointer& table, std::size_t table_size,
                   const std::function<void(const char*)>& log_error,
                   const std::function<int(std::uint32_t, std::size_t, std::size_t)>& entry) {
  const std::uint32_t num = table.u32(4);
  for (std::uint32_t i = 0; i < num; ++i) {
    const std::uint32_t offset = table.u32(HEADER_SIZE + 4ull * i);
    if (offset < HEADER_SIZE || offset >= table_size || table_size - offset < TYPE_SIZE) {
      log_error("rsc table is truncated");
      return -EINVAL;
    }
    const int result = entry(table.u32(offset), offset + TYPE_SIZE, table_size - offset - TYPE_SIZE);
    if (result != 0) return result;
  }
  return 0;
}

}  // namespace rpsim::remoteproc::rsc
