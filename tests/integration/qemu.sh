#!/usr/bin/env bash
# qemu.sh EXPECTED QEMU ARGUMENT…: a bare-metal program prints there what tests/models expects it to print here.
set -euo pipefail
expected=$1
shift
command -v "$1" >/dev/null || { echo "skipped: $1 is not there"; exit 0; }
"$@" </dev/null 2>&1 | diff - "$expected"
