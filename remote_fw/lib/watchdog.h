/* MCU_RTI0 as a windowed watchdog with its window fully open (reference/k3.md §6.3). Once on, only a reset ends it. */
#ifndef RPSIM_FW_WATCHDOG_H
#define RPSIM_FW_WATCHDOG_H

#include <stdint.h>

/* Expires `timeout_ms` after the last service, rounded up to what the 12-bit preload can say. */
void watchdog_start(uint32_t timeout_ms);
void watchdog_service(void);

#endif
