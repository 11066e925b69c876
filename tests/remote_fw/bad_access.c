/* Reads where nothing is. */
#include "tests/remote_fw/out.h"

void app_main(void) {
  out(0, 1);
  out(1, hal_read32(0x70000000));
  hal_spin();
}
