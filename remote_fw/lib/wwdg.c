#include "chip.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/watchdog.h"

/* STM32CubeMP1's CMSIS header. */
#define WWDG_CR (CHIP_WWDG1 + 0x00u)
#define WWDG_CFR (CHIP_WWDG1 + 0x04u)
#define WDGA (1u << 7)
#define WINDOW_OPEN 0x7Fu
#define PRESCALER_128 (7u << 11)
#define STEP_CLOCKS (4096u * 128u)
#define LAST 0x3Fu /* the step to here is the reset */
#define LONGEST 0x7Fu

#define RCC_MC_APB1ENSETR (CHIP_RCC + 0xA80u)
#define WWDG1EN (1u << 28)

static uint32_t reload;

void watchdog_start(uint32_t timeout_ms) {
  const uint64_t clocks = (uint64_t)timeout_ms * CHIP_WWDG1_HZ / 1000u;
  const uint64_t steps = (clocks + STEP_CLOCKS - 1) / STEP_CLOCKS;
  reload = steps == 0 ? LAST + 1 : steps > LONGEST - LAST ? LONGEST : LAST + (uint32_t)steps;
  hal_write32(RCC_MC_APB1ENSETR, WWDG1EN);
  hal_write32(WWDG_CFR, PRESCALER_128 | WINDOW_OPEN);
  watchdog_service();
}

void watchdog_service(void) { hal_write32(WWDG_CR, WDGA | reload); }
