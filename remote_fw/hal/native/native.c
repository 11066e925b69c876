/* The HAL inside rpsim: everything goes to the core, which may unwind the stack from any of these calls. Built without
 * edge instrumentation. */
#include "chip.h"
#include "remote_fw/hal/cpu.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/hal/native/native_image.h"

static void start(void);

__attribute__((visibility("default"))) struct rpsim_image rpsim_image = {
    .abi = RPSIM_IMAGE_ABI,
    .size = sizeof(struct rpsim_image),
    .start = start,
    .exception = cpu_exception,
};

static void start(void) {
  cpu_init();
  app_main();
}

/* Hidden, like everything else in the image: a sanitizer's run-time library in the simulator exports the same name. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) { rpsim_image.calls->edge(rpsim_image.core); }

static void bus_read(uint32_t address, void* to, uint32_t length) {
  rpsim_image.calls->read(rpsim_image.core, address, to, length);
}
static void bus_write(uint32_t address, const void* from, uint32_t length) {
  rpsim_image.calls->write(rpsim_image.core, address, from, length);
}

uint8_t hal_read8(uint32_t address) {
  uint8_t value = 0;
  bus_read(address, &value, sizeof value);
  return value;
}
uint16_t hal_read16(uint32_t address) {
  uint16_t value = 0;
  bus_read(address, &value, sizeof value);
  return value;
}
uint32_t hal_read32(uint32_t address) {
  uint32_t value = 0;
  bus_read(address, &value, sizeof value);
  return value;
}
void hal_write8(uint32_t address, uint8_t value) { bus_write(address, &value, sizeof value); }
void hal_write16(uint32_t address, uint16_t value) { bus_write(address, &value, sizeof value); }
void hal_write32(uint32_t address, uint32_t value) { bus_write(address, &value, sizeof value); }
void hal_copy_from(void* to, uint32_t address, uint32_t length) { bus_read(address, to, length); }
void hal_copy_to(uint32_t address, const void* from, uint32_t length) { bus_write(address, from, length); }
void hal_dmb(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); } /* the core does one access after the other */

void hal_irq_mask_all(void) { rpsim_image.calls->set_primask(rpsim_image.core, true); }
void hal_irq_unmask_all(void) { rpsim_image.calls->set_primask(rpsim_image.core, false); }

void hal_wfi(void) { rpsim_image.calls->wait_for_interrupt(rpsim_image.core); }
void hal_delay_us(uint32_t us) {
  rpsim_image.calls->delay(rpsim_image.core, ((uint64_t)us * CHIP_CPU_HZ + 999999u) / 1000000u);
}
void hal_lockup(void) {
  rpsim_image.calls->lockup(rpsim_image.core);
  __builtin_unreachable();
}
void hal_spin(void) {
  rpsim_image.calls->spin(rpsim_image.core);
  __builtin_unreachable();
}

/* Where the loader put the table of the ELF that named this image. */
uint32_t hal_resource_table(void) { return CHIP_RESOURCE_TABLE; }
