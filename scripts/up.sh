#!/usr/bin/env bash
# From a checkout to a prediction: builds the program, brings an engine and what is to be installed, runs `quickstart up`.
# Everything that is there is taken as it is, so that a second run goes on where the first one stopped.
#
#   scripts/up.sh [FLAGS OF `quickstart up`]
#
# QUICKSTART_* reach the program as they are; QUICKSTART_BUNDLE names a bundle, QUICKSTART_LAB the lab's folder.
# Exit codes: those of `quickstart up`; 3 where this machine lacks something that only you can give it.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/online.sh
. "$ROOT/scripts/lib/online.sh"
trap 'say ""; say "interrupted: run it again to go on from here"; exit 130' INT TERM

STEPS=4
NUMBER=0
BEGAN=$SECONDS
step() { # TITLE EXPECTED
  NUMBER=$((NUMBER + 1))
  STEP_BEGAN=$SECONDS
  say "[$NUMBER/$STEPS] $1 (about $2) …"
}
there() { say "      there"; }
done_in() { say "      done in $(clock $((SECONDS - STEP_BEGAN)))"; }

# GiB: the program's build; the node with everything running; the lab's build with its images and its bundle.
DISK_PROGRAM=2
DISK_CLUSTER=8
DISK_LAB=22
MEMORY_NEEDED=4096 # MiB, as the program asks for
MEMORY_LAB=6144    # MiB: linking Kubernetes and Istio

# A cluster of ours goes on from its own journal: nothing has to be fetched first.
cluster_is_there() {
  local name=${QUICKSTART_NAME:-quickstart} state
  state=${QUICKSTART_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/quickstart}/$name/state.json
  grep -qs '"created": *true' "$state" && engine_answers &&
    [ -n "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$name")" ]
}

bundle=${QUICKSTART_BUNDLE:-}
source=registry
if [ -n "$bundle" ]; then
  [ -f "$bundle" ] || fail 2 "QUICKSTART_BUNDLE names $bundle, which is not there"
  source=bundle
elif cluster_is_there; then
  source=cluster
elif [ -f "$LAB_BUNDLE" ]; then
  source=bundle
  bundle=$LAB_BUNDLE
elif ! registry_answers || ! manifests_answer; then
  source=lab
fi

what="the program"
disk=$DISK_CLUSTER
minutes=4
if [ ! -x "$PROGRAM" ]; then
  disk=$((disk + DISK_PROGRAM))
  minutes=$((minutes + 5))
fi
if ! engine_answers && is_root && has apt-get; then
  what="$what, the Docker engine (package docker.io)"
  minutes=$((minutes + 2))
fi
case $source in
  cluster)
    what="$what; the cluster is there and is brought up to date"
    disk=1
    minutes=1
    ;;
  bundle) what="$what and, from $bundle, a Kind cluster with KServe" ;;
  registry)
    what="$what and a Kind cluster with KServe (about 3 GB of downloads)"
    minutes=$((minutes + 6))
    ;;
  lab)
    what="$what, the whole stack built from source (no container registry answers) and a Kind cluster with KServe"
    disk=$((disk + DISK_LAB))
    minutes=$((minutes + 39))
    ;;
esac
say "This installs $what: up to $disk GB of disk, about $minutes minutes on 2 cores."

lab_is_possible() {
  local reason="no container registry answers, so the stack is to be built from source" otherwise="or bring a bundle: QUICKSTART_BUNDLE=FILE make up"
  [ "$(uname -sm)" = "Linux x86_64" ] || fail 3 "$reason, which is possible on x86-64 Linux only: bring a bundle (QUICKSTART_BUNDLE=FILE make up)"
  is_root || fail 3 "$reason, and debootstrap needs root: \`make build\`, then \`sudo env PATH=\"\$PATH\" QUICKSTART_LAB=$LAB QUICKSTART_BIN=$PROGRAM $ROOT/lab/lab.sh all\`, then run this again; $otherwise"
  has go || fail 3 "$reason, and Go is missing: install Go 1.26 or newer and run this again; $otherwise"
}

refuse_early() {
  local free folder memory
  # with an engine it is certain that no registry answers; else its mirror may
  if [ "$source" = lab ] && engine_answers; then lab_is_possible; fi
  memory=$(memory_mib)
  if engine_answers; then memory=$(($(engine_fact MemTotal) / 1048576)); fi
  [ "${memory:-$MEMORY_NEEDED}" -ge "$MEMORY_NEEDED" ] ||
    fail 3 "not enough memory: $memory MiB are there, $MEMORY_NEEDED MiB are needed; give the machine (or the engine's virtual machine) more"
  if [ "$source" = lab ] && [ "$memory" -lt "$MEMORY_LAB" ]; then
    fail 3 "not enough memory to build the stack from source: $memory MiB are there, $MEMORY_LAB MiB are needed; bring a bundle from another machine: QUICKSTART_BUNDLE=FILE make up"
  fi
  folder=$(engine_fact DockerRootDir || true)
  [ -d "${folder:-}" ] || folder=/var/lib
  free=$(free_gib "$folder")
  local needed=$DISK_CLUSTER
  if docker image inspect kindest/node:v1.34.3 >/dev/null 2>&1; then needed=4; fi
  if [ "$source" = cluster ]; then needed=1; fi
  if [ "$source" = lab ] && same_disk "$folder" "$LAB"; then needed=$DISK_LAB; fi
  # what an interrupted build left counts: lab.sh knows better how much is still to come
  if [ "$source" = lab ] && [ -d "$LAB/bin" ]; then needed=$DISK_CLUSTER; fi
  [ "$free" -ge "$needed" ] ||
    fail 3 "not enough disk: $folder has $free GiB free, about $needed GiB are needed; free some (\`docker system df\` shows what the engine holds)"
  if [ ! -x "$PROGRAM" ]; then
    free=$(free_gib "$(dirname "$PROGRAM")")
    [ "$free" -ge "$DISK_PROGRAM" ] ||
      fail 3 "not enough disk: $(dirname "$PROGRAM") has $free GiB free, the build needs $DISK_PROGRAM GiB; free some, or name another folder in CARGO_TARGET_DIR"
  fi
}
refuse_early

step "build the program" "4 minutes the first time, then seconds"
build_program
done_in

step "container engine" "1 minute where it is to be installed"
if engine_answers; then
  there
elif engine_forbidden; then
  fail 3 "the Docker engine runs, but $(id -un) may not use it: \`sudo usermod -aG docker $(id -un)\`, log out and in again, and run this again"
elif is_root && has apt-get; then
  say "      installs the packages docker.io, iptables, nftables, debootstrap, jq and python3-pip, and starts the engine"
  lab engine
  engine_answers || fail 3 "the engine was started and does not answer; its log is /var/log/dockerd.log or \`journalctl -u docker\`"
  done_in
elif has apt-get; then
  fail 3 "no container engine answers, and this is not root. Either \`sudo $ROOT/lab/lab.sh engine\` installs and starts one, or \`sudo systemctl start docker\` starts yours; then \`sudo usermod -aG docker $(id -un)\`, log in again, and run this again"
else
  fail 3 "no container engine answers: install and start Docker (Docker Desktop, colima, or your distribution's package), and run this again"
fi

# The engine may have a mirror or a proxy that this shell has not, or be what was missing before.
if [ "$source" = lab ] && registry_answers && manifests_answer; then source=registry; fi

step "what is to be installed" "seconds; 30 minutes where it is to be built from source"
case $source in
  cluster)
    say "      the cluster is there"
    ;;
  bundle)
    say "      bundle $bundle"
    ;;
  registry)
    if ! has kind && ! grep -A4 'v0.30.0/kind-linux-amd64' "$ROOT/manifests/catalog.yaml" | grep -q 'sha256: "'; then
      fail 3 "kind 0.30 or newer is needed on PATH, because the catalog does not know the checksum of its download yet: \`go install sigs.k8s.io/kind@v0.30.0\`, or your package manager; then run this again"
    fi
    say "      manifests and images come from their own sites"
    ;;
  lab)
    lab_is_possible
    lab all
    bundle=$LAB_BUNDLE
    [ -f "$bundle" ] || fail 1 "lab/lab.sh ended without $bundle"
    ;;
esac
done_in

step "quickstart up" "3 minutes"
say "      set-up so far took $(clock $((SECONDS - BEGAN))); the program is $PROGRAM"
if [ -n "$bundle" ]; then set -- --bundle "$bundle" "$@"; fi
# nothing follows: the last lines are the program's own
trap - INT TERM
exec "$PROGRAM" up "$@"
