// AddressSanitizer marks the gaps between a frame's variables, and clears the marks of frames that a throw leaves, as
// long as it knows where the stack in use ends. SystemC 2.3.4 (sc_cor_qt.cpp) tells it of the stack that a coroutine
// switch enters, but neither of the process's own (its bounds are given as 0) nor of the one that is entered when a
// coroutine ends: from then on a throw clears nothing, and the next function called there looks like an overflow.
// These functions stand before the sanitizer's: they keep the bounds of every coroutine's stack, and look up the one in
// use. Built into every program of a sanitized build (cmake/rpsim.cmake), uninstrumented.

#include <pthread.h>
#include <sanitizer/asan_interface.h>

#include <cstdint>
#include <map>

namespace {

using stacks = std::map<std::uintptr_t, std::uintptr_t>;  // bottom -> top

/// Never destroyed: coroutines end after main does.
stacks& coroutine_stacks() {
  static stacks* all = new stacks;
  return *all;
}

void entered(std::uintptr_t bottom, std::uintptr_t top) {
  stacks& all = coroutine_stacks();
  if (const auto known = all.find(bottom); known != all.end() && known->second == top) return;
  // What lay there before was unmapped.
  auto gone = all.lower_bound(bottom);
  if (gone != all.begin() && std::prev(gone)->second > bottom) --gone;
  while (gone != all.end() && gone->first < top) gone = all.erase(gone);
  all[bottom] = top;
}

/// 0: not known.
std::uintptr_t top_of_stack(std::uintptr_t sp) {
  const stacks& all = coroutine_stacks();
  if (const auto after = all.upper_bound(sp); after != all.begin() && std::prev(after)->second > sp)
    return std::prev(after)->second;
  thread_local std::uintptr_t bottom = 0, top = 0;
  if (top == 0) {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
    void* lowest = nullptr;
    std::size_t size = 0;
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    bottom = reinterpret_cast<std::uintptr_t>(lowest);
    top = bottom + size;
  }
  return bottom <= sp && sp < top ? top : 0;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void __sanitizer_start_switch_fiber(void**, const void* bottom,
                                                                           std::size_t size) {
  const auto at = reinterpret_cast<std::uintptr_t>(bottom);
  if (size != 0) entered(at, at + size);
}

__attribute__((visibility("default"))) void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}

__attribute__((visibility("default"))) void __asan_handle_no_return() {
  const auto sp = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const std::uintptr_t top = top_of_stack(sp);
  if (top != 0) __asan_unpoison_memory_region(reinterpret_cast<const void*>(sp), top - sp);
}
}
