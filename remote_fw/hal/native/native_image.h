/* What a native firmware image and the core that runs it agree on. The image exports one object, rpsim_image; the core
 * fills in `calls` and `core` after it has restored the image's data, then calls `start`. Every call may be the last
 * one: a reset of the core unwinds the stack from inside it. C and C++. */
#ifndef RPSIM_NATIVE_IMAGE_H
#define RPSIM_NATIVE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define RPSIM_IMAGE_ABI 1u
#define RPSIM_IMAGE_SYMBOL "rpsim_image"

/* The application note of an ELF: an ELF note whose name is RPSIM_NOTE_NAME, whose type is RPSIM_NOTE_APPLICATION and
 * whose descriptor is the application id, NUL-terminated: "<chip and core>/<application>". */
#define RPSIM_NOTE_NAME "rpsim"
#define RPSIM_NOTE_APPLICATION 1u

struct rpsim_core_calls {
  void (*edge)(void* core); /* one control-flow edge was taken */
  void (*read)(void* core, uint32_t address, void* to, uint32_t length);
  void (*write)(void* core, uint32_t address, const void* from, uint32_t length);
  void (*set_primask)(void* core, bool masked);
  void (*wait_for_interrupt)(void* core);
  void (*delay)(void* core, uint64_t cycles); /* busy */
  void (*spin)(void* core);                   /* a branch to itself: does not return */
  void (*lockup)(void* core);                 /* does not return */
};

struct rpsim_image {
  uint32_t abi;
  uint32_t size; /* of this struct */
  void (*start)(void);
  void (*exception)(uint32_t number); /* runs the handler: 15 SysTick, 16 + n external interrupt n */
  const struct rpsim_core_calls* calls;
  void* core;
};

#endif
