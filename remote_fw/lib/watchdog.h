/* The core's window watchdog with its window fully open: K3's MCU_RTI0 (watchdog.c, reference/k3.md §6.3), STM32MP1's
 * WWDG1 (wwdg.c). Once on, only a reset ends it. */
#ifndef RPSIM_FW_WATCHDOG_H
#define RPSIM_FW_WATCHDOG_H

#include <stdint.h>

/* Expires `timeout_ms` after the last service, rounded up to what its counter can say. */
void watchdog_start(uint32_t timeout_ms);
void watchdog_service(void);

#endif
