/* What is the Cortex-R5F's and its surroundings' own on TI's K3: the vectored interrupt manager, waiting for
 * interrupts, the cycle counter, cache geometry, external aborts, tightly coupled memories, high vectors. */
#include "print.h"

#define VIM 0x2FFF0000u
#define VIM_GROUP(reg, irq) REG(VIM + (reg) + 0x20 * ((irq) / 32))
#define VIM_BIT(irq) (1u << ((irq) % 32))
#define VIM_RAW 0x400u
#define VIM_STS 0x404u
#define VIM_ENABLE 0x408u
#define VIM_DISABLE 0x40Cu
#define VIM_MAP 0x418u
#define VIM_TYPE 0x41Cu
#define VIM_IRQVEC REG(VIM + 0x18)
#define VIM_FIQVEC REG(VIM + 0x1C)
#define VIM_ACTIRQ REG(VIM + 0x20)
#define VIM_ACTFIQ REG(VIM + 0x24)

#define DEVICE 0x02000000u /* of the test bus: counts reads; drives input 40 while its second word is not 0 */
#define TIMER 0x02000010u  /* a pulse on input 41 after so many nanoseconds */

enum { UNDEFINED = 1, PREFETCH = 3, DATA = 4 };
static volatile uint32_t seen[8];

void on_exception(uint32_t kind, uint32_t frame[2]);
void on_exception(uint32_t kind, uint32_t frame[2]) {
  seen[kind]++;
  if (kind == DATA) frame[0] -= 4; /* behind it: Arm state only */
}
int on_supervisor_call(int a, int b, uint32_t spsr, uint32_t pc);
int on_supervisor_call(int a, int b, uint32_t spsr, uint32_t pc) {
  (void)spsr;
  (void)pc;
  return serve_semihosting(a, b);
}

static volatile uint32_t taken[64], order[8], taken_count, deepest, depth, fiq_number;
extern void irq_vector(void);
static volatile uint32_t vectored;

static void enable(unsigned irq, unsigned priority) {
  REG(VIM + 0x1000 + 4 * irq) = priority;
  REG(VIM + 0x2000 + 4 * irq) = (uint32_t)irq_vector;
  VIM_GROUP(VIM_ENABLE, irq) = VIM_BIT(irq);
}

void on_irq(void);
void on_irq(void) {
  if (!vectored) (void)VIM_IRQVEC;
  const uint32_t active = VIM_ACTIRQ;
  if (!(active >> 31)) return;
  const unsigned irq = active & 0x3FF;
  if (++depth > deepest) deepest = depth;
  if (taken_count < 8) order[taken_count++] = irq;
  taken[irq]++;
  if (irq == 40) REG(DEVICE + 4) = 0;
  if (irq == 3) { /* something more urgent, and something as urgent, while this one is being served */
    VIM_GROUP(VIM_RAW, 4) = VIM_BIT(4);
    VIM_GROUP(VIM_RAW, 5) = VIM_BIT(5);
    __asm__ volatile("cpsie i\n\tdsb\n\tisb\n\tnop\n\tcpsid i" : : : "memory");
  }
  VIM_GROUP(VIM_STS, irq) = VIM_BIT(irq);
  --depth;
  VIM_IRQVEC = 0;
}

void on_fiq(uint32_t spsr);
void on_fiq(uint32_t spsr) {
  (void)spsr;
  (void)VIM_FIQVEC;
  fiq_number = VIM_ACTFIQ & 0x3FF;
  VIM_GROUP(VIM_STS, fiq_number) = VIM_BIT(fiq_number);
  VIM_FIQVEC = 0;
}

static void clear(void) {
  taken_count = deepest = 0;
  for (int i = 0; i < 8; ++i) order[i] = 0;
}

static void caches(void) {
  uint32_t data, instructions;
  WRITE_CP15(0, 2, 0, 0, 0);
  data = READ_CP15(0, 1, 0, 0);
  WRITE_CP15(0, 2, 0, 0, 1);
  instructions = READ_CP15(0, 1, 0, 0);
  LINE("cache lines", 4u << ((data & 7) + 2), 4u << ((instructions & 7) + 2), READ_CP15(0, 0, 0, 5));
  WRITE_CP15(15, 0, 5, 0, 0);
  WRITE_CP15(7, 0, 14, 1, 0x1000);
  WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) | 1u << 12 | 1u << 2);
  LINE("control", READ_CP15(1, 0, 0, 0));
}

static void interrupts(void) {
  for (unsigned irq = 3; irq < 6; ++irq) VIM_GROUP(VIM_TYPE, irq) |= VIM_BIT(irq);
  VIM_GROUP(VIM_TYPE, 41) |= VIM_BIT(41);
  enable(3, 5);
  enable(4, 2);
  enable(5, 5);
  enable(40, 9);
  enable(41, 9);

  __asm__ volatile("cpsid i" : : : "memory");
  VIM_GROUP(VIM_RAW, 3) = VIM_BIT(3);
  for (volatile int i = 0; i < 100; ++i) {
  }
  const uint32_t masked = taken[3];
  __asm__ volatile("cpsie i\n\tdsb\n\tisb" : : : "memory");
  LINE("masked, then taken", masked, taken[3]);
  LINE("nested", order[0], order[1], order[2], deepest);

  clear();
  REG(DEVICE + 4) = 1;
  __asm__ volatile("dsb\n\tisb" : : : "memory");
  LINE("level", taken[40], order[0]);

  clear();
  vectored = 1;
  WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) | 1u << 24); /* SCTLR.VE */
  VIM_GROUP(VIM_RAW, 3) = VIM_BIT(3);
  __asm__ volatile("dsb\n\tisb" : : : "memory");
  LINE("vectored", taken[3], order[0], order[1], order[2], deepest);
  WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) & ~(1u << 24));
  vectored = 0;

  VIM_GROUP(VIM_MAP, 6) |= VIM_BIT(6);
  enable(6, 1);
  VIM_GROUP(VIM_RAW, 6) = VIM_BIT(6);
  __asm__ volatile("dsb\n\tisb" : : : "memory");
  const uint32_t held = fiq_number;
  __asm__ volatile("cpsie f\n\tdsb\n\tisb" : : : "memory");
  LINE("fast interrupt", held, fiq_number);
}

static uint32_t cycles(void) { return READ_CP15(9, 0, 13, 0); }

static void time(void) {
  WRITE_CP15(9, 0, 12, 0, 0x17); /* PMCR: reset both kinds, export, enable */
  WRITE_CP15(9, 0, 12, 5, 1);
  WRITE_CP15(9, 0, 13, 1, 0x11);
  WRITE_CP15(9, 0, 12, 1, 0x80000002);
  const uint32_t a = cycles();
  __asm__ volatile(".rept 100\n\tnop\n\t.endr" : : : "memory");
  const uint32_t b = cycles();
  LINE("a hundred instructions", b - a - 100 < 30);
  REG(TIMER) = 100000;
  const uint32_t before = cycles();
  const uint32_t ticks = taken[41];
  __asm__ volatile("wfi" : : : "memory");
  const uint32_t slept = cycles() - before;
  LINE("waited for an interrupt", taken[41] - ticks, slept / 1000); /* 100 us at 800 MHz */
  __asm__ volatile("cpsid i" : : : "memory");
  REG(TIMER) = 50000;
  __asm__ volatile("wfi" : : : "memory"); /* ends although interrupts are masked */
  LINE("waited with interrupts masked", taken[41] - ticks);
  __asm__ volatile("cpsie i\n\tdsb\n\tisb" : : : "memory");
  LINE("then taken", taken[41] - ticks, READ_CP15(9, 0, 13, 2) > 80000);
}

static void aborts(void) {
  (void)REG(0x70000000);
  LINE("nothing there", seen[DATA], READ_CP15(5, 0, 0, 0), READ_CP15(6, 0, 0, 0));
  REG(DEVICE + 0x800) = 1;
  LINE("a device's error", seen[DATA], READ_CP15(5, 0, 0, 0), READ_CP15(6, 0, 0, 0));
  const uint32_t reads = REG(DEVICE);
  uint32_t unused;
  __asm__ volatile("ldr %0, [%1]\n\tldr %0, [%1]\n\tldr %0, [%1]\n\tmov %0, #0"
                   : "=&r"(unused)
                   : "r"(DEVICE)
                   : "memory");
  uint32_t pair[2];
  __asm__ volatile("ldmia %1, {r4, r5}\n\tmov %0, r4" : "=r"(pair[0]) : "r"(DEVICE) : "r4", "r5", "memory");
  LINE("every read is made", REG(DEVICE) - reads, pair[0] - reads);
  __asm__ volatile("ldr %0, [%1, #1]" : "+r"(unused) : "r"(DEVICE) : "memory");
  LINE("unaligned at a device", seen[DATA], READ_CP15(5, 0, 0, 0), READ_CP15(6, 0, 0, 0) - DEVICE);
  uint32_t a = 1, b = 2;
  volatile uint32_t word = 0x11223344;
  __asm__ volatile("swp %0, %2, [%3]" : "=&r"(a) : "0"(a), "r"(b), "r"(&word) : "memory");
  LINE("swapped", a, word);
}

static void coupled_memory(void) {
  *(volatile uint32_t*)0x41010000 = 0x1234;
  LINE("TCM", *(volatile uint32_t*)0x41010000, READ_CP15(9, 0, 1, 0), READ_CP15(9, 0, 1, 1), READ_CP15(0, 0, 0, 2));
  WRITE_CP15(9, 0, 1, 0, 0x50000001);
  LINE("moved", *(volatile uint32_t*)0x50000000, READ_CP15(9, 0, 1, 0));
  (void)REG(0x41010000);
  LINE("no longer there", seen[DATA], READ_CP15(6, 0, 0, 0));
  WRITE_CP15(9, 0, 1, 0, 0x41010001);
}

static void high_vectors(void) {
  uint32_t* const there = (uint32_t*)0xFFFF0000;
  for (unsigned i = 0; i < 64; ++i) there[i] = ((volatile uint32_t*)0)[i];
  WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) | 1u << 13);
  const uint32_t before = seen[UNDEFINED];
  __asm__ volatile(".inst 0xe7f000f1");
  LINE("high vectors", seen[UNDEFINED] - before);
  WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) & ~(1u << 13));
}

int main(void);
int main(void) {
  caches();
  interrupts();
  time();
  aborts();
  coupled_memory();
  high_vectors();
  done();
  return 0;
}
