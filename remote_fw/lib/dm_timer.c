#include "remote_fw/lib/dm_timer.h"

#include "chip.h"

#define IRQSTATUS (CHIP_TIMER0 + 0x28u)
#define IRQENABLE_SET (CHIP_TIMER0 + 0x2Cu)
#define IRQENABLE_CLR (CHIP_TIMER0 + 0x30u)
#define TCLR (CHIP_TIMER0 + 0x38u)
#define TCRR (CHIP_TIMER0 + 0x3Cu)
#define OVERFLOW (1u << 1)
#define TCLR_START (1u << 0)
#define PRIORITY 5u

void dm_timer_start(uint32_t us, hal_handler handler) {
  const uint32_t ticks = us * (CHIP_TIMER0_HZ / 1000000u);
  dm_timer_stop();                                   /* it may have run through a reset of the core */
  hal_write32(TCRR, 0u - (ticks == 0 ? 1u : ticks)); /* counts up, to the overflow */
  hal_irq_attach(CHIP_IRQ_TIMER0, handler);
  hal_irq_enable(CHIP_IRQ_TIMER0, PRIORITY);
  hal_write32(IRQENABLE_SET, OVERFLOW);
  hal_write32(TCLR, TCLR_START);
}

void dm_timer_stop(void) {
  hal_write32(TCLR, 0);
  hal_write32(IRQENABLE_CLR, OVERFLOW);
  hal_write32(IRQSTATUS, OVERFLOW);
}
