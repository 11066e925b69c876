/* Keeps time: tells the microseconds since start after delays and sleeps. */
#include "tests/remote_fw/out.h"

void app_main(void) {
  hal_irq_unmask_all();
  hal_delay_us(1000);
  out(0, (uint32_t)hal_time_us());
  const uint64_t then = hal_time_us() + 100000; /* longer than SysTick's 24 bits */
  while (hal_time_us() < then) {
    hal_irq_mask_all();
    hal_wfi_until(then);
    hal_irq_unmask_all();
  }
  out(0, (uint32_t)hal_time_us());
  out(1, hal_cycles());
  hal_write32(0xE000ED0C, 0x05FA0004); /* AIRCR.SYSRESETREQ */
  out(2, 1);
}
