#!/usr/bin/env bash
# native_and_arm.sh RPSIM SCENARIO [stream]: the scenario passes with every core that can executing instructions, and each
# party says what it says with native firmware, in the same order: mailbox words, IPCC flags, TI-SCI messages, rpmsg, marks of
# the firmware, states of remoteproc and of modules. Not compared: the order between parties and between kinds of words,
# which is a matter of who was faster, and how often one polls (PROC_GET_STATUS). `stream`: nor how often in a row the same
# is said, where who is faster gets more messages out, or finds more of them behind one doorbell.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for core in native arm; do
  "$1" run -q -p core=$core --seed 7 --trace "$scratch/$core" "$2" >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
  # What happened, to whom, by whom: one key, by which the lines are then gathered without changing their order.
  grep -E '"event":"(mailbox\.(sent|received)|tisci\.(request|response)|ipcc\.set|rproc\.(state|op)|fw\.mark|handshake|rpmsg\.(sent|received|channel\.[a-z]*)|reset\.[a-z]*|lpsc\.state|device\.[a-z]*)"' \
    "$scratch/$core" | grep -v PROC_GET_STATUS |
    sed -E 's/^\{"ps":[0-9]+,//; s/"(seq|level|waited|remaining|ps)":[^,}]*,?//g; s/,\}/}/
            s/^("source":"[^"]*","event":"mailbox[^"]*").*("msg":[^,}]*).*("by":[^,}]*).*/\1 \3 \2\t&/; t
            s/^("source":"[^"]*","event":"[^"]*").*("(by|host)":[^,}]*).*/\1 \2\t&/; t
            s/^("source":"[^"]*","event":"[^"]*").*/\1\t&/' |
    sort -s -t$'\t' -k1,1 | cut -f2 | if [ "${3:-}" = stream ]; then uniq; else cat; fi >"$scratch/$core.said"
done
grep -q '"event":"core.start","fields":{"entry"' "$scratch/arm" || { echo "no core executed instructions"; exit 1; }
diff "$scratch/native.said" "$scratch/arm.said"
