/* The part of the HAL that belongs to the DSPs of a K3, which run natively only: rpsim's own event inputs
 * (models/core/event_inputs.h). Handlers do not nest. */
#include "chip.h"
#include "remote_fw/hal/cpu.h"
#include "remote_fw/hal/dm_clock.h"
#include "remote_fw/hal/hal.h"

#define ENABLE_SET(word) (CHIP_EVENTS + 0x00u + 4u * (word))
#define ENABLE_CLEAR(word) (CHIP_EVENTS + 0x08u + 4u * (word))
#define PENDING (CHIP_EVENTS + 0x20u)

static hal_handler handlers[CHIP_IRQS];

void cpu_init(void) { dm_clock_start(); }

void cpu_exception(uint32_t number) {
  (void)number;
  const uint32_t event = hal_read32(PENDING);
  if (event >= CHIP_IRQS) return; /* the source has changed its mind */
  if (!handlers[event]) hal_lockup();
  handlers[event]();
}

void hal_irq_attach(unsigned irq, hal_handler handler) { handlers[irq] = handler; }

void hal_irq_enable(unsigned irq, unsigned priority) {
  (void)priority; /* the number is */
  hal_write32(ENABLE_SET(irq / 32), 1u << (irq % 32));
}

void hal_irq_disable(unsigned irq) { hal_write32(ENABLE_CLEAR(irq / 32), 1u << (irq % 32)); }

void hal_quiesce(void) {
  hal_irq_mask_all();
  dm_clock_quiesce();
  for (unsigned word = 0; word < CHIP_IRQS / 32; ++word) hal_write32(ENABLE_CLEAR(word), 0xFFFFFFFFu);
}
