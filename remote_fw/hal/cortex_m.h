/* The part of the HAL that every Cortex-M does alike, native or not: all of it is accesses to the private peripheral
 * bus. */
#ifndef RPSIM_CORTEX_M_H
#define RPSIM_CORTEX_M_H

#include <stdint.h>

/* First thing after reset, with interrupts masked. */
void cortex_m_init(void);
/* Runs the handler of exception 15 (SysTick) or 16 + n. */
void cortex_m_exception(uint32_t number);

#endif
