/* Calls itself without end. */
#include "tests/remote_fw/out.h"

static uint32_t again(volatile uint32_t* n) {
  volatile uint32_t local[64];
  local[0] = *n + 1;
  return *n == 0xFFFFFFFF ? 0 : again(&local[0]) + local[0];
}

void app_main(void) {
  volatile uint32_t zero = 0;
  out(0, again(&zero));
}
