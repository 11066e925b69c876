/* Start-up of a Cortex-R5F behind vectors.S: memory protection, caches, the cycle counter. */
#include "chip.h"
#include "remote_fw/hal/cpu.h"
#include "remote_fw/hal/hal.h"

#define CP15_WRITE(crn, op1, crm, op2, value) \
  __asm__ volatile("mcr p15, " #op1 ", %0, c" #crn ", c" #crm ", " #op2 : : "r"((uint32_t)(value)) : "memory")
#define CP15_READ(crn, op1, crm, op2, to) \
  __asm__ volatile("mrc p15, " #op1 ", %0, c" #crn ", c" #crm ", " #op2 : "=r"(to) : : "memory")

#define SCTLR_M (1u << 0)
#define SCTLR_C (1u << 2)
#define SCTLR_BR (1u << 17)
#define SCTLR_I (1u << 12)
#define REGION_ENABLE 1u
#define REGION_SIZE(log2_bytes) (((log2_bytes)-1u) << 1)
#define READ_WRITE (3u << 8)
#define NEVER_EXECUTE (1u << 12)
#define DEVICE 0x1u                     /* shared device: TEX 0, B */
#define NORMAL (1u << 3 | 1u << 1 | 1u) /* write-back, write-allocate */
#define UNCACHED (1u << 3 | 1u << 2)    /* normal, shared: rings and buffers that the host reads, too */

static void region(uint32_t number, uint32_t base, uint32_t log2_bytes, uint32_t access) {
  CP15_WRITE(6, 0, 2, 0, number);
  CP15_WRITE(6, 0, 1, 0, base);
  CP15_WRITE(6, 0, 1, 4, access);
  CP15_WRITE(6, 0, 1, 2, REGION_SIZE(log2_bytes) | REGION_ENABLE);
}

/* A higher number wins. What is in none is a background fault. */
static void protect(void) {
  uint32_t control;
  region(0, 0x00000000u, 31, READ_WRITE | NEVER_EXECUTE | DEVICE);
  region(1, 0x80000000u, 31, READ_WRITE | NEVER_EXECUTE | UNCACHED); /* DDR */
  region(2, 0x00000000u, 16, READ_WRITE | NORMAL);                   /* ATCM */
  region(3, 0x41010000u, 16, READ_WRITE | NEVER_EXECUTE | NORMAL);   /* BTCM */
  __asm__ volatile("dsb" ::: "memory");
  CP15_WRITE(15, 0, 5, 0, 0); /* invalidate all data caches */
  CP15_WRITE(7, 0, 5, 0, 0);  /* and instruction caches */
  CP15_READ(1, 0, 0, 0, control);
  CP15_WRITE(1, 0, 0, 0, (control & ~SCTLR_BR) | SCTLR_M | SCTLR_C | SCTLR_I);
  __asm__ volatile("isb" ::: "memory");
}

_Noreturn void armv7r_start(void);
_Noreturn void armv7r_start(void) {
  protect();
  CP15_WRITE(9, 0, 12, 0, 1u << 2 | 1u); /* PMCR: cycle counter at 0, on */
  CP15_WRITE(9, 0, 12, 1, 1u << 31);
  cpu_init();
  app_main();
  hal_lockup();
}

uint32_t hal_cycles(void) {
  uint32_t cycles;
  CP15_READ(9, 0, 13, 0, cycles);
  return cycles;
}

/* The vector leads here again, for ever. */
void hal_lockup(void) {
  for (;;) __asm__ volatile("cpsid if\n\tudf #0");
}
