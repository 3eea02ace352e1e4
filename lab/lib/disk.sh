# shellcheck shell=bash
# Disk: refuse before it is too late, and tell what a cold build needed at its fullest.

# What is left to do still needs, in GiB (measured; a component's build cache is gone when the next one is built).
disk_needed() {
  local needed=0
  binaries_complete || needed=$((needed + 4))
  modules_downloaded || needed=$((needed + 7))
  rootfs_complete || needed=$((needed + 1))
  images_ready || needed=$((needed + 3))
  node_ready || needed=$((needed + 2))
  # the bundle, and beside it, while it is written, the images that go into it
  bundle_there || needed=$((needed + 7))
  echo "$needed"
}

# Kubernetes' is the largest of the modules and among the first.
modules_downloaded() {
  binaries_complete && return
  command -v go >/dev/null && [ -f "$(go env GOMODCACHE)/cache/download/k8s.io/kubernetes/@v/v$KUBERNETES.zip" ]
}

check_disk() { # extra GiB that the verb needs
  local needed free images
  free=$(free_gib "$LAB")
  # room for all of it: no need to look at what is there
  if [ "$free" -lt 24 ]; then
    needed=$(($(disk_needed) + ${1:-0}))
    [ "$free" -ge "$needed" ] ||
      fail 3 "not enough disk: what is left to build needs about $needed GiB and $LAB has $free GiB free; free some, or name a folder on another disk in QUICKSTART_LAB"
  fi
  # images lie with the engine, which may have a disk of its own
  images=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || true)
  if [ -d "$images" ] && [ "$(stat -c %d "$images")" != "$(stat -c %d "$LAB")" ] && ! node_ready; then
    free=$(free_gib "$images")
    [ "$free" -ge 6 ] || fail 3 "not enough disk: the images need about 6 GiB and $images has $free GiB free"
  fi
}

free_gib() { df -Pk "$1" | awk 'NR == 2 { printf "%d", $4 / 1048576 }'; }
used_kib() { df -Pk "$LAB" | awk 'NR == 2 { print $3 }'; }

SAMPLER=
# The fullest the disk was since the first start, less what was on it then. It lasts over interrupted runs.
start_disk_sampler() {
  [ -f "$LAB/.disk-before" ] || used_kib >"$LAB/.disk-before"
  (
    trap - INT TERM HUP
    peak=$(cat "$LAB/.disk-peak" 2>/dev/null || echo 0)
    while kill -0 $$ 2>/dev/null; do
      now=$(used_kib)
      if [ "$now" -gt "$peak" ]; then
        peak=$now
        echo "$peak" >"$LAB/.disk-peak"
      fi
      sleep 3
    done
  ) 9>&- </dev/null >/dev/null 2>&1 &
  SAMPLER=$!
}

stop_disk_sampler() {
  [ -n "$SAMPLER" ] || return 0
  kill "$SAMPLER" 2>/dev/null || true
  wait "$SAMPLER" 2>/dev/null || true
  SAMPLER=
}

tell_disk_peak() {
  [ -f "$LAB/.disk-peak" ] || return 0
  awk -v before="$(cat "$LAB/.disk-before")" -v peak="$(cat "$LAB/.disk-peak")" \
    'BEGIN { printf "the fullest disk since the first start: %.1f GB more than before it (goal: 22; whatever else wrote to this disk is in it)\n", (peak - before) * 1024 / 1e9 }' >&2
}
