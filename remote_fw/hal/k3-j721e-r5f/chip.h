/* J721E Cortex-R5F: what firmware knows of its chip. The same for the six cores but for what follows from CHIP_CORE: 0
 * and 1 are the MCU domain's, 2 and 3 MAIN R5FSS0's, 4 and 5 MAIN R5FSS1's. An R5F sees system addresses. Facts:
 * reference/k3.md §1.4, §4.1, §4.5, §6; device numbers: TI's mcupsdk-rm-pm-hal, include/soc/j721e. Assumed: which user
 * of a mailbox and which inputs of a VIM are whose, secure-proxy threads, the MAIN domain's VIM. */
#ifndef RPSIM_CHIP_H
#define RPSIM_CHIP_H

#define CHIP_IS_MCU (CHIP_CORE < 2u)
#define CHIP_CPU_HZ 1000000000u
#define CHIP_IRQS 256u

#define CHIP_VIM (CHIP_IS_MCU ? 0x40F80000u : 0x0FF80000u)
#define CHIP_MAILBOX (0x31F80000u + 0x1000u * (CHIP_CORE / 2u)) /* cluster 0, 1 or 2 */
#define CHIP_SECURE_PROXY_RT 0x32400000u
#define CHIP_SECURE_PROXY_DATA 0x32C00000u
/* MCU_TIMER0, 1; TIMER12..15; also the HAL's clock */
#define CHIP_TIMER0 (CHIP_IS_MCU ? 0x40400000u + 0x10000u * CHIP_CORE : 0x024A0000u + 0x10000u * CHIP_CORE)
/* MCU_RTI0, 1; RTI28..31 */
#define CHIP_RTI0 (CHIP_IS_MCU ? 0x40600000u + 0x10000u * CHIP_CORE : 0x023A0000u + 0x10000u * CHIP_CORE)
#define CHIP_CONTROL (0x4FF00000u + 0x1000u * CHIP_CORE) /* rpsim's scenario-control block; nothing on a chip */

#define CHIP_TIMER0_HZ 25000000u
#define CHIP_RTI0_HZ 32768u
#define CHIP_WATCHDOG_TIMEOUT_MS 1000u

#define CHIP_MAILBOX_TX_FIFO (2u * (CHIP_CORE % 2u))
#define CHIP_MAILBOX_RX_FIFO (CHIP_MAILBOX_TX_FIFO + 1u)
#define CHIP_MAILBOX_USER (1u + CHIP_CORE % 2u)
#define CHIP_IRQ_MAILBOX 64u
#define CHIP_IRQ_TIMER0 65u

/* TI-SCI: each core's non-secure host (MCU_0_R5_0 and 2, MAIN_0_R5_0 and 2, MAIN_1_R5_0 and 2). */
#define CHIP_SCI_HOST ((CHIP_CORE < 2u ? 3u : CHIP_CORE < 4u ? 35u : 40u) + 2u * (CHIP_CORE % 2u))
#define CHIP_SCI_RX_THREAD (20u + 2u * CHIP_CORE)
#define CHIP_SCI_TX_THREAD (CHIP_SCI_RX_THREAD + 1u)
#define CHIP_DEV_WATCHDOG (CHIP_IS_MCU ? 262u + CHIP_CORE : 256u + CHIP_CORE)
#define CHIP_DEV_TIMER (CHIP_CORE == 0 ? 35u : CHIP_CORE == 1 ? 71u : 61u + CHIP_CORE)

/* The firmware's carveout in DDR: the resource table at its base, where an IPC-only attach looks for it. */
#define CHIP_RESOURCE_TABLE (0xA0100000u + 0x1000000u * CHIP_CORE)
#define CHIP_TRACE_BUFFER (CHIP_RESOURCE_TABLE + 0x1000u)
#define CHIP_TRACE_BYTES 0x1000u
#define CHIP_TRACE_NAME "trace:r5f"

#endif
