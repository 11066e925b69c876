#include "tools/rpsim/elf_image.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <optional>

namespace rpsim::tool {

namespace {
template <typename T>
std::optional<T> at(std::string_view image, std::uint64_t offset) {
  if (offset > image.size() || image.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, image.data() + offset, sizeof value);
  return value;
}

/// A range of the file; empty if it does not lie in it.
std::string_view range(std::string_view image, std::uint64_t offset, std::uint64_t size) {
  return offset <= image.size() && size <= image.size() - offset ? image.substr(offset, size) : std::string_view{};
}

struct table_section {
  std::uint32_t address;
  std::string_view content;
};

std::optional<table_section> resource_table(std::string_view image, const Elf32_Ehdr& header) {
  const auto names = at<Elf32_Shdr>(image, header.e_shoff + std::uint64_t{header.e_shstrndx} * sizeof(Elf32_Shdr));
  if (!names) return std::nullopt;
  const std::string_view strings = range(image, names->sh_offset, names->sh_size);
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto section = at<Elf32_Shdr>(image, header.e_shoff + std::uint64_t{i} * sizeof(Elf32_Shdr));
    if (!section || section->sh_name >= strings.size()) continue;
    const std::string_view name = strings.substr(section->sh_name);
    if (name.substr(0, name.find('\0')) == ".resource_table") {
      return table_section{section->sh_addr, range(image, section->sh_offset, section->sh_size)};
    }
  }
  return std::nullopt;
}

void table_warnings(std::string_view table, std::vector<std::string>& warnings) {
  const auto version = at<std::uint32_t>(table, 0), entries = at<std::uint32_t>(table, 4);
  if (table.size() < 16) {
    warnings.emplace_back("its resource table is truncated: EINVAL");
    return;
  }
  if (*version != 1) warnings.push_back(fmt::format("its resource table has version {}, not 1: EINVAL", *version));
  for (std::uint64_t i = 0; i < *entries; ++i) {
    const auto offset = at<std::uint32_t>(table, 16 + 4 * i);
    if (!offset || *offset + 4ull > table.size()) {
      warnings.push_back(fmt::format("entry {} of its resource table lies outside it: EINVAL", i));
      return;
    }
    const auto type = at<std::uint32_t>(table, *offset);
    const auto rings = at<std::uint8_t>(table, *offset + 25ull);
    if (type != 3u || !rings) continue;
    if (*rings > 2) warnings.push_back(fmt::format("its vdev has {} vrings: Linux takes at most 2, EINVAL", *rings));
    if (*rings < 2)
      warnings.push_back(fmt::format("its vdev has {} vrings: tearing it down would crash Linux (H7)", *rings));
  }
}
}  // namespace

std::vector<elf_segment> elf_segments(std::string_view image) {
  std::vector<elf_segment> segments;
  const auto header = at<Elf32_Ehdr>(image, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS32)
    return segments;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto program = at<Elf32_Phdr>(image, header->e_phoff + std::uint64_t{i} * sizeof(Elf32_Phdr));
    if (!program || program->p_type != PT_LOAD || program->p_memsz == 0) continue;
    if (program->p_filesz > program->p_memsz) continue;
    const std::string_view content = range(image, program->p_offset, program->p_filesz);
    if (content.size() == program->p_filesz) segments.push_back({program->p_paddr, content, program->p_memsz});
  }
  return segments;
}

std::uint32_t elf_resource_table(std::string_view image) {
  const auto header = at<Elf32_Ehdr>(image, 0);
  const auto table = header ? resource_table(image, *header) : std::nullopt;
  return table ? table->address : 0;
}

std::vector<std::string> elf_warnings(std::string_view image) {
  std::vector<std::string> warnings;
  const auto header = at<Elf32_Ehdr>(image, 0);
  if (!header) return {"it is too small for an ELF file: EINVAL"};
  if (std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return {"it is not an ELF file: EINVAL"};
  if (header->e_ident[EI_DATA] != ELFDATA2LSB) return {"it is big-endian: EINVAL"};
  if (header->e_ident[EI_CLASS] == ELFCLASS64) return {"it is ELF64: Linux loads it, a Cortex-M or R cannot run it"};
  if (header->e_ident[EI_CLASS] != ELFCLASS32) return {"its ELF class is unknown: EINVAL"};
  if (header->e_machine != EM_ARM) {
    warnings.push_back(
        fmt::format("its machine is {}, not Arm: Linux does not look, the core cannot run it", header->e_machine));
  }
  if (header->e_shoff + std::uint64_t{header->e_shnum} * sizeof(Elf32_Shdr) > image.size()) {
    warnings.emplace_back("it is truncated: its section headers lie outside the file, EINVAL");
    return warnings;
  }
  if (header->e_phnum == 0) warnings.emplace_back("it has no program headers: EINVAL");
  unsigned loadable = 0;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto program = at<Elf32_Phdr>(image, header->e_phoff + std::uint64_t{i} * sizeof(Elf32_Phdr));
    loadable += program && program->p_type == PT_LOAD && program->p_memsz != 0;
  }
  if (elf_segments(image).size() != loadable)
    warnings.emplace_back("it is truncated: a segment lies outside the file, EINVAL");
  if (const auto table = resource_table(image, *header)) {
    table_warnings(table->content, warnings);
  } else {
    warnings.emplace_back("it has no resource table: no rpmsg");
  }
  return warnings;
}

}  // namespace rpsim::tool
