/* Tells the start value of a static variable, then counts in it for ever. */
#include "tests/remote_fw/out.h"

static volatile uint32_t counter = 7;
static volatile uint32_t zeroed;

void app_main(void) {
  out(0, counter);
  out(1, zeroed);
  zeroed = 1;
  for (;;) ++counter;
}
