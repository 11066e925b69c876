#include "remote_fw/lib/watchdog.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"

#define RTI_DWDCTRL (CHIP_RTI0 + 0x90u)
#define RTI_DWDPRLD (CHIP_RTI0 + 0x94u)
#define RTI_WDKEY (CHIP_RTI0 + 0x9Cu)
#define RTI_WWDRXCTRL (CHIP_RTI0 + 0xA4u)
#define RTI_WWDSIZECTRL (CHIP_RTI0 + 0xA8u)
#define ENABLE_KEY 0xA98559DAu
#define REACTION_NMI 0xAu
#define WINDOW_100_PERCENT 0x5u
#define PRELOAD_MAX 0xFFFu

void watchdog_start(uint32_t timeout_ms) {
  /* timeout = (preload + 1) * 2^13 / clock */
  const uint64_t ticks = ((uint64_t)timeout_ms * CHIP_RTI0_HZ / 1000u + 0x1FFFu) >> 13;
  const uint32_t preload = ticks == 0 ? 0 : ticks - 1 > PRELOAD_MAX ? PRELOAD_MAX : (uint32_t)ticks - 1;
  hal_write32(RTI_DWDPRLD, preload);
  hal_write32(RTI_WWDRXCTRL, REACTION_NMI);
  hal_write32(RTI_WWDSIZECTRL, WINDOW_100_PERCENT);
  hal_write32(RTI_DWDCTRL, ENABLE_KEY);
  watchdog_service(); /* reaction and window count from the first service on */
}

void watchdog_service(void) {
  hal_write32(RTI_WDKEY, 0xE51Au);
  hal_write32(RTI_WDKEY, 0xA35Cu);
}
