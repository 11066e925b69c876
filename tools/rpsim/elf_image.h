#pragma once
// Just enough of ELF32 to do what a boot loader does, and to say ahead what Linux will say of an image.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rpsim::tool {

struct elf_segment {
  std::uint32_t address = 0;  // p_paddr
  std::string_view content;   // of the image; p_memsz beyond it is zeroes
  std::uint32_t size = 0;     // p_memsz
};

/// PT_LOAD segments of a little-endian ELF32 file; those that leave the file are left out.
std::vector<elf_segment> elf_segments(std::string_view image);

/// Address of the section .resource_table; 0 if there is none.
std::uint32_t elf_resource_table(std::string_view image);

/// What Linux's loader would refuse, and what it would not see but the core would: reference/remoteproc-core.md §3.2,
/// §4.
std::vector<std::string> elf_warnings(std::string_view image);

}  // namespace rpsim::tool
