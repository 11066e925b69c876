/* How rpmsg tells the host that a ring has news. Each chip's means of doing so implements it: ti_mailbox.c, ipcc.c. */
#ifndef RPSIM_FW_KICK_H
#define RPSIM_FW_KICK_H

#include <stdint.h>

/* `notifyid` as the ring's entry in the resource table has it. May wait for the host to have seen an earlier kick. */
void kick_host(uint32_t notifyid);

#endif
