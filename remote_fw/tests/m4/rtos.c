/* What an operating system for a Cortex-M4F does: threads in turn, switched by PendSV on every tick, each with its
 * floating-point registers or without; calls into it by SVC; interrupts that are more urgent than the tick and nest in
 * it and in the switch. Every thread checks that it finds its registers as it left them. */
#include "board.h"

enum { THREADS = 4, STACK_WORDS = 256, CALL_YIELD = 1, CALL_SLEEP = 2, CALL_EXIT = 3 };

static struct thread {
  uint32_t* sp; /* first: the switch finds it there */
  uint32_t wakes_at;
  uint32_t ended;
} threads[THREADS + 1]; /* the last one idles */
static uint32_t stack_of[THREADS + 1][STACK_WORDS] __attribute__((aligned(8)));
static struct thread* volatile current;
static volatile uint32_t ticks, switches, calls, nested_in_tick, nested_in_switch, timer_interrupts, in_tick, in_switch;
static volatile uint32_t errors, rounds[THREADS];
static volatile float interrupt_sum;

__attribute__((used)) static uint32_t* next_thread(uint32_t* sp) {
  in_switch = 1;
  current->sp = sp;
  unsigned n = (unsigned)(current - threads);
  for (unsigned tried = 0; tried < THREADS; ++tried) {
    n = n >= THREADS - 1 ? 0 : n + 1;
    if (!threads[n].ended && (int32_t)(ticks - threads[n].wakes_at) >= 0) break;
    if (tried == THREADS - 1) n = THREADS;
  }
  current = &threads[n];
  switches++;
  for (volatile int i = 0; i < 50; ++i) {
  }
  in_switch = 0;
  return current->sp;
}
__attribute__((naked)) static void on_switch(void) {
  __asm__ volatile(
      "mrs r0, psp\n\tisb\n\ttst lr, #0x10\n\tit eq\n\tvstmdbeq r0!, {s16-s31}\n\tstmdb r0!, {r4-r11, lr}\n\t"
      "bl next_thread\n\t"
      "ldmia r0!, {r4-r11, lr}\n\ttst lr, #0x10\n\tit eq\n\tvldmiaeq r0!, {s16-s31}\n\tmsr psp, r0\n\tisb\n\tbx lr");
}
static void on_tick(void) {
  in_tick = 1;
  ticks++;
  interrupt_sum = interrupt_sum * 0.5f + 1.0f;
  ICSR = PEND_PENDSV;
  for (volatile int i = 0; i < 50; ++i) {
  }
  in_tick = 0;
}
static void on_timer(void) {
  TIMER_INTERRUPT = 1;
  timer_interrupts++;
  nested_in_tick += in_tick;
  nested_in_switch += in_switch;
  interrupt_sum = interrupt_sum * 0.25f + 1.0f;
}
__attribute__((used)) static void serve(uint32_t* frame) {
  calls++;
  const uint8_t number = ((volatile uint8_t*)frame[6])[-2];
  if (number == CALL_SLEEP) current->wakes_at = ticks + frame[0];
  if (number == CALL_EXIT) current->ended = 1;
  frame[0] = ticks;
  ICSR = PEND_PENDSV;
}
__attribute__((naked)) static void on_call(void) { __asm__ volatile("mrs r0, psp\n\tb serve"); }
static inline void yield(void) { __asm__ volatile("svc 1" : : : "r0", "r1", "r2", "r3", "r12", "memory"); }
static inline uint32_t sleep(uint32_t n) {
  register uint32_t r0 __asm__("r0") = n;
  __asm__ volatile("svc 2" : "+r"(r0) : : "r1", "r2", "r3", "r12", "memory");
  return r0;
}
static void leave(void) {
  __asm__ volatile("svc 3" : : : "memory");
  for (;;) {
  }
}

/* Every register that can be: filled with values of the thread's own, interrupted for a while, compared. */
__attribute__((noinline)) static uint32_t hold_integers(uint32_t seed, uint32_t loops) {
  uint32_t wrong;
  __asm__ volatile(
      "add r4, %1, #4\n\tadd r5, %1, #5\n\tadd r6, %1, #6\n\tadd r8, %1, #8\n\tadd r9, %1, #9\n\tadd r10, %1, #10\n\t"
      "add r11, %1, #11\n\tadd r12, %1, #12\n\t"
      "1: subs %2, #1\n\tbne 1b\n\t"
      "sub r4, r4, %1\n\tsub r5, r5, %1\n\tsub r6, r6, %1\n\tsub r8, r8, %1\n\tsub r9, r9, %1\n\tsub r10, r10, %1\n\t"
      "sub r11, r11, %1\n\tsub r12, r12, %1\n\t"
      "eor %0, r4, #4\n\teor r5, #5\n\torr %0, %0, r5\n\teor r6, #6\n\torr %0, %0, r6\n\teor r8, #8\n\torr %0, %0, "
      "r8\n\t"
      "eor r9, #9\n\torr %0, %0, r9\n\teor r10, #10\n\torr %0, %0, r10\n\teor r11, #11\n\torr %0, %0, r11\n\t"
      "eor r12, #12\n\torr %0, %0, r12"
      : "=&r"(wrong), "+r"(seed), "+r"(loops)
      :
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "cc");
  return wrong != 0;
}
__attribute__((noinline)) static uint32_t hold_floats(float seed, uint32_t loops) {
  static const float steps[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  float low[16], high[16];
  for (int i = 0; i < 16; ++i) low[i] = high[i] = seed + steps[i];
  float *l = low, *h = high;
  __asm__ volatile(
      "vldm %0, {s0-s15}\n\tvldm %1, {s16-s31}\n\t1: subs %2, #1\n\tbne 1b\n\tvstm %0, {s0-s15}\n\tvstm %1, {s16-s31}"
      : "+r"(l), "+r"(h), "+r"(loops)
      :
      : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16",
        "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", "cc",
        "memory");
  uint32_t wrong = 0;
  for (int i = 0; i < 16; ++i) wrong |= low[i] != seed + steps[i] || high[i] != seed + steps[i];
  return wrong;
}

static void thread(uint32_t n) {
  for (uint32_t round = 0; round < 40; ++round) {
    if (n == 0 || n == 2) {
      errors += hold_floats((float)(n * 100 + round), 300 + 37 * n);
    } else {
      errors += hold_integers(n << 24 | round << 8, 500);
    }
    rounds[n]++;
    if (n == 1) yield();
    if (n == 3 && round % 4 == 0) {
      const uint32_t before = ticks;
      if (sleep(2) - before > 1) errors += 0x100; /* the call returns the time that it was made at */
      if (ticks - before < 2) errors += 0x10000;
    }
  }
  leave();
}
static void idle(void) {
  uint32_t alive;
  do {
    __asm__ volatile("wfi");
    alive = 0;
    for (unsigned n = 0; n < THREADS; ++n) alive |= !threads[n].ended;
  } while (alive);
  SYST_CSR = 0;
  TIMER_CTRL = 0;
  LINE("rounds", rounds[0], rounds[1], rounds[2], rounds[3]);
  LINE("errors", errors);
  LINE("calls", calls);
  LINE("switched by ticks, too", switches > calls, ticks > 20);
  LINE("timer nested", timer_interrupts > 100, nested_in_tick > 0, nested_in_switch > 0);
  LINE("floating point in handlers", interrupt_sum > 1.0f && interrupt_sum < 2.0f);
  done();
}
static void make(unsigned n, void (*body)(void)) {
  uint32_t* sp = stack_of[n] + STACK_WORDS;
  *--sp = 1u << 24;
  *--sp = (uint32_t)body & ~1u;
  *--sp = (uint32_t)leave;
  for (int i = 0; i < 4; ++i) *--sp = 0;
  *--sp = n;
  *--sp = 0xFFFFFFFD;
  for (uint32_t i = 0; i < 8; ++i) *--sp = 0x44440000 + i;
  threads[n].sp = sp;
}

int main(void);
int main(void) {
  CPACR = 0xF << 20;
  BARRIER();
  vectors[SVCALL] = on_call;
  vectors[PENDSV] = on_switch;
  vectors[SYSTICK] = on_tick;
  vectors[EXTERNAL + TIMER_IRQ] = on_timer;
  SYSTEM_PRIORITY(PENDSV) = 0xE0;
  SYSTEM_PRIORITY(SYSTICK) = 0xC0;
  SYSTEM_PRIORITY(SVCALL) = 0xC0;
  NVIC_IPR(TIMER_IRQ) = 0x40;
  NVIC_ISER = 1u << TIMER_IRQ;
  for (unsigned n = 0; n < THREADS; ++n) make(n, (void (*)(void))thread);
  make(THREADS, idle);
  /* Becomes the idle thread, which is switched from at once. */
  current = &threads[THREADS];
  TIMER_RELOAD = TIMER_VALUE = 701;
  TIMER_CTRL = 9;
  SYST_RVR = 2999;
  SYST_CVR = 0;
  SYST_CSR = 7;
  __asm__ volatile("msr psp, %0\n\tmovs r0, #2\n\tmsr control, r0\n\tisb\n\tbx %1"
                   :
                   : "r"(stack_of[THREADS] + STACK_WORDS), "r"(idle)
                   : "r0", "memory");
  return 0;
}
