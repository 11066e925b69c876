/* Echoes rpmsg messages, holds device-manager resources, and answers Linux's life-cycle requests in every way that has
 * been seen or feared (reference/k3.md §5, "Firmware side"). Which way is the scenario's choice: scenario_control.h. */
#include "chip.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/control.h"
#include "remote_fw/lib/dm_timer.h"
#include "remote_fw/lib/rat.h"
#include "remote_fw/lib/rpmsg.h"
#include "remote_fw/lib/ti_mailbox.h"
#include "remote_fw/lib/ti_sci.h"
#include "remote_fw/lib/watchdog.h"

#define FIRST_POLL_US 1000u /* one tick, as TI's firmware polls for DRIVER_OK */
#define LONGEST_POLL_US 64000u
#define WATCHDOG_TIMEOUT_MS 1000u
#define WATCHDOG_SERVICE_US 250000u

/* ---- what the mailbox brings, from its interrupt to the main loop */

#define REQUESTS \
  8u /* twice what the FIFO holds; words beyond that are lost, as a request in a burst of nine is noise */

static volatile uint32_t requests[REQUESTS];
static volatile unsigned request_in, request_out;
static volatile bool kicked;

static void mailbox_received(uint32_t word) {
  if (word < RP_MBOX_READY) {
    kicked = true; /* which ring does not matter: both are looked at */
  } else if (request_in - request_out < REQUESTS) {
    requests[request_in % REQUESTS] = word;
    ++request_in;
  }
}

/* ---- resources */

static const uint32_t devices[] = {CHIP_DEV_MCU_RTI0, CHIP_DEV_MCU_TIMER0};
#define DEVICES (sizeof devices / sizeof devices[0])
static bool held[DEVICES];
static bool watchdog_on;
static uint64_t service_at;

static void take(unsigned i) {
  if (held[i]) return;
  held[i] = ti_sci_set_device(devices[i], true);
  if (!held[i]) control_log("TI-SCI: a device was refused");
}

static void take_resources(void) {
  const uint32_t wanted = control_param(CONTROL_hold_resources);
  for (unsigned i = 0; i < DEVICES && i < wanted; ++i) take(i);
  if (control_param(CONTROL_watchdog)) {
    take(0);
    watchdog_start(WATCHDOG_TIMEOUT_MS);
    watchdog_on = true;
    service_at = hal_time_us() + WATCHDOG_SERVICE_US;
  }
}

static void return_resources(void) {
  for (unsigned i = 0; i < DEVICES; ++i) {
    if (held[i] && !ti_sci_set_device(devices[i], false)) control_log("TI-SCI: a device was not taken back");
    held[i] = false;
  }
}

/* ---- messages */

static void echo(const struct rpmsg_endpoint* self, uint32_t source, const void* data, uint16_t length) {
  hal_delay_us(control_param(CONTROL_echo_delay));
  rpmsg_send(self->address, source, data, length);
}

static const struct rpmsg_endpoint endpoints[] = {
    {"ti.ipc4.ping-pong", 13, echo},
    {"rpmsg-tty", 14, echo},
    {"rpmsg-client-sample", 15, echo},
};
#define ENDPOINTS (sizeof endpoints / sizeof endpoints[0])

static bool connected;
static uint64_t connected_at;
static uint64_t poll_at;
static uint32_t poll_us = FIRST_POLL_US;

static void look_for_host(uint64_t now) {
  if (connected && rpmsg_lost()) {
    connected = false;
    poll_us = FIRST_POLL_US;
    control_log("Linux has gone");
  }
  if (!connected && rpmsg_host_ready()) {
    connected = true;
    connected_at = now;
    control_mark(SC_MARK_LINUX_READY);
    if (!rpmsg_open(endpoints, ENDPOINTS)) connected = false;
  }
  if (connected) {
    rpmsg_poll();
    return;
  }
  poll_at = now + poll_us;
  if (poll_us < LONGEST_POLL_US) poll_us *= 2;
}

/* ---- ends, good and bad */

static _Noreturn void crash(bool report) {
  if (report) mailbox_send(RP_MBOX_CRASH);
  control_log("crash");
  control_mark(SC_MARK_CRASH);
  hal_irq_mask_all();
  hal_lockup();
}

static _Noreturn void hang(void) {
  hal_irq_mask_all();
  control_mark(SC_MARK_HANG);
  hal_spin();
}

static void deinit(void) {
  control_mark(SC_MARK_DEINIT_BEGIN);
  hal_delay_us(control_param(CONTROL_deinit_time));
  return_resources();
  mailbox_close();
  control_mark(SC_MARK_DEINIT_END);
}

static void acknowledge(void) {
  mailbox_send(RP_MBOX_SHUTDOWN_ACK);
  control_mark(SC_MARK_ACK_SENT);
}

static _Noreturn void park(void) {
  hal_quiesce();
  control_mark(SC_MARK_PARKED);
  for (;;) hal_wfi();
}

static void shut_down(void) {
  switch (control_param(CONTROL_shutdown)) {
    case SC_SHUTDOWN_ACK_AFTER_DEINIT:
    default:
      deinit();
      acknowledge();
      park();
    case SC_SHUTDOWN_ACK_BEFORE_DEINIT:
      acknowledge();
      deinit();
      park();
    case SC_SHUTDOWN_NEVER_ACKS:
      return;
    case SC_SHUTDOWN_ACKS_NO_WFI:
      deinit();
      acknowledge();
      hal_quiesce();
      hal_spin();
    case SC_SHUTDOWN_ACKS_WAKES:
      deinit();
      hal_quiesce();
      acknowledge();
      dm_timer_start(control_param(CONTROL_wake_after), dm_timer_stop);
      control_mark(SC_MARK_PARKED);
      hal_wfi(); /* one, as TI's example has it */
      control_mark(SC_MARK_WOKE_FROM_WFI);
      hal_irq_unmask_all();
      hal_spin();
    case SC_SHUTDOWN_REPORTS_CRASH:
      crash(true);
    case SC_SHUTDOWN_HANGS:
      control_mark(SC_MARK_DEINIT_BEGIN);
      hal_delay_us(control_param(CONTROL_deinit_time) / 2);
      hang();
  }
}

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
      control_mark(SC_MARK_SHUTDOWN_REQUESTED);
      hal_delay_us(control_param(CONTROL_ack_delay));
      shut_down();
      break;
    default: /* words that this firmware has no use for */
      break;
  }
}

/* ---- the main loop */

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t due(enum control_param after) {
  const uint32_t us = connected ? control_param(after) : 0;
  return us != 0 ? connected_at + us : HAL_FOREVER;
}

/* What is due at `now` is done; @return when to look again. */
static uint64_t serve_clock(uint64_t now) {
  const uint64_t crash_at = due(CONTROL_crash_after), hang_at = due(CONTROL_hang_after);
  if (now >= crash_at) crash(control_param(CONTROL_crash_report) != 0);
  if (now >= hang_at) hang();
  if (watchdog_on && now >= service_at) {
    watchdog_service();
    service_at = now + WATCHDOG_SERVICE_US;
  }
  if (!connected && now >= poll_at) look_for_host(now);
  uint64_t next = earlier(crash_at, hang_at);
  if (watchdog_on) next = earlier(next, service_at);
  if (!connected) next = earlier(next, poll_at);
  return next;
}

void app_main(void) {
  rat_init();
  hal_irq_unmask_all();
  hal_delay_us(control_param(CONTROL_boot_time));
  control_log("rpmsg_echo: up");
  control_mark(SC_MARK_READY);
  take_resources();
  mailbox_open(mailbox_received);
  for (;;) {
    const uint64_t next = serve_clock(hal_time_us());
    hal_irq_mask_all();
    if (!kicked && request_in == request_out) hal_wfi_until(next);
    hal_irq_unmask_all();
    while (request_in != request_out) {
      const uint32_t word = requests[request_out % REQUESTS];
      ++request_out;
      serve_request(word);
    }
    if (kicked) {
      kicked = false;
      look_for_host(hal_time_us());
    }
  }
}
