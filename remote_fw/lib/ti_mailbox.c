#include "remote_fw/lib/ti_mailbox.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/kick.h"

#define MESSAGE(fifo) (CHIP_MAILBOX + 0x040u + 4u * (fifo))
#define FIFOSTATUS(fifo) (CHIP_MAILBOX + 0x080u + 4u * (fifo))
#define MSGSTATUS(fifo) (CHIP_MAILBOX + 0x0C0u + 4u * (fifo))
#define IRQSTATUS_CLR (CHIP_MAILBOX + 0x104u + 0x10u * CHIP_MAILBOX_USER)
#define IRQENABLE_SET (CHIP_MAILBOX + 0x108u + 0x10u * CHIP_MAILBOX_USER)
#define IRQENABLE_CLR (CHIP_MAILBOX + 0x10Cu + 0x10u * CHIP_MAILBOX_USER)
#define NEWMSG(fifo) (1u << (2u * (fifo)))
#define FULL 1u
#define PRIORITY 4u

static mailbox_receiver receiver;

/* Clears first, then drains: the status is a level, a word that comes in between raises it again (§1.3). */
static void interrupt(void) {
  hal_write32(IRQSTATUS_CLR, NEWMSG(CHIP_MAILBOX_RX_FIFO));
  while (hal_read32(MSGSTATUS(CHIP_MAILBOX_RX_FIFO)) != 0) receiver(hal_read32(MESSAGE(CHIP_MAILBOX_RX_FIFO)));
}

void mailbox_open(mailbox_receiver received) {
  receiver = received;
  hal_irq_attach(CHIP_IRQ_MAILBOX, interrupt);
  hal_irq_enable(CHIP_IRQ_MAILBOX, PRIORITY);
  hal_write32(IRQENABLE_SET, NEWMSG(CHIP_MAILBOX_RX_FIFO));
}

void mailbox_close(void) {
  hal_write32(IRQENABLE_CLR, NEWMSG(CHIP_MAILBOX_RX_FIFO));
  hal_irq_disable(CHIP_IRQ_MAILBOX);
}

void mailbox_send(uint32_t word) {
  while (hal_read32(FIFOSTATUS(CHIP_MAILBOX_TX_FIFO)) & FULL) hal_delay_us(1);
  hal_write32(MESSAGE(CHIP_MAILBOX_TX_FIFO), word);
}

/* The word is the ring (reference/k3.md §2). */
void kick_host(uint32_t notifyid) { mailbox_send(notifyid); }
