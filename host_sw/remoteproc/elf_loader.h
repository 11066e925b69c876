#pragma once
// Linux's ELF loader for remote processors: ELF32 and ELF64, every check in Linux's order, none that Linux lacks
// (machine, type, version and entry size are not looked at). Facts: reference/remoteproc-core.md §4.
//
// An image lies in whole pages of kernel memory with an unmapped page behind: what Linux reads between the end of the
// file and the end of its last page is undetermined there and 0 here; what it reads behind is an oops ("elf-overread").

#include <cstdint>

#include "host_sw/remoteproc/rproc_ops.h"

namespace rpsim::remoteproc::elf {

/// 0 or -EINVAL.
int sanity_check(rproc& r, const firmware& fw);
std::uint64_t get_boot_addr(rproc& r, const firmware& fw);
/// Copies LOAD segments to where their physical address translates to: 0, -EINVAL.
int load_segments(rproc& r, const firmware& fw);
/// Takes a heap copy of the section .resource_table: 0, -EINVAL if there is none that Linux accepts.
int load_rsc_table(rproc& r, const firmware& fw);
/// Where the loaded table is in remote memory (by the section's address, not the segment's); 0 if it is not.
std::uint64_t find_loaded_rsc_table(rproc& r, const firmware& fw);

}  // namespace rpsim::remoteproc::elf
