/* What firmware has of its core and its chip. One interface, two implementations: hal/native (runs inside rpsim, built
 * for the build machine) and hal/armv7m (start-up code, vectors and real instructions). Freestanding C11. */
#ifndef RPSIM_HAL_H
#define RPSIM_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory and registers, at addresses of the core's own view. Little endian. */
uint8_t hal_read8(uint32_t address);
uint16_t hal_read16(uint32_t address);
uint32_t hal_read32(uint32_t address);
void hal_write8(uint32_t address, uint8_t value);
void hal_write16(uint32_t address, uint16_t value);
void hal_write32(uint32_t address, uint32_t value);
void hal_copy_from(void* to, uint32_t address, uint32_t length);
void hal_copy_to(uint32_t address, const void* from, uint32_t length);
void hal_dmb(void);

/* ---- interrupts: numbers of the inputs of NVIC (external interrupts), VIM or a DSP */
typedef void (*hal_handler)(void);
void hal_irq_attach(unsigned irq, hal_handler handler);
void hal_irq_enable(unsigned irq, unsigned priority);
void hal_irq_disable(unsigned irq);
void hal_irq_mask_all(void);   /* PRIMASK, CPSR.I = 1 */
void hal_irq_unmask_all(void); /* PRIMASK, CPSR.I = 0 */
void hal_quiesce(void);        /* masks all; no interrupt source of the core itself is left that could end a WFI */

/* ---- CPU */
void hal_wfi(void);
void hal_delay_us(uint32_t us);  /* busy */
uint32_t hal_cycles(void);       /* Cortex-M: DWT cycle counter */
_Noreturn void hal_lockup(void); /* an undefined instruction with faults masked */
_Noreturn void hal_spin(void);   /* a branch to itself; handlers of unmasked interrupts still run */

/* ---- time since start, from SysTick or a DM timer */
#define HAL_FOREVER UINT64_MAX
uint64_t hal_time_us(void);
/* WFI until any enabled interrupt is pending or the time has come; with interrupts masked, so that none slips in
 * between the caller's last look and the WFI. May return early: look again. */
void hal_wfi_until(uint64_t time_us);
/* After hal_quiesce(): that timer will end a WFI after all, once `us` have gone by (80 ms and less). */
void hal_wake_after(uint32_t us);

/* ---- the image */
uint32_t hal_resource_table(void); /* address of the loaded resource table in the core's view */

/* The application; called with interrupts masked, after .data and .bss are set up. Returning is a lock-up. */
void app_main(void);

#endif
