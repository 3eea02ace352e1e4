# shellcheck shell=bash
# A container engine that can run a privileged container, and the few programs that the lab needs.

PACKAGES=(docker.io iptables nftables debootstrap debian-archive-keyring jq ca-certificates python3 python3-pip)
DOCKERD_LOG=/var/log/dockerd.log

engine_answers() { docker info >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

tools_there() {
  local program
  for program in docker debootstrap jq python3; do command -v "$program" >/dev/null || return 1; done
  python3 -m pip --version >/dev/null 2>&1
}

engine_ready() { tools_there && engine_answers && ! wrapper_wanted; }

engine() {
  if ! tools_there; then install_packages; fi
  if wrapper_needed; then install_wrapper; fi
  if engine_answers; then
    if wrapper_wanted; then reload_engine; fi
    return
  fi
  start_engine
}

install_packages() {
  is_root || fail 3 "no container engine answers, or tools are missing, and this is not root: run \`sudo $HERE/lab.sh engine\`, or install ${PACKAGES[*]} and start the engine"
  command -v apt-get >/dev/null || fail 3 "this machine has no apt: install Docker, debootstrap, jq and Python 3 with pip by its own means, start the engine, and run this again"
  local wanted=() package
  for package in "${PACKAGES[@]}"; do
    # an engine or a Python of another origin stays as it is
    case $package in
      docker.io) command -v dockerd >/dev/null && continue ;;
      python3 | python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
    esac
    wanted+=("$package")
  done
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
}

# A machine lacks a capability when its bounding set is not full: then a privileged container cannot start (see runc-within-bounds).
wrapper_needed() {
  local bounds last
  bounds=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
  last=$(cat /proc/sys/kernel/cap_last_cap)
  ((0x$bounds != (1 << (last + 1)) - 1))
}

# The engine runs on this machine (a remote one, or one in a virtual machine, has bounds of its own).
engine_is_local() { [ -f /var/run/docker.pid ] && kill -0 "$(cat /var/run/docker.pid)" 2>/dev/null; }

wrapper_wanted() {
  wrapper_needed && engine_is_local && [ "$(docker info --format '{{.DefaultRuntime}}' 2>/dev/null)" != within-bounds ]
}

install_wrapper() {
  is_root || fail 3 "this machine lacks a capability that privileged containers ask for; root has to run \`$HERE/lab.sh engine\` once"
  install -m 0755 "$HERE/runc-within-bounds" /usr/local/bin/runc-within-bounds
  mkdir -p /etc/docker
  local settings=/etc/docker/daemon.json
  [ -s "$settings" ] || echo '{}' >"$settings"
  jq '.runtimes["within-bounds"].path = "/usr/local/bin/runc-within-bounds" | .["default-runtime"] = "within-bounds"' \
    "$settings" >"$settings.part" || fail 3 "$settings is not JSON: correct it, then run this again"
  if cmp -s "$settings" "$settings.part"; then
    rm "$settings.part"
  else
    # keep its owner and mode
    cat "$settings.part" >"$settings"
    rm "$settings.part"
  fi
}

reload_engine() {
  kill -HUP "$(cat /var/run/docker.pid)"
  wait_until 20 "docker has taken up the changed daemon.json" eval '! wrapper_wanted'
}

start_engine() {
  is_root || fail 3 "no container engine answers and this is not root: start it (\`sudo systemctl start docker\`), then run this again"
  if [ -d /run/systemd/system ]; then
    systemctl restart docker
    DOCKERD_LOG="journalctl -u docker"
  else
    # a pid file outlives a machine that was switched off, and a daemon that ends its own; dockerd refuses to start beside one
    local pid deadline=$((SECONDS + 30))
    pid=$(cat /var/run/docker.pid 2>/dev/null || true)
    while [ -n "$pid" ] && grep -qs dockerd "/proc/$pid/comm" && ! engine_answers && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.3; done
    if engine_answers; then return; fi
    if [ -n "$pid" ] && ! grep -qs dockerd "/proc/$pid/comm"; then rm -f /var/run/docker.pid; fi
    setsid dockerd >"$DOCKERD_LOG" 2>&1 </dev/null 9>&- &
  fi
  wait_until 60 "docker answers" engine_answers
}

# wait_until SECONDS WHAT COMMAND…
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      if [ -f "$DOCKERD_LOG" ]; then tail -n 15 "$DOCKERD_LOG" >&2; fi
      fail 3 "gave up waiting until $what (log: $DOCKERD_LOG)"
    fi
    sleep 0.3
  done
}
