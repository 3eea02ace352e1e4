#!/usr/bin/env bash
# Every sample that the lab can run, on a real cluster: `sample test` for each, an image of one's own from a folder into the node, a folder's
# predictor asked, old tutorials linted, latencies. One cluster of its own, on the lab's bundle, taken away afterwards (12 minutes).
#
#   scripts/samples.sh [NAME…]        # only these samples
#
# SAMPLES_PROGRAM is a program that is there already, SAMPLES_NODE_IMAGE a node image, SAMPLES_PROOF a file that keeps what each test printed.
# Exit codes: 0 all assertions hold · 1 one does not · 3 something is missing.
set -euo pipefail
ONE=samples
# shellcheck source=scripts/lib/one.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/one.sh"
PROOF=${SAMPLES_PROOF:-$WORK/proof.txt}
clear_more() { docker rmi dev.local/adder:1; }

begin "${SAMPLES_PROGRAM:-}"
: >"$PROOF"

part "up"
PORT=$(free_port 18200)
run q up --bundle "$LAB_BUNDLE" --port "$PORT" ${SAMPLES_NODE_IMAGE:+--node-image "$SAMPLES_NODE_IMAGE"}
expect_exit 0 "up"
stop_if_failed
kubectl get namespaces,persistentvolumes -o name >"$WORK/before"

NAMES=("$@")
if [ $# = 0 ]; then
  while read -r name; do NAMES+=("$name"); done < <(q sample list -o json | jq -r '.samples[] | select(.state == "lab") | .name')
fi
for name in "${NAMES[@]}"; do
  part "sample $name"
  run q sample test "$name"
  expect_exit 0 "sample test $name"
  { echo "\$ quickstart sample test $name"; cat "$OUT"; echo; } >>"$PROOF"
done

part "a predictor of one's own, from a folder"
run q sample init adder
expect_exit 0 "sample init"
run docker build -q -t dev.local/adder:1 --build-arg BASE=lab/sklearnserver:0.20.0 adder
expect_exit 0 "docker build"
run q image load dev.local/adder:1
expect_exit 0 "image load"
expect_equal "the name to write" dev.local/adder:1 "$(cat "$OUT")"
kubectl apply -n default -f - <adder/inferenceservice.yaml >"$OUT"
expect_true "it gets ready without a registry" kubectl wait -n default --for=condition=Ready --timeout=180s inferenceservice/adder
printf '{"instances": [[1, 2], [3, 4]]}' >two.json
expect_true "it is routed" eventually 60 q predict adder -n default --file two.json
run q predict adder -n default --file two.json
expect_equal "what it answers" "[3, 7]" "$(cat "$OUT")"
kubectl delete inferenceservice -n default adder >/dev/null

part "latencies, and an old tutorial"
run q predict --repeat 200 --parallel 2 -o json
expect_exit 0 "predict --repeat 200"
expect_json "all answered" '.requests == 200 and .errors == 0 and .p50_ms <= .p99_ms' "$OUT"
printf 'apiVersion: serving.kubeflow.org/v1alpha2\nkind: InferenceService\nspec: {default: {predictor: {sklearn: {storageUri: gs://x/y}}}}\n' >old.yaml
run q sample lint old.yaml
expect_exit 2 "sample lint"

part "nothing is left"
expect_true "namespaces and volumes are those of before" eventually 60 eval \
  "diff '$WORK/before' <(docker exec -i $NODE kubectl --kubeconfig /etc/kubernetes/admin.conf get namespaces,persistentvolumes -o name)"
verdict
