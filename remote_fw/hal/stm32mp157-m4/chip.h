/* STM32MP157 Cortex-M4: what firmware knows of its chip. Facts: reference/stm32mp1.md §1, §2.3, §4.1, §6, §7. */
#ifndef RPSIM_CHIP_H
#define RPSIM_CHIP_H

#define CHIP_CPU_HZ 208877930u /* PLL3_P as the first-stage loader sets it */
#define CHIP_IRQS 150u

#define CHIP_WWDG1 0x4000A000u
#define CHIP_IPCC 0x4C001000u
#define CHIP_RCC 0x50000000u
#define CHIP_CONTROL 0x4FF00000u /* rpsim's scenario-control block; nothing on a chip */

#define CHIP_WWDG1_HZ 104438965u      /* APB1 */
#define CHIP_WATCHDOG_TIMEOUT_MS 300u /* 321 is the most that WWDG1 can do */
#define CHIP_IRQ_IPCC_RX 103u

/* The last 32 KiB of SRAM2, behind the firmware's data. The resource table has the kilobyte to itself that Linux copies
 * at attach and puts back at detach (§5.1). */
#define CHIP_RESOURCE_TABLE 0x10038000u
#define CHIP_TRACE_BUFFER 0x10039000u
#define CHIP_TRACE_BYTES 0x1000u

/* What the vrings' places are where the resource table fixes them: those of ST's device trees, which are carveouts, and
 * SRAM4, which is in none (§1.2). */
#define CHIP_VRING0 0x10040000u
#define CHIP_VRING1 0x10041000u
#define CHIP_VRING0_OUTSIDE 0x10050000u
#define CHIP_VRING1_OUTSIDE 0x10051000u

#endif
