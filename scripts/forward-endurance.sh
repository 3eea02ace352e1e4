#!/usr/bin/env bash
# The way in, worn out: while a client loop asks for predictions, the gateway's pod is deleted ten times, the API server is killed, the
# node and (with ENDURANCE_ENGINE=1) the engine itself are restarted. A request is lost when it is not answered within 5 minutes of
# retries; one that was under way when its way broke is asked again and counted apart.
#
#   ENDURANCE_REQUESTS=5000 ENDURANCE_ENGINE=1 scripts/forward-endurance.sh [mapped|tunnel …]
#
# A cluster of its own for each way, with a name, a state folder and a kubeconfig of its own; restarting the engine touches every container.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

REQUESTS=${ENDURANCE_REQUESTS:-5000}
PORT=${ENDURANCE_PORT:-18400}
NODE_IMAGE=${ENDURANCE_NODE_IMAGE:-}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-endurance.XXXXXX")
NAME=
LOOP=
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  if [ -n "$LOOP" ]; then kill "$LOOP" 2>/dev/null || true; fi
  if [ -n "$NAME" ]; then q down >/dev/null 2>&1 || remove_cluster "$NAME" || true; fi
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

case $REQUESTS in '' | *[!0-9]* | 0) fail 2 "ENDURANCE_REQUESTS is a number, not $REQUESTS" ;; esac
if [ $# = 0 ]; then set -- mapped tunnel; fi
for way in "$@"; do case $way in mapped | tunnel) ;; *) fail 2 "$way is neither mapped nor tunnel" ;; esac; done
part "program, engine, bundle"
[ -n "${ENDURANCE_PROGRAM:-}" ] || build_program
PROGRAM=${ENDURANCE_PROGRAM:-$PROGRAM}
lab engine
need docker jq curl
[ -s "$LAB_BUNDLE" ] || lab all
forget_settings
export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig
cd "$WORK"
q() { "$PROGRAM" --name "$NAME" "$@"; }
kubectl() { docker exec -i "$NAME-control-plane" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }

# client PORT NUMBER FOLDER: one request after another; `answered`, `again` (attempts that failed) and `lost` are counts.
client() {
  local port=$1 number=$2 folder=$3 answered=0 again=0 lost=0 until code
  for _ in $(seq "$number"); do
    until=$((SECONDS + 300))
    while true; do
      code=$(curl -s -o "$folder/answer" -w '%{http_code}' --max-time 45 -H 'Host: sklearn-iris.kserve-test.example.com' -H 'Content-Type: application/json' \
        -d @"$ROOT/manifests/samples/input/iris-input.json" "http://127.0.0.1:$port/v1/models/sklearn-iris:predict" 2>/dev/null) || code=000
      if [ "$code" = 200 ] && grep -q '\[1, *1\]' "$folder/answer"; then
        answered=$((answered + 1))
        break
      fi
      again=$((again + 1))
      echo "$(date -u +%T) $code $(head -c 100 "$folder/answer" 2>/dev/null | tr '\n' ' ')" >>"$folder/failures"
      if [ "$SECONDS" -ge "$until" ]; then
        lost=$((lost + 1))
        break
      fi
      sleep 0.2
    done
    printf '%d %d %d\n' "$answered" "$again" "$lost" >"$folder/count.part"
    mv "$folder/count.part" "$folder/count"
  done
  touch "$folder/done"
}

some_more() { # NUMBER: waits until so many more requests are answered
  local from
  from=$(cut -d' ' -f1 "$WORK/$way/count" 2>/dev/null || echo 0)
  eventually 400 eval "[ \"\$(cut -d' ' -f1 '$WORK/$way/count')\" -ge $((from + $1)) ] || [ -e '$WORK/$way/done' ]"
}
counts() {
  local answered again lost
  read -r answered again lost <"$WORK/$way/count"
  printf '   %-42s answered %s, asked again %s, lost %s\n' "$1" "$answered" "$again" "$lost" >&2
}
gateway_ready() { kubectl -n istio-system rollout status deployment/istio-ingressgateway --timeout=1s; }
one_way() {
  local step=$((REQUESTS / 16)) number expected
  mkdir -p "$WORK/$way"
  part "$way: a cluster"
  NAME=endurance-$way
  remove_cluster "$NAME"
  run q up --bundle "$LAB_BUNDLE" --port "$PORT" --forward "$way" ${NODE_IMAGE:+--node-image "$NODE_IMAGE"}
  expect_exit 0 "up --forward $way"
  stop_if_failed
  part "$way: $REQUESTS predictions through everything"
  client "$PORT" "$REQUESTS" "$WORK/$way" &
  LOOP=$!
  some_more 20
  for number in $(seq 10); do
    kubectl -n istio-system delete pod -l app=istio-ingressgateway --wait=false >/dev/null
    sleep 2
    eventually 180 gateway_ready || bad "pod $number" "the gateway did not come back"
    some_more "$step"
  done
  counts "gateway's pod deleted 10 times"
  docker exec "$NAME-control-plane" pkill -9 kube-apiserver
  sleep 3
  eventually 180 kubectl get --raw /readyz || bad "the API server came back" "no answer from /readyz within 180 s"
  some_more "$step"
  counts "API server killed"
  docker restart "$NAME-control-plane" >/dev/null
  some_more "$step" || true
  counts "node restarted"
  if [ -n "${ENDURANCE_ENGINE:-}" ]; then
    restart_engine
    # what `quickstart start` does: kind's node does not always come back by itself
    docker start "$NAME-control-plane" >/dev/null
    some_more "$step" || true
    counts "engine restarted"
  fi
  wait "$LOOP"
  LOOP=
  counts "all"
  expect_equal "answered" "$REQUESTS" "$(cut -d' ' -f1 "$WORK/$way/count")"
  expect_equal "lost" 0 "$(cut -d' ' -f3 "$WORK/$way/count")"
  if [ -s "$WORK/$way/failures" ]; then cut -d' ' -f2- "$WORK/$way/failures" | sort | uniq -c | sort -rn | head -n 8 | sed 's/^/   asked again: /' >&2; fi
  q forward status >&2 || true
  if [ "$way" = tunnel ]; then
    expected=$(q forward status -o json | jq '.tunnels[0] | .state == "running" and .counters.reconnects >= 11')
    expect_equal "the tunnel runs and tells at least 11 reconnects" true "$expected"
  fi
  q down >/dev/null
  expect_equal "processes of ours that are left" 0 "$(pgrep -f -- "--name $NAME forward" | wc -l | tr -d ' ')"
  NAME=
}

for way in "$@"; do one_way; done
part_ends
say "$PASSED assertions hold, $FAILED do not"
[ "$FAILED" = 0 ]
