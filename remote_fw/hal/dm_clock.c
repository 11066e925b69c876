#include "remote_fw/hal/dm_clock.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"

#define IRQSTATUS_RAW (CHIP_TIMER0 + 0x24u)
#define IRQSTATUS (CHIP_TIMER0 + 0x28u)
#define IRQENABLE_SET (CHIP_TIMER0 + 0x2Cu)
#define IRQENABLE_CLR (CHIP_TIMER0 + 0x30u)
#define TCLR (CHIP_TIMER0 + 0x38u)
#define TCRR (CHIP_TIMER0 + 0x3Cu)
#define TLDR (CHIP_TIMER0 + 0x40u)
#define TMAR (CHIP_TIMER0 + 0x4Cu)
#define MATCH (1u << 0)
#define OVERFLOW (1u << 1)
#define ALL 7u
#define RUN (1u << 0 | 1u << 1 | 1u << 6) /* start, auto-reload, compare */
#define LAST 0xFFFFFFFFu
#define PRIORITY 5u
#define TICKS_PER_US (CHIP_TIMER0_HZ / 1000000u)

static volatile uint32_t rounds; /* of the counter */

static void interrupt(void) {
  const uint32_t status = hal_read32(IRQSTATUS);
  if (status & OVERFLOW) {
    /* It comes with the last value before the wrap. */
    while (hal_read32(TCRR) == LAST) {
    }
    ++rounds;
  }
  hal_write32(IRQSTATUS, status);
}

void dm_clock_start(void) {
  hal_write32(TCLR, 0); /* it may have run through a reset of the core */
  hal_write32(IRQENABLE_CLR, ALL);
  hal_write32(IRQSTATUS, ALL);
  hal_write32(TLDR, 0);
  hal_write32(TCRR, 0);
  hal_write32(IRQENABLE_SET, OVERFLOW);
  hal_write32(TCLR, RUN);
  hal_irq_attach(CHIP_IRQ_TIMER0, interrupt);
  hal_irq_enable(CHIP_IRQ_TIMER0, PRIORITY);
}

void dm_clock_quiesce(void) {
  hal_write32(IRQENABLE_CLR, ALL);
  hal_write32(IRQSTATUS, ALL);
}

/* Right in a handler, and with interrupts masked while a wrap is pending. */
static uint64_t ticks(void) {
  uint32_t before, low;
  bool wrapped;
  do {
    before = rounds;
    low = hal_read32(TCRR);
    wrapped = (hal_read32(IRQSTATUS_RAW) & OVERFLOW) != 0 && low < LAST / 2;
  } while (before != rounds);
  return ((uint64_t)before + (wrapped ? 1 : 0)) << 32 | low;
}

uint64_t hal_time_us(void) { return ticks() / TICKS_PER_US; }

/* True: the match interrupt will come; false: the time has. */
static bool match_at(uint64_t then) {
  hal_write32(TMAR, (uint32_t)then);
  hal_write32(IRQSTATUS, MATCH);
  hal_write32(IRQENABLE_SET, MATCH);
  return ticks() < then;
}

void hal_wake_after(uint32_t us) {
  hal_irq_enable(CHIP_IRQ_TIMER0, PRIORITY);
  if (!match_at(ticks() + (uint64_t)us * TICKS_PER_US)) hal_write32(IRQSTATUS_RAW, MATCH);
}

void hal_wfi_until(uint64_t time_us) {
  const uint64_t now = ticks();
  const uint64_t then = time_us < HAL_FOREVER / TICKS_PER_US ? time_us * TICKS_PER_US : HAL_FOREVER;
  if (then <= now) return;
  if (then - now > LAST / 2) { /* the wrap's interrupt makes the caller look again */
    hal_wfi();
    return;
  }
  if (match_at(then)) hal_wfi();
  hal_write32(IRQENABLE_CLR, MATCH);
  hal_write32(IRQSTATUS, MATCH);
}
