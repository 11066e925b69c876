#pragma once
// Whether two runs that were forked off one simulation have come to the same state.
//
// Models, their memories, what firmware and host threads have on their stacks, events to come and when: all of it is
// memory of this process, and what the process does next follows from that memory alone. So the digest is one of
// memory, and no model has to say what its state is. Forks of one process have the same addresses; what two of them did
// since, if it came to the same, mostly left it at the same places.
//
// Taken: every writable private page; of the heap what can be reached from there, in the order in which it is come to,
// a pointer as what it points to, so that it does not matter which allocation came first; of a coroutine's stack what
// is above its stack pointer. Not taken: what cannot have an influence on a simulation that stands between two
// sc_start(): the C library's and the loader's own data and the thread block (this program keeps nothing there), the
// main stack (whose frames are the explorer's), SystemC's delta count and the stamps that are compared with it, which
// say of something past only that it is not now, and what the caller names. Everything else that differs makes the
// digests differ, be it only rubbish: two states with one digest are the same, two that are the same may have two. Not
// seen: a pointer into the heap that stands nowhere at an aligned address (there are none); that a number which is no
// pointer, but lies where the heap is, is another number.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace rpsim::tool {

/// Memory that no digest sees: for notes that a run takes about its past. Of fixed size, mapped at once, used page by
/// page; gives text only.
class journal {
 public:
  journal();
  ~journal();
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  void line(std::string_view text);
  void clear();
  std::string_view text() const;
  const void* begin() const { return at_; }
  static constexpr std::size_t BYTES = std::size_t{64} << 20;

 private:
  struct block;
  block* at_;
};

using digest = std::array<std::uint8_t, 32>;
/// SHA-256 of the state that this process is in between two sc_start(). Leaves the state as it is. `past` and `counts`
/// are not taken. Nothing: the process does not look as this was written for (another C library, sanitizers), so that
/// nothing can be said.
std::optional<digest> state_digest(std::initializer_list<const journal*> past,
                                   std::initializer_list<const std::uint64_t*> counts);

}  // namespace rpsim::tool
