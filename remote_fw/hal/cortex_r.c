/* The part of the HAL that every Cortex-R5F of a K3 does alike, native or not: its vectored interrupt manager
 * (reference/k3.md §6.1). Handlers do not nest. */
#include "chip.h"
#include "remote_fw/hal/cpu.h"
#include "remote_fw/hal/dm_clock.h"
#include "remote_fw/hal/hal.h"

#define VIM_IRQVEC (CHIP_VIM + 0x18u) /* read: the most urgent interrupt becomes active; write: it ends */
#define VIM_ACTIRQ (CHIP_VIM + 0x20u)
#define VIM_STS(group) (CHIP_VIM + 0x404u + 0x20u * (group))
#define VIM_EN_SET(group) (CHIP_VIM + 0x408u + 0x20u * (group))
#define VIM_EN_CLR(group) (CHIP_VIM + 0x40Cu + 0x20u * (group))
#define VIM_PRI(irq) (CHIP_VIM + 0x1000u + 4u * (irq))
#define ACTIVE_VALID (1u << 31)
#define ACTIVE_NUMBER 0x3FFu

static hal_handler handlers[CHIP_IRQS];

void cpu_init(void) { dm_clock_start(); }

void cpu_exception(uint32_t number) {
  (void)number;
  (void)hal_read32(VIM_IRQVEC);
  const uint32_t active = hal_read32(VIM_ACTIRQ);
  if ((active & ACTIVE_VALID) == 0) return; /* the source has changed its mind */
  const uint32_t irq = active & ACTIVE_NUMBER;
  if (irq >= CHIP_IRQS || !handlers[irq]) hal_lockup();
  handlers[irq]();
  hal_write32(VIM_STS(irq / 32), 1u << (irq % 32)); /* a level: the source first, then the status */
  hal_write32(VIM_IRQVEC, 0);
}

void hal_irq_attach(unsigned irq, hal_handler handler) { handlers[irq] = handler; }

void hal_irq_enable(unsigned irq, unsigned priority) {
  hal_write32(VIM_PRI(irq), priority);
  hal_write32(VIM_STS(irq / 32), 1u << (irq % 32)); /* what is left of an earlier life; a high level stays */
  hal_write32(VIM_EN_SET(irq / 32), 1u << (irq % 32));
}

void hal_irq_disable(unsigned irq) { hal_write32(VIM_EN_CLR(irq / 32), 1u << (irq % 32)); }

void hal_quiesce(void) {
  hal_irq_mask_all();
  dm_clock_quiesce();
  /* A pending interrupt ends a WFI although CPSR masks it: it has to be stopped here. */
  for (unsigned group = 0; group < (CHIP_IRQS + 31) / 32; ++group) {
    hal_write32(VIM_EN_CLR(group), 0xFFFFFFFFu);
    hal_write32(VIM_STS(group), 0xFFFFFFFFu);
  }
}
