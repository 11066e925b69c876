/* Sleeps with interrupts masked; a pending one ends that, its handler runs at the unmasking. */
#include "tests/remote_fw/out.h"

static void handler(void) {
  out(1, hal_cycles());
  hal_irq_disable(50);
}

void app_main(void) {
  hal_irq_attach(50, handler);
  hal_irq_enable(50, 4);
  hal_wfi();
  out(0, 1);
  hal_irq_unmask_all();
  out(2, 1);
  hal_quiesce();
  for (;;) hal_wfi();
}
