/* Is woken after next to nothing, a hundred times; then asks for ticks without a pause. */
#include "tests/remote_fw/out.h"

void app_main(void) {
  for (unsigned i = 0; i < 100; ++i) {
    hal_irq_mask_all();
    hal_wfi_until(hal_time_us() + 1);
    hal_irq_unmask_all();
  }
  out(0, 1);
  hal_wake_after(0);
  hal_spin();
}
