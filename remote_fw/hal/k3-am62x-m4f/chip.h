/* AM62x MCU M4F: what firmware knows of its chip. Addresses are the M4F's own: the high ones are seen through the RAT
 * windows of lib/rat.c. Facts: reference/k3.md §1.4, §3.3, §4.5, §6; reference/stock-firmware.md. */
#ifndef RPSIM_CHIP_H
#define RPSIM_CHIP_H

#define CHIP_CPU_HZ 400000000u
#define CHIP_IRQS 64u

#define CHIP_RAT 0x44200000u
#define CHIP_MAILBOX 0xB9000000u           /* system 0x29000000 */
#define CHIP_SECURE_PROXY_RT 0xDA600000u   /* system 0x4A600000 */
#define CHIP_SECURE_PROXY_DATA 0xDD000000u /* system 0x4D000000 */
#define CHIP_TIMER0 0x04800000u
#define CHIP_RTI0 0x04880000u
#define CHIP_CONTROL 0x4FF00000u /* rpsim's scenario-control block; nothing on a chip */

#define CHIP_TIMER0_HZ 25000000u
#define CHIP_RTI0_HZ 32768u
#define CHIP_WATCHDOG_TIMEOUT_MS 1000u

/* Mailbox cluster 0 between A53 and M4F. */
#define CHIP_MAILBOX_TX_FIFO 0u
#define CHIP_MAILBOX_RX_FIFO 1u
#define CHIP_MAILBOX_USER 2u
#define CHIP_IRQ_MAILBOX 50u
#define CHIP_IRQ_TIMER0 4u /* assumed, as in the platform's device tree */

/* TI-SCI: host M4_0 and its secure-proxy threads; devices. */
#define CHIP_SCI_HOST 30u
#define CHIP_SCI_RX_THREAD 16u
#define CHIP_SCI_TX_THREAD 17u
#define CHIP_DEV_WATCHDOG 131u /* MCU_RTI0 */
#define CHIP_DEV_TIMER 35u     /* MCU_TIMER0 */

/* The firmware's carveout in DDR: the resource table at its base, where an IPC-only attach looks for it. */
#define CHIP_RESOURCE_TABLE 0x9CC00000u
#define CHIP_TRACE_BUFFER 0x9CC01000u
#define CHIP_TRACE_BYTES 0x1000u
#define CHIP_TRACE_NAME "trace:m4f"

#endif
