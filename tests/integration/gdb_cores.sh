#!/usr/bin/env bash
# gdb_cores.sh RPSIM FIRMWARE GDB: Debian's gdb-multiarch stops cores where no breakpoint is: Ctrl-C while one runs or hangs, a lockup,
# a reset; and has the two cores of a split Cortex-R5F cluster as two inferiors.
set -euo pipefail
rpsim_program=$1 firmware=$2 gdb=$3
command -v "$gdb" >/dev/null || { echo "skipped: $gdb is not there"; exit 0; }
scratch=$(mktemp -d)
rpsim=
trap '[ -z "$rpsim" ] || kill "$rpsim" 2>/dev/null || :; rm -rf "$scratch"' EXIT

# debug ELF GDB-ARGUMENTS…: the scenario on standard input. What gdb says is in $scratch/said, rpsim lives on in $rpsim.
debug() {
  local elf=$1 port=
  shift
  cat >"$scratch/scenario.yaml"
  "$rpsim_program" gdb "$scratch/scenario.yaml" -q --port 0 >"$scratch/out" 2>"$scratch/err" &
  rpsim=$!
  for _ in $(seq 100); do
    port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/err")
    [ -z "$port" ] || break
    sleep 0.1
  done
  [ -n "$port" ] || { cat "$scratch/err"; exit 1; }
  timeout 50 "$gdb" -nx -batch -ex 'set pagination off' -ex 'set confirm off' -ex "target extended-remote 127.0.0.1:$port" \
    "$@" "$firmware/$elf" >"$scratch/said" 2>&1 || { cat "$scratch/said"; exit 1; }
}
complain() { echo "$1:"; cat "$scratch/said" "$scratch/err"; exit 1; }
says() { grep -qE "$1" "$scratch/said" || complain "gdb does not say '$1'"; }
times() { [ "$(grep -cE "$2" "$scratch/said")" -eq "$1" ] || complain "gdb does not say '$2' $1 times"; }
ctrl_c=(-ex 'shell (sleep 1; kill -INT $PPID) &')

# An M4F that spins from 20 ms on.
debug k3-am62x-m4f/rpmsg_echo.elf \
  -ex 'break app_main' -ex 'continue' -ex 'x/wx 0xb9000000' -ex 'monitor reset' -ex 'continue' -ex 'backtrace' \
  -ex 'delete' -ex 'monitor trace on' "${ctrl_c[@]}" -ex 'continue' -ex 'backtrace' -ex 'x/wx 0xb9000000' -ex 'monitor trace off' \
  -ex 'monitor inject lockup' -ex 'continue' -ex 'print $pc == &hal_spin' \
  -ex 'monitor reset' -ex 'break look_for_host' -ex 'continue' -ex 'delete' \
  -ex 'monitor inject hang' "${ctrl_c[@]}" -ex 'continue' -ex 'backtrace' <<'END'
scenario: spins
purpose: The M4F spins.
platform: k3-am62x
cores: { m4f: { as: arm } }
files: { am62-mcu-m4f0_0-fw: rpmsg-echo }
params: { m4f.fw.hang_after: 20ms }
limit: 100000s
steps:
  - echo start > /sys/class/remoteproc/remoteproc0/state
  - wait: 90000s
END
kill "$rpsim"
wait "$rpsim" 2>/dev/null || :
rpsim=
times 2 '^Breakpoint 1, app_main \(\)'
says '^#1 .* reset_handler \(\)'
says '^0xb9000000:.*0x00000000'  # the M4F's own address, before its RAT is set up
says '^0xb9000000:.*0x66fc9100'  # the mailbox's REVISION through it
says 'm4f +fw.mark +linux_ready' # the trace, while it runs
times 2 '^Program received signal SIGINT'
says '^#0 .*hal_spin \(\)'
says '^#1 .* hang \(\)'
says '^Program received signal SIGSEGV' # the lockup
says '^\$1 = 1'
says '^Breakpoint 2, look_for_host \(\)'
times 2 '^#0 .*look_for_host \(\)|^look_for_host \(\)'

# Two R5F. gdb's first continue is inferior 1's: docs/gdb.md.
debug k3-am64x-r5f0_0/rpmsg_echo.elf \
  -ex 'add-inferior' -ex 'inferior 2' -ex "file $firmware/k3-am64x-r5f0_1/rpmsg_echo.elf" -ex 'attach 2' -ex 'inferior 1' \
  -ex 'set schedule-multiple on' -ex 'break app_main' -ex 'continue' -ex 'continue' -ex 'info threads' -ex 'delete' \
  -ex 'x/wx 0x0' -ex 'x/wx 0x41010000' -ex 'x/wx 0x29020000' -ex 'x/wx 0x2fff0000' \
  -ex 'set $d15 = 1.5' -ex 'print $d15' -ex 'print/x $s30' -ex 'print/x $s31' -ex 'set $fpscr = 0x3000000' -ex 'print/x $fpscr' \
  -ex 'awatch *(char *)0xa1100034' -ex 'continue' -ex 'backtrace 1' -ex 'delete' \
  -ex 'inferior 1' -ex 'print $d15' -ex 'watch *(char *)&held' -ex 'continue' -ex 'delete' \
  -ex 'continue' -ex 'inferior 2' -ex 'continue' <<'END'
scenario: two-cores
purpose: Both cores of a split cluster.
platform: k3-am64x
cores: { r5f0_0: { as: arm }, r5f0_1: { as: arm } }
files:
  am64-main-r5f0_0-fw: rpmsg-echo
  am64-main-r5f0_1-fw: rpmsg-echo
host: { shutdown: v2 }
steps:
  - echo start > /sys/class/remoteproc/remoteproc0/state
  - wait: 20ms
  - echo start > /sys/class/remoteproc/remoteproc1/state
  - wait: 20ms
  - echo stop > /sys/class/remoteproc/remoteproc1/state
  - echo stop > /sys/class/remoteproc/remoteproc0/state
END
status=0
wait "$rpsim" || status=$?
rpsim=
[ "$status" -eq 0 ] || complain "rpsim ended with $status"
says '^Thread 1\.1 hit Breakpoint 1\.1, app_main \(\)'
says '^Thread 2\.1 hit Breakpoint 1\.2, app_main \(\)'
says '^  1\.1 .*\(r5f0_0\) hal_wfi \(\)' # it has gone on meanwhile
says '^\* 2\.1 .*\(r5f0_1\) app_main \(\)'
says '^0x0 .*0xe59ff018'          # its TCMs
says '^0x41010000 .*0x000003e8'
says '^0x29020000:.*0x66fc9100'
says 'Cannot access memory at address 0x2fff0000' # the VIM: reading acknowledges
for value in '\$1 = 1.5' '\$2 = 0x0' '\$3 = 0x3ff80000' '\$4 = 0x3000000' '\$5 = 0'; do says "^$value$"; done
says '^Thread 2\.1 hit Hardware access \(read/write\) watchpoint 2:' # the vdev status that Linux wrote
says '^Thread 1\.1 hit Hardware watchpoint 3:'
says '^\[Inferior 1 .* exited normally\]'
says '^\[Inferior 2 .* exited normally\]'
