#!/usr/bin/env bash
# twice.sh RPSIM SCENARIO: runs it twice; both must pass and their traces must be equal.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for round in 1 2; do
  "$1" run --seed 7 --trace "$scratch/$round" "$2" >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
done
[ -s "$scratch/1" ] || { echo "empty trace"; exit 1; }
cmp "$scratch/1" "$scratch/2"
