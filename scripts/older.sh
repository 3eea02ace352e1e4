#!/usr/bin/env bash
# The older version set kserve-0.15 on a real cluster, from the lab's bundle of it: up, a prediction, a second up that changes nothing, the
# other profile, down. A cluster of its own, taken away afterwards (4 minutes, once the bundle is there).
#
#   scripts/older.sh
#
# OLDER_PROGRAM is a program that is there already, OLDER_NODE_IMAGE a node image.
# Exit codes: 0 all assertions hold · 1 one does not · 3 something is missing.
set -euo pipefail
ONE=older
# shellcheck source=scripts/lib/one.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/one.sh"
SET=kserve-0.15
BUNDLE=$LAB/$SET.tar

mode() { kubectl get inferenceservice -n kserve-test sklearn-iris -o 'jsonpath={.status.deploymentMode}'; }
image_of() { # NAMESPACE DEPLOYMENT
  kubectl get deployment -n "$1" "$2" -o 'jsonpath={.spec.template.spec.containers[0].image}'
}
generations() {
  kubectl get namespaces,deployments,services,configmaps,crds,validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterservingruntimes,inferenceservices,clusterroles -A \
    --no-headers -o custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name,GENERATION:.metadata.generation,UID:.metadata.uid | sort
}
nothing_to_do() {
  generations >"$WORK/before" 2>"$ERR" || bad "objects can be listed" "$(cat "$ERR")"
  run q up -o json
  expect_exit 0 "a second up, without naming bundle or set"
  expect_equal "objects reported changed" "" "$(jq -r 'select(.event == "object_applied" and .changed) | .object' "$OUT")"
  generations >"$WORK/after" 2>"$ERR" || bad "objects can be listed again" "$(cat "$ERR")"
  expect_equal "objects with another generation" "" "$(diff "$WORK/before" "$WORK/after" | grep '^[<>]' || true)"
}

begin "${OLDER_PROGRAM:-}" older
expect_true "the bundle is there: $BUNDLE" test -s "$BUNDLE"
stop_if_failed

part "up: the bundle names the set"
PORT=$(free_port 18400)
run q up --bundle "$BUNDLE" --port "$PORT" ${OLDER_NODE_IMAGE:+--node-image "$OLDER_NODE_IMAGE"}
expect_exit 0 "up"
stop_if_failed
expect_text "the prediction" '\[1, 1\]' "$OUT"
expect_false "it is not called untested" grep -q untested "$ERR"
predicts_as sklearn-iris.kserve-test.example.com
expect_equal "the demo's mode" Serverless "$(mode)"
expect_equal "KServe's image" kserve/kserve-controller:v0.15.2 "$(image_of kserve kserve-controller-manager)"
run kubectl get configmap -n kserve inferenceservice-config -o json
expect_json "its configuration knows the older name of the mode" '.data.deploy | fromjson | .defaultDeploymentMode == "Serverless"' "$OUT"
run q status -o json
expect_exit 0 "status"
expect_json "everything is ready" '.running and .ready and ([.components[].ready] | all) and .demo.ready and .ingress_ready' "$OUT"
expect_json "its versions" '[.components[] | "\(.name) \(.version)"] | sort ==
  ["cert-manager 1.16.1", "istio 1.22.2", "knative 1.15.2", "kserve 0.15.2", "net-istio 1.15.1"]' "$OUT"
nothing_to_do

part "profile raw: nothing is left of Knative"
run q up --profile raw
expect_exit 0 "up --profile raw"
say "   it took $TOOK s"
stop_if_failed
predicts_as sklearn-iris-kserve-test.example.com
expect_equal "the demo's mode" RawDeployment "$(mode)"
expect_equal "definitions of Knative's left" "" "$(kubectl get customresourcedefinitions -o name | grep knative || true)"
nothing_to_do

part "down"
run q down
expect_exit 0 "down"
expect_equal "containers left" "" "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$ONE")"
verdict
