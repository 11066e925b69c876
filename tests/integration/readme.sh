#!/usr/bin/env bash
# readme.sh RPSIM: the scenario and the output that README shows are those of the tree and of the program.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

awk '/^```yaml$/ { on = 1; next } /^```$/ { if (on) exit } on' README.md >"$scratch/scenario"
cmp "$scratch/scenario" scenarios/k3/graceful-shutdown.yaml

"$1" run scenarios/k3/graceful-shutdown.yaml >"$scratch/real" 2>&1
awk '/^```/ { if (on) exit; open = !open; first = open; next } open && first { first = 0; on = $0 == "graceful-shutdown" } on' \
  README.md >"$scratch/shown"
[ "$(wc -l <"$scratch/shown")" -gt 20 ] || { echo "README shows no run of graceful-shutdown"; exit 1; }
# Its lines are lines of the run, in the run's order; "…" stands for what is left out.
awk 'NR == FNR { shown[++n] = $0; next }
     { while (next_line < n && (shown[next_line + 1] == "…" || shown[next_line + 1] == "")) ++next_line
       if (next_line < n && $0 == shown[next_line + 1]) ++next_line }
     END { if (next_line < n) { print "README, not in the run: " shown[next_line + 1]; exit 1 } }' "$scratch/shown" "$scratch/real"
