#include "host_sw/remoteproc/coredump.h"

#include <cstring>

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

const char* to_string(dump_mode m) {
  switch (m) {
    case dump_mode::enabled:
      return "enabled";
    case dump_mode::inline_:
      return "inline";
    default:
      return "disabled";
  }
}

namespace {

constexpr std::uint16_t ET_CORE = 4;
constexpr std::uint32_t PT_LOAD = 1, PF_RWX = 7, SHT_PROGBITS = 1, SHT_STRTAB = 3, SHF_WRITE = 1;
constexpr std::string_view STRING_TABLE_NAME = "STR_TBL";

/// Appends little-endian fields of one ELF class.
class elf_writer {
 public:
  explicit elf_writer(int elf_class) : is_64_(elf_class == 2) {}
  std::size_t ehdr_size() const { return is_64_ ? 64 : 52; }
  std::size_t phdr_size() const { return is_64_ ? 56 : 32; }
  std::size_t shdr_size() const { return is_64_ ? 64 : 40; }

  void put(std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) text_ += static_cast<char>(value >> (8 * i));
  }
  void word(std::uint64_t value) { put(value, is_64_ ? 8 : 4); }

  struct tables {
    std::uint64_t phoff = 0, shoff = 0;
    unsigned phnum = 0, shnum = 0, shstrndx = 0;
  };
  void header(std::uint16_t machine, std::uint64_t entry, const tables& t) {
    text_ += std::string("\177ELF") + static_cast<char>(is_64_ ? 2 : 1) + '\1' + '\1';  // little endian, version 1
    text_.resize(16);
    put(ET_CORE, 2);
    put(machine, 2);
    put(1, 4);
    word(entry);
    word(t.phoff);
    word(t.shoff);
    put(0, 4);
    put(ehdr_size(), 2);
    put(t.phnum != 0 ? phdr_size() : 0, 2);
    put(t.phnum, 2);
    put(t.shnum != 0 ? shdr_size() : 0, 2);
    put(t.shnum, 2);
    put(t.shstrndx, 2);
  }
  void program_header(std::uint64_t offset, std::uint64_t address, std::uint64_t size) {
    put(PT_LOAD, 4);
    if (is_64_) put(PF_RWX, 4);
    word(offset);
    word(address);
    word(address);
    word(size);
    word(size);
    if (!is_64_) put(PF_RWX, 4);
    word(0);
  }
  void section_header(std::uint32_t name, std::uint32_t type, std::uint64_t flags, std::uint64_t address,
                      std::uint64_t offset, std::uint64_t size) {
    put(name, 4);
    put(type, 4);
    word(flags);
    word(address);
    word(offset);
    word(size);
    put(0, 8);  // link, info
    word(0);
    word(0);
  }
  void text(std::string_view t) { text_ += t; }
  std::string take() { return std::move(text_); }

 private:
  bool is_64_;
  std::string text_;
};

std::string with_program_headers(const rproc::impl& r) {
  elf_writer elf(r.elf_class);
  elf.header(r.elf_machine, r.boot_address,
             {.phoff = elf.ehdr_size(), .phnum = static_cast<unsigned>(r.dump_segments.size())});
  std::uint64_t offset = elf.ehdr_size() + elf.phdr_size() * r.dump_segments.size();
  for (const dump_segment& s : r.dump_segments) {
    elf.program_header(offset, s.da, s.size);
    offset += s.size;
  }
  return elf.take();
}

std::string with_section_headers(const rproc::impl& r) {
  elf_writer elf(r.elf_class);
  const std::size_t sections = r.dump_segments.size() + 2;
  std::string names = std::string(1, '\0') + std::string(STRING_TABLE_NAME) + '\0';
  std::vector<std::uint32_t> name_at;
  for (const dump_segment& s : r.dump_segments) {
    name_at.push_back(static_cast<std::uint32_t>(names.size()));
    names += s.name + '\0';
  }
  elf.header(r.elf_machine, r.boot_address,
             {.shoff = elf.ehdr_size(), .shnum = static_cast<unsigned>(sections), .shstrndx = 1});
  elf.section_header(0, 0, 0, 0, 0, 0);
  std::uint64_t offset = elf.ehdr_size() + elf.shdr_size() * sections;
  elf.section_header(1, SHT_STRTAB, 0, 0, offset, names.size());
  offset += names.size();
  std::size_t i = 0;
  for (const dump_segment& s : r.dump_segments) {
    elf.section_header(name_at[i++], SHT_PROGBITS, SHF_WRITE, s.da, offset, s.size);
    offset += s.size;
  }
  elf.text(names);
  return elf.take();
}

/// What cannot be translated or read is 0xFF.
std::string segment_data(rproc::impl& r, const dump_segment& s) {
  std::string data(s.size, '\xff');
  if (s.dump) {
    s.dump(*r.self, s.da, std::as_writable_bytes(std::span(data)), 0);
    return data;
  }
  const std::uint64_t pa = r.da_to_pa(s.da, s.size);
  if (pa == 0) {
    r.err("invalid copy request for segment {:#x} with offset 0 and size {})", s.da, s.size);
  } else if (!r.os.try_read(pa, data.data(), s.size)) {
    data.assign(s.size, '\xff');
  }
  return data;
}

void dump(rproc& p, std::string (*headers)(const rproc::impl&)) {
  rproc::impl& r = p.internal();
  if (r.dump_segments.empty() || r.dump_conf == dump_mode::disabled) return;
  if (r.elf_class == 0) {
    r.err("ELF class is not set");
    return;
  }
  std::string core = headers(r);
  std::uint64_t size = core.size();
  for (const dump_segment& s : r.dump_segments) size += s.size;
  r.emit("rproc.coredump", {{"size", size}, {"segments", r.dump_segments.size()}});

  const auto read_segments = [&r](std::string text) {
    for (const dump_segment& s : r.dump_segments) text += segment_data(r, s);
    return text;
  };
  if (r.dump_conf == dump_mode::enabled) {
    core = read_segments(std::move(core));
    r.sys->dumps.add({r.identity, r.sysfs_path(), [core = std::move(core)] { return core; }, [] {}});
    return;
  }
  // Inline: the reader copies from remote memory while this thread waits, the processor's lock held.
  const auto freed = std::make_shared<os::completion>(r.os);
  r.sys->dumps.add({r.identity, r.sysfs_path(),
                    [&r, core, read_segments, keep = r.shared_from_this()] {
                      const std::string text = read_segments(core);
                      r.log(os::log_level::info, "Ramdump done, {} bytes read", text.size());
                      return text;
                    },
                    [freed] { freed->complete(); }});
  freed->wait();
}

}  // namespace

void coredump(rproc& r) { dump(r, with_program_headers); }
void coredump_using_sections(rproc& r) { dump(r, with_section_headers); }

}  // namespace rpsim::remoteproc
