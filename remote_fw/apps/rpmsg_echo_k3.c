/* rpmsg_echo on TI's K3: requests are words in a mailbox, and the device manager lends devices (reference/k3.md §1, §2,
 * §3, §5). */
#include "chip.h"
#include "remote_fw/apps/rpmsg_echo.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/control.h"
#include "remote_fw/lib/dm_timer.h"
#include "remote_fw/lib/rat.h"
#include "remote_fw/lib/ti_mailbox.h"
#include "remote_fw/lib/ti_sci.h"

const struct rpmsg_endpoint chip_endpoints[] = {
    {"ti.ipc4.ping-pong", 13, echo},
    {"rpmsg-tty", 14, echo},
    {"rpmsg-client-sample", 15, echo},
};
const unsigned chip_endpoint_count = sizeof chip_endpoints / sizeof chip_endpoints[0];

void chip_start(void) {
#ifdef CHIP_RAT
  rat_init();
#endif
}

/* ---- resources */

static const uint32_t devices[] = {CHIP_DEV_WATCHDOG, CHIP_DEV_TIMER};
#define DEVICES (sizeof devices / sizeof devices[0])
static bool held[DEVICES];

static void take(unsigned i) {
  if (held[i]) return;
  held[i] = ti_sci_set_device(devices[i], true);
  if (!held[i]) control_log("TI-SCI: a device was refused");
}

void chip_take(bool watchdog) {
  const uint32_t wanted = control_param(CONTROL_hold_resources);
  for (unsigned i = 0; i < DEVICES && i < wanted; ++i) take(i);
  if (watchdog) take(0);
}

static void return_resources(void) {
  for (unsigned i = 0; i < DEVICES; ++i) {
    if (held[i] && !ti_sci_set_device(devices[i], false)) control_log("TI-SCI: a device was not taken back");
    held[i] = false;
  }
}

/* ---- what the mailbox brings, from its interrupt to the main loop */

#define REQUESTS \
  8u /* twice what the FIFO holds; words beyond that are lost, as a request in a burst of nine is noise */

static volatile uint32_t requests[REQUESTS];
static volatile unsigned request_in, request_out;

static void mailbox_received(uint32_t word) {
  if (word < RP_MBOX_READY) {
    kicked_by_host();
  } else if (request_in - request_out < REQUESTS) {
    requests[request_in % REQUESTS] = word;
    ++request_in;
  }
}

void chip_listen(void) { mailbox_open(mailbox_received); }

void chip_close(void) {
  return_resources();
  mailbox_close();
}

bool chip_asked(void) { return request_in != request_out; }

static void suspend(void) {
  static const uint32_t answers[] = {
      [SC_SUSPEND_ACK] = RP_MBOX_SUSPEND_ACK,
      [SC_SUSPEND_CANCEL] = RP_MBOX_SUSPEND_CANCEL,
      [SC_SUSPEND_AUTO] = RP_MBOX_SUSPEND_AUTO,
  };
  const uint32_t how = control_param(CONTROL_suspend);
  mailbox_send(how <= SC_SUSPEND_AUTO ? answers[how] : RP_MBOX_SUSPEND_ACK);
}

static void serve_request(uint32_t word) {
  switch (word) {
    case RP_MBOX_ECHO_REQUEST:
      mailbox_send(RP_MBOX_ECHO_REPLY);
      break;
    case RP_MBOX_SUSPEND_SYSTEM:
      control_mark(SC_MARK_SUSPEND_REQUESTED);
      hal_delay_us(control_param(CONTROL_ack_delay));
      suspend();
      break;
    case RP_MBOX_SHUTDOWN:
      shut_down();
      break;
    default: /* words that this firmware has no use for */
      break;
  }
}

void chip_serve(void) {
  while (request_in != request_out) {
    const uint32_t word = requests[request_out % REQUESTS];
    ++request_out;
    serve_request(word);
  }
}

uint64_t chip_clock(uint64_t now) {
  (void)now;
  return HAL_FOREVER;
}

void chip_acknowledge_shutdown(void) { mailbox_send(RP_MBOX_SHUTDOWN_ACK); }

void chip_report_crash(void) { mailbox_send(RP_MBOX_CRASH); }

void chip_wake_after(uint32_t us) { dm_timer_start(us, dm_timer_stop); }
