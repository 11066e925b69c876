#include "chip.h"
#include "remote_fw/hal/cpu.h"
#include "remote_fw/hal/hal.h"

/* Arm DDI 0403E, B3.2 and C1.8. */
#define DWT_CTRL 0xE0001000u
#define DWT_CYCCNT 0xE0001004u
#define SYST_CSR 0xE000E010u
#define SYST_RVR 0xE000E014u
#define SYST_CVR 0xE000E018u
#define NVIC_ISER 0xE000E100u
#define NVIC_ICER 0xE000E180u
#define NVIC_ICPR 0xE000E280u
#define NVIC_IPR 0xE000E400u
#define ICSR 0xE000ED04u
#define DEMCR 0xE000EDFCu

#define SYST_RUN 7u /* CPU clock, interrupt, enable */
#define SYST_LONGEST 0x01000000u
#define SYST_SHORTEST 512u /* rounds go on: their handler must leave time for the rest */
#define ICSR_PENDSTSET (1u << 26)
#define ICSR_PENDSTCLR (1u << 25)
#define DEMCR_TRCENA (1u << 24)
#define US_PER_S 1000000u
#define EXCEPTION_SYSTICK 15u
#define EXCEPTION_EXTERNAL 16u

static hal_handler handlers[CHIP_IRQS];
static volatile uint64_t elapsed;   /* cycles up to the start of SysTick's present round */
static volatile uint32_t countdown; /* length of a round */

static void restart_systick(uint32_t cycles) {
  countdown = cycles;
  hal_write32(SYST_RVR, cycles - 1u);
  hal_write32(SYST_CVR, 0);
  hal_write32(SYST_CSR, SYST_RUN);
}

void cpu_init(void) {
  hal_write32(DEMCR, DEMCR_TRCENA);
  hal_write32(DWT_CYCCNT, 0);
  hal_write32(DWT_CTRL, 1);
  restart_systick(SYST_LONGEST);
}

void cpu_exception(uint32_t number) {
  if (number == EXCEPTION_SYSTICK) {
    elapsed += countdown;
  } else if (number >= EXCEPTION_EXTERNAL && number < EXCEPTION_EXTERNAL + CHIP_IRQS &&
             handlers[number - EXCEPTION_EXTERNAL]) {
    handlers[number - EXCEPTION_EXTERNAL]();
  } else {
    hal_lockup();
  }
}

void hal_irq_attach(unsigned irq, hal_handler handler) { handlers[irq] = handler; }

void hal_irq_enable(unsigned irq, unsigned priority) {
  const uint32_t word = NVIC_IPR + irq / 4 * 4, shift = 8 * (irq % 4);
  hal_write32(word, (hal_read32(word) & ~(0xFFu << shift)) | (priority << 5 & 0xFFu) << shift);
  hal_write32(NVIC_ICPR + irq / 32 * 4, 1u << (irq % 32)); /* what is left of an earlier life; a high level stays */
  hal_write32(NVIC_ISER + irq / 32 * 4, 1u << (irq % 32));
}

void hal_irq_disable(unsigned irq) { hal_write32(NVIC_ICER + irq / 32 * 4, 1u << (irq % 32)); }

void hal_quiesce(void) {
  hal_irq_mask_all();
  hal_write32(SYST_CSR, 0);
  hal_write32(ICSR, ICSR_PENDSTCLR);
  for (unsigned i = 0; i < (CHIP_IRQS + 31) / 32; ++i) {
    hal_write32(NVIC_ICER + 4 * i, 0xFFFFFFFFu);
    hal_write32(NVIC_ICPR + 4 * i, 0xFFFFFFFFu);
  }
}

uint32_t hal_cycles(void) { return hal_read32(DWT_CYCCNT); }

/* Right in a handler, and with interrupts masked while a tick is pending. */
static uint64_t time_cycles(void) {
  uint64_t before, time;
  do {
    before = elapsed;
    time = before;
    uint32_t left = hal_read32(SYST_CVR);
    if (hal_read32(ICSR) & ICSR_PENDSTSET) {
      time += countdown;
      left = hal_read32(SYST_CVR);
    }
    time += left ? countdown - left : 0; /* 0: the round is about to begin */
  } while (before != elapsed);
  return time;
}

/* Cycles after which `us` have gone by, and the other way round; the clock need not be whole megahertz. */
static uint64_t cycles_in(uint64_t us) {
  return us / US_PER_S * CHIP_CPU_HZ + (us % US_PER_S * CHIP_CPU_HZ + US_PER_S - 1) / US_PER_S;
}
static uint64_t us_in(uint64_t cycles) {
  return cycles / CHIP_CPU_HZ * US_PER_S + cycles % CHIP_CPU_HZ * US_PER_S / CHIP_CPU_HZ;
}

uint64_t hal_time_us(void) { return us_in(time_cycles()); }

void hal_wake_after(uint32_t us) {
  const uint64_t cycles = cycles_in(us);
  hal_write32(ICSR, ICSR_PENDSTCLR);
  restart_systick(cycles < 2 ? 2 : cycles > SYST_LONGEST ? SYST_LONGEST : (uint32_t)cycles);
}

void hal_wfi_until(uint64_t time_us) {
  const uint64_t now = time_cycles();
  uint64_t left = SYST_LONGEST;
  if (time_us / US_PER_S < HAL_FOREVER / CHIP_CPU_HZ) {
    const uint64_t then = cycles_in(time_us);
    if (then <= now) return;
    if (then - now < left) left = then - now;
  }
  elapsed = now;
  hal_write32(ICSR, ICSR_PENDSTCLR); /* counted in `now` */
  restart_systick(left < SYST_SHORTEST ? SYST_SHORTEST : (uint32_t)left);
  hal_wfi();
}
