#include "remote_fw/lib/ipcc.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/control.h"
#include "remote_fw/lib/kick.h"

#define C1TOC2SR (CHIP_IPCC + 0x00Cu)
#define C2CR (CHIP_IPCC + 0x010u)
#define C2MR (CHIP_IPCC + 0x014u)
#define C2SCR (CHIP_IPCC + 0x018u)
#define C2TOC1SR (CHIP_IPCC + 0x01Cu)
#define RXOIE 1u
#define CHANNELS 6u
#define RECEIVE(channel) (1u << ((channel)-1u))
#define TRANSMIT(channel) (RECEIVE(channel) << 16)
#define RECEIVE_ALL (RECEIVE(CHANNELS + 1u) - 1u)
#define MASK_ALL (RECEIVE_ALL << 16 | RECEIVE_ALL)
#define PRIORITY 4u
#define POLL_US 5u

#define RCC_MC_AHB3ENSETR (CHIP_RCC + 0xAA0u)
#define IPCCEN (1u << 12)

static ipcc_receiver receiver;

static void interrupt(void) {
  const uint32_t occupied = hal_read32(C1TOC2SR) & ~hal_read32(C2MR);
  for (unsigned channel = 1; channel <= CHANNELS; ++channel) {
    if ((occupied & RECEIVE(channel)) == 0) continue;
    hal_write32(C2MR, hal_read32(C2MR) | RECEIVE(channel));
    if (receiver(channel)) ipcc_acknowledge(channel);
  }
}

void ipcc_open(unsigned last, ipcc_receiver received) {
  receiver = received;
  hal_write32(RCC_MC_AHB3ENSETR, IPCCEN);
  hal_write32(C2SCR, RECEIVE_ALL);
  hal_write32(C2MR, MASK_ALL & ~(RECEIVE(last + 1u) - 1u));
  hal_irq_attach(CHIP_IRQ_IPCC_RX, interrupt);
  hal_irq_enable(CHIP_IRQ_IPCC_RX, PRIORITY);
  hal_write32(C2CR, RXOIE);
}

void ipcc_close(void) {
  hal_write32(C2CR, 0);
  hal_write32(C2MR, MASK_ALL);
  hal_irq_disable(CHIP_IRQ_IPCC_RX);
}

/* Where an interrupt masks another channel between the two accesses to C2MR, that mask is lost: the channel is still
 * occupied, so the receiver hears of it once more. */
void ipcc_acknowledge(unsigned channel) {
  hal_write32(C2SCR, RECEIVE(channel));
  hal_write32(C2MR, hal_read32(C2MR) & ~RECEIVE(channel));
}

/* Ring n has channel n + 1, and Linux asked for two (reference/stm32mp1.md §3). While the host has not taken the last
 * kick this waits, as ST's firmware does, for ever if need be (§7.1); or no longer than it is told: the flag that
 * stands says all that a new one could say. */
void kick_host(uint32_t notifyid) {
  const uint32_t channel = notifyid + IPCC_VQ0;
  if (notifyid > IPCC_VQ1 - IPCC_VQ0) return;
  for (uint32_t waited = 0; (hal_read32(C2TOC1SR) & RECEIVE(channel)) != 0; waited += POLL_US) {
    const uint32_t limit = control_param(CONTROL_kick_wait);
    if (limit != 0 && waited >= limit) return;
    hal_delay_us(POLL_US);
  }
  hal_write32(C2SCR, TRANSMIT(channel));
}
