#!/usr/bin/env bash
# Every parser that reads what quickstart did not write, fed with mutations for SECONDS each, in turn; one table at the end.
#
#   scripts/fuzz.sh SECONDS [TARGET…]
#
# Needs cargo-fuzz and a C++ compiler. A nightly toolchain is taken where rustup has one, else the stable compiler with RUSTC_BOOTSTRAP=1;
# AddressSanitizer where the toolchain has its runtime. fuzz/corpus holds the seeds and is only read: what is found, new inputs and crashes,
# goes to target/fuzz (FUZZ_OUT). FUZZ_JOBS targets run at once (1).
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$ROOT"

SECONDS_EACH=${1:-60}
shift || true
case $SECONDS_EACH in '' | *[!0-9]* | 0) fail 2 "\`$SECONDS_EACH\` is not a number of seconds: make fuzz SECONDS=60" ;; esac
OUT=${FUZZ_OUT:-$ROOT/target/fuzz}
JOBS=${FUZZ_JOBS:-1}
# Memory that a target may take, in MiB: what reads a bomb must not grow with it.
MEMORY=1024
ALLOCATION=256

need_cargo
has cargo-fuzz || fail 3 "cargo-fuzz is missing: cargo install cargo-fuzz --locked (2 minutes), then run this again"
has c++ || fail 3 "a C++ compiler is missing (libFuzzer is C++): Debian and Ubuntu: apt-get install g++"

TOOLCHAIN=()
COMPILER=(rustc)
if has rustup && rustup run nightly rustc --version >/dev/null 2>&1; then
  TOOLCHAIN=(+nightly)
  COMPILER=(rustup run nightly rustc)
elif ! rustc --version | grep -q nightly; then
  # cargo-fuzz passes -Z flags, which a stable compiler takes only so.
  export RUSTC_BOOTSTRAP=1
fi
HOST=$("${COMPILER[@]}" -vV | sed -n 's/^host: //p')
SANITIZER=none
for runtime in "$("${COMPILER[@]}" --print sysroot)/lib/rustlib/$HOST/lib"/*rt.asan.*; do
  if [ -e "$runtime" ]; then SANITIZER=address; fi
done
BUILD=${CARGO_TARGET_DIR:-$ROOT/fuzz/target}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
export CARGO_TARGET_DIR=$BUILD
say "fuzzing with $("${COMPILER[@]}" --version), sanitizer $SANITIZER"

TARGETS=("$@")
if [ ${#TARGETS[@]} = 0 ]; then
  while IFS= read -r target; do TARGETS+=("$target"); done < <(cargo "${TOOLCHAIN[@]+"${TOOLCHAIN[@]}"}" fuzz list)
fi
if [ "$#" = 1 ]; then one=("$1"); else one=(); fi
cargo "${TOOLCHAIN[@]+"${TOOLCHAIN[@]}"}" fuzz build --sanitizer "$SANITIZER" "${one[@]+"${one[@]}"}" >&2 ||
  fail 1 "the targets could not be built: see cargo's message above"

# In memory where there is such a place: targets write a small file for each input.
SPACE=/dev/shm
if ! { [ -d "$SPACE" ] && [ -w "$SPACE" ]; }; then SPACE=${TMPDIR:-/tmp}; fi
WORK=$(mktemp -d "$SPACE/quickstart-fuzz.XXXXXX")
clean_up() {
  local code=$?
  trap - EXIT INT TERM
  trap '' INT TERM
  local pid
  for pid in "$WORK"/*.pid; do
    if [ -e "$pid" ]; then kill "$(cat "$pid")" 2>/dev/null || true; fi
  done
  wait || true
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# run TARGET: its line of the table into WORK/TARGET.line
run() {
  local target=$1 found=$OUT/$1 log=$OUT/$1.log code=0 runs peak covered result
  mkdir -p "$found/corpus" "$found/crashes" "$WORK/$target"
  TMPDIR=$WORK/$target "$BUILD/$HOST/release/$target" "$found/corpus" "$ROOT/fuzz/corpus/$target" \
    -max_total_time="$SECONDS_EACH" -timeout=20 -rss_limit_mb="$MEMORY" -malloc_limit_mb="$ALLOCATION" -max_len=65536 \
    -print_final_stats=1 -artifact_prefix="$found/crashes/" >"$log" 2>&1 &
  echo $! >"$WORK/$target.pid"
  wait $! || code=$?
  rm -f "$WORK/$target.pid"
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
  covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  if [ "$code" = 0 ]; then result="ok"; else result="CRASH ($(sed -n 's/^.*\(panicked at [^ ]*\|ERROR: [^(]*\).*/\1/p' "$log" | head -n 1)): $log"; fi
  printf '%-12s %12s %9s %6s MiB  %s\n' "$target" "${runs:--}" "${covered:--}" "${peak:--}" "$result" >"$WORK/$target.line"
}

running=0
for target in "${TARGETS[@]}"; do
  say "$target: $SECONDS_EACH s"
  run "$target" &
  running=$((running + 1))
  if [ "$running" -ge "$JOBS" ]; then
    wait
    running=0
  fi
done
wait

printf '%-12s %12s %9s %10s  %s\n' target executions edges "peak memory" result
failed=0
for target in "${TARGETS[@]}"; do
  cat "$WORK/$target.line"
  if grep -q CRASH "$WORK/$target.line"; then failed=1; fi
done
if [ "$failed" = 1 ]; then fail 1 "an input under $OUT/TARGET/crashes makes its target fail; run it alone: $BUILD/$HOST/release/TARGET FILE"; fi
