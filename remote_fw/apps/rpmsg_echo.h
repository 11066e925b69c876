/* rpmsg_echo in two parts. rpmsg_echo.c is the same on every chip; rpmsg_echo_k3.c and rpmsg_echo_stm32.c, one of which
 * is built with it, know what there is beside rpmsg: how the host asks for something and is answered, and what the
 * firmware holds that is not memory. */
#ifndef RPSIM_FW_RPMSG_ECHO_H
#define RPSIM_FW_RPMSG_ECHO_H

#include <stdbool.h>
#include <stdint.h>

#include "remote_fw/lib/rpmsg.h"

/* ---- what the chip's part has */

extern const struct rpmsg_endpoint chip_endpoints[];
extern const unsigned chip_endpoint_count;

void chip_start(void);             /* first of all */
void chip_take(bool watchdog);     /* the resources to work with, the watchdog's among them if it will be used */
void chip_listen(void);            /* from here on the host is heard */
bool chip_asked(void);             /* with interrupts masked: chip_serve() has something to do */
void chip_serve(void);             /* every request that has come */
uint64_t chip_clock(uint64_t now); /* does what is due; @return when to call again */
void chip_close(void);             /* gives back what it took; hears nothing any more */
void chip_acknowledge_shutdown(void);
void chip_report_crash(void);
void chip_wake_after(uint32_t us); /* an interrupt source that a shutdown leaves on */

/* ---- what it can use of the common part */

/* A doorbell; from interrupt context. */
void kicked_by_host(void);
/* Answers a request to shut down, as the scenario wants it; most ways do not return. */
void shut_down(void);
/* Sends the message back. */
void echo(const struct rpmsg_endpoint* self, uint32_t source, const void* data, uint16_t length);
/* Looks at the host's status: meets it, or finds it gone, and serves the rings in between. */
void look_for_host(uint64_t now);
/* 0: not connected; else how many hosts there have been, this one included. */
unsigned connection(void);
/* Lets go of the rings, and looks for a host again. */
void disconnect(void);
/* Takes the host for connected, whatever its status says, until disconnect(). */
void stay_connected(void);

#endif
