#!/usr/bin/env bash
# The ways to the gateway, one after another under the same load: kind's mapped port, our tunnel, `kubectl port-forward`.
# 8 connections that stay open, then 8 that are opened anew for every request; the gateway answers 404 itself, so nothing behind it counts.
#
#   scripts/bench/forward.sh PROGRAM CLUSTER KUBECTL KUBECONFIG [SECONDS [ROUNDS]]
#
# stdout: JSON, one row a way and kind of load (the median round by requests/s). Needs wrk; loopback only.
set -euo pipefail
program=$1 name=$2 kubectl=$3 kubeconfig=$4 seconds=${5:-8} rounds=${6:-3}
service=istio-ingressgateway
work=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-forward.XXXXXX")
kubectl_pid=
clean_up() {
  if [ -n "$kubectl_pid" ]; then kill "$kubectl_pid" 2>/dev/null || true; fi
  "$program" --name "$name" forward stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

cat >"$work/report.lua" <<'LUA'
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\n{"requests": %d, "requests_per_second": %.0f, "p50_ms": %.2f, "p99_ms": %.2f, "errors": %d}\n',
    summary.requests, summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.timeout))
end
LUA

answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 -H 'Host: quickstart.invalid' "http://127.0.0.1:$1/")" = 404 ]; }
wait_for() { # PORT WHAT
  local deadline=$((SECONDS + 30))
  until answers "$1"; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "$2 does not answer on 127.0.0.1:$1" >&2; exit 1; }
    sleep 0.2
  done
}
# kubectl gives up after a broken connection: a fresh one for every round
kubectl_forward() {
  if [ -n "$kubectl_pid" ]; then kill "$kubectl_pid" 2>/dev/null || true; wait "$kubectl_pid" 2>/dev/null || true; fi
  # Here and not by the redirection below, which happens beside us: the last round's port was read, or none.
  : >"$work/kubectl"
  "$kubectl" --kubeconfig "$kubeconfig" port-forward -n istio-system "svc/$service" :80 >"$work/kubectl" 2>"$work/kubectl.log" &
  kubectl_pid=$!
  local deadline=$((SECONDS + 30))
  until kubectl_port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$work/kubectl" | head -n 1) && [ -n "$kubectl_port" ]; do
    [ "$SECONDS" -lt "$deadline" ] || { cat "$work/kubectl.log" >&2; exit 1; }
    sleep 0.1
  done
}
load() { # WAY PORT new|kept
  local header=()
  if [ "$3" = new ]; then header=(-H 'Connection: close'); fi
  wrk -t 1 -c 8 -d "${seconds}s" -s "$work/report.lua" -H 'Host: quickstart.invalid' ${header[@]+"${header[@]}"} "http://127.0.0.1:$2/" | tail -n 1 |
    jq -c --arg way "$1" --arg kind "$3" '{way: $way, connections: $kind} + .' | tee -a "$work/rows" >&2
}

# a cluster that is not quite well (exit 7) still has its port
mapped=$({ "$program" --name "$name" status -o json || true; } | jq -r 'select(.ingress == "mapped") | .url // empty' | sed 's/.*://')
"$program" --name "$name" forward start >/dev/null
tunnel=$("$program" --name "$name" forward status -o json | jq -r '.tunnels[0].port')
for _ in $(seq "$rounds"); do
  for kind in kept new; do
    kubectl_forward
    wait_for "$kubectl_port" "kubectl port-forward"
    wait_for "$tunnel" "the tunnel"
    if [ -n "$mapped" ]; then wait_for "$mapped" "the mapped port"; load mapped "$mapped" "$kind"; fi
    load kubectl "$kubectl_port" "$kind"
    load tunnel "$tunnel" "$kind"
  done
done
jq -s 'group_by([.way, .connections]) | map(sort_by(.requests_per_second) | .[length / 2 | floor])' "$work/rows"
