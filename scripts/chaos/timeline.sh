# shellcheck shell=bash
# `up` stopped at points of its timeline, and two commands at once. Points are facts of its own events, so a slow machine has the same ones.

# interrupted_at POINT…: SIGINT; exit code 130, three lines, soon, and nothing left at work.
interrupted_at() {
  begin
  if ! reached 300 "$@"; then
    finish 600
    return 1
  fi
  local asked
  asked=$(now)
  kill -INT "$UP"
  finish 60
  tell_outcome
  expect_below "it stops" 30 "$(since "$asked")"
  if [ "$CODE" = 130 ]; then
    expect_text "first line" '^error\[INTERRUPTED\]: ' "$ERR"
    expect_text "second line" '^cause: ' "$ERR"
    expect_text "third line" '^hint: .*quickstart up' "$ERR"
  fi
}

# killed_at POINT…: SIGKILL. What it had started may go on for a moment: the next `up` has to live with that.
killed_at() {
  begin
  if ! reached 300 "$@"; then
    finish 600
    return 1
  fi
  kill -KILL "$UP"
  finish 20
  tell_outcome
}

# The same in a fetch that has everything to do.
killed_at_fetch() {
  rm -rf "$QUICKSTART_CACHE_DIR"
  killed_at started fetch
}

# Which object of a stage, the seed decides.
interrupted_after() { interrupted_at applied "$1" "$(seeded "int $1" "$2")"; }
killed_after() { killed_at applied "$1" "$(seeded "kill $1" "$2")"; }

two_ups() {
  local other
  begin
  if ! reached 60 started engine-check; then
    finish 600
    return 1
  fi
  "$PROGRAM" --name "$NAME" up "${FLAGS[@]}" >"$WORK/second-out" 2>"$WORK/second-err" </dev/null 8>&- &
  other=$!
  finish 600
  tell_outcome
  local code=0
  wait "$other" || code=$?
  expect_equal "exit code of the second" 0 "$code"
  expect_text "it says for whom it waits" 'quickstart up.*is at work on this cluster' "$WORK/second-err"
  expect_text "its prediction" '\[1, 1\]' "$WORK/second-out"
}

# The one that comes second waits, or says who holds the cluster; whichever it is, `up` is not disturbed.
down_during_up() {
  local code=0
  begin
  if ! reached 120 started crds; then
    finish 600
    return 1
  fi
  with_time_limit 240 "$PROGRAM" --name "$NAME" down >"$WORK/down-out" 2>"$WORK/down-err" </dev/null 8>&- || code=$?
  finish 600
  tell_outcome
  expect_text "down says for whom it waits" 'quickstart up.*is at work on this cluster' "$WORK/down-err"
  if [ "$code" = 3 ]; then
    expect_text "it gives up" '^error\[BUSY\]' "$WORK/down-err"
    expect_text "and says what to do" '^hint: ' "$WORK/down-err"
  else
    expect_equal "exit code of down" 0 "$code"
  fi
}
