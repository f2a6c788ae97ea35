#!/bin/bash
# Where the gateway's CPU goes in a scenario of the benchmark, as text: bench/profile.sh echo-100 > bench/profiles/echo-100.txt
# Needs perf and strace, the Go programs and the generator that `cargo xtask bench` builds, and a machine that lets both be used.
set -euo pipefail
cd "$(dirname "$0")/.."
scenario=$1
target=${2:-grpcws}
export RUSTFLAGS="-C force-frame-pointers=yes" CARGO_PROFILE_COUNT_DEBUG=line-tables-only
cargo build --quiet --profile count --locked -p grpcws-gateway --target-dir target/profile
gateway=$PWD/target/profile/count/grpcws
work=target/profile/$scenario
target/release/grpcws-bench run --rounds 6 --only "$target,$scenario" --against "$target" \
    --gateway "$gateway" --out "$work" > "$work.log" 2>&1 &
bench=$!
sleep 2.5
process=$(pgrep -f "$gateway serve" | head -n 1)
perf record --quiet --freq 1999 --call-graph fp --pid "$process" --output "$work.perf" -- sleep 4 > "$work.perf.log" 2>&1
timeout 3 strace -f -c -p "$process" 2> "$work.strace" > /dev/null || true
wait "$bench"

report() { perf report --input "$work.perf" --percent-limit "$1" --sort "$2" --call-graph none "${@:3}" 2> /dev/null |
    sed -e '/^#/d' -e '/^ *$/d' -e 's/ *- *- *$//' -e 's/ *$//'; }
echo "$scenario, $target, $(date -u +%F), built without LTO and with frame pointers"
grep -E "^\| (target|$target) " "$work.md"
echo
echo "System calls in 3 s under strace, which slows them down: their numbers count"
awk '$4 ~ /^[0-9]+$/ && $NF !~ /total|restart_syscall/ { printf "%8d %s\n", $4, $NF }' "$work.strace" | sort -rn | head -n 12
echo
echo "By program (cpu-clock, 1,999 Hz)"
report 1 dso --no-children
echo
echo "Functions with what they call, from 1 %"
report 1 symbol --children | grep -F '[.]' | grep -vE '__libc_start|start_thread|lang_start|rust_begin_short|FnOnce|\] main$|thread_start'
echo
echo "Functions by themselves, from 1 %"
report 1 symbol --no-children
