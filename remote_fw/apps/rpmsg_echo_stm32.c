/* rpmsg_echo on the STM32MP157's M4: requests are flags of the IPCC, and the firmware outlives its host: it lets go of
 * the rings when it is asked to, and meets whoever attaches next (reference/stm32mp1.md §3, §7.4). */
#include "chip.h"
#include "remote_fw/apps/rpmsg_echo.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/control.h"
#include "remote_fw/lib/ipcc.h"

void chip_start(void) {}

/* There is no device manager here, and the watchdog is the M4's own. */
void chip_take(bool watchdog) { (void)watchdog; }

/* ---- messages: those that nobody asked for carry a number, of all that has been heard and sent */

#define COUNT_DIGITS 10u

#ifdef COUNT_BEHIND_TABLE
/* Where the stock linker script puts .bss: close behind the table, in the kilobyte that Linux puts back at detach to
 * what it was at attach (reference/stm32mp1.md §5.1). */
#define COUNT (CHIP_RESOURCE_TABLE + 0x100u)
static uint32_t last_count;
static void check_count(void) {
  const uint32_t count = hal_read32(COUNT);
  if (count != last_count) control_log("the count of messages is not what it was");
  last_count = count;
}
static void set_count(uint32_t count) {
  last_count = count;
  hal_write32(COUNT, count);
}
static uint32_t next_count(void) {
  check_count();
  set_count(last_count + 1);
  return last_count;
}
#else
static uint32_t last_count;
static void check_count(void) {}
static void set_count(uint32_t count) { last_count = count; }
static uint32_t next_count(void) { return ++last_count; }
#endif

static const struct rpmsg_endpoint* speaker;
static uint32_t listener;
static unsigned conversation; /* the connection that these two are of */
static uint64_t spoken_at;

static void heard(const struct rpmsg_endpoint* self, uint32_t source, const void* data, uint16_t length) {
  next_count();
  echo(self, source, data, length);
  if (conversation != connection()) spoken_at = hal_time_us();
  conversation = connection();
  speaker = self;
  listener = source;
}

const struct rpmsg_endpoint chip_endpoints[] = {
    {"rpmsg-tty", 1024, heard},
    {"rpmsg-client-sample", 1025, heard},
};
const unsigned chip_endpoint_count = sizeof chip_endpoints / sizeof chip_endpoints[0];

/* Its number, in decimal. */
static void speak(void) {
  char text[COUNT_DIGITS];
  unsigned first = COUNT_DIGITS;
  uint32_t left = next_count();
  do {
    text[--first] = (char)('0' + left % 10);
    left /= 10;
  } while (left != 0);
  rpmsg_send(speaker->address, listener, text + first, (uint16_t)(COUNT_DIGITS - first));
}

uint64_t chip_clock(uint64_t now) {
  if (connection() == 0 || conversation != connection()) return HAL_FOREVER;
  const uint32_t every = control_param(CONTROL_send_every);
  if (every == 0) return HAL_FOREVER;
  if (now >= spoken_at + every) {
    spoken_at = now;
    look_for_host(now);
    if (conversation == connection()) speak();
  }
  return spoken_at + every;
}

/* ---- requests, from the interrupt to the main loop */

static volatile bool asked_to_shut_down, asked_to_detach;

/* Doorbells are acknowledged at once, requests when they are done with. */
static bool received(unsigned channel) {
  switch (channel) {
    case IPCC_SHUTDOWN:
      asked_to_shut_down = true;
      return false;
    case IPCC_DETACH:
      asked_to_detach = true;
      return false;
    default:
      kicked_by_host();
      return true;
  }
}

void chip_listen(void) {
  set_count(0);
  ipcc_open(IPCC_DETACH, received);
}

void chip_close(void) { ipcc_close(); }

bool chip_asked(void) { return asked_to_shut_down || asked_to_detach; }

static void detach(void) {
  control_mark(SC_MARK_DETACH_REQUESTED);
  hal_delay_us(control_param(CONTROL_ack_delay));
  check_count();
  switch (control_param(CONTROL_detach)) {
    case SC_DETACH_STOPS_USING_RINGS:
    default:
      disconnect();
      control_mark(SC_MARK_DETACHED);
      ipcc_acknowledge(IPCC_DETACH);
      break;
    case SC_DETACH_ACKS_KEEPS_USING_RINGS:
      ipcc_acknowledge(IPCC_DETACH);
      stay_connected();
      break;
    case SC_DETACH_NEVER_ACKS:
      break;
  }
}

void chip_serve(void) {
  if (asked_to_shut_down) {
    asked_to_shut_down = false;
    shut_down();
  }
  if (asked_to_detach) {
    asked_to_detach = false;
    detach();
  }
}

void chip_acknowledge_shutdown(void) { ipcc_acknowledge(IPCC_SHUTDOWN); }

/* The IPCC carries no words: nobody is told. */
void chip_report_crash(void) {}

void chip_wake_after(uint32_t us) { hal_wake_after(us); }
