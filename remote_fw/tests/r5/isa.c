/* The system side of Armv7-R, as far as any Cortex-R5 shows it alike: what rpsim and QEMU print must be the same. */
#include "print.h"

enum { UNDEFINED = 1, PREFETCH = 3, DATA = 4 };

static volatile uint32_t seen[8][4]; /* by kind: count, pc, SPSR, fault status */
static volatile uint32_t resume_at;  /* 0: behind the instruction */

static uint32_t cpsr(void) {
  uint32_t v;
  __asm__ volatile("mrs %0, cpsr" : "=r"(v));
  return v;
}

void on_exception(uint32_t kind, uint32_t frame[2]);
void on_exception(uint32_t kind, uint32_t frame[2]) {
  const uint32_t thumb = frame[1] >> 5 & 1;
  const uint32_t pc = frame[0] - (kind == DATA ? 8u : kind == PREFETCH ? 4u : thumb ? 2u : 4u);
  uint32_t length = 4;
  if (thumb && kind != PREFETCH && *(volatile uint16_t*)pc < 0xE800) length = 2;
  seen[kind][0]++;
  seen[kind][1] = pc;
  seen[kind][2] = frame[1];
  seen[kind][3] = kind == DATA ? READ_CP15(5, 0, 0, 0) : kind == PREFETCH ? READ_CP15(5, 0, 0, 1) : 0;
  frame[0] = resume_at ? resume_at : pc + length;
  resume_at = 0;
}

static void report(const char* name, uint32_t kind) {
  LINE(name, seen[kind][0], seen[kind][2] & 0x3F, seen[kind][3]);
  seen[kind][0] = 0;
}

static volatile uint32_t call_number, call_mode;

int on_supervisor_call(int a, int b, uint32_t spsr, uint32_t pc);
int on_supervisor_call(int a, int b, uint32_t spsr, uint32_t pc) {
  const uint32_t number = spsr & 0x20 ? *(volatile uint16_t*)pc & 0xFF : *(volatile uint32_t*)pc & 0xFFFFFF;
  if (number == SEMIHOSTING) return serve_semihosting(a, b);
  call_number = number;
  call_mode = spsr & 0x1F;
  return call_number == 77 ? a : a + b;
}

__attribute__((noinline)) static int call_from_arm(int a, int b) {
  register int r0 __asm__("r0") = a;
  register int r1 __asm__("r1") = b;
  __asm__ volatile("svc #5" : "+r"(r0), "+r"(r1) : : "r2", "r3", "r12", "lr", "memory");
  return r0;
}
__attribute__((noinline, target("thumb"))) static int call_from_thumb(int a, int b) {
  register int r0 __asm__("r0") = a;
  register int r1 __asm__("r1") = b;
  __asm__ volatile("svc #9" : "+r"(r0), "+r"(r1) : : "r2", "r3", "r12", "lr", "memory");
  return r0;
}

static void identity(void) {
  LINE("mode", cpsr() & 0x1F);
  LINE("processor", READ_CP15(0, 0, 0, 0));
  LINE("regions", READ_CP15(0, 0, 0, 4));
  LINE("features", READ_CP15(0, 0, 1, 0), READ_CP15(0, 0, 1, 4), READ_CP15(0, 0, 2, 0), READ_CP15(0, 0, 2, 3));
}

static void supervisor_calls(void) {
  const uint32_t a = (uint32_t)call_from_arm(40, 2), n = call_number;
  const uint32_t t = (uint32_t)call_from_thumb(30, 3);
  LINE("supervisor calls", a, n, t, call_number, call_mode);
}

__attribute__((noinline, target("thumb"))) static void undefined_in_thumb(void) {
  __asm__ volatile("udf #3\n\tudf.w #7");
}
/* The condition of an instruction that is not executed is not looked at any further. */
__attribute__((noinline)) static void undefined_conditional(void) {
  __asm__ volatile("cmp %0, %0\n\t.inst 0x17f000f0\n\t.inst 0x07f000f0" : : "r"(1) : "cc");
}

static void undefined(void) {
  __asm__ volatile(".inst 0xe7f000f1");
  report("undefined, Arm", UNDEFINED);
  undefined_in_thumb();
  report("undefined, Thumb", UNDEFINED);
  undefined_conditional();
  report("undefined, conditional", UNDEFINED);
  __asm__ volatile("mrc p14, 7, r0, c15, c15, 7\n\tcdp p5, 0, c0, c0, c0, 0" : : : "r0");
  report("undefined, coprocessors", UNDEFINED);
}

__attribute__((noinline)) static double square_roots(double x) {
  for (int i = 0; i < 20; ++i) {
    double root;
    __asm__("vsqrt.f64 %P0, %P1" : "=w"(root) : "w"(x));
    x = root + 0.25 * i;
  }
  return x;
}
__attribute__((noinline)) static float harmonic(unsigned n) {
  float sum = 0;
  for (unsigned i = 1; i <= n; ++i) sum += 1.0f / (float)i;
  return sum;
}

static void floating_point(void) {
  uint32_t exc = 1;
  __asm__ volatile("vmov s0, %0" : : "r"(1) : "s0");
  report("floating point without access", UNDEFINED);
  WRITE_CP15(1, 0, 0, 2, READ_CP15(1, 0, 0, 2) | 0xF << 20);
  __asm__ volatile("vmov s0, %0" : : "r"(1) : "s0");
  report("floating point not enabled", UNDEFINED);
  __asm__ volatile("vmsr fpexc, %1\n\tvmrs %0, fpexc" : "=r"(exc) : "r"(1u << 30));
  LINE("FPEXC", exc, READ_CP15(1, 0, 0, 2) & 0xF << 20);
  union {
    double d;
    uint32_t w[2];
  } root = {.d = square_roots(2.0)};
  union {
    float f;
    uint32_t w;
  } sum = {.f = harmonic(1000)};
  uint32_t flags;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(flags));
  LINE("double and single", root.w[0], root.w[1], sum.w, flags & 0x9F);
}

static void exclusives(void) {
  static volatile uint32_t lock;
  uint32_t failures = 0, held, cleared;
  for (int i = 0; i < 1000; ++i) {
    uint32_t v, failed;
    do {
      __asm__ volatile("ldrex %0, [%2]\n\tadd %0, %0, #1\n\tstrex %1, %0, [%2]"
                       : "=&r"(v), "=&r"(failed)
                       : "r"(&lock)
                       : "memory");
      failures += failed;
    } while (failed);
  }
  __asm__ volatile("ldrex r0, [%1]\n\tclrex\n\tstrex %0, r0, [%1]" : "=&r"(cleared) : "r"(&lock) : "r0", "memory");
  __asm__ volatile("strex %0, %1, [%1]" : "=&r"(held) : "r"(&lock) : "memory");
  LINE("exclusives", lock, failures, cleared, held);
}

static void banks(void) {
  uint32_t fiq, irq_sp, irq_lr, user_sp, here;
  __asm__ volatile(
      "mov r8, #0x11\n\tcps #0x11\n\tmov r8, #0x22\n\tmov r12, #0x33\n\tcps #0x1F\n\tmov %0, r8\n\tcps #0x11\n\t"
      "add %0, %0, r8, lsl #8\n\tcps #0x1F"
      : "=&r"(fiq)
      :
      : "r8", "r9", "r10", "r11", "r12", "memory");
  __asm__ volatile(
      "mov %2, sp\n\tcps #0x12\n\tmov r1, sp\n\tmovw sp, #0x1234\n\tmovw lr, #0x5678\n\tcps #0x1F\n\tcps #0x12\n\t"
      "mov %0, sp\n\tmov %1, lr\n\tmov sp, r1\n\tcps #0x1F\n\tmov %3, sp"
      : "=&r"(irq_sp), "=&r"(irq_lr), "=&r"(here), "=&r"(user_sp)
      :
      : "r1", "memory");
  LINE("banked registers", fiq, irq_sp, irq_lr, here == user_sp);
  uint32_t words[2] = {0x111, 0x222}, got[2];
  __asm__ volatile(
      "mov r4, sp\n\tmov r5, lr\n\tmov r6, %0\n\tmov r7, %1\n\tcps #0x13\n\tldm r6, {sp, lr}^\n\tnop\n\t"
      "stm r7, {sp, lr}^\n\tcps #0x1F\n\tmov sp, r4\n\tmov lr, r5"
      :
      : "r"(words), "r"(got)
      : "r4", "r5", "r6", "r7", "memory");
  LINE("user registers", got[0], got[1]);
}

/* ---- user mode */

static volatile uint32_t user_modes[3];
static int user_body(void) {
  uint32_t a, b, c;
  __asm__ volatile("mrs %0, cpsr\n\tmsr cpsr_c, #0xD3\n\tmrs %1, cpsr\n\tcpsid i\n\tmrs %2, cpsr"
                   : "=r"(a), "=r"(b), "=r"(c));
  user_modes[0] = a & 0xDF;
  user_modes[1] = b & 0xDF;
  user_modes[2] = c & 0xDF;
  (void)READ_CP15(1, 0, 0, 0);
  __asm__ volatile("mrc p15, 0, r0, c13, c0, 3" : : : "r0");
  return -1;
}

int in_user_mode(int (*f)(void));

static void user_mode(void) {
  const int result = in_user_mode(user_body);
  LINE("user mode", (uint32_t)result, user_modes[0] & 0x1F, user_modes[1] & 0x1F, user_modes[2] & 0x1F, cpsr() & 0x1F);
  LINE("user mode masks", user_modes[0] == user_modes[1], user_modes[1] == user_modes[2]);
  report("user mode, system register", UNDEFINED);
}

/* ---- memory protection */

static uint32_t guarded[4096] __attribute__((aligned(16384)));

static void region(unsigned n, uint32_t base, uint32_t size_enable, uint32_t access) {
  WRITE_CP15(6, 0, 2, 0, n);
  WRITE_CP15(6, 0, 1, 2, 0);
  WRITE_CP15(6, 0, 1, 0, base);
  WRITE_CP15(6, 0, 1, 4, access);
  WRITE_CP15(6, 0, 1, 2, size_enable);
}
static uint32_t size(unsigned log2) { return (log2 - 1) << 1 | 1; }
static void report_data(const char* name) {
  LINE(name, seen[DATA][0], seen[DATA][2] & 0x3F, seen[DATA][3], READ_CP15(6, 0, 0, 0) - (uint32_t)guarded);
  seen[DATA][0] = 0;
}

__attribute__((noinline, target("thumb"))) static uint32_t read_in_thumb(volatile uint32_t* at) {
  uint32_t v = 0x77;
  __asm__ volatile("ldr %0, [%1]" : "+r"(v) : "r"(at));
  return v;
}

static int user_reads(void) {
  (void)*(volatile uint32_t*)&guarded[1024];
  return -1;
}

static void protection(void) {
  volatile uint32_t* const g = guarded;
  region(0, 0x00000000, size(31), 3 << 8);                         /* everything below 2 GiB */
  region(1, 0xFF000000, size(20), 3 << 8 | 1 << 12 | 1);           /* the console */
  region(4, (uint32_t)guarded, size(12), 0);                       /* no access */
  region(5, (uint32_t)guarded + 4096, size(12), 1 << 8);           /* user: none */
  region(6, (uint32_t)guarded + 8192, size(12), 6 << 8 | 1 << 12); /* read only, not executable */
  WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) | 1);

  g[1] = 5;
  report_data("write where nothing is permitted");
  LINE("read where nothing is permitted", read_in_thumb(&g[2]));
  report_data("its fault");
  g[1024] = 6;
  (void)g[2048];
  report_data("permitted");
  g[2050] = 7;
  report_data("write where only reads are permitted");
  g[3072] = 8; /* region 0 */
  LINE("values", g[1024], g[2050], g[3072]);
  {
    uint32_t into[4] = {1, 2, 3, 4}, *base = guarded - 2;
    __asm__ volatile("ldmib %0!, {r4-r7}\n\tstr r4, [%1]" : "+r"(base) : "r"(into) : "r4", "r5", "r6", "r7", "memory");
    LINE("multiple load over a border", (uint32_t)base - (uint32_t)guarded);
    report_data("its fault");
  }
  *(volatile uint32_t*)0xC0000000 = 1;
  LINE("no region", seen[DATA][0], seen[DATA][3], READ_CP15(6, 0, 0, 0));
  seen[DATA][0] = 0;

  in_user_mode(user_reads);
  report_data("user mode");
  region(7, (uint32_t)guarded, size(12) | 0xFE00, 3 << 8); /* its first eighth is open again */
  g[1] = 9;
  report_data("first subregion");
  g[128] = 9;
  report_data("second subregion");
  region(7, 0, 0, 0);

  __asm__ volatile("adr r0, 1f\n\tstr r0, [%0]\n\tbx %1\n1:" : : "r"(&resume_at), "r"(&guarded[2048]) : "r0", "memory");
  LINE("not executable", seen[PREFETCH][0], seen[PREFETCH][3], READ_CP15(6, 0, 0, 2) - (uint32_t)guarded);
  guarded[3072] = 0xE12FFF1E; /* bx lr, where it may be executed */
  __asm__ volatile("dsb\n\tmcr p15, 0, %0, c7, c5, 0\n\tdsb\n\tisb" : : "r"(0) : "memory");
  ((void (*)(void)) & guarded[3072])();
  LINE("executable", guarded[3072]);
  WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) & ~1u);
  g[1] = 10;
  report_data("protection off");
}

/* Loads and stores of one word or less may be anywhere unless that is trapped, others not. */
#define UNALIGNED(name, instruction, at)                                          \
  do {                                                                            \
    __asm__ volatile(instruction : : "r"(at) : "r2", "r3", "r4", "r5", "memory"); \
    report_data(name);                                                            \
  } while (0)
__attribute__((noinline)) static void misaligned_always(uint32_t at) {
  UNALIGNED("unaligned LDM", "ldm %0, {r2, r3}", at);
  UNALIGNED("unaligned LDMDB", "ldmdb %0, {r2, r3, r4}", at + 16);
  UNALIGNED("unaligned STM", "stm %0, {r2, r3}", at + 1);
  UNALIGNED("unaligned LDRD", "ldrd r2, r3, [%0, #4]", at);
  UNALIGNED("unaligned STRD", "strd r2, r3, [%0, #8]", at);
  UNALIGNED("unaligned LDREX", "ldrex r2, [%0]", at);
  UNALIGNED("unaligned LDREXH", "ldrexh r2, [%0]", at + 1);
  UNALIGNED("unaligned VLDR", "vldr d0, [%0]", at);
  UNALIGNED("unaligned VSTM", "vstmia %0, {d0, d1}", at);
}
__attribute__((noinline, target("thumb"))) static void misaligned_in_thumb(uint32_t at) {
  UNALIGNED("Thumb, unaligned LDM", "ldm %0, {r2, r3}", at);
  UNALIGNED("Thumb, unaligned STRD", "strd r2, r3, [%0, #8]", at);
}
__attribute__((noinline)) static uint32_t misaligned_allowed(uint32_t at) {
  uint32_t sum = 0, v = 0;
  for (uint32_t offset = 0; offset < 5; ++offset) {
    __asm__ volatile(
        "ldr %1, [%2, %3]\n\tadd %0, %1\n\tldr %1, [%2, #9]\n\tadd %0, %1\n\tldrh %1, [%2, %3]\n\tadd %0, %1\n\t"
        "ldrsh %1, [%2, #7]\n\tadd %0, %1\n\tstr %0, [%2, #4]\n\tstr %0, [%2, #-3]\n\tstrh %1, [%2, #6]\n\t"
        "ldr %1, [%2], #1\n\tadd %0, %1\n\tcmp %0, #0\n\tldrmi %1, [%2, #8]\n\tldrpl %1, [%2, #12]\n\tadd %0, %1"
        : "+r"(sum), "+&r"(v), "+r"(at)
        : "r"(offset)
        : "memory", "cc");
  }
  return sum;
}
__attribute__((noinline)) static void alignment(void) {
  for (unsigned i = 0; i < 32; ++i) guarded[i] = i * 0x9E3779B9u;
  for (int round = 0; round < 2; ++round) {
    misaligned_always((uint32_t)guarded + 2);
    misaligned_in_thumb((uint32_t)guarded + 2);
    for (uint32_t at = 0; at < 4; ++at) LINE("sum", misaligned_allowed((uint32_t)guarded + 16 + at));
    LINE("memory", guarded[0], guarded[1], guarded[4], guarded[5], guarded[6], guarded[7]);
    WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) | 2);
    __asm__ volatile("isb");
    misaligned_always((uint32_t)guarded + 2);
    UNALIGNED("trapped LDR", "ldr r2, [%0, #1]", guarded);
    UNALIGNED("trapped STR", "str r2, [%0]", (uint32_t)guarded + 2);
    UNALIGNED("trapped LDRH", "ldrh r2, [%0]", (uint32_t)guarded + 1);
    UNALIGNED("trapped STRH", "strh r2, [%0, #3]", guarded);
    misaligned_allowed((uint32_t)guarded + 0x80);
    report_data("faults in between");
    WRITE_CP15(1, 0, 0, 0, READ_CP15(1, 0, 0, 0) & ~2u);
    __asm__ volatile("isb");
  }
}

int main(void);
int main(void) {
  identity();
  supervisor_calls();
  undefined();
  floating_point();
  exclusives();
  banks();
  user_mode();
  alignment();
  protection();
  done();
  return 0;
}
