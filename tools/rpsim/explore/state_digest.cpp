#include "tools/rpsim/explore/state_digest.h"

#include <fcntl.h>
#include <link.h>
#include <nettle/sha2.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <stdexcept>
#include <string_view>
#include <systemc>
#include <vector>

namespace rpsim::tool {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool HEAP_IS_READABLE = false;  // it has an allocator of its own
#else
constexpr bool HEAP_IS_READABLE = true;  // glibc's
#endif

using word = std::uint64_t;
constexpr word ALIGNMENT = 16;        // of what malloc() gives
constexpr word HEAP = word{1} << 63;  // no address, and no number that a model would count to
constexpr word STACK = HEAP | 1;
constexpr std::size_t PAGE = 4096, WORDS = PAGE / sizeof(word);

const word* words(word address) { return reinterpret_cast<const word*>(address); }

// ---- SystemC's members that are no state: where they lie in their classes

/// Explicit instantiation may name private members.
template <auto Member, typename Tag>
struct reveal {
  friend constexpr auto member(Tag) { return Member; }
};
struct event_stamp {
  friend constexpr auto member(event_stamp);
};
struct event_context {
  friend constexpr auto member(event_context);
};
struct event_timed {
  friend constexpr auto member(event_timed);
};
struct event_static {
  friend constexpr auto member(event_static);
};
struct signal_stamp {
  friend constexpr auto member(signal_stamp);
};
struct context_stamp {
  friend constexpr auto member(context_stamp);
};
struct context_deltas {
  friend constexpr auto member(context_deltas);
};
struct context_deltas_before {
  friend constexpr auto member(context_deltas_before);
};
template struct reveal<&sc_core::sc_event::m_trigger_stamp, event_stamp>;
template struct reveal<&sc_core::sc_event::m_simc, event_context>;
template struct reveal<&sc_core::sc_event::m_timed, event_timed>;
template struct reveal<&sc_core::sc_event::m_methods_static, event_static>;
template struct reveal<&sc_core::sc_signal_channel::m_change_stamp, signal_stamp>;
template struct reveal<&sc_core::sc_simcontext::m_change_stamp, context_stamp>;
template struct reveal<&sc_core::sc_simcontext::m_delta_count, context_deltas>;
template struct reveal<&sc_core::sc_simcontext::m_initial_delta_count_at_current_time, context_deltas_before>;

template <typename Object, typename Tag>
word address_of(const Object& o, Tag tag) {
  return reinterpret_cast<word>(&(o.*member(tag)));
}
/// In words, from the beginning of an sc_event.
template <typename Tag>
std::size_t event_offset(Tag tag) {
  alignas(sc_core::sc_event) static const std::byte room[sizeof(sc_core::sc_event)]{};
  const auto& e = *reinterpret_cast<const sc_core::sc_event*>(room);
  return (address_of(e, tag) - reinterpret_cast<word>(room)) / sizeof(word);
}

// ---- the process's memory

/// Anonymous memory of its own, for what a digest needs while it is taken: the heap must not see it.
class scratch {
 public:
  static constexpr std::size_t BYTES = std::size_t{64} << 20;
  scratch() : at_(::mmap(nullptr, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~scratch() { ::munmap(at_, BYTES); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  void* begin() const { return at_; }

 private:
  void* at_;
};

struct region {
  word begin = 0, end = 0;
  bool heap = false, anonymous = false;
};

struct chunk {
  word begin = 0, end = 0;   // what malloc() gave
  std::uint32_t number = 0;  // 1, 2, 3 … in the order in which they are come to; 0: nothing points to it
};

/// sc_cor_qt of SystemC 2.3.4, which no header shows.
struct coroutine {
  word vtable, stack_bytes, stack, stack_pointer;
};

class memory_image {
 public:
  explicit memory_image(std::pmr::memory_resource& room)
      : left_out_(&room),
        regions_(&room),
        pages_(&room),
        libraries_(&room),
        chunks_(&room),
        owner_(&room),
        reached_(&room),
        masked_(&room) {}

  void leave_out(const void* at, std::size_t bytes) {
    const auto begin = reinterpret_cast<word>(at);
    left_out_.emplace_back(begin, begin + bytes);
  }
  void leave_out_the_loaders();
  void leave_out_word(const word* w) { masked_.emplace_back(reinterpret_cast<word>(w), 0); }
  bool read_map();
  bool read_heap();
  void find_stacks();
  bool find_pages();
  void reach();
  void mask_stamps();
  digest sum() const;

 private:
  word meaning(word w) const;
  void add(region r);
  const chunk* chunk_at(word pointer) const;
  bool is_event(const word* at, const word* end) const;

  std::pmr::vector<std::pair<word, word>> left_out_;
  std::pmr::vector<region> regions_;
  region stack_;                           // the main one
  std::pmr::vector<region> pages_;         // outside of the heap, that are there
  std::pmr::vector<region> libraries_;     // SystemC's, whatever their permissions
  std::pmr::vector<chunk> chunks_;         // by address
  std::pmr::vector<std::uint32_t> owner_;  // by (address - heap_begin_) / ALIGNMENT, which of chunks_
  word heap_begin_ = 0, heap_end_ = 0;
  std::pmr::vector<std::uint32_t> reached_;         // in the order of their numbers
  std::pmr::vector<std::pair<word, word>> masked_;  // address, what is taken instead
};

std::string_view next_field(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(field.size());
  return field;
}

/// The loader's: thread-local variables below the thread pointer, and above it what the C library keeps of a thread; of
/// every library the table of functions that are looked up when they are first called.
void memory_image::leave_out_the_loaders() {
  struct search {
    memory_image* image;
    std::size_t thread_local_bytes = 0;
  } s{this};
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& found = *static_cast<search*>(data);
        for (unsigned i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& h = info->dlpi_phdr[i];
          if (h.p_type == PT_TLS) found.thread_local_bytes += h.p_memsz + h.p_align;
          if (h.p_type != PT_DYNAMIC) continue;
          word table = 0, bytes = 0;
          for (const auto* d = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + h.p_vaddr); d->d_tag != DT_NULL;
               ++d) {
            if (d->d_tag == DT_PLTGOT) table = d->d_un.d_ptr;
            if (d->d_tag == DT_PLTRELSZ) bytes = d->d_un.d_val / sizeof(ElfW(Rela)) * sizeof(word);
          }
          constexpr word HEAD = 3 * sizeof(word);
          if (table != 0 && bytes != 0) found.image->leave_out(reinterpret_cast<const void*>(table), HEAD + bytes);
        }
        return 0;
      },
      &s);
  const std::size_t below = (s.thread_local_bytes + PAGE - 1) / PAGE * PAGE;
  leave_out(static_cast<const char*>(__builtin_thread_pointer()) - below, below + PAGE);
}

/// Neighbours may be one region to the kernel: what is left out may be a part of it.
void memory_image::add(region r) {
  for (const auto& [begin, end] : left_out_) {
    if (end <= r.begin || r.end <= begin) continue;
    if (r.begin < begin) add({r.begin, begin, r.heap, r.anonymous});
    if (end < r.end) add({end, r.end, r.heap, r.anonymous});
    return;
  }
  regions_.push_back(r);
}

/// Whether anything of this process is swapped out.
bool swapping() {
  char text[4096];
  const int fd = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  const ssize_t size = fd < 0 ? 0 : ::read(fd, text, sizeof text);
  if (fd >= 0) ::close(fd);
  const std::string_view status(text, static_cast<std::size_t>(std::max<ssize_t>(0, size)));
  constexpr std::string_view KEY = "VmSwap:";
  const std::size_t at = status.find(KEY);
  if (at == status.npos) return true;
  std::string_view rest = status.substr(at + KEY.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  return !rest.starts_with("0 kB");
}

bool memory_image::read_map() {
  std::pmr::vector<char> text(std::size_t{1} << 18, '\0', regions_.get_allocator());
  const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  std::size_t size = 0;
  for (ssize_t got = 1; fd >= 0 && got > 0 && size < text.size(); size += static_cast<std::size_t>(got))
    got = std::max<ssize_t>(0, ::read(fd, text.data() + size, text.size() - size));
  if (fd >= 0) ::close(fd);
  if (size == 0 || size == text.size()) return false;

  const auto here = reinterpret_cast<word>(__builtin_frame_address(0));
  std::string_view rest(text.data(), size);
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string_view range = next_field(line), permissions = next_field(line);
    for (int i = 0; i < 3; ++i) next_field(line);  // offset, device, inode
    const std::string_view name = next_field(line);
    region r;
    const char* dash = range.data() + range.find('-');
    std::from_chars(range.data(), dash, r.begin, 16);
    std::from_chars(dash + 1, range.data() + range.size(), r.end, 16);
    if (name.find("/libsystemc") != name.npos) libraries_.push_back(r);
    if (permissions.size() < 4 || permissions.substr(0, 2) != "rw" || permissions[3] != 'p') continue;
    if (name.find("/libc.so") != name.npos || name.find("/ld-linux") != name.npos) continue;
    if (r.begin <= here && here < r.end) {
      stack_ = r;
      continue;
    }
    r.heap = name == "[heap]";
    r.anonymous = name.empty();
    if (r.heap && !regions_.empty() && regions_.back().heap && regions_.back().end == r.begin) {
      regions_.back().end = r.end;
      continue;
    }
    add(r);
  }
  return std::ranges::count(regions_, true, &region::heap) == 1;
}

/// glibc's: chunk after chunk, a word with the size and three flags before each.
bool memory_image::read_heap() {
  const region& heap = *std::ranges::find(regions_, true, &region::heap);
  constexpr word FLAGS = 7, SMALLEST = 32;
  word at = heap.begin;
  while (at < heap.end) {
    const word size = reinterpret_cast<const word*>(at)[1] & ~FLAGS;
    if (size < SMALLEST || size % ALIGNMENT != 0 || size > heap.end - at) return false;
    // It reaches into what would be the next one's first word. The first chunk is malloc's own.
    const word end = std::min(at + size + sizeof(word), heap.end);
    if (at != heap.begin) chunks_.push_back({at + 2 * sizeof(word), end, 0});
    at += size;
  }
  if (!chunks_.empty()) chunks_.pop_back();  // what is not given out yet
  if (chunks_.empty()) return false;
  heap_begin_ = chunks_.front().begin;
  heap_end_ = chunks_.back().end;
  owner_.resize((heap_end_ - heap_begin_) / ALIGNMENT + 1);
  for (std::uint32_t i = 0; i < chunks_.size(); ++i) {
    for (word at2 = chunks_[i].begin; at2 < chunks_[i].end; at2 += ALIGNMENT)
      owner_[(at2 - heap_begin_) / ALIGNMENT] = i;
  }
  return true;
}

/// Below its stack pointer a coroutine that does not run has nothing.
void memory_image::find_stacks() {
  const auto of_systemc = [&](word p) {
    return std::ranges::any_of(libraries_, [&](const region& r) { return r.begin <= p && p < r.end; });
  };
  for (const chunk& c : chunks_) {
    if (c.end - c.begin < sizeof(coroutine)) continue;
    const auto& cor = *reinterpret_cast<const coroutine*>(c.begin);
    if (!of_systemc(cor.vtable)) continue;
    for (region& r : regions_) {
      const bool its = !r.heap && cor.stack <= r.begin && cor.stack + cor.stack_bytes == r.end;
      if (its && r.begin <= cor.stack_pointer && cor.stack_pointer < r.end) r.begin = cor.stack_pointer / 8 * 8;
    }
  }
}

/// Pages that were never touched are zero, or as in their file. The large regions are simulated memory, of which little
/// was touched: mincore() goes over that faster than pagemap, and says the same as long as nothing is swapped out.
bool memory_image::find_pages() {
  constexpr std::size_t AT_ONCE = std::size_t{1} << 16, LARGE = std::size_t{1} << 20;
  constexpr word PRESENT = word{1} << 63, SWAPPED = word{1} << 62, AS_IN_FILE = word{1} << 61;
  const int pagemap = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return false;
  std::pmr::vector<word> flags(AT_ONCE, pages_.get_allocator());
  std::pmr::vector<unsigned char> core(AT_ONCE, pages_.get_allocator());
  const bool swaps = swapping();
  bool complete = true;
  for (const region& r : regions_) {
    if (r.heap) continue;
    const bool large = r.anonymous && r.end - r.begin >= LARGE && !swaps;
    for (word page = r.begin / PAGE; page * PAGE < r.end && complete; page += AT_ONCE) {
      const std::size_t count = std::min<word>(AT_ONCE, (r.end - page * PAGE + PAGE - 1) / PAGE);
      if (large) {
        complete = ::mincore(reinterpret_cast<void*>(page * PAGE), count * PAGE, core.data()) == 0;
      } else {
        const auto wanted = static_cast<ssize_t>(count * sizeof(word));
        const auto from = static_cast<off_t>(page * sizeof(word));
        complete = ::pread(pagemap, flags.data(), static_cast<std::size_t>(wanted), from) == wanted;
      }
      for (std::size_t i = 0; i < count && complete; ++i) {
        if (large ? (core[i] & 1) == 0 : (flags[i] & (PRESENT | SWAPPED)) == 0 || (flags[i] & AS_IN_FILE) != 0)
          continue;
        pages_.push_back({std::max(r.begin, (page + i) * PAGE), std::min(r.end, (page + i + 1) * PAGE)});
      }
    }
  }
  ::close(pagemap);
  return complete;
}

const chunk* memory_image::chunk_at(word pointer) const {
  if (pointer < heap_begin_ || pointer > heap_end_) return nullptr;
  return &chunks_[owner_[(pointer - heap_begin_) / ALIGNMENT]];  // also from just past its end, as a full vector does
}

void memory_image::reach() {
  const auto look = [&](const word* at, const word* end) {
    for (; at < end; ++at) {
      const chunk* c = chunk_at(*at);
      if (c == nullptr || c->number != 0) continue;
      const auto index = static_cast<std::uint32_t>(c - chunks_.data());
      reached_.push_back(index);
      chunks_[index].number = static_cast<std::uint32_t>(reached_.size());
    }
  };
  for (const region& p : pages_) look(words(p.begin), words(p.end));
  for (std::size_t i = 0; i < reached_.size(); ++i) {
    const chunk& c = chunks_[reached_[i]];
    look(words(c.begin), words(c.end));
  }
}

/// `at`: where the pointer to the context would be. What can be seen of an event: its kind of notification goes with
/// whether it stands in the queue, and four vectors.
bool memory_image::is_event(const word* at, const word* end) const {
  static const std::size_t context = event_offset(event_context{}), timed = event_offset(event_timed{}),
                           first = event_offset(event_static{});
  constexpr std::size_t VECTORS = 4;
  const word* event = at - context;
  if (event + first + 3 * VECTORS > end) return false;
  const auto kind = static_cast<std::uint32_t>(event[timed - 1]);
  constexpr std::uint32_t TIMED = 2;
  if (kind > TIMED || (kind == TIMED) != (event[timed] != 0)) return false;
  for (const word* v = event + first; v < event + first + 3 * VECTORS; v += 3) {
    if (v[0] > v[1] || v[1] > v[2] || (v[0] == 0) != (v[2] == 0) || (v[0] != 0 && chunk_at(v[0]) == nullptr))
      return false;
  }
  return true;
}

void memory_image::mask_stamps() {
  const sc_core::sc_simcontext& context = *sc_core::sc_get_curr_simcontext();
  const word now = context.*member(context_stamp{});
  const auto mask = [&](word at) { masked_.emplace_back(at, *reinterpret_cast<const word*>(at) == now ? 1 : 0); };
  mask(address_of(context, context_stamp{}));
  masked_.emplace_back(address_of(context, context_deltas{}),
                       context.*member(context_deltas{}) - context.*member(context_deltas_before{}));
  masked_.emplace_back(address_of(context, context_deltas_before{}), 0);

  const auto signals = [&](const auto& self, const std::vector<sc_core::sc_object*>& objects) -> void {
    for (const sc_core::sc_object* o : objects) {
      if (const auto* s = dynamic_cast<const sc_core::sc_signal_channel*>(o); s != nullptr)
        mask(address_of(*s, signal_stamp{}));
      self(self, o->get_child_objects());
    }
  };
  signals(signals, sc_core::sc_get_top_level_objects());

  static const std::size_t stamp = event_offset(event_stamp{}), where = event_offset(event_context{});
  const auto its = reinterpret_cast<word>(&context);
  const auto events = [&](const word* begin, const word* end) {
    for (const word* at = begin + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(where), end - begin); at < end;
         ++at) {
      if (*at == its && is_event(at, end)) mask(reinterpret_cast<word>(at - where + stamp));
    }
  };
  for (const std::uint32_t i : reached_) events(words(chunks_[i].begin), words(chunks_[i].end));
  for (const region& p : pages_) {
    events(words(p.begin), words(p.end));  // an event across two pages keeps its stamp
  }
  std::ranges::sort(masked_);
}

/// A pointer into the heap counts as which chunk it means, and where in it: not every run has its chunks at the same
/// addresses. One into the main stack says from how deep in the explorer SystemC was called.
word memory_image::meaning(word w) const {
  if (stack_.begin <= w && w < stack_.end) return STACK;
  const chunk* c = chunk_at(w);
  return c == nullptr ? w : HEAP | word{c->number} << 32 | (w - c->begin);
}

digest memory_image::sum() const {
  sha256_ctx to;
  sha256_init(&to);
  const auto take = [&](word what, const word* begin, const word* end) {
    word copy[WORDS + 2];
    auto masked = std::ranges::lower_bound(masked_, reinterpret_cast<word>(begin), {}, &std::pair<word, word>::first);
    const word* const first = begin;
    while (begin < end) {
      const auto n = std::min<std::size_t>(WORDS, static_cast<std::size_t>(end - begin));
      copy[0] = what;
      copy[1] = static_cast<word>(begin - first);
      word any = 0;
      for (std::size_t i = 0; i < n; ++i) {
        any |= copy[2 + i] = meaning(begin[i]);
      }
      for (; masked != masked_.end() && masked->first < reinterpret_cast<word>(begin + n); ++masked)
        copy[2 + (masked->first - reinterpret_cast<word>(begin)) / sizeof(word)] = masked->second;
      // What was never written is zero, and what was written with zeros is the same.
      if (any != 0) sha256_update(&to, (n + 2) * sizeof(word), reinterpret_cast<const std::uint8_t*>(copy));
      begin += n;
    }
  };
  for (const region& p : pages_) take(p.begin, words(p.begin), words(p.end));
  for (const std::uint32_t i : reached_) {
    const chunk& c = chunks_[i];
    take(HEAP | word{c.number} << 32 | (c.end - c.begin), words(c.begin), words(c.end));
  }
  digest d;
  sha256_digest(&to, d.size(), d.data());
  return d;
}

}  // namespace

// ---- notes

struct journal::block {
  std::size_t size;
  char text[BYTES - sizeof(std::size_t)];
};

journal::journal() {
  void* at = ::mmap(nullptr, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  at_ = static_cast<block*>(at);
}
journal::~journal() { ::munmap(at_, BYTES); }
void journal::line(std::string_view text) {
  if (text.size() + 1 > sizeof(at_->text) - at_->size) throw std::length_error("a run passes too many places");
  std::memcpy(at_->text + at_->size, text.data(), text.size());
  at_->text[at_->size + text.size()] = '\n';
  at_->size += text.size() + 1;
}
void journal::clear() { at_->size = 0; }
std::string_view journal::text() const { return {at_->text, at_->size}; }

std::optional<digest> state_digest(std::initializer_list<const journal*> past,
                                   std::initializer_list<const std::uint64_t*> counts) {
  if (!HEAP_IS_READABLE) return std::nullopt;
  const scratch own;
  std::pmr::monotonic_buffer_resource room(own.begin(), scratch::BYTES, std::pmr::null_memory_resource());
  memory_image image(room);
  image.leave_out(own.begin(), scratch::BYTES);
  for (const journal* j : past) image.leave_out(j->begin(), journal::BYTES);
  image.leave_out_the_loaders();
  if (!image.read_map() || !image.read_heap()) return std::nullopt;
  image.find_stacks();
  if (!image.find_pages()) return std::nullopt;
  image.reach();
  for (const std::uint64_t* c : counts) image.leave_out_word(c);
  image.mask_stamps();
  return image.sum();
}

}  // namespace rpsim::tool
