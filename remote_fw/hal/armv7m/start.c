/* Start-up and vectors of a real Armv7E-M core. */
#include "chip.h"
#include "remote_fw/hal/cpu.h"
#include "remote_fw/hal/hal.h"

extern uint32_t link_stack_top[], link_data_load[], link_data_start[], link_data_end[], link_bss_start[],
    link_bss_end[];

static void external_handler(void) {
  uint32_t ipsr;
  __asm__ volatile("mrs %0, ipsr" : "=r"(ipsr));
  cpu_exception(ipsr);
}

/* A fault: an undefined instruction inside HardFault locks the core up, in any other handler it escalates there. */
static void fault_handler(void) { hal_lockup(); }

_Noreturn void reset_handler(void);
_Noreturn void reset_handler(void) {
  __asm__ volatile("cpsid i" ::: "memory");
  const uint32_t* from = link_data_load;
  for (uint32_t* to = link_data_start; to < link_data_end; ++to) *to = *from++;
  for (uint32_t* to = link_bss_start; to < link_bss_end; ++to) *to = 0;
  cpu_init();
  app_main();
  hal_lockup();
}

typedef void (*vector)(void);
/* The range among the designators is GNU's. */
__extension__ __attribute__((section(".vectors"), used)) static const struct {
  uint32_t* stack;
  vector exceptions[15 + CHIP_IRQS];
} vectors = {
    link_stack_top,
    {
        (vector)reset_handler,
        fault_handler, /* NMI: nothing here raises one but the watchdog */
        fault_handler, /* HardFault */
        fault_handler,
        fault_handler,
        fault_handler,
        0,
        0,
        0,
        0,
        fault_handler, /* SVCall */
        fault_handler,
        0,
        fault_handler,    /* PendSV */
        external_handler, /* SysTick */
        [15 ... 14 + CHIP_IRQS] = external_handler,
    },
};

void hal_lockup(void) {
  for (;;) __asm__ volatile("cpsid f\n\tudf #0");
}
