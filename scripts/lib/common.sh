# shellcheck shell=bash
# Shared by all scripts: where things are, talk, time, the program, the engine. Works with bash 3.2, which macOS still ships.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# The same folder as lab/lab.sh takes.
LAB=${QUICKSTART_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/quickstart-lab}
# shellcheck disable=SC2034
LAB_BUNDLE=$LAB/bundle.tar
case ${CARGO_TARGET_DIR:-} in
  '') PROGRAM=$ROOT/target/release/quickstart ;;
  /*) PROGRAM=$CARGO_TARGET_DIR/release/quickstart ;;
  *) PROGRAM=$ROOT/$CARGO_TARGET_DIR/release/quickstart ;; # cargo is run in ROOT
esac

say() { printf '%s\n' "$*" >&2; }

# fail CODE TEXT…: the codes are those of the program (3: something is missing on this machine).
fail() {
  local code=$1
  shift
  say "error: $*"
  exit "$code"
}

has() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }
# Seconds with fractions, where the machine can tell them.
now() {
  if [ -n "${EPOCHREALTIME:-}" ]; then printf '%s\n' "${EPOCHREALTIME/,/.}"; else date +%s; fi
}
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }

# need PROGRAM…: exit 3 with all that are missing.
need() {
  local program missing=""
  for program in "$@"; do has "$program" || missing="$missing $program"; done
  [ -z "$missing" ] || fail 3 "missing on this machine:$missing; Debian and Ubuntu: apt-get install$missing"
}

need_cargo() {
  has cargo || fail 3 "cargo is missing: install Rust 1.95 or newer from https://rustup.rs (no root is needed), open a new shell, and run this again"
}

# The release program; cargo knows by itself whether there is anything to do.
build_program() {
  need_cargo
  (cd "$ROOT" && cargo build --release --locked) || fail 1 "the program could not be built: see cargo's message above"
}

# with_time_limit SECONDS COMMAND…: 124 when the time is over; without `timeout` (macOS) there is no limit.
with_time_limit() {
  local limit=$1
  shift
  if has timeout; then timeout "$limit" "$@"; else "$@"; fi
}

engine_answers() { has docker && with_time_limit 20 docker info >/dev/null 2>&1; }
# A daemon that answers somebody else, not this user.
engine_forbidden() {
  local said
  said=$(with_time_limit 20 docker info 2>&1 || true)
  [[ $said == *"ermission denied"* ]]
}
engine_fact() { with_time_limit 20 docker info --format "{{.$1}}" 2>/dev/null; }

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# The first port from $1 upwards where nobody listens.
free_port() {
  local port=$1
  until port_is_free "$port"; do port=$((port + 1)); done
  echo "$port"
}

# GiB free where a folder is, or will be.
free_gib() {
  local folder=$1
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  df -Pk "$folder" | awk 'NR == 2 { printf "%d", $4 / 1048576 }'
}
same_disk() {
  local one=$1 other=$2
  while [ ! -d "$one" ]; do one=$(dirname "$one"); done
  while [ ! -d "$other" ]; do other=$(dirname "$other"); done
  [ "$(df -Pk "$one" | awk 'NR == 2 { print $1 }')" = "$(df -Pk "$other" | awk 'NR == 2 { print $1 }')" ]
}
# MiB of memory that this machine has.
memory_mib() {
  if [ -r /proc/meminfo ]; then
    awk '/^MemTotal:/ { printf "%d", $2 / 1024 }' /proc/meminfo
  else
    sysctl -n hw.memsize 2>/dev/null | awk '{ printf "%d", $1 / 1048576 }'
  fi
}

volumes_of() { # CONTAINER
  docker inspect -f '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}' "$1"
}

# Containers and volumes of a kind cluster, by name: the last resort when the program cannot take it away any more.
remove_cluster() {
  local container volumes
  for container in $(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$1"); do
    volumes=$(volumes_of "$container" 2>/dev/null || true)
    docker rm -f -v "$container" >/dev/null 2>&1 || true
    # shellcheck disable=SC2086
    if [ -n "$volumes" ]; then docker volume rm -f $volumes >/dev/null 2>&1 || true; fi
  done
}

# The lab's bundle as this checkout describes it; steps that are done are skipped in seconds.
lab() {
  [ -x "$ROOT/lab/lab.sh" ] || fail 3 "lab/lab.sh is not in this checkout"
  QUICKSTART_BIN=$PROGRAM "$ROOT/lab/lab.sh" "$@"
}

# One run on the lab's clusters at a time: two would slow each other down beyond their deadlines. Held by descriptor 8 until the script
# ends; whoever starts an engine meanwhile closes it (`8>&-`), or the engine would hold it on.
lab_to_oneself() {
  mkdir -p "$LAB"
  if has flock; then
    exec 8>"$LAB/.e2e-lock"
    flock -n 8 || { say "   another run on the lab is at work: waiting for it"; flock 8; }
  fi
}

# Only what a script itself names reaches the program.
forget_settings() {
  local variable
  for variable in $(compgen -e | grep '^QUICKSTART_' | grep -v '^QUICKSTART_LAB'); do unset "$variable"; done
}

# The engine ends and comes back, whoever runs it here; every container of it stops meanwhile.
restart_engine() {
  if has systemctl && systemctl is-active --quiet docker 2>/dev/null; then
    systemctl restart docker
    return
  fi
  local pid
  pid=$(cat /var/run/docker.pid)
  kill "$pid"
  eventually 120 eval "! kill -0 $pid"
  lab engine
}
