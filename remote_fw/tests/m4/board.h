/* What the Cortex-M4 test programs have around them: the UART and the timer 0 of an MPS2 with AN386 (Arm DDI 0479D,
 * §3.4 and §4.2), which rpsim's test board has, too, and the core's own registers. */
#ifndef RPSIM_M4_BOARD_H
#define RPSIM_M4_BOARD_H

#include <stdint.h>

#define REG(a) (*(volatile uint32_t*)(a))
#define REG8(a) (*(volatile uint8_t*)(a))
#define UART_DATA REG(0x40004000)
#define UART_STATE REG(0x40004004)
#define UART_CTRL REG(0x40004008)
#define UART_BAUDDIV REG(0x40004010)
#define TIMER_CTRL REG(0x40000000) /* 1: counts, 8: interrupt */
#define TIMER_VALUE REG(0x40000004)
#define TIMER_RELOAD REG(0x40000008)
#define TIMER_INTERRUPT REG(0x4000000C) /* write 1: cleared */
#define TIMER_IRQ 8
#define NOTHING_THERE 0x60000000u

#define SYST_CSR REG(0xE000E010)
#define SYST_RVR REG(0xE000E014)
#define SYST_CVR REG(0xE000E018)
#define NVIC_ISER REG(0xE000E100)
#define NVIC_ICER REG(0xE000E180)
#define NVIC_ISPR REG(0xE000E200)
#define NVIC_ICPR REG(0xE000E280)
#define NVIC_IABR REG(0xE000E300)
#define NVIC_IPR(n) REG8(0xE000E400 + (n))
#define CPUID REG(0xE000ED00)
#define ICSR REG(0xE000ED04)
#define AIRCR REG(0xE000ED0C)
#define CCR REG(0xE000ED14)
#define SYSTEM_PRIORITY(exception) REG8(0xE000ED14 + (exception))
#define SHCSR REG(0xE000ED24)
#define CFSR REG(0xE000ED28)
#define HFSR REG(0xE000ED2C)
#define MMFAR REG(0xE000ED34)
#define BFAR REG(0xE000ED38)
#define CPACR REG(0xE000ED88)
#define MPU_TYPE REG(0xE000ED90)
#define MPU_CTRL REG(0xE000ED94)
#define MPU_RBAR REG(0xE000ED9C)
#define MPU_RASR REG(0xE000EDA0)
#define FPCCR REG(0xE000EF34)
#define FPCAR REG(0xE000EF38)
#define FPDSCR REG(0xE000EF3C)
#define MVFR0 REG(0xE000EF40)
#define MVFR1 REG(0xE000EF44)

enum { NMI = 2, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT, SVCALL = 11, PENDSV = 14, SYSTICK, EXTERNAL };
#define PEND_NMI (1u << 31)
#define PEND_PENDSV (1u << 28)
#define PEND_SYSTICK (1u << 26)

#define BARRIER() __asm__ volatile("dsb\n\tisb" : : : "memory")
#define READ_SPECIAL(name)                                      \
  __extension__({                                               \
    uint32_t v_;                                                \
    __asm__ volatile("mrs %0, " #name : "=r"(v_) : : "memory"); \
    v_;                                                         \
  })
#define WRITE_SPECIAL(name, value) __asm__ volatile("msr " #name ", %0\n\tisb" : : "r"(value) : "memory")

/* Replaces what the vector table has; see start.c. */
extern void (*volatile vectors[16 + 16])(void);

static inline void put(const char* text) {
  for (; *text; ++text) {
    while (UART_STATE & 1) {
    }
    UART_DATA = (uint32_t)*text;
  }
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

/* The last line ends a run: rpsim's board sees it, QEMU the semihosting call. */
static inline void done(void) {
  put("done\n");
  register uint32_t operation __asm__("r0") = 0x18; /* SYS_EXIT */
  register uint32_t reason __asm__("r1") = 0x20026; /* ADP_Stopped_ApplicationExit */
  __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(reason) : "memory");
  for (;;) {
  }
}

#endif
