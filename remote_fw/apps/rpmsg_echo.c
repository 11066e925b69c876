/* Echoes rpmsg messages, and answers Linux's life-cycle requests in every way that has been seen or feared
 * (reference/k3.md §5, "Firmware side"; reference/stm32mp1.md §7). Which way is the scenario's choice:
 * scenario_control.h. */
#include "remote_fw/apps/rpmsg_echo.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/control.h"
#include "remote_fw/lib/watchdog.h"

#define FIRST_POLL_US 1000u /* one tick, as TI's firmware polls for DRIVER_OK */
#define LONGEST_POLL_US 64000u
#define WATCHDOG_SERVICE_US (CHIP_WATCHDOG_TIMEOUT_MS * 1000u / 4u)

static volatile bool kicked;
static bool watchdog_on;
static uint64_t service_at;

void kicked_by_host(void) { kicked = true; /* which ring does not matter: both are looked at */ }

static void start_watchdog(void) {
  watchdog_start(CHIP_WATCHDOG_TIMEOUT_MS);
  watchdog_on = true;
  service_at = hal_time_us() + WATCHDOG_SERVICE_US;
}

/* ---- messages */

void echo(const struct rpmsg_endpoint* self, uint32_t source, const void* data, uint16_t length) {
  hal_delay_us(control_param(CONTROL_echo_delay));
  rpmsg_send(self->address, source, data, length);
}

static bool connected, for_ever;
static unsigned hosts;
static uint64_t connected_at;
static uint64_t poll_at;
static uint32_t poll_us = FIRST_POLL_US;

unsigned connection(void) { return connected ? hosts : 0; }

void disconnect(void) {
  rpmsg_close();
  connected = for_ever = false;
  poll_at = 0;
  poll_us = FIRST_POLL_US;
}

void stay_connected(void) { for_ever = connected; }

void look_for_host(uint64_t now) {
  if (connected && !for_ever && rpmsg_lost()) {
    disconnect();
    control_log("Linux has gone");
  }
  if (!connected && rpmsg_host_ready()) {
    connected = true;
    connected_at = now;
    ++hosts;
    control_mark(SC_MARK_LINUX_READY);
    if (!rpmsg_open(chip_endpoints, chip_endpoint_count)) connected = false;
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
  if (report) chip_report_crash();
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
  chip_close();
  control_mark(SC_MARK_DEINIT_END);
}

static void acknowledge(void) {
  chip_acknowledge_shutdown();
  control_mark(SC_MARK_ACK_SENT);
}

static _Noreturn void park(void) {
  hal_quiesce();
  control_mark(SC_MARK_PARKED);
  for (;;) hal_wfi();
}

void shut_down(void) {
  control_mark(SC_MARK_SHUTDOWN_REQUESTED);
  hal_delay_us(control_param(CONTROL_ack_delay));
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
      chip_wake_after(control_param(CONTROL_wake_after));
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
  uint64_t next = earlier(earlier(crash_at, hang_at), chip_clock(now));
  if (watchdog_on) next = earlier(next, service_at);
  if (!connected) next = earlier(next, poll_at);
  return next;
}

void app_main(void) {
  chip_start();
  hal_irq_unmask_all();
  hal_delay_us(control_param(CONTROL_boot_time));
  control_log("rpmsg_echo: up");
  control_mark(SC_MARK_READY);
  const bool watchdog = control_param(CONTROL_watchdog) != 0;
  chip_take(watchdog);
  if (watchdog) start_watchdog();
  chip_listen();
  for (;;) {
    const uint64_t next = serve_clock(hal_time_us());
    hal_irq_mask_all();
    if (!kicked && !chip_asked()) hal_wfi_until(next);
    hal_irq_unmask_all();
    chip_serve();
    if (kicked) {
      kicked = false;
      look_for_host(hal_time_us());
    }
  }
}
