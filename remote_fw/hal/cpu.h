/* What the start-up code, native or not, has of the part of the HAL that belongs to a kind of core: cortex_m.c,
 * cortex_r.c or dsp.c. All of that part is accesses to the core's own registers. */
#ifndef RPSIM_CPU_H
#define RPSIM_CPU_H

#include <stdint.h>

/* First thing after reset, with interrupts masked. */
void cpu_init(void);
/* An exception. Cortex-M: its number, 15 (SysTick) or 16 + n; others: 1, an interrupt. */
void cpu_exception(uint32_t number);

#endif
