/* The M4's side of the STM32MP1's IPCC: a flag for each of six channels and direction, and no data
 * (reference/stm32mp1.md §2, §3). */
#ifndef RPSIM_FW_IPCC_H
#define RPSIM_FW_IPCC_H

#include <stdbool.h>
#include <stdint.h>

/* What Linux uses each channel for. */
enum ipcc_channel { IPCC_VQ0 = 1, IPCC_VQ1, IPCC_SHUTDOWN, IPCC_DETACH };

/* Called in interrupt context when a channel is found occupied. @return whether that is all, and the channel is free
 * again; if not, it stays occupied, and silent, until ipcc_acknowledge(). */
typedef bool (*ipcc_receiver)(unsigned channel);

/* Listens to channels 1 … `last`. Flags that an earlier life of this core left standing are cleared first. */
void ipcc_open(unsigned last, ipcc_receiver received);
/* Hears nothing any more; flags stay. */
void ipcc_close(void);
void ipcc_acknowledge(unsigned channel);

#endif
