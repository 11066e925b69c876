/* Output of the Cortex-R5 test programs, by Arm semihosting's SYS_WRITE0 and SYS_EXIT. QEMU serves these calls; on a
 * core without a host they are supervisor calls like any other, and serve_semihosting() writes to a character device.
 */
#ifndef RPSIM_R5_PRINT_H
#define RPSIM_R5_PRINT_H

#include <stdint.h>

#define REG(a) (*(volatile uint32_t*)(a))
#define CONSOLE_CHARACTER REG(0xFF000000)
#define CONSOLE_DONE REG(0xFF000004)
#define SEMIHOSTING 0x123456u
#define SYS_WRITE0 0x04
#define SYS_EXIT 0x18
#define SYS_EXIT_SUCCESS 0x20026

static void semihost(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("svc #0x123456" : "+r"(r0), "+r"(r1) : : "r2", "r3", "r12", "lr", "memory");
}
static inline int serve_semihosting(int operation, int argument) {
  if (operation == SYS_EXIT) CONSOLE_DONE = 1;
  if (operation != SYS_WRITE0) return 0;
  for (const char* text = (const char*)argument; *text; ++text) CONSOLE_CHARACTER = (uint32_t)*text;
  return 0;
}
static inline void put(const char* text) { semihost(SYS_WRITE0, text); }
static inline void done(void) {
  put("done\n");
  semihost(SYS_EXIT, (const void*)SYS_EXIT_SUCCESS);
}
static inline void put_hex(uint32_t value) {
  char text[] = "00000000";
  for (int digit = 7; digit >= 0; --digit, value >>= 4) text[digit] = "0123456789abcdef"[value & 15];
  put(text);
}
/* "name value value …" in hexadecimal. */
static inline void line(const char* name, const uint32_t* values, unsigned count) {
  put(name);
  for (unsigned i = 0; i < count; ++i) {
    put(" ");
    put_hex(values[i]);
  }
  put("\n");
}
#define LINE(name, ...)                                \
  do {                                                 \
    const uint32_t line_[] = {__VA_ARGS__};            \
    line(name, line_, sizeof line_ / sizeof line_[0]); \
  } while (0)

#define READ_CP15(crn, op1, crm, op2)                                                               \
  __extension__({                                                                                   \
    uint32_t v_;                                                                                    \
    __asm__ volatile("mrc p15, " #op1 ", %0, c" #crn ", c" #crm ", " #op2 : "=r"(v_) : : "memory"); \
    v_;                                                                                             \
  })
#define WRITE_CP15(crn, op1, crm, op2, value)                                                                \
  do {                                                                                                       \
    uint32_t v_ = (value);                                                                                   \
    __asm__ volatile("mcr p15, " #op1 ", %0, c" #crn ", c" #crm ", " #op2 "\n\tisb" : : "r"(v_) : "memory"); \
  } while (0)

#endif
