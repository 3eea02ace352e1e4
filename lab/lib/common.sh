# shellcheck shell=bash
# Places, talk, steps: every step is a function with a name, a title, an expected time and a test whether its result is there.

say() { printf '%s\n' "$*" >&2; }

# fail CODE TEXT…: 1 internal, 2 usage, 3 something is missing on this machine.
fail() {
  local code=$1
  shift
  say "lab: $*"
  exit "$code"
}

# A folder that holds something else is refused: `clean` removes the whole of it.
use_cache_folder() {
  LAB=$(realpath -m "${QUICKSTART_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/quickstart-lab}")
  if [ ! -e "$LAB/.quickstart-lab" ]; then
    if [ -n "$(ls -A "$LAB" 2>/dev/null)" ]; then fail 2 "$LAB holds something else: name an empty or new folder in QUICKSTART_LAB"; fi
    mkdir -p "$LAB"
    echo "the lab's own folder; \`lab.sh clean\` removes it" >"$LAB/.quickstart-lab"
  fi
  mkdir -p "$LAB/log"
}

# One build at a time; the second waits. Steps inherit the lock, so that a killed lab.sh does not free it before its step has ended.
take_lock() {
  command -v flock >/dev/null || return 0
  exec 9>"$LAB/.lock"
  flock -n 9 && return
  say "another lab.sh works in $LAB; waiting for it to end"
  flock 9
}

# key TEXT…: what a result was made from, as one word. A result whose key has changed is made again.
key() { printf '%s\n' "$@" | sha256sum | cut -c1-32; }
file_key() { cat "$@" | sha256sum | cut -c1-32; }
has_key() { [ -f "$1" ] && [ "$(<"$1")" = "$2" ]; }

# The root of a Go module that a component pins: module_root COMPONENT MODULE
module_root() {
  local root
  root=$(cd "$HERE/go/$1" && go list -m -f '{{.Dir}}' "$2")
  if [ -z "$root" ]; then
    (cd "$HERE/go/$1" && go mod download "$2")
    root=$(cd "$HERE/go/$1" && go list -m -f '{{.Dir}}' "$2")
  fi
  [ -d "$root" ] || { say "module $2 of lab/go/$1 is not there"; return 1; }
  printf '%s\n' "$root"
}

STEPS=()
# step FUNCTION EXPECTED TITLE: FUNCTION makes the result, FUNCTION_ready tells whether it is there.
step() { STEPS+=("$1|$2|$3"); }

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

STEP_PID=
stop_step() { # on Ctrl-C or a signal: end the running step with all its children
  trap - INT TERM HUP
  if [ -n "$STEP_PID" ]; then kill -TERM -- "-$STEP_PID" 2>/dev/null || true; fi
  stop_disk_sampler
  say ""
  say "lab: interrupted; run it again to go on where it was"
  exit 130
}

run_steps() {
  local entry function expected title began code number=0
  trap stop_step INT TERM HUP
  start_disk_sampler
  for entry in "${STEPS[@]}"; do
    IFS='|' read -r function expected title <<<"$entry"
    number=$((number + 1))
    if "${function}_ready"; then
      say "[$number/${#STEPS[@]}] $title: there"
      continue
    fi
    say "[$number/${#STEPS[@]}] $title (about $expected) …"
    began=$SECONDS
    code=0
    # a process group of its own, so that Ctrl-C ends all of it; not in a condition, so that `set -e` holds inside
    set -m
    (set -euo pipefail; "$function") >"$LAB/log/$function.log" 2>&1 </dev/null &
    STEP_PID=$!
    set +m
    wait "$STEP_PID" || code=$?
    STEP_PID=
    if [ "$code" != 0 ]; then
      stop_disk_sampler
      say "      failed after $(clock $((SECONDS - began))); the end of $LAB/log/$function.log:"
      tail -n 20 "$LAB/log/$function.log" | sed 's/^/      | /' >&2
      [ "$code" = 3 ] || code=1
      exit "$code"
    fi
    say "      done in $(clock $((SECONDS - began)))"
  done
  stop_disk_sampler
  trap - INT TERM HUP
}

# need PROGRAM…: exit 3 with the list of what is missing.
need() {
  local program missing=()
  for program in "$@"; do command -v "$program" >/dev/null || missing+=("$program"); done
  [ ${#missing[@]} = 0 ] ||
    fail 3 "missing on this machine: ${missing[*]}; \`lab.sh engine\` as root installs what Debian and Ubuntu have, Go 1.26 or newer has to be there already"
}

# after VERB TEST: what a step builds on must be there and up to date.
after() { "$2" || fail 3 "this needs the result of \`lab.sh $1\`: run that first"; }
