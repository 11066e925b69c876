/* J721E C66x (CHIP_CORE 0, 1) and C71x (2): what firmware knows of its chip. Facts: reference/k3.md §1.4, §4.1, §4.5,
 * §6.4; device numbers: TI's mcupsdk-rm-pm-hal, include/soc/j721e. Assumed: that peripherals are seen at their system
 * addresses (on the C66x a RAT stands in between), mailbox users, secure-proxy threads. */
#ifndef RPSIM_CHIP_H
#define RPSIM_CHIP_H

#define CHIP_IS_C66X (CHIP_CORE < 2u)
#define CHIP_CPU_HZ (CHIP_IS_C66X ? 1350000000u : 1000000000u)
#define CHIP_IRQS 64u

#define CHIP_EVENTS 0x01800000u /* rpsim's event inputs */
#define CHIP_MAILBOX (CHIP_IS_C66X ? 0x31F83000u : 0x31F84000u)
#define CHIP_SECURE_PROXY_RT 0x32400000u
#define CHIP_SECURE_PROXY_DATA 0x32C00000u
#define CHIP_TIMER0 (0x02400000u + 0x10000u * CHIP_CORE) /* main_timer0..2; also the HAL's clock */
#define CHIP_RTI0 (CHIP_IS_C66X ? 0x02380000u + 0x10000u * CHIP_CORE : 0x02300000u) /* RTI24, 25; RTI16 */
#define CHIP_CONTROL (0x4FF06000u + 0x1000u * CHIP_CORE) /* rpsim's scenario-control block; nothing on a chip */

#define CHIP_TIMER0_HZ 25000000u
#define CHIP_RTI0_HZ 32768u
#define CHIP_WATCHDOG_TIMEOUT_MS 1000u

#define CHIP_MAILBOX_TX_FIFO (2u * (CHIP_CORE % 2u))
#define CHIP_MAILBOX_RX_FIFO (CHIP_MAILBOX_TX_FIFO + 1u)
#define CHIP_MAILBOX_USER (1u + CHIP_CORE % 2u)
#define CHIP_IRQ_MAILBOX 4u
#define CHIP_IRQ_TIMER0 5u

/* TI-SCI: each core's non-secure host (C6X_0_1, C6X_1_1, C7X_1). */
#define CHIP_SCI_HOST (CHIP_CORE == 0 ? 26u : CHIP_CORE == 1 ? 28u : 21u)
#define CHIP_SCI_RX_THREAD (32u + 2u * CHIP_CORE)
#define CHIP_SCI_TX_THREAD (CHIP_SCI_RX_THREAD + 1u)
#define CHIP_DEV_WATCHDOG (254u + CHIP_CORE) /* RTI24, RTI25, RTI16 */
#define CHIP_DEV_TIMER (49u + CHIP_CORE)     /* TIMER0..2 */

/* The firmware's carveout in DDR: the resource table at its base, where an IPC-only attach looks for it. */
#define CHIP_RESOURCE_TABLE (0xA6100000u + 0x1000000u * CHIP_CORE)
#define CHIP_TRACE_BUFFER (CHIP_RESOURCE_TABLE + 0x1000u)
#define CHIP_TRACE_BYTES 0x1000u
#define CHIP_TRACE_NAME "trace:dsp"

#endif
