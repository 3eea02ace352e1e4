#!/usr/bin/env bash
# How fast, how small: `up` against the documented serial sequence, in one run; then the rows of their own. Both have their images at hand,
# each in the best way that it has: the serial sequence a node image with everything baked in, `up` the small one and its kept images.
# Nothing is asserted: the table has the goal beside what was measured, and target/bench.json holds all of it.
#
#   BENCH_RUNS=1 scripts/bench.sh
#
# The floor is what no order of the same steps could go below: `kind create --wait` alone, of the small node image on the idle machine
# (scripts/bench/load.sh), and, along the critical path of `up`, the controllers' own start-ups. Of each stage on that path this is the time
# in which it waits for one (`rollout/…`, `webhook/…`, `demo/…`, `ingress/…`, and `secret/…`: a certificate comes when cert-manager has
# started), several at once counted once, within the stage's share of the path. Not counted, because they are ours: kind as `up` runs it,
# the node getting ready, engine-check, fetch, images, objects being sent, checks that were green at once, and gaps between stages. The waits are those of the same run, with everything else that runs beside them: it says what `up` adds, not what an idle machine
# could do.
#
# Loading is compared by scripts/bench/load.sh, whose head says what makes it fair. `serve` against nginx is scripts/serve-load.sh; where
# nginx cannot be had the row says so.
#
# A pair takes about 4 minutes on 2 cores. Clusters of its own, which it takes away; yours are not touched, but let the machine rest.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/figures.sh
. "$ROOT/scripts/lib/figures.sh"

RUNS=${BENCH_RUNS:-1}
NODE_IMAGE=kindest/node:v1.34.3-baked
RESULT=$ROOT/target/bench.json
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-bench.XXXXXX")
NAMES=(bench-serial bench-up bench-load bench-kind)

clean_up() {
  local code=$? name
  trap - EXIT
  trap '' INT TERM
  for name in "${NAMES[@]}"; do remove_cluster "$name" || true; done
  # shellcheck disable=SC2046
  if [ -s "$WORK/volumes" ]; then docker volume rm -f $(cat "$WORK/volumes") >/dev/null 2>&1 || true; fi
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

case $RUNS in '' | *[!0-9]* | 0) fail 2 "BENCH_RUNS is a number of pairs, 1 or more, not $RUNS" ;; esac
say "bench: program, lab's bundle and baked node image first, then about 6 minutes of loading, $RUNS pair(s) of about 4 minutes, and 4 minutes more"
build_program
lab engine
need docker jq curl awk wrk
lab all
lab bake
docker image inspect "$NODE_IMAGE" >/dev/null 2>&1 || fail 3 "the baked node image $NODE_IMAGE is not in the engine: lab/lab.sh bake makes it"
KUBECTL=$LAB/bin/kubernetes/kubectl
[ -x "$KUBECTL" ] || KUBECTL=$(command -v kubectl) || fail 3 "no kubectl: neither the lab's nor one on PATH"
forget_settings
for name in "${NAMES[@]}"; do remove_cluster "$name"; done
cd "$WORK"

say "preparing the serial sequence's manifests"
"$ROOT/scripts/bench/prepare.sh" "$LAB_BUNDLE" "$WORK/prepared" "$KUBECTL"
cp "$ROOT/manifests/samples/sklearn-iris-offline.yaml" "$WORK/prepared/demo.yaml"
cp "$ROOT/manifests/samples/input/iris-input.json" "$WORK/prepared/input.json"

# A cluster goes, its volume stays until the end: for minutes after 20,000 files are deleted, ext4 looks through their inodes at every
# file it creates (recently_deleted() in fs/ext4/ialloc.c), and whoever makes a node then waits 20 s more.
set_aside() {
  volumes_of "$1-control-plane" >>"$WORK/volumes"
  docker rm -f "$1-control-plane" >/dev/null
}

# Both sides find the node image in the page cache.
warm() {
  say "warming up: one node of the baked image, made and taken away"
  KUBECONFIG=$WORK/warm "$WORK/prepared/kind" create cluster --name bench-serial --image "$NODE_IMAGE" --config "$WORK/prepared/kind.yaml" >"$WORK/log" 2>&1 ||
    { tail -n 20 "$WORK/log" >&2; fail 1 "kind cannot make a node of $NODE_IMAGE"; }
  set_aside bench-serial
}

serial() { # NUMBER: the disk has written what went before
  sync
  say "pair $1: the serial sequence"
  "$ROOT/scripts/bench/serial.sh" "$WORK/prepared" "$NODE_IMAGE" "$KUBECTL" "$(free_port 18090)" >"$WORK/serial-$1.tsv" 2>"$WORK/log" ||
    { tail -n 30 "$WORK/log" >&2; fail 1 "the serial sequence failed"; }
  set_aside bench-serial
  rm -f "$WORK/prepared/kubeconfig"
  jq -Rn '[inputs | split("\t") | {stage: .[0], ms: (.[1] | tonumber)}]
    | {total_ms: (.[] | select(.stage == "total").ms), stages: map(select(.stage != "total"))}' <"$WORK/serial-$1.tsv" >"$WORK/serial-$1.json"
}

# up LABEL CACHE CLUSTER FLAGS…: wall clock from outside, stages from its own events, peak memory from the kernel
up() {
  local label=$1 cache=$2 name=$3 began ended
  shift 3
  sync
  began=$(now)
  QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/$cache KUBECONFIG=$WORK/kubeconfig \
    with_peak "$WORK/peak" "$PROGRAM" --name "$name" up -o json "$@" >"$WORK/events" 2>"$WORK/log" ||
    { tail -n 5 "$WORK/log" >&2; tail -n 3 "$WORK/events" >&2; fail 1 "\`up\` failed ($label)"; }
  ended=$(now)
  QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/$cache "$PROGRAM" --name "$name" timeline -o json >"$WORK/timeline"
  jq -s --arg began "$began" --arg ended "$ended" --arg peak "$(cat "$WORK/peak")" --slurpfile timeline "$WORK/timeline" '
    def together: sort | reduce .[] as [$from, $to] ({end: 0, ms: 0};
      if $to > .end then {end: $to, ms: (.ms + $to - ([$from, .end] | max))} else . end) | .ms;
    def own($link): [.waits[] | select(.what | test("^(demo|ingress|secret)/|/(rollout|webhook)/"))
      | [([.from_ms, $link.from_ms] | max), ([.to_ms, $link.to_ms] | min)] | select(.[0] < .[1])] | together;
    last as $last | [$timeline[0].stages[] | select(.stage | startswith("images/")) | select(.began_ms and .ended == "done")] as $images
    | {critical: [$timeline[0].critical[] | . as $link | . + {own_ms: (first($timeline[0].stages[] | select(.stage == $link.stage)) | own($link))}], images_ms: (if $images == [] then null else ($images | (map(.ended_ms) | max) - (map(.began_ms) | min)) end), total_ms: ((($ended | tonumber) - ($began | tonumber)) * 1000 | round), peak_kib: ($peak | tonumber),
      prediction: $last.outcome.prediction, stages: [$last.outcome.stages[] | {stage: .[0], ms: .[1]}]}' "$WORK/events" >"$WORK/$label.json"
}
gone() { # CLUSTER: with what is remembered of it
  set_aside "$1"
  rm -rf "$WORK/state" "$WORK/cache" "$WORK/kubeconfig"
}
ours() { # NUMBER: with an empty cache; the second run on the healthy cluster has what the first one left
  say "pair $1: quickstart up"
  up "up-$1" cache bench-up --bundle "$LAB_BUNDLE"
  say "pair $1: a second up"
  up "second-$1" cache bench-up
  if [ ! -e "$WORK/forward.json" ]; then
    say "pair $1: the ways to the gateway under load"
    QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache "$ROOT/scripts/bench/forward.sh" "$PROGRAM" bench-up "$KUBECTL" \
      "$WORK/state/bench-up/kubeconfig" >"$WORK/forward.json" 2>"$WORK/log" || { tail -n 20 "$WORK/log" >&2; fail 1 "the ways to the gateway could not be measured"; }
  fi
  gone bench-up
}

say "up with the small node image: images are loaded from the bundle"
cat "$LAB_BUNDLE" >/dev/null
QUICKSTART_KEEP_IMAGES=false up load cache bench-load --bundle "$LAB_BUNDLE"
gone bench-load

say "kind load image-archive of the same groups, one after the other"
# shellcheck disable=SC2046
"$ROOT/scripts/bench/load.sh" "$LAB_BUNDLE" "$WORK/prepared/kind" "$WORK/prepared/kind.yaml" bench-kind "$WORK/groups" \
  $(jq -r '.stages[].stage | select(startswith("images/")) | ltrimstr("images/")' "$WORK/load.json") >"$WORK/kind-load.json" 2>"$WORK/log" ||
  { tail -n 20 "$WORK/log" >&2; fail 1 "kind could not load the archives"; }
set_aside bench-kind
rm -rf "$WORK/groups"

say "images are kept: up and down with the small node image"
up filled cache bench-load --bundle "$LAB_BUNDLE"
QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig "$PROGRAM" --name bench-load down >"$WORK/log" 2>&1 ||
  { tail -n 5 "$WORK/log" >&2; fail 1 "\`down\` failed"; }

warm
for number in $(seq "$RUNS"); do
  # whoever comes second has the warmer machine: they take turns
  if [ $((number % 2)) = 1 ]; then
    serial "$number"
    ours "$number"
  else
    ours "$number"
    serial "$number"
  fi
done

say "up with the baked node image: the other way to have images at hand"
QUICKSTART_KEEP_IMAGES=false up baked cache bench-up --bundle "$LAB_BUNDLE" --node-image "$NODE_IMAGE"
gone bench-up

# Last, because it takes a node away: what comes after that on ext4 is slower (see set_aside).
say "reset"
up before-reset cache bench-up --bundle "$LAB_BUNDLE"
sync
began=$(now)
QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig "$PROGRAM" --name bench-up reset --yes >"$WORK/log" 2>&1 ||
  { tail -n 5 "$WORK/log" >&2; fail 1 "\`reset\` failed"; }
reset_ms=$(awk -v from="$began" -v to="$(now)" 'BEGIN { printf "%d", (to - from) * 1000 }')
gone bench-up

say "--help, 50 times"
began=$(now)
for _ in $(seq 50); do "$PROGRAM" --help >/dev/null; done
help_ms=$(awk -v from="$began" -v to="$(now)" 'BEGIN { printf "%.2f", (to - from) * 1000 / 50 }')

say "serve against nginx: 40 clients"
code=0
SERVE_PROGRAM=$PROGRAM SERVE_RESULT=$WORK/serve.json "$ROOT/scripts/serve-load.sh" "$LAB_BUNDLE" >"$WORK/serve.log" 2>&1 || code=$?
if [ "$code" = 3 ]; then
  jq -n --arg why "$(tail -n 1 "$WORK/serve.log")" '{not_measured: $why}' >"$WORK/serve.json"
elif [ "$code" != 0 ]; then
  tail -n 20 "$WORK/serve.log" >&2
  fail 1 "serve could not be measured"
fi

mkdir -p "$(dirname "$RESULT")"
jq -n --argjson runs "$(for number in $(seq "$RUNS"); do jq -n --slurpfile serial "$WORK/serial-$number.json" --slurpfile up "$WORK/up-$number.json" \
  --slurpfile second "$WORK/second-$number.json" '{serial: $serial[0], up: $up[0], second_up: $second[0]}'; done | jq -s .)" \
  --slurpfile load "$WORK/load.json" --slurpfile baked "$WORK/baked.json" --slurpfile kind_load "$WORK/kind-load.json" --slurpfile serve "$WORK/serve.json" --slurpfile forward "$WORK/forward.json" --arg help "$help_ms" --arg reset "$reset_ms" --arg bytes "$(wc -c <"$PROGRAM")" \
  --arg at "$(date -u +%FT%TZ)" --arg commit "$(git -C "$ROOT" rev-parse --short HEAD 2>/dev/null || true)" --arg cpus "$(getconf _NPROCESSORS_ONLN)" --arg memory "$(memory_mib)" '
  def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2] + .[length / 2 - 1]) / 2 end;
  {version: 1, at: $at, commit: $commit, machine: {cpus: ($cpus | tonumber), memory_mib: ($memory | tonumber)}, node_image: "'"$NODE_IMAGE"'",
   runs: $runs, ratio: ([$runs[] | .serial.total_ms / .up.total_ms] | median),
   serial_ms: ([$runs[].serial.total_ms] | median), up_ms: ([$runs[].up.total_ms] | median), peak_kib: ([$runs[].up.peak_kib] | max),
   second_up_ms: ([$runs[].second_up.total_ms] | median), reset_ms: ($reset | tonumber), with_images_to_load: $load[0], baked: $baked[0], kind_load: $kind_load[0], serve: $serve[0], forward: $forward[0], help_ms: ($help | tonumber), binary_bytes: ($bytes | tonumber)}' >"$RESULT.part"
mv "$RESULT.part" "$RESULT"
print_figures "$RESULT"
say "written: $RESULT"
