/* Two interrupts; each handler tells when it begins and ends, and works for 10 us. */
#include "tests/remote_fw/out.h"

static void low(void) {
  out(1, 1);
  hal_delay_us(10);
  hal_irq_disable(1);
  out(1, 2);
}
static void high(void) {
  out(2, 1);
  hal_delay_us(10);
  hal_irq_disable(2);
  out(2, 2);
}

void app_main(void) {
  hal_irq_attach(1, low);
  hal_irq_attach(2, high);
  hal_irq_enable(1, 4);
  hal_irq_enable(2, 2);
  hal_irq_unmask_all();
  out(0, 1);
  hal_delay_us(100);
  out(0, 2);
  hal_spin();
}
