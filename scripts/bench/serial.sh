#!/usr/bin/env bash
# The documented way, one step after another: a kind cluster, then cert-manager, Istio, Knative Serving, net-istio and KServe, each
# applied and waited for before the next, then the model, then a prediction through a port-forward. This is the sequence of KServe's
# quick install (v0.20: the waits, their selectors and time-outs, `sleep 2` before the runtimes) with the charts rendered beforehand.
#
#   scripts/bench/serial.sh PREPARED NODE-IMAGE KUBECTL PORT
#
# stdout: one line per step, name and milliseconds, then `total`. The cluster (bench-serial) stays; the caller deletes it.
set -euo pipefail
prepared=$1 image=$2 kubectl=$3 port=$4
name=bench-serial
manifests=$prepared/out
export KUBECONFIG=$prepared/kubeconfig

now_ms() { local time=${EPOCHREALTIME/,/.}; echo $((${time/./} / 1000)); }
START=$(now_ms)
LAST=$START
took() {
  local here
  here=$(now_ms)
  printf '%s\t%d\n' "$1" $((here - LAST))
  printf 'serial: %-14s %6d ms\n' "$1" $((here - LAST)) >&2
  LAST=$here
}
k() { "$kubectl" "$@" >&2; }
pods_ready() { # NAMESPACE SELECTOR TIMEOUT: 2 s between looks until there is a pod, then one wait
  until [ -n "$("$kubectl" get pods -n "$1" -l "$2" -o name 2>/dev/null)" ]; do sleep 2; done
  k wait --for=condition=Ready pod -n "$1" -l "$2" --timeout="$3"
}

"$prepared/kind" create cluster --name "$name" --image "$image" --config "$prepared/kind.yaml" >&2
took kind

k apply --server-side -f "$manifests/cert-manager.yaml"
k wait --for=condition=Available deployment --all -n cert-manager --timeout=300s
pods_ready cert-manager 'app in (cert-manager,webhook,cainjector)' 180s
took cert-manager

k apply --server-side -f "$manifests/istio.yaml"
pods_ready istio-system app=istiod 600s
pods_ready istio-system app=istio-ingressgateway 600s
k apply -f - <<'YAML'
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: istio }
spec: { controller: istio.io/ingress-controller }
YAML
took istio

k apply --server-side -f "$manifests/serving-crds.yaml"
k wait --for=condition=Established --all crd --timeout=60s
k apply --server-side -f "$manifests/serving-core.yaml"
k wait --for=condition=Available deployment --all -n knative-serving --timeout=300s
took knative

k apply --server-side -f "$manifests/net-istio.yaml"
k wait --for=condition=Available deployment --all -n knative-serving --timeout=300s
took net-istio

k create namespace kserve
k apply --server-side -f "$manifests/kserve-crds.yaml"
k apply --server-side -f "$manifests/kserve.yaml"
k wait --for=condition=Available deployment/kserve-controller-manager -n kserve --timeout=300s
took kserve

sleep 2
k apply --server-side -f "$manifests/kserve-cluster-resources.yaml"
took runtimes

docker exec "$name-control-plane" mkdir -p /var/lib/quickstart/models/sklearn-iris
docker exec -i "$name-control-plane" tee /var/lib/quickstart/models/sklearn-iris/model.joblib <"$prepared/model.joblib" >/dev/null
k apply -f "$prepared/demo.yaml"
k wait -n kserve-test --for=condition=Ready inferenceservice/sklearn-iris --timeout=600s
took model

"$kubectl" port-forward -n istio-system svc/istio-ingressgateway "$port:80" >/dev/null 2>&1 &
tunnel=$!
trap 'kill "$tunnel" 2>/dev/null || true' EXIT
host=$("$kubectl" get inferenceservice sklearn-iris -n kserve-test -o jsonpath='{.status.url}' | cut -d/ -f3)
deadline=$((SECONDS + 60))
until answer=$(curl -sf --max-time 10 -H "Host: $host" -H 'Content-Type: application/json' -d @"$prepared/input.json" \
  "http://127.0.0.1:$port/v1/models/sklearn-iris:predict"); do
  [ "$SECONDS" -lt "$deadline" ] || { echo "serial: no prediction within 60 s" >&2; exit 1; }
  sleep 0.2
done
took predict
[ "$(printf '%s' "$answer" | tr -d ' \n')" = '{"predictions":[1,1]}' ] || { echo "serial: a wrong answer: $answer" >&2; exit 1; }
LAST=$START
took total
