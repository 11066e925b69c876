#include "models/core/native_image.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>

namespace rpsim {

native_image::native_image(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(fmt::format("no native image {}", path));
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  // A file of its own, so that the dynamic loader maps it anew even if another core has loaded the same image
  // (dlmopen would do that too, but has 15 namespaces).
  file_ = memfd_create("rpsim-firmware", MFD_CLOEXEC);
  std::size_t written = 0;
  while (file_ >= 0 && written < content.size()) {
    const auto n = ::write(file_, content.data() + written, content.size() - written);
    if (n <= 0) break;
    written += static_cast<std::size_t>(n);
  }
  std::string problem;
  if (file_ < 0 || written < content.size()) {
    problem = "no memory for it";
  } else if (handle_ = dlopen(fmt::format("/proc/self/fd/{}", file_).c_str(), RTLD_NOW | RTLD_LOCAL);
             handle_ == nullptr) {
    problem = dlerror();
  } else if (descriptor_ = static_cast<rpsim_image*>(dlsym(handle_, RPSIM_IMAGE_SYMBOL)); descriptor_ == nullptr) {
    problem = "it exports no " RPSIM_IMAGE_SYMBOL;
  } else if (descriptor_->abi != RPSIM_IMAGE_ABI || descriptor_->size != sizeof(rpsim_image)) {
    problem = "it was built for another version of rpsim";
  }
  if (!problem.empty()) {
    if (handle_ != nullptr) dlclose(handle_);
    if (file_ >= 0) ::close(file_);
    throw std::runtime_error(fmt::format("native image {}: {}", path, problem));
  }
  find_writable_segments();
}

native_image::~native_image() {
  dlclose(handle_);
  ::close(file_);
}

void native_image::find_writable_segments() {
  struct search {
    native_image* self;
    ElfW(Addr) base;
  };
  const link_map* map = nullptr;
  dlinfo(handle_, RTLD_DI_LINKMAP, &map);
  search s{this, map->l_addr};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* argument) {
        const auto* wanted = static_cast<const search*>(argument);
        if (info->dlpi_addr != wanted->base) return 0;
        // What the loader has made read-only again after relocation.
        ElfW(Addr) relro_start = 0, relro_end = 0;
        const auto page = static_cast<ElfW(Addr)>(sysconf(_SC_PAGESIZE));
        for (const ElfW(Phdr) & p : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
          if (p.p_type != PT_GNU_RELRO) continue;
          relro_start = p.p_vaddr & ~(page - 1);
          relro_end = (p.p_vaddr + p.p_memsz) & ~(page - 1);
        }
        for (const ElfW(Phdr) & p : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
          if (p.p_type != PT_LOAD || (p.p_flags & PF_W) == 0) continue;
          ElfW(Addr) start = p.p_vaddr;
          const ElfW(Addr) end = p.p_vaddr + p.p_memsz;
          if (start >= relro_start && start < relro_end) start = std::min(relro_end, end);
          if (start == end) continue;
          auto* const first = reinterpret_cast<std::byte*>(info->dlpi_addr + start);
          wanted->self->segments_.push_back({first, {first, first + (end - start)}});
        }
        return 1;
      },
      &s);
}

void native_image::restore() {
  for (segment& s : segments_) std::memcpy(s.start, s.content.data(), s.content.size());
}

}  // namespace rpsim
