/* The system side of Armv7E-M, as far as any Cortex-M4F shows it alike: what rpsim and QEMU print must be the same. */
#include "board.h"

/* ---- faults: recorded, and resumed behind the instruction or where a test says */

static volatile struct {
  uint32_t count, exception, cfsr, hfsr, address, pc, exc_return;
} fault;
__attribute__((used)) static volatile uint32_t resume_at;

__attribute__((used)) static void on_fault(uint32_t frame[8], uint32_t exc_return) {
  fault.count++;
  fault.exception = READ_SPECIAL(ipsr);
  fault.cfsr = CFSR;
  fault.hfsr = HFSR;
  fault.address = fault.cfsr & 0x80 ? MMFAR : fault.cfsr & 0x8000 ? BFAR : 0;
  fault.pc = frame[6];
  fault.exc_return = exc_return;
  CFSR = fault.cfsr;
  HFSR = fault.hfsr;
  if (resume_at) {
    frame[6] = resume_at & ~1u;
    frame[7] = (frame[7] & 0xF80FFFFF & ~0x0600FC00u) | 1u << 24;
  } else {
    const uint32_t h = *(volatile uint16_t*)frame[6];
    frame[6] += h >= 0xE800 ? 4 : 2;
  }
  resume_at = 0;
}
__attribute__((naked)) static void fault_handler(void) {
  __asm__ volatile("tst lr, #4\n\tite eq\n\tmrseq r0, msp\n\tmrsne r0, psp\n\tmov r1, lr\n\tb on_fault");
}
static void report(const char* name) {
  LINE(name, fault.count, fault.exception, fault.cfsr, fault.hfsr, fault.address);
  fault.count = fault.exception = fault.cfsr = fault.hfsr = fault.address = 0;
}
/* Runs one instruction that faults; its address must be the stacked one. */
#define FAULTING(name, instructions, ...)                                                                       \
  do {                                                                                                          \
    uint32_t at_;                                                                                               \
    __asm__ volatile("adr %0, 1f\n\t.balign 4\n1:\t" instructions : "=&r"(at_) : __VA_ARGS__ : "memory", "cc"); \
    const uint32_t here_ = fault.pc == at_;                                                                     \
    report(name);                                                                                               \
    LINE("  at the instruction", here_);                                                                        \
  } while (0)

/* ---- supervisor calls */

static volatile uint32_t call_number, call_exc_return;
__attribute__((used)) static void on_call(uint32_t frame[8], uint32_t exc_return) {
  call_number = ((volatile uint8_t*)frame[6])[-2];
  call_exc_return = exc_return;
  if (call_number == 8) {
    WRITE_SPECIAL(control, READ_SPECIAL(control) & ~1u); /* privileged again */
  }
  frame[0] += frame[1];
}
__attribute__((naked)) static void call_handler(void) {
  __asm__ volatile("tst lr, #4\n\tite eq\n\tmrseq r0, msp\n\tmrsne r0, psp\n\tmov r1, lr\n\tb on_call");
}
__attribute__((noinline)) static uint32_t call(uint32_t a, uint32_t b) {
  register uint32_t r0 __asm__("r0") = a;
  register uint32_t r1 __asm__("r1") = b;
  __asm__ volatile("svc 7" : "+r"(r0), "+r"(r1) : : "r2", "r3", "r12", "lr", "memory");
  return r0;
}

static void identity(void) {
  LINE("processor", CPUID >> 4, MPU_TYPE, MVFR0, MVFR1);
  LINE("reset values", CCR, SHCSR, CFSR, HFSR, FPCCR, FPDSCR, AIRCR);
  LINE("special registers", READ_SPECIAL(control), READ_SPECIAL(primask), READ_SPECIAL(basepri),
       READ_SPECIAL(faultmask), READ_SPECIAL(ipsr), READ_SPECIAL(epsr));
}

static void supervisor_calls(void) {
  const uint32_t r = call(40, 2);
  LINE("supervisor call", r, call_number, call_exc_return);
}

/* ---- interrupts: which handlers ran, in what order, and what they saw */

static volatile uint32_t order[16], orders, nested_pends, handler_sp[2];
static void note(void) { order[orders++ & 15] = READ_SPECIAL(ipsr); }
static void report_order(const char* name) {
  put(name);
  for (uint32_t i = 0; i < orders; ++i) {
    put(" ");
    put_hex(order[i]);
  }
  put("\n");
  orders = 0;
}
__attribute__((used)) static void interrupt(void) {
  note();
  const uint32_t pends = nested_pends;
  nested_pends = 0;
  if (pends) {
    NVIC_ISPR = pends;
    BARRIER();
    order[orders++ & 15] = 0x1000 | READ_SPECIAL(ipsr); /* goes on */
  }
}
static void pend(uint32_t irqs) {
  NVIC_ISPR = irqs;
  BARRIER();
}

static void priorities(void) {
  for (unsigned irq = 0; irq < 16; ++irq) vectors[EXTERNAL + irq] = interrupt;
  NVIC_ISER = 0xF;
  NVIC_IPR(0) = 0xC0;
  NVIC_IPR(1) = 0x80;
  NVIC_IPR(2) = 0x40;
  NVIC_IPR(3) = 0x80;
  __asm__ volatile("cpsid i" : : : "memory");
  pend(0xF);
  LINE("masked", orders, NVIC_ISPR & 0xF, ICSR & 0x1FF1FF, READ_SPECIAL(primask));
  __asm__ volatile("cpsie i\n\tisb" : : : "memory");
  report_order("by priority, then by number");
  nested_pends = 0xE;
  pend(1);
  report_order("the more urgent pre-empt");
  nested_pends = 0x9;
  pend(2);
  report_order("the others wait");
  AIRCR = 0x05FA0600; /* only bit 7 pre-empts, bit 6 orders */
  NVIC_IPR(0) = 0x40;
  NVIC_IPR(1) = 0x00;
  nested_pends = 2;
  pend(1);
  report_order("within a group none pre-empts");
  AIRCR = 0x05FA0000;
  NVIC_IPR(0) = 0xC0;
  NVIC_IPR(1) = 0x80;

  WRITE_SPECIAL(basepri, 0x80);
  pend(0x7);
  LINE("BASEPRI", READ_SPECIAL(basepri), NVIC_ISPR & 0xF);
  report_order("above it");
  WRITE_SPECIAL(basepri_max, 0xC0);
  const uint32_t after_less = READ_SPECIAL(basepri);
  WRITE_SPECIAL(basepri_max, 0x40);
  LINE("BASEPRI_MAX", after_less, READ_SPECIAL(basepri));
  WRITE_SPECIAL(basepri_max, 0);
  LINE("BASEPRI_MAX of 0", READ_SPECIAL(basepri));
  WRITE_SPECIAL(basepri, 0);
  report_order("the rest");

  __asm__ volatile("cpsid f" : : : "memory");
  pend(4);
  LINE("FAULTMASK", orders, READ_SPECIAL(faultmask));
  ICSR = PEND_NMI;
  BARRIER();
  report_order("but an NMI");
  __asm__ volatile("cpsie f\n\tisb" : : : "memory");
  report_order("then");

  __asm__ volatile("cpsid i" : : : "memory");
  pend(3);
  NVIC_ICPR = 1;
  NVIC_ICER = 2;
  const uint32_t pending = NVIC_ISPR & 0xF;
  __asm__ volatile("cpsie i\n\tisb" : : : "memory");
  LINE("withdrawn and disabled", pending, orders);
  NVIC_ISER = 2;
  BARRIER();
  report_order("enabled again");

  SYSTEM_PRIORITY(PENDSV) = 0xE0;
  ICSR = PEND_PENDSV | PEND_SYSTICK;
  BARRIER();
  report_order("PendSV last");
  WRITE_SPECIAL(basepri, 0x20);
  ICSR = PEND_PENDSV | PEND_SYSTICK;
  BARRIER();
  LINE("system exceptions pending", ICSR & 0x1FF001FF, SHCSR);
  ICSR = 1u << 27;
  BARRIER();
  WRITE_SPECIAL(basepri, 0);
  report_order("PendSV withdrawn");
}

/* A handler that looks around: which exception is active, and whether others are below it. */
static volatile uint32_t looked[6];
static void look_inner(void) {
  looked[2] = ICSR & 0x9FF;
  looked[3] = NVIC_IABR & 0xF;
}
static void look_outer(void) {
  looked[0] = ICSR & 0x9FF;
  looked[1] = SHCSR;
  pend(4);
  looked[4] = ICSR & 0x9FF;
}
static void active_state(void) {
  vectors[PENDSV] = look_outer;
  vectors[EXTERNAL + 2] = look_inner;
  ICSR = PEND_PENDSV;
  BARRIER();
  LINE("active", looked[0], looked[1], looked[2], looked[3], looked[4], ICSR & 0x9FF, NVIC_IABR & 0xF);
  vectors[PENDSV] = vectors[EXTERNAL + 2] = interrupt;
}

/* ---- time */

static volatile uint32_t ticks, timer_interrupts;
static void tick(void) { ticks++; }
static void timer_interrupt(void) {
  TIMER_INTERRUPT = 1;
  timer_interrupts++;
}
static void spin(uint32_t n) {
  while (n--) __asm__ volatile("nop");
}
static void time(void) {
  vectors[SYSTICK] = tick;
  vectors[EXTERNAL + TIMER_IRQ] = timer_interrupt;
  SYST_RVR = 9999;
  SYST_CVR = 0;
  SYST_CSR = 7;
  while (ticks < 3) __asm__ volatile("wfi");
  LINE("ticks", ticks >= 3, SYST_CVR <= 9999, SYST_CSR & 0xFFFF);
  (void)SYST_CSR;
  spin(30000);
  LINE("counted", SYST_CSR >> 16 & 1, SYST_CSR >> 16 & 1);
  __asm__ volatile("cpsid i" : : : "memory");
  uint32_t before = ticks;
  spin(30000);
  uint32_t held = ticks == before, pending = ICSR >> 26 & 1;
  __asm__ volatile("wfi\n\twfi" : : : "memory"); /* does not wait: it is pending */
  held += ticks == before;
  __asm__ volatile("cpsie i\n\tisb" : : : "memory");
  LINE("tick while masked", held, pending, ticks - before);
  __asm__ volatile("cpsid i" : : : "memory");
  before = ticks;
  __asm__ volatile("wfi" : : : "memory"); /* waits for the next one, which is not taken */
  held = ticks == before && (ICSR >> 26 & 1);
  __asm__ volatile("cpsie i\n\tisb" : : : "memory");
  LINE("waited while masked", held, ticks - before);

  NVIC_IPR(TIMER_IRQ) = 0x40;
  SYSTEM_PRIORITY(SYSTICK) = 0x80;
  WRITE_SPECIAL(basepri, 0x80);
  NVIC_ISER = 1u << TIMER_IRQ;
  TIMER_RELOAD = TIMER_VALUE = 2000;
  TIMER_CTRL = 9;
  before = ticks;
  spin(60000);
  held = ticks == before;
  LINE("timer above BASEPRI", held, timer_interrupts > 3);
  WRITE_SPECIAL(basepri, 0);
  LINE("tick below it", ticks > before);
  TIMER_CTRL = 0;
  NVIC_ICER = 1u << TIMER_IRQ;
  SYST_CSR = 0;
  SYST_CVR = 1234;
  LINE("stopped", SYST_CVR, SYST_CSR & 3);       /* CLKSOURCE depends on the chip */
  __asm__ volatile("sev\n\twfe" : : : "memory"); /* the event is there: does not wait */
  put("event\n");
}

/* ---- stacks */

static uint32_t process_stack[64] __attribute__((aligned(8)));
__attribute__((noinline)) static void stacks(void) {
  const uint32_t top = (uint32_t)(process_stack + 64), main_stack = READ_SPECIAL(msp);
  uint32_t seen[5];
  /* In one piece: the compiler does not know of two stacks. The process stack is not a multiple of 8: its frame is. */
  __asm__ volatile(
      "msr psp, %1\n\tmovs r0, #2\n\tmsr control, r0\n\tisb\n\tmov r4, sp\n\tmovs r0, #1\n\tmovs r1, #2\n\tsvc 7\n\t"
      "mov r5, sp\n\tmrs r6, psp\n\tmrs r7, control\n\tmovs r1, #0\n\tmsr control, r1\n\tisb\n\t"
      "stm %0, {r0, r4-r7}"
      :
      : "r"(seen), "r"(top - 4)
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r12", "lr", "memory");
  LINE("process stack", seen[0], seen[1] - top, seen[2] - top, seen[3] - top, seen[4], call_exc_return);
  LINE("its frame", process_stack[61] >> 9 & 1, process_stack[54], process_stack[55], READ_SPECIAL(msp) - main_stack);
}

/* ---- floating point */

static volatile float number = 1.5f;
static volatile uint32_t lazy[10];
__attribute__((used)) static void on_lazy(uint32_t* frame) {
  const uint32_t area = (uint32_t)frame + 0x20;
  lazy[0] = FPCCR;
  lazy[1] = FPCAR == area;
  lazy[2] = frame[8]; /* s0's place: nothing written yet */
  lazy[3] = READ_SPECIAL(control);
  __asm__ volatile("vmov.f32 s0, #1.0\n\tvmov.f32 s15, #2.0" : : : "s0", "s15", "memory");
  lazy[4] = frame[8];
  lazy[5] = frame[8 + 15];
  lazy[6] = frame[8 + 16];
  lazy[7] = FPCCR;
  lazy[8] = READ_SPECIAL(control);
}
__attribute__((naked)) static void lazy_handler(void) {
  __asm__ volatile("mov r0, sp\n\tpush {r4, lr}\n\tbl on_lazy\n\tpop {r4, pc}");
}
/* A handler that stays away from the registers: they are never written to the stack. */
static volatile uint32_t untouched[4];
__attribute__((used)) static void on_untouched(uint32_t* frame) {
  untouched[0] = frame[8];
  untouched[1] = FPCCR & 1;
}
__attribute__((naked)) static void untouched_handler(void) {
  __asm__ volatile("mov r0, sp\n\tpush {r4, lr}\n\tbl on_untouched\n\tpop {r4, pc}");
}
static void wipe(void) {
  uint32_t sp;
  __asm__ volatile("mov %0, sp" : "=r"(sp));
  for (uint32_t at = sp - 0x100; at < sp - 0x20; at += 4) REG(at) = 0x55555555;
}
__attribute__((noinline)) static void pend_with_floats(uint32_t out[4]) {
  __asm__ volatile(
      "vmov s0, %0\n\tvmov s15, %1\n\tvmov s16, %1\n\tstr %3, [%2]\n\tdsb\n\tisb\n\t"
      "vmov r0, s0\n\tvmov r1, s15\n\tvmov r2, s16\n\tvmrs r3, fpscr\n\tstm %4, {r0-r3}"
      :
      : "r"(0x11111111), "r"(0x22222222), "r"(&ICSR), "r"(PEND_PENDSV), "r"(out)
      : "r0", "r1", "r2", "r3", "s0", "s15", "s16", "memory");
}
static void floating_point(void) {
  FAULTING("floating point not enabled", "vmov s0, r0", "r"(0));
  CPACR = 0xF << 20;
  BARRIER();
  call(0, 0);
  uint32_t none = call_exc_return, c0 = READ_SPECIAL(control);
  number = number * 2.0f;
  call(0, 0);
  uint32_t some = call_exc_return, c1 = READ_SPECIAL(control);
  WRITE_SPECIAL(control, 0);
  call(0, 0);
  uint32_t cleared = call_exc_return, c2 = READ_SPECIAL(control);
  FPDSCR = 1u << 24; /* FZ: what a new context begins with */
  uint32_t fpscr;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
  call(0, 0);
  LINE("FPCA", none, c0, some, c1, cleared, c2, call_exc_return, READ_SPECIAL(control), fpscr);
  FPDSCR = 0;
  WRITE_SPECIAL(control, 0);
  __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
  LINE("result", (uint32_t)(int32_t)(number * 100), fpscr);

  uint32_t out[4];
  vectors[PENDSV] = lazy_handler;
  wipe();
  pend_with_floats(out);
  LINE("lazy, before", lazy[0] & 0xC0000139, lazy[1], lazy[2], lazy[3]);
  LINE("lazy, after", lazy[4], lazy[5], lazy[6], lazy[7] & 0xC0000001, lazy[8]);
  LINE("restored", out[0], out[1], out[2], out[3], READ_SPECIAL(control));
  vectors[PENDSV] = untouched_handler;
  wipe();
  pend_with_floats(out);
  LINE("never written", untouched[0], untouched[1], FPCCR & 1, out[0], out[1], out[2]);
  vectors[PENDSV] = lazy_handler;
  FPCCR = 0x80000000; /* at once */
  wipe();
  pend_with_floats(out);
  LINE("not lazy", lazy[0] & 0xC0000001, lazy[2], lazy[5], out[0], out[1], out[2]);
  FPCCR = 0; /* not at all: the handler's values stay */
  WRITE_SPECIAL(control, 0);
  wipe();
  pend_with_floats(out);
  LINE("not at all", lazy[0] & 0xC0000001, lazy[2], out[0], out[1], out[2]);
  FPCCR = 0xC0000000;
  vectors[PENDSV] = interrupt;

  union {
    float f;
    uint32_t w;
  } sum = {.f = 0}, root = {.f = 2};
  for (unsigned i = 1; i <= 1000; ++i) sum.f += 1.0f / (float)i;
  for (int i = 0; i < 20; ++i) {
    __asm__("vsqrt.f32 %0, %0" : "+t"(root.f));
    root.f += 0.25f * (float)i;
  }
  LINE("single", sum.w, root.w);
}

/* ---- faults */

static uint32_t guarded[4096] __attribute__((aligned(16384)));
static void region(unsigned n, uint32_t base, unsigned log2, uint32_t rasr) {
  MPU_RBAR = base | 0x10 | n;
  MPU_RASR = rasr | (log2 - 1) << 1 | 1;
}
#define READ_WRITE (3u << 24)
#define PRIVILEGED_ONLY (1u << 24)
#define READ_ONLY (6u << 24)
#define NEVER_EXECUTED (1u << 28)
#define FIRST_EIGHTH_OFF (1u << 8)

static void faults(void) {
  FAULTING("undefined, escalated", "udf #1", "r"(0));
  SHCSR = 7 << 16;
  FAULTING("undefined", "udf #1", "r"(0));
  FAULTING("undefined, wide", "udf.w #1", "r"(0));
  FAULTING("no coprocessor", "mrc p5, 0, r0, c0, c0, 0", "r"(0));
  FAULTING("double precision", ".inst.w 0xee300b01", "r"(0));
  uint32_t quotient = 77;
  __asm__ volatile("udiv %0, %1, %2" : "=r"(quotient) : "r"(5), "r"(0));
  LINE("division by zero gives", quotient);
  CCR |= 1 << 4;
  BARRIER();
  FAULTING("division by zero, unsigned", "udiv r0, %1, %2", "r"(5), "r"(0));
  FAULTING("division by zero, signed", "sdiv r0, %1, %2", "r"(5), "r"(0));
  __asm__ volatile("sdiv %0, %1, %2" : "=r"(quotient) : "r"(0x80000000), "r"(-1));
  LINE("overflow", quotient);
  CCR &= ~(1u << 4);
  guarded[0] = 0x44332211;
  guarded[1] = 0x88776655;
  uint32_t value = *(volatile uint32_t*)((uint32_t)guarded + 1);
  LINE("unaligned", value);
  {
    __asm__ volatile("adr r0, 1f\n\torr r0, #1\n\tstr r0, [%0]\n\tbx %1\n\t.balign 4\n1:"
                     :
                     : "r"(&resume_at), "r"(guarded)
                     : "r0", "memory");
    LINE("to Arm state", fault.pc == (uint32_t)guarded);
    report("its fault");
  }
  FAULTING("read of nothing", "ldr r0, [%1]", "r"(NOTHING_THERE));
  FAULTING("write to nothing", "strb r0, [%1, #5]", "r"(NOTHING_THERE));
  __asm__ volatile("adr r0, 1f\n\torr r0, #1\n\tstr r0, [%0]\n\tbx %1\n\t.balign 4\n1:"
                   :
                   : "r"(&resume_at), "r"(NOTHING_THERE | 1)
                   : "r0", "memory");
  report("code from nothing");
  __asm__ volatile("adr r0, 1f\n\torr r0, #1\n\tstr r0, [%0]\n\tbx %1\n\t.balign 4\n1:"
                   :
                   : "r"(&resume_at), "r"(0x40004001)
                   : "r0", "memory");
  report("code in a peripheral");
  __asm__ volatile("cpsid i" : : : "memory");
  FAULTING("with interrupts masked", "udf #1", "r"(0));
  __asm__ volatile("svc 7\n\tnop\n\tcpsie i" : : : "memory"); /* resumes behind what is behind it */
  report("supervisor call there");
}

/* Loads and stores of one word or less may be anywhere unless that is trapped, others not. */
__attribute__((noinline)) static void misaligned_always(void) {
  const uint32_t at = (uint32_t)guarded + 2;
  FAULTING("unaligned LDM", "ldm %1, {r2, r3}", "r"(at));
  FAULTING("unaligned LDM, 32 bits", "ldmdb.w %1, {r2, r3, r9}", "r"(at + 13));
  FAULTING("unaligned STM", "stm %1!, {r2, r3}", "r"(at));
  FAULTING("unaligned LDRD", "ldrd r2, r3, [%1, #4]", "r"(at));
  FAULTING("unaligned STRD", "strd r2, r3, [%1], #8", "r"(at));
  FAULTING("unaligned LDREX", "ldrex r2, [%1]", "r"(at));
  FAULTING("unaligned LDREXH", "ldrexh r2, [%1]", "r"(at + 1));
  FAULTING("unaligned VLDR", "vldr s0, [%1]", "r"(at));
  FAULTING("unaligned VLDM", "vldmia %1!, {d0, d1}", "r"(at));
  FAULTING("unaligned VSTR", "vstr d0, [%1, #4]", "r"(at + 1));
}
__attribute__((noinline)) static uint32_t misaligned_allowed(uint32_t at) {
  uint32_t sum = 0, v;
  for (uint32_t offset = 0; offset < 5; ++offset) {
    __asm__ volatile(
        "ldr %1, [%2, %3]\n\tadd %0, %1\n\tldr.w %1, [%2, #9]\n\tadd %0, %1\n\tldrh %1, [%2, %3]\n\tadd %0, %1\n\t"
        "ldrsh %1, [%2, %3]\n\tadd %0, %1\n\tldrsh.w %1, [%2, #7]\n\tadd %0, %1\n\tldrh %1, [%2, #2]\n\tadd %0, %1\n\t"
        "str %0, [%2, #4]\n\tstr.w %0, [%2, #-3]\n\tstrh %1, [%2, #6]\n\tstrh.w %0, [%2, %3, lsl #1]\n\t"
        "ldr %1, [%2], #1\n\tadd %0, %1\n\tcmp %0, #0\n\titete mi\n\tldrmi %1, [%2, #8]\n\tldrpl %1, [%2, #12]\n\t"
        "strmi %1, [%2, #-5]\n\tstrpl %1, [%2, #-6]\n\tadd %0, %1"
        : "+l"(sum), "=&l"(v), "+l"(at)
        : "l"(offset)
        : "memory", "cc");
  }
  return sum;
}
__attribute__((noinline)) static void alignment(void) {
  for (unsigned i = 0; i < 32; ++i) guarded[i] = i * 0x9E3779B9u;
  for (int round = 0; round < 2; ++round) {
    misaligned_always();
    LINE("memory", guarded[0], guarded[1], guarded[2], guarded[3], guarded[4]);
    for (uint32_t at = 0; at < 4; ++at) LINE("sum", misaligned_allowed((uint32_t)guarded + 16 + at));
    LINE("memory", guarded[4], guarded[5], guarded[6], guarded[7], guarded[8]);
    CCR |= 1 << 3;
    BARRIER();
    misaligned_always();
    FAULTING("trapped LDR", "ldr r2, [%1, #1]", "r"(guarded));
    FAULTING("trapped STR", "str r2, [%1]", "r"((uint32_t)guarded + 2));
    FAULTING("trapped LDRH", "ldrh r2, [%1]", "r"((uint32_t)guarded + 1));
    FAULTING("trapped STRH", "strh r2, [%1, #3]", "r"(guarded));
    LINE("aligned", misaligned_allowed((uint32_t)guarded + 0x80) & 0);
    report("faults in between");
    CCR &= ~(1u << 3);
    BARRIER();
  }
}

static void protection(void) {
  volatile uint32_t* const g = guarded;
  region(0, 0, 29, READ_WRITE);
  region(1, 0x40000000, 20, READ_WRITE | NEVER_EXECUTED);
  region(4, (uint32_t)guarded, 12, NEVER_EXECUTED);
  region(5, (uint32_t)guarded + 4096, 12, PRIVILEGED_ONLY);
  region(6, (uint32_t)guarded + 8192, 12, READ_ONLY | NEVER_EXECUTED);
  MPU_CTRL = 1;
  BARRIER();
  FAULTING("write where nothing is permitted", "str r0, [%1]", "r"(&guarded[1]));
  FAULTING("read where nothing is permitted", "ldrb r0, [%1]", "r"((uint32_t)&guarded[2] + 1));
  g[1024] = 6;
  (void)g[2048];
  report("permitted");
  FAULTING("write where only reads are permitted", "str r0, [%1]", "r"(&guarded[2050]));
  FAULTING("no region", "ldr r0, [%1]", "r"(0x21000000));
  {
    uint32_t base = (uint32_t)guarded - 8, r4;
    __asm__ volatile("mov r4, #4\n\tldmia %0!, {r4-r7}\n\tmov %1, r4"
                     : "+r"(base), "=r"(r4)
                     :
                     : "r4", "r5", "r6", "r7", "memory");
    LINE("multiple load over a border", base - (uint32_t)guarded);
    report("its fault");
  }
  __asm__ volatile("adr r0, 1f\n\torr r0, #1\n\tstr r0, [%0]\n\tbx %1\n\t.balign 4\n1:"
                   :
                   : "r"(&resume_at), "r"((uint32_t)&guarded[2048] | 1)
                   : "r0", "memory");
  LINE("not executable", fault.pc == (uint32_t)&guarded[2048]);
  report("its fault");
  region(7, (uint32_t)guarded, 12, READ_WRITE | FIRST_EIGHTH_OFF);
  FAULTING("subregion that is off", "str r0, [%1]", "r"(&guarded[1]));
  g[128] = 9;
  report("subregion that is on");
  MPU_RBAR = 0x17;
  MPU_RASR = 0;
  WRITE_SPECIAL(psp, READ_SPECIAL(msp) - 0x800);
  WRITE_SPECIAL(control, 3);
  FAULTING("unprivileged, privileged memory", "ldr r0, [%1]", "r"(&guarded[1024]));
  __asm__ volatile("ldr r0, [%0]" : : "r"(&CPUID) : "r0", "memory");
  uint32_t c = READ_SPECIAL(control);
  WRITE_SPECIAL(control, 0);
  WRITE_SPECIAL(basepri, 0x80);
  __asm__ volatile("cpsid i" : : : "memory");
  const uint32_t c2 = READ_SPECIAL(control), b = READ_SPECIAL(basepri), p = READ_SPECIAL(primask);
  __asm__ volatile("svc 8" : : : "memory");
  report("unprivileged, the core's registers");
  LINE("unprivileged", c & 3, c2 & 3, b, p, READ_SPECIAL(control) & 3, READ_SPECIAL(basepri), READ_SPECIAL(primask));
  WRITE_SPECIAL(control, 0);
  g[1024] = 10;
  FAULTING("as if unprivileged", "ldrt r0, [%1]", "r"(&guarded[1024]));
  g[3072] = 0x8081F2F3;
  uint32_t as_user[3];
  __asm__ volatile("ldrsbt %0, [%3, #1]\n\tldrht %1, [%3, #2]\n\tstrbt %1, [%3]\n\tldrt %2, [%3]"
                   : "=&r"(as_user[0]), "=&r"(as_user[1]), "=&r"(as_user[2])
                   : "r"(&g[3072])
                   : "memory");
  line("where it may", as_user, 3);
  MPU_CTRL = 0;
  BARRIER();
  g[1] = 10;
  report("protection off");
  MPU_CTRL = 5; /* with the default map below the regions */
  BARRIER();
  (void)REG(0xE000ED00);
  g[4095] = 1;
  report("default map");
  FAULTING("region above it", "ldr r0, [%1]", "r"(&guarded[1]));
  MPU_CTRL = 0;
  BARRIER();
}

/* ---- the rest */

static uint32_t patched[8] __attribute__((aligned(16)));
static void self_modification(void) {
  uint16_t* const code = (uint16_t*)patched;
  uint32_t results[4];
  for (unsigned i = 0; i < 4; ++i) {
    code[0] = (uint16_t)(0x2000 | (i + 5)); /* movs r0, #… */
    code[1] = 0x4770;                       /* bx lr */
    BARRIER();
    results[i] = ((uint32_t(*)(void))((uint32_t)code | 1))();
  }
  line("self-modified", results, 4);
}

static void bit_band(void) {
  volatile uint32_t* const word = (volatile uint32_t*)0x20001000;
  volatile uint32_t* const bits = (volatile uint32_t*)(0x22000000 + 0x1000 * 32);
  *word = 0x80000001;
  bits[4] = 1;
  bits[0] = 0xFFFFFFFE; /* bit 0 counts */
  bits[9] = 3;
  LINE("bit-band", *word, bits[31], bits[0], bits[4], *(volatile uint8_t*)&bits[9]);
}

static void exclusives(void) {
  static volatile uint32_t lock;
  uint32_t failures = 0, cleared, interrupted, held;
  for (int i = 0; i < 100; ++i) {
    uint32_t v, failed;
    __asm__ volatile("ldrex %0, [%2]\n\tadd %0, #1\n\tstrex %1, %0, [%2]"
                     : "=&r"(v), "=&r"(failed)
                     : "r"(&lock)
                     : "memory");
    failures += failed;
  }
  __asm__ volatile("ldrex r0, [%1]\n\tclrex\n\tstrex %0, r0, [%1]" : "=&r"(cleared) : "r"(&lock) : "r0", "memory");
  __asm__ volatile("ldrex r0, [%1]\n\tstr %3, [%2]\n\tdsb\n\tisb\n\tstrex %0, r0, [%1]"
                   : "=&r"(interrupted)
                   : "r"(&lock), "r"(&ICSR), "r"(PEND_PENDSV)
                   : "r0", "memory");
  __asm__ volatile("strex %0, %1, [%1]" : "=&r"(held) : "r"(&lock) : "memory");
  orders = 0;
  LINE("exclusives", lock, failures, cleared, interrupted, held);
}

/* Interrupts at any place in IT blocks. */
static void conditional_blocks(void) {
  SYST_RVR = 40;
  SYST_CVR = 0;
  SYST_CSR = 7;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < 20000; ++i) {
    __asm__ volatile("tst %1, #1\n\titete eq\n\taddeq %0, #1\n\teorne %0, #2\n\taddeq %0, %0, %1\n\tsubne %0, #3"
                     : "+r"(sum)
                     : "r"(i)
                     : "cc");
  }
  SYST_CSR = 0;
  LINE("conditional blocks", sum, ticks > 100);
}

/* An exception return that is not allowed is a fault in place of the return; its handler has to know where to go. */
__attribute__((used)) static volatile uint32_t bad_lr;
__attribute__((naked)) static void bad_return_handler(void) { __asm__ volatile("ldr pc, =0xFFFFFFF3\n\t.ltorg"); }
__attribute__((naked)) static void repairing_handler(void) {
  __asm__ volatile("ldr r0, =bad_lr\n\tstr lr, [r0]\n\tmvn lr, #6\n\tbx lr\n\t.ltorg");
}
static void bad_return(void) {
  vectors[PENDSV] = bad_return_handler;
  vectors[USAGE_FAULT] = repairing_handler;
  WRITE_SPECIAL(control, 0);
  ICSR = PEND_PENDSV;
  BARRIER();
  LINE("exception return", bad_lr, CFSR, HFSR, READ_SPECIAL(ipsr), SHCSR & 0xFFF);
  CFSR = CFSR;
  vectors[PENDSV] = interrupt;
  vectors[USAGE_FAULT] = fault_handler;
}

/* An exception whose frame cannot be written, or read back: the fault's handler runs in its place. */
__attribute__((used)) static volatile uint32_t broken[3], escape_sp;
__attribute__((naked)) static void escaping_handler(void) {
  __asm__ volatile(
      "ldr r0, =broken\n\tstr lr, [r0]\n\tldr r1, =0xE000ED28\n\tldr r2, [r1]\n\tstr r2, [r1]\n\tstr r2, [r0, #4]\n\t"
      "ldr r2, [r1, #4]\n\tstr r2, [r1, #4]\n\tstr r2, [r0, #8]\n\t"
      /* back to the main stack, with a frame of our own making */
      "ldr r2, =escape_sp\n\tldr r2, [r2]\n\tsub r2, #32\n\tmov sp, r2\n\tldr r2, =resume_at\n\tldr r2, [r2]\n\tbic "
      "r2, #1\n\tstr r2, [sp, #24]\n\tmov r2, #0x01000000\n\t"
      "str r2, [sp, #28]\n\tmvn lr, #6\n\tbx lr\n\t.ltorg");
}
__attribute__((naked)) static void misleading_handler(void) {
  __asm__ volatile("ldr r0, =0x60000100\n\tmsr psp, r0\n\tmvn lr, #2\n\tbx lr\n\t.ltorg");
}
#define RESUMED(instructions, ...)                                                                             \
  __asm__ volatile(                                                                                            \
      "push {r4-r11, lr}\n\tadr r4, 1f\n\tstr r4, [%0]\n\tldr r4, =escape_sp\n\tstr sp, [r4]\n\t" instructions \
      "\n\t.balign 4\n1:\tmovs r0, #0\n\tmsr control, r0\n\tisb\n\tpop {r4-r11, lr}"                           \
      :                                                                                                        \
      : "r"(&resume_at), __VA_ARGS__                                                                           \
      : "r0", "r1", "r2", "r3", "r4", "r12", "memory", "cc")
__attribute__((noinline)) static void broken_stacks(void) {
  vectors[BUS_FAULT] = vectors[MEM_MANAGE] = vectors[HARD_FAULT] = escaping_handler;
  WRITE_SPECIAL(control, 0);
  RESUMED("msr psp, %1\n\tmovs r0, #2\n\tmsr control, r0\n\tisb\n\tsvc 7", "r"(NOTHING_THERE + 0x100));
  LINE("no stack to save to", broken[0], broken[1], broken[2]);
  ICSR = 1u << 27;
  SHCSR = 7 << 16;
  vectors[PENDSV] = misleading_handler;
  RESUMED("str %2, [%1]\n\tdsb\n\tisb", "r"(&ICSR), "r"(PEND_PENDSV));
  LINE("no stack to return from", broken[0], broken[1], broken[2], SHCSR & 0xFFF);
  vectors[PENDSV] = interrupt;
}

int main(void);
int main(void) {
  for (unsigned e = NMI; e <= SYSTICK; ++e) vectors[e] = interrupt;
  for (unsigned e = HARD_FAULT; e <= USAGE_FAULT; ++e) vectors[e] = fault_handler;
  vectors[SVCALL] = call_handler;
  identity();
  supervisor_calls();
  priorities();
  active_state();
  time();
  stacks();
  floating_point();
  faults();
  alignment();
  protection();
  self_modification();
  bit_band();
  exclusives();
  conditional_blocks();
  bad_return();
  broken_stacks();
  return 0;
}
