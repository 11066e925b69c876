/* One link of a K3 mailbox cluster, and the words that travel on it (reference/k3.md §1, §2). */
#ifndef RPSIM_FW_TI_MAILBOX_H
#define RPSIM_FW_TI_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#define RP_MBOX_READY 0xFFFFFF00u
#define RP_MBOX_CRASH 0xFFFFFF02u
#define RP_MBOX_ECHO_REQUEST 0xFFFFFF03u
#define RP_MBOX_ECHO_REPLY 0xFFFFFF04u
#define RP_MBOX_SUSPEND_AUTO 0xFFFFFF10u
#define RP_MBOX_SUSPEND_SYSTEM 0xFFFFFF11u
#define RP_MBOX_SUSPEND_ACK 0xFFFFFF12u
#define RP_MBOX_SUSPEND_CANCEL 0xFFFFFF13u
#define RP_MBOX_SHUTDOWN 0xFFFFFF14u
#define RP_MBOX_SHUTDOWN_ACK 0xFFFFFF15u

/* `received` is called in interrupt context, once for each word. */
typedef void (*mailbox_receiver)(uint32_t word);
void mailbox_open(mailbox_receiver received);
/* Interrupt off at the mailbox and at the core; words stay in the FIFO. */
void mailbox_close(void);
/* Waits while the FIFO is full. */
void mailbox_send(uint32_t word);

#endif
