/* Waits in every way a firmware can, in thread mode and in a handler, nested calls in between; then again. */
#include "tests/remote_fw/out.h"

static unsigned rounds = 100;
static volatile bool interrupted;

static uint32_t deep(uint32_t n) { return n == 0 ? hal_read32(0x1000) : deep(n - 1) + hal_read32(0x1000 + 4 * n); }

static void handler(void) {
  uint8_t bytes[64];
  hal_copy_from(bytes, 0x2000, sizeof bytes);
  hal_delay_us(3);
  out(2, deep(4));
  interrupted = true;
}

void app_main(void) {
  out(0, rounds);
  hal_irq_attach(5, handler);
  hal_irq_enable(5, 3);
  hal_irq_unmask_all();
  for (;;) {
    uint8_t bytes[64] = {0};
    hal_copy_to(0x2000, bytes, sizeof bytes);
    hal_delay_us(2);
    hal_write32(0xE000E200, 1u << 5); /* pends interrupt 5 */
    deep(8);
    hal_irq_mask_all();
    hal_write32(0xE000E200, 1u << 5);
    hal_wfi();
    hal_irq_unmask_all();
    for (volatile unsigned i = 0; i < 500; ++i) {
    }
    hal_wfi_until(hal_time_us() + 20);
    out(1, ++rounds);
  }
}
