#include "host_sw/remoteproc/elf_loader.h"

#include <cstring>

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc::elf {

namespace {

constexpr std::size_t EHDR32 = 52, EHDR64 = 64, PHDR32 = 32, PHDR64 = 56, SHDR32 = 40, SHDR64 = 64;
constexpr std::uint8_t CLASS32 = 1, CLASS64 = 2, DATA_LSB = 1;
constexpr std::uint32_t PT_LOAD = 1;
constexpr std::string_view TABLE_SECTION = ".resource_table";

struct segment {
  std::uint32_t type;
  std::uint64_t offset, paddr, filesz, memsz;
};

struct section {
  std::uint32_t name;
  std::uint64_t addr, offset, size;
};

/// The image as Linux dereferences it: unchecked offsets, 64-bit wrap-around included.
class image {
 public:
  image(os::kernel& kernel, const firmware& fw) : kernel_(kernel), bytes_(*fw) {}

  std::uint64_t size() const { return bytes_.size(); }
  const char* data() const { return bytes_.data(); }
  bool is_64() const { return u8(4) != CLASS32; }
  std::uint64_t phdr_size() const { return is_64() ? PHDR64 : PHDR32; }
  std::uint64_t shdr_size() const { return is_64() ? SHDR64 : SHDR32; }

  std::uint8_t u8(std::uint64_t at) const {
    if (at < bytes_.size()) return static_cast<std::uint8_t>(bytes_[at]);
    const std::uint64_t pages = (bytes_.size() + dma_pool::PAGE_SIZE - 1) / dma_pool::PAGE_SIZE;
    if (at >= pages * dma_pool::PAGE_SIZE) {
      kernel_.oops("elf-overread", fmt::format("read at {:#x} of an image of {:#x} bytes", at, bytes_.size()));
    }
    return 0;
  }
  std::uint16_t u16(std::uint64_t at) const { return static_cast<std::uint16_t>(u8(at) | u8(at + 1) << 8); }
  std::uint32_t u32(std::uint64_t at) const { return u16(at) | std::uint32_t{u16(at + 2)} << 16; }
  std::uint64_t u64(std::uint64_t at) const { return u32(at) | std::uint64_t{u32(at + 4)} << 32; }
  /// A field that is 4 bytes in ELF32 and 8 in ELF64.
  std::uint64_t word(std::uint64_t at32, std::uint64_t at64) const { return is_64() ? u64(at64) : u32(at32); }

  std::uint64_t entry() const { return word(24, 24); }
  std::uint64_t phoff() const { return word(28, 32); }
  std::uint64_t shoff() const { return word(32, 40); }
  std::uint16_t phnum() const { return u16(is_64() ? 56 : 44); }
  std::uint16_t shnum() const { return u16(is_64() ? 60 : 48); }
  std::uint16_t shstrndx() const { return u16(is_64() ? 62 : 50); }

  segment program_header(unsigned i) const {
    const std::uint64_t at = phoff() + i * phdr_size();
    return {u32(at), word(at + 4, at + 8), word(at + 12, at + 24), word(at + 16, at + 32), word(at + 20, at + 40)};
  }
  section section_header(unsigned i) const {
    const std::uint64_t at = shoff() + i * shdr_size();
    return {u32(at), word(at + 12, at + 16), word(at + 16, at + 24), word(at + 20, at + 32)};
  }
  /// strcmp with a text that starts anywhere.
  bool text_is(std::uint64_t at, std::string_view word) const {
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (static_cast<char>(u8(at + i)) != word[i]) return false;
    }
    return u8(at + word.size()) == 0;
  }
  std::span<const std::byte> bytes(std::uint64_t at, std::uint64_t length) const {
    return std::as_bytes(std::span(bytes_)).subspan(at, length);
  }

 private:
  os::kernel& kernel_;
  const std::string& bytes_;
};

/// The first section of that name, if Linux accepts the table in it (§3.2).
std::optional<section> find_table(rproc::impl& r, const image& elf) {
  const std::uint64_t names = elf.section_header(elf.shstrndx()).offset;
  for (unsigned i = 0; i < elf.shnum(); ++i) {
    const section s = elf.section_header(i);
    if (!elf.text_is(names + s.name, TABLE_SECTION)) continue;
    if (s.offset + s.size > elf.size() || s.offset + s.size < s.size) {
      r.err("resource table truncated");
      return std::nullopt;
    }
    if (const char* error = rsc::header_error(elf.bytes(s.offset, s.size)); error != nullptr) {
      r.err("{}", error);
      return std::nullopt;
    }
    return s;
  }
  return std::nullopt;
}

}  // namespace

int sanity_check(rproc& p, const firmware& fw) {
  rproc::impl& r = p.internal();
  const auto refuse = [&r](std::string_view why) {
    r.err("{}", why);
    return -EINVAL;
  };
  if (fw == nullptr) return refuse("failed to load " + r.firmware_name);
  const image elf(r.os, fw);
  if (elf.size() < EHDR32) return refuse("Image is too small");
  if (std::memcmp(elf.data(), "\177ELF", 4) != 0) return refuse("Image is corrupted (bad magic)");
  const std::uint8_t elf_class = elf.u8(4);
  if (elf_class != CLASS32 && elf_class != CLASS64) return refuse(fmt::format("Unsupported class: {}", elf_class));
  if (elf_class == CLASS64 && elf.size() < EHDR64) return refuse("elf64 header is too small");
  if (elf.u8(5) != DATA_LSB) return refuse("Unsupported firmware endianness");

  const std::uint64_t shoff = elf.shoff();
  if (shoff > elf.size()) return refuse("Section header table is out of bounds");
  if (elf.shnum() != 0 && shoff + elf.shnum() * elf.shdr_size() > elf.size()) {
    return refuse("Section headers are out of bounds");
  }
  if (shoff + (elf.shstrndx() + 1ull) * elf.shdr_size() > elf.size()) return refuse("Image is too small");
  if (elf.phnum() == 0) return refuse("No loadable segments");
  if (elf.phoff() > elf.size()) return refuse("Firmware size is too small");
  return 0;
}

std::uint64_t get_boot_addr(rproc& p, const firmware& fw) { return image(p.internal().os, fw).entry(); }

int load_segments(rproc& p, const firmware& fw) {
  rproc::impl& r = p.internal();
  const image elf(r.os, fw);
  for (unsigned i = 0; i < elf.phnum(); ++i) {
    const segment s = elf.program_header(i);
    if (s.type != PT_LOAD || s.memsz == 0) continue;
    if (s.filesz > s.memsz) {
      r.err("bad phdr filesz {:#x} memsz {:#x}", s.filesz, s.memsz);
      return -EINVAL;
    }
    if (s.offset + s.filesz > elf.size()) {
      r.err("truncated fw: need {:#x} avail {:#x}", s.offset + s.filesz, elf.size());
      return -EINVAL;
    }
    const std::uint64_t pa = r.da_to_pa(s.paddr, s.memsz);
    if (pa == 0) {
      r.err("bad phdr da {:#x} mem {:#x}", s.paddr, s.memsz);
      return -EINVAL;
    }
    if (s.filesz != 0) {
      elf.u8(s.offset);  // the sum above may have wrapped
      r.os.memcpy_toio(pa, elf.data() + s.offset, s.filesz);
    }
    if (s.memsz > s.filesz) r.os.memset_io(pa + s.filesz, 0, s.memsz - s.filesz);
  }
  return 0;
}

int load_rsc_table(rproc& p, const firmware& fw) {
  rproc::impl& r = p.internal();
  const image elf(r.os, fw);
  const std::optional<section> s = find_table(r, elf);
  if (!s) return -EINVAL;
  const std::span<const std::byte> table = elf.bytes(s->offset, s->size);
  r.cached_table = std::make_shared<std::vector<std::byte>>(table.begin(), table.end());
  r.table = r.cached_table;
  r.table_sz = table.size();
  r.past->table_parsed(r);
  return 0;
}

std::uint64_t find_loaded_rsc_table(rproc& p, const firmware& fw) {
  rproc::impl& r = p.internal();
  const std::optional<section> s = find_table(r, image(r.os, fw));
  return s ? r.da_to_pa(s->addr, s->size) : 0;
}

}  // namespace rpsim::remoteproc::elf
