/* The scenario-control block: how a scenario tells our own firmware what to do. Register layout shared with
 * models/scenario_control; nothing like it exists on a chip. */
#ifndef RPSIM_SCENARIO_CONTROL_H
#define RPSIM_SCENARIO_CONTROL_H

/* Offsets from the block's base. */
#define SC_ID 0x000    /* ro: 0x52505343 "RPSC" */
#define SC_MARK 0x010  /* wo: one of enum sc_mark; becomes event fw.mark */
#define SC_LOG 0x014   /* wo: up to four characters, first in bits 7:0, NUL is none; a line per newline: event fw.log */
#define SC_PARAM 0x100 /* ro: parameter n at SC_PARAM + 4 * n, read at each use */

/* Values of SC_SHUTDOWN. */
enum sc_shutdown {
  SC_SHUTDOWN_ACK_AFTER_DEINIT = 0, /* what TI's example does */
  SC_SHUTDOWN_ACK_BEFORE_DEINIT,    /* what TI's guide says */
  SC_SHUTDOWN_NEVER_ACKS,
  SC_SHUTDOWN_ACKS_NO_WFI,   /* acks, keeps running */
  SC_SHUTDOWN_ACKS_WAKES,    /* one WFI, an interrupt source left on: executes again */
  SC_SHUTDOWN_REPORTS_CRASH, /* RP_MBOX_CRASH instead of the ACK, then runs into a fault */
  SC_SHUTDOWN_HANGS,         /* stops serving anything in the middle of deinit */
};

/* Values of SC_SUSPEND. */
enum sc_suspend { SC_SUSPEND_ACK = 0, SC_SUSPEND_CANCEL, SC_SUSPEND_AUTO };

/* Values of SC_DETACH. */
enum sc_detach {
  SC_DETACH_STOPS_USING_RINGS = 0,
  SC_DETACH_ACKS_KEEPS_USING_RINGS, /* what Zephyr's and ST's CoproSync firmware come to */
  SC_DETACH_NEVER_ACKS,             /* what firmware does that knows of no such request */
};

/* Parameters, in register order: X(name, unit, default, description). unit: us, bool, count, or an enum above.
 * Which part of it firmware makes use of depends on its chip. */
#define SC_PARAMS(X)                                                                                \
  X(shutdown, SHUTDOWN, 0, "how a request to shut down is answered")                                \
  X(suspend, SUSPEND, 0, "how RP_MBOX_SUSPEND_SYSTEM is answered")                                  \
  X(ack_delay, US, 80, "from the request's interrupt to the start of the answer")                   \
  X(deinit_time, US, 200, "work of closing drivers, before device-manager resources are returned")  \
  X(wake_after, US, 300, "acks-wakes: time from WFI to the interrupt that wakes it again")          \
  X(crash_after, US, 0, "time from linux_ready to a crash; 0: never")                               \
  X(crash_report, BOOL, 1, "a crash sends RP_MBOX_CRASH first")                                     \
  X(hang_after, US, 0, "time from linux_ready to a hang with interrupts masked; 0: never")          \
  X(watchdog, BOOL, 0, "takes MCU_RTI0 from the device manager and serves it")                      \
  X(hold_resources, COUNT, 2, "device-manager devices taken at start (0..2: MCU_RTI0, MCU_TIMER0)") \
  X(echo_delay, US, 5, "work per echoed message")                                                   \
  X(boot_time, US, 300, "from reset release to `ready`")                                            \
  X(detach, DETACH, 0, "how a request to detach is answered (STM32MP1)")                            \
  X(kick_wait, US, 0, "longest wait for the host to take an earlier kick; 0: for ever (STM32MP1)")  \
  X(send_every, US, 0, "a message to who wrote last, this often; 0: never (STM32MP1)")

enum sc_mark {
  SC_MARK_READY = 1,
  SC_MARK_LINUX_READY,
  SC_MARK_SHUTDOWN_REQUESTED,
  SC_MARK_DEINIT_BEGIN,
  SC_MARK_DEINIT_END,
  SC_MARK_ACK_SENT,
  SC_MARK_PARKED,
  SC_MARK_SUSPEND_REQUESTED,
  SC_MARK_CRASH,
  SC_MARK_WOKE_FROM_WFI,
  SC_MARK_HANG,
  SC_MARK_DETACH_REQUESTED,
  SC_MARK_DETACHED,
};

#endif
