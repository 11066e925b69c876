#!/usr/bin/env bash
# gdb.sh RPSIM FIRMWARE GDB: Debian's gdb-multiarch looks into the firmware of a scenario, and the scenario passes all the same,
# with the trace that it has without a debugger.
set -euo pipefail
command -v "$3" >/dev/null || { echo "skipped: $3 is not there"; exit 0; }
scratch=$(mktemp -d)
rpsim=
trap '[ -z "$rpsim" ] || kill "$rpsim" 2>/dev/null || :; rm -rf "$scratch"' EXIT
scenario=scenarios/k3/graceful-shutdown.yaml

"$1" gdb "$scenario" -p core=arm -q --port 0 --trace "$scratch/debugged" >"$scratch/out" 2>"$scratch/err" &
rpsim=$!
for _ in $(seq 100); do
  port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/err")
  [ -z "$port" ] || break
  sleep 0.1
done
[ -n "$port" ] || { cat "$scratch/err"; exit 1; }

# A second one finds the port in use.
"$1" gdb "$scenario" -p core=arm --port "$port" 2>"$scratch/in-use" && exit 1 || [ $? -eq 2 ]
grep -q "127.0.0.1:$port: Address already in use" "$scratch/in-use"

# Nobody is there to answer a question: what is printed is what is compared.
timeout 50 "$3" -nx -batch -ex 'set pagination off' -ex 'set confirm off' \
  -ex "target extended-remote 127.0.0.1:$port" -ex 'info threads' -ex 'monitor time' \
  -ex 'break shut_down' -ex 'continue' -ex 'backtrace' -ex 'monitor time' \
  -ex 'print $pc == &shut_down' -ex 'print $d8' -ex 'set $d8 = 1.5' -ex 'print $d8' -ex 'print $msp == $sp' \
  -ex 'print *(unsigned *)&hosts' -ex 'stepi' -ex 'print (int)$pc - (int)&shut_down' -ex 'monitor time' \
  -ex 'delete' -ex 'watch *(char *)&connected' -ex 'continue' -ex 'backtrace 1' -ex 'continue' -ex 'print *(unsigned *)&hosts' \
  -ex 'delete' -ex 'monitor nonsense' -ex 'x/wx 0xE000ED00' -ex 'x/wx 0x70000000' -ex 'detach' \
  "$2/k3-am62x-m4f/rpmsg_echo.elf" >"$scratch/said" 2>&1 || { cat "$scratch/said"; exit 1; }
status=0
wait "$rpsim" || status=$?
rpsim=
says() { grep -qE "$1" "$scratch/said" || { echo "gdb does not say '$1':"; cat "$scratch/said" "$scratch/err"; exit 1; }; }
says '^\* 1 .*\(m4f\)'
says '^0 s$'
says '^Breakpoint 1, shut_down \(\)'
says '^#[1-4] .* app_main \(\)'
[ "$(grep -c '^100.* ms$' "$scratch/said")" -eq 2 ] || says 'the time, twice'
for value in '\$1 = 1' '\$2 = 0' '\$3 = 1.5' '\$4 = 1' '\$5 = 1' '\$6 = 2'; do says "^$value$"; done
says '^New value = 0' # by the start-up code of the second start, then
says '^#0 .* reset_handler \(\)'
says '^New value = 1'
says '^look_for_host \(\)'
says "there is no 'nonsense'"
says '^0xe000ed00:.*0x410fc241'
says 'Cannot access memory at address 0x70000000'
says 'detached'
[ "$status" -eq 0 ] || { cat "$scratch/out" "$scratch/err"; exit 1; }

# Time stood still: but for the register that was written, nothing tells that somebody looked.
"$1" run "$scenario" -p core=arm -q --trace "$scratch/alone" >/dev/null
cmp "$scratch/alone" "$scratch/debugged"

# No core executes instructions: refused, with the place.
"$1" gdb "$scenario" --port 0 2>"$scratch/none" >&2 && exit 1 || [ $? -eq 2 ]
grep -q "^$scenario:[0-9]*:[0-9]*: .*no core of this scenario executes instructions" "$scratch/none"
