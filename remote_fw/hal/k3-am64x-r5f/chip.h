/* AM64x MAIN R5F: what firmware knows of its chip. The same for the four cores but for what follows from CHIP_CORE: 0
 * and 1 are R5FSS0's, 2 and 3 R5FSS1's. An R5F sees system addresses. Facts: reference/k3.md §1.4, §3.2, §3.3, §4.5,
 * §6; secure-proxy threads and device numbers: TI's mcupsdk-core, tisci/am64x_am243x. */
#ifndef RPSIM_CHIP_H
#define RPSIM_CHIP_H

#define CHIP_CPU_HZ 800000000u
#define CHIP_IRQS 256u

#define CHIP_VIM 0x2FFF0000u
#define CHIP_MAILBOX (0x29020000u + 0x20000u * (CHIP_CORE / 2u)) /* cluster 2 or 4 */
#define CHIP_SECURE_PROXY_RT 0x4A600000u
#define CHIP_SECURE_PROXY_DATA 0x4D000000u
#define CHIP_TIMER0 (0x02480000u + 0x10000u * CHIP_CORE) /* main_timer8..11; also the HAL's clock */
#define CHIP_RTI0 (0x0E080000u + 0x10000u * CHIP_CORE)   /* RTI8..11 */
#define CHIP_CONTROL (0x4FF00000u + 0x1000u * CHIP_CORE) /* rpsim's scenario-control block; nothing on a chip */

#define CHIP_TIMER0_HZ 25000000u
#define CHIP_RTI0_HZ 32768u
#define CHIP_WATCHDOG_TIMEOUT_MS 1000u

#define CHIP_MAILBOX_TX_FIFO (2u * (CHIP_CORE % 2u))
#define CHIP_MAILBOX_RX_FIFO (CHIP_MAILBOX_TX_FIFO + 1u)
#define CHIP_MAILBOX_USER (CHIP_CORE % 2u)
#define CHIP_IRQ_MAILBOX 98u
#define CHIP_IRQ_TIMER0 (160u + CHIP_CORE) /* assumed, as in the platform's device tree */

/* TI-SCI: each core's non-secure host (MAIN_0_R5_1, MAIN_0_R5_3, MAIN_1_R5_1, MAIN_1_R5_3). */
#define CHIP_SCI_HOST ((CHIP_CORE < 2u ? 36u : 41u) + 2u * (CHIP_CORE % 2u))
#define CHIP_SCI_RX_THREAD ((CHIP_CORE < 2u ? 2u : 20u) + 4u * (CHIP_CORE % 2u))
#define CHIP_SCI_TX_THREAD (CHIP_SCI_RX_THREAD + 1u)
#define CHIP_DEV_WATCHDOG (CHIP_CORE < 2u ? 127u + CHIP_CORE : 128u + CHIP_CORE) /* RTI8..11 */
#define CHIP_DEV_TIMER (44u + CHIP_CORE)                                         /* TIMER8..11 */

/* The firmware's carveout in DDR: the resource table at its base, where an IPC-only attach looks for it. */
#define CHIP_RESOURCE_TABLE (0xA0100000u + 0x1000000u * CHIP_CORE)
#define CHIP_TRACE_BUFFER (CHIP_RESOURCE_TABLE + 0x1000u)
#define CHIP_TRACE_BYTES 0x1000u
#define CHIP_TRACE_NAME "trace:r5f"

#endif
