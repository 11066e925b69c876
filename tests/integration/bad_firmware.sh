#!/usr/bin/env bash
# bad_firmware.sh RPSIM: ELFs that go wrong on a Cortex-M4F executing them. Each run ends by itself, with a verdict, and its
# trace on disk has what happened.
set -euo pipefail
rpsim=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# try NAME WANTED: assembles standard input, with a resource table and 64 vectors that lead to `fault` unless it has its own,
# checks it, runs it for 20 ms of simulated time, and looks for the pattern WANTED in what was said and traced.
try() {
  local name=$1 wanted=$2
  cat >"$scratch/$name.s"
  grep -q '\.vectors' "$scratch/$name.s" || cat >>"$scratch/$name.s" <<'END'
  .section .vectors, "a"
  .word 0x3F000, start + 1
  .rept 62
  .word fault + 1
  .endr
END
  printf '.section .resource_table, "a"\n.word 1, 0, 0, 0\n' >>"$scratch/$name.s"
  if [ ! -e "$scratch/$name.elf" ]; then
    { echo '.syntax unified; .thumb; .cpu cortex-m4; .text'; cat "$scratch/$name.s"; } >"$scratch/$name.asm.s"
    arm-none-eabi-gcc -mcpu=cortex-m4 -nostdlib -Wl,-z,max-page-size=4,-Ttext=0x400,-e,0x400 \
      -Wl,--section-start=.vectors=0,--section-start=.resource_table=0x9CC00000,--section-start=.rom=0x60000100 "$scratch/$name.asm.s" -o "$scratch/$name.elf"
  fi
  cat >"$scratch/$name.yaml" <<END
scenario: $name
purpose: $name
platform: ${platform:-k3-am62x}
cores: { m4f: { as: arm } }
files: { am62-mcu-m4f0_0-fw: $name.elf }
host: { shutdown: none }
steps:
  - echo start > /sys/class/remoteproc/remoteproc0/state
  - wait: 20ms
  - echo stop > /sys/class/remoteproc/remoteproc0/state
END
  local status=0
  "$rpsim" check "$scratch/$name.yaml" >"$scratch/$name.check" 2>&1 || true
  timeout 30 "$rpsim" run "$scratch/$name.yaml" --trace "$scratch/$name.jsonl" >"$scratch/$name.out" 2>&1 || status=$?
  if [ $status -gt 2 ] || ! grep -qE "$wanted" "$scratch/$name".{check,out,jsonl}; then
    echo "$name: exit status $status, no $wanted in"
    tail -10 "$scratch/$name.out"
    failed=1
  fi
}

fault='fault: b fault'
# A program of the host's own machine; this one is ELF64, as most are.
cp "$(command -v cat)" "$scratch/another-machine.elf"
try another-machine 'cannot run it' </dev/null
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -nostdlib -x assembler -o "$scratch/machine-8.elf" - -Wl,-e,0 <<<'nop'
printf '\x08' | dd of="$scratch/machine-8.elf" bs=1 seek=18 conv=notrunc status=none
try machine-8 'its machine is 8, not Arm' </dev/null
try vectors-of-zeros '"core.lockup"' <<<'.section .vectors, "a"; .rept 64; .word 0; .endr'
try entry-outside '"core.(fault|lockup)".*0x50000000' <<<'.section .vectors, "a"; .word 0x3F000, 0x50000001; .rept 62; .word fault + 1; .endr; .text; fault: b fault'
try stack-outside '"core.lockup"' <<<".section .vectors, \"a\"; .word 0x50000000, start + 1; .rept 62; .word fault + 1; .endr; .text; start: push {r0}; $fault"
try code-in-a-peripheral '"core.fault".*0x40000000' <<<"start: ldr r0, =0x40000001; bx r0; $fault"
try undefined-instruction '"core.fault".*undefined instruction' <<<"start: udf #1; $fault"
try undefined-in-its-handler '"core.lockup"' <<<'start: udf #1; fault: udf #2'
try endless-exceptions '"core.fault".*undefined instruction' <<<'start: udf #1; fault: bx lr'
try write-to-nothing '"core.fault".*0x58000000' <<<"start: ldr r0, =0x58000000; str r0, [r0]; $fault"
try unaligned '"core.fault".*unaligned access' <<<"start: ldr r0, =0x30002; ldm r0, {r1, r2}; $fault"
# movs r0, #1 becomes movs r0, #42, which ends in a fault at an address that tells.
try self-modifying '"core.fault".*0x5800002a' <<<"start: ldr r1, =patch; ldr r2, =0x202A; ldr r3, =0x58000000; bl patch; strh r2, [r1]; dsb; isb; bl patch; strb r0, [r3, r0]; $fault; patch: movs r0, #1; bx lr; .ltorg"
# None of the platforms has a ROM that its remote cores see: this one has, and Linux takes it for memory of the M4F's.
cat >"$scratch/rom.dts" <<END
/dts-v1/;
#include "$PWD/platforms/k3-am62x.dts"
/ {
	rom: rom@60000000 { compatible = "rpsim,sram"; reg = <0x0 0x60000000 0x0 0x1000>; read-only; };
	reserved-memory { rom_region: rom@60000000 { reg = <0x0 0x60000000 0x0 0x1000>; no-map; }; };
};
&mcu_m4fss { memory-region = <&mcu_m4fss_dma_memory_region>, <&mcu_m4fss_memory_region>, <&rom_region>; };
END
platform=$scratch/rom.dts try reads-rom '"core.fault".*0x58000000' <<<"start: ldr r0, =0x60000000; ldr r1, [r0]; ldr r1, =0x58000000; str r0, [r1]; $fault"
platform=$scratch/rom.dts try write-to-rom '"core.fault".*"write".*0x60000004' <<<"start: ldr r0, =0x60000000; ldr r1, [r0]; str r1, [r0, #4]; $fault"
platform=$scratch/rom.dts try loaded-into-rom '"host.oops".*external-abort.*0x60000100' <<<"start: $fault; .section .rom, \"a\"; .word 1"
try runs-away '"core.start"' <<<"start: b start; $fault"
exit $failed
