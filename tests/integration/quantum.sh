#!/usr/bin/env bash
# quantum.sh RPSIM SCENARIO CORE…: cores that execute instructions leave the same trace, byte for byte, whatever their quantum is.
set -euo pipefail
rpsim=$1 scenario=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for quantum in 300ns 10us 1ms; do
  arguments=(-p core=arm)
  for core; do arguments+=(-p "$core.quantum=$quantum"); done
  "$rpsim" run -q --seed 7 "${arguments[@]}" --trace "$scratch/$quantum" "$scenario" >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
  cmp "$scratch/300ns" "$scratch/$quantum"
done
grep -q '"event":"core.start","fields":{"entry"' "$scratch/1ms" || { echo "no core executed instructions"; exit 1; }
