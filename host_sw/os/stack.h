#pragma once
// Exceptions that end a simulated thread unwind a SystemC coroutine's stack. AddressSanitizer marks the gaps between
// the variables of every frame and clears the marks of frames that are left by an exception, but it only knows the
// process's own stack; on another one the marks stay behind and the next function called there looks like an overflow.

#if defined(__SANITIZE_ADDRESS__)
#define RPSIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RPSIM_ASAN 1
#endif
#endif

#ifdef RPSIM_ASAN
#include <sanitizer/asan_interface.h>
#endif

#include <cstddef>

namespace rpsim::os {

/// Where a thread's own frames begin; stacks grow down.
inline const char* stack_mark() { return static_cast<const char*>(__builtin_frame_address(0)); }

/// To be called before a throw that a frame at `root` catches: clears the marks of what lies between.
inline void forget_frames([[maybe_unused]] const char* root) {
#ifdef RPSIM_ASAN
  constexpr std::ptrdiff_t LONGEST = 16 << 20;  // not the same stack otherwise
  const char* top = stack_mark();
  if (root != nullptr && root > top && root - top < LONGEST) {
    __asan_unpoison_memory_region(top, static_cast<std::size_t>(root - top));
  }
#endif
}

}  // namespace rpsim::os
