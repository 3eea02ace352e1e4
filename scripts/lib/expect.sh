# shellcheck shell=bash
# Assertions: one line each, ok or FAIL with what was seen. Nothing stops at a FAIL but `stop_if_failed`.
# WORK is the run's temporary folder; `run` leaves stdout, stderr, exit code and seconds in OUT, ERR, CODE and TOOK.

PASSED=0
FAILED=0
PART=
PART_BEGAN=
OUT=$WORK/out ERR=$WORK/err CODE=0 TOOK=0

# part TITLE: ends the part before with its time.
part() {
  part_ends
  PART=$1 PART_BEGAN=$(now)
  say "== $1"
}
part_ends() {
  [ -z "$PART" ] || say "   ($(since "$PART_BEGAN") s)"
  PART=
}

ok() {
  PASSED=$((PASSED + 1))
  say "   ok   $1"
}

# bad NAME SEEN: the first one also shows what the cluster looks like.
bad() {
  FAILED=$((FAILED + 1))
  say "   FAIL $1"
  printf '%s\n' "$2" | head -c 3000 | sed 's/^/        | /' >&2
  if [ "$FAILED" = 1 ] && [ "$(type -t show_cluster)" = function ]; then show_cluster 2>&1 | sed 's/^/        # /' >&2; fi
}

# run COMMAND…
run() {
  local began
  began=$(now)
  CODE=0
  "$@" >"$OUT" 2>"$ERR" </dev/null || CODE=$?
  TOOK=$(since "$began")
}

seen() {
  printf 'exit code %s after %s s\n' "$CODE" "$TOOK"
  tail -n 25 "$OUT" | sed 's/^/stdout: /'
  tail -n 25 "$ERR" | sed 's/^/stderr: /'
}

# The last `run` ended with this code.
expect_exit() {
  if [ "$CODE" = "$1" ]; then ok "$2: exit code $1 ($TOOK s)"; else bad "$2: exit code $1 expected" "$(seen)"; fi
}
expect_equal() { # NAME WANTED SEEN
  if [ "$2" = "$3" ]; then ok "$1: ${3:-nothing}"; else bad "$1: expected ${2:-nothing}" "seen: ${3:-nothing}"; fi
}
expect_text() { # NAME PATTERN FILE
  local line
  if line=$(grep -m1 -E -- "$2" "$3"); then
    line=$(printf '%s' "$line" | sed 's/^ *//' | head -c 160)
    ok "$1: $line"
  else
    bad "$1: no line with $2" "$(tail -n 25 "$3")"
  fi
}
expect_json() { # NAME FILTER FILE: the jq filter answers true
  if jq -e "$2" "$3" >/dev/null 2>"$WORK/jq"; then ok "$1"; else bad "$1: $2" "$(cat "$WORK/jq"; head -c 2000 "$3")"; fi
}
expect_below() { # NAME LIMIT SECONDS
  if awk -v limit="$2" -v seen="$3" 'BEGIN { exit !(seen < limit) }'; then ok "$1: $3 s (limit $2 s)"; else bad "$1: below $2 s expected" "seen: $3 s"; fi
}
expect_true() { # NAME COMMAND…
  local name=$1
  shift
  if "$@" >"$WORK/true" 2>&1; then ok "$name"; else bad "$name" "$(cat "$WORK/true")"; fi
}
expect_false() { # NAME COMMAND…
  local name=$1
  shift
  if "$@" >"$WORK/true" 2>&1; then bad "$name" "$(cat "$WORK/true")"; else ok "$name"; fi
}

# eventually SECONDS COMMAND…
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

stop_if_failed() {
  [ "$FAILED" = 0 ] || {
    say "   the rest needs what has just failed: stopping"
    exit 1
  }
}

verdict() {
  part_ends
  say "$PASSED ok, $FAILED failed"
  [ "$FAILED" = 0 ]
}
