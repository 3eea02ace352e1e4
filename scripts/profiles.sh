#!/usr/bin/env bash
# Both profiles of one real cluster, on the lab's bundle: serverless → raw with a model of the user's in it, killed half-way and ended by a
# bare `up`, and back again; each with its plan and its prediction. A cluster of its own, taken away afterwards (6 minutes).
#
#   scripts/profiles.sh
#
# PROFILES_PROGRAM is a program that is there already, PROFILES_NODE_IMAGE a node image, PROFILES_PROOF a file that keeps what was printed.
# Exit codes: 0 all assertions hold · 1 one does not · 3 something is missing.
set -euo pipefail
ONE=profiles
# shellcheck source=scripts/lib/one.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/one.sh"
PROOF=${PROFILES_PROOF:-$WORK/proof.txt}
told() {
  {
    echo "\$ quickstart $*"
    cat "$OUT" "$ERR"
    echo
  } >>"$PROOF"
}

asked() { # HOST
  curl -s --max-time 30 -H "Host: $1" -H 'Content-Type: application/json' "http://127.0.0.1:$PORT/v1/models/${1%%[.-]*}:predict" -d "$INPUT"
}

begin "${PROFILES_PROGRAM:-}"
: >"$PROOF"

part "up, profile serverless"
PORT=$(free_port 18300)
run q up --bundle "$LAB_BUNDLE" --port "$PORT" ${PROFILES_NODE_IMAGE:+--node-image "$PROFILES_NODE_IMAGE"}
expect_exit 0 "up"
stop_if_failed
predicts_as sklearn-iris.kserve-test.example.com
kubectl apply -f - >"$OUT" <<'YAML'
apiVersion: v1
kind: PersistentVolume
metadata: { name: profiles-mine }
spec:
  capacity: { storage: 16Mi }
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  claimRef: { apiVersion: v1, kind: PersistentVolumeClaim, namespace: default, name: mine }
  hostPath: { path: /var/lib/quickstart/models/sklearn-iris, type: Directory }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: mine, namespace: default }
spec: { accessModes: [ReadOnlyMany], storageClassName: "", volumeName: profiles-mine, resources: { requests: { storage: 16Mi } } }
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: { name: mine, namespace: default }
spec:
  predictor:
    minReplicas: 1
    model:
      modelFormat: { name: sklearn }
      storageUri: pvc://mine/
      resources: { requests: { cpu: 100m, memory: 256Mi }, limits: { cpu: "1", memory: 1Gi } }
YAML
run kubectl wait --for=condition=Ready --timeout=240s inferenceservice/mine
expect_exit 0 "a model of the user's is Ready"

part "plan --profile raw, and a refusal"
run q plan --profile raw
expect_exit 0 "plan"
told plan --profile raw
expect_text "what goes" 'goes +Knative Serving' "$OUT"
expect_text "what is the user's" 'yours +InferenceService default/mine is made again' "$OUT"
run q up --profile raw
expect_exit 2 "up --profile raw without --yes"
told up --profile raw
expect_text "its ID" 'error\[WOULD_LOSE\]' "$ERR"
expect_true "Knative is still there" kubectl get namespace knative-serving

part "up --profile raw --yes, killed half-way; a bare up ends it"
"$PROGRAM" --name "$ONE" up --profile raw --yes >"$WORK/killed" 2>&1 &
KILLED=$! # the program itself: a shell between would be killed in its place
expect_true "Knative's webhooks go" eventually 120 eval "! docker exec $NODE kubectl --kubeconfig /etc/kubernetes/admin.conf get validatingwebhookconfiguration validation.webhook.serving.knative.dev"
kill -9 "$KILLED" 2>/dev/null || true
wait "$KILLED" 2>/dev/null || true
expect_false "it did not get to its end" grep -q "ready in" "$WORK/killed"
run q status
expect_exit 7 "status"
expect_text "it says what is going on" 'the switch from profile serverless to raw has not ended' "$OUT"
run q up
expect_exit 0 "up"
told "up (after kill -9)"
say "   it took $TOOK s"
stop_if_failed
predicts_as sklearn-iris-kserve-test.example.com
expect_equal "definitions of Knative's left" "" "$(kubectl get customresourcedefinitions -o name | grep knative || true)"
expect_equal "the mode of the user's model" Standard "$(kubectl get inferenceservice mine -o 'jsonpath={.status.deploymentMode}')"
run asked mine-default.example.com
expect_json "the user's model answers" '. == {"predictions": [1, 1]}' "$OUT"
run q status --probe
expect_exit 0 "status --probe"
run q up -o json
expect_exit 0 "a second up stays with profile raw"
expect_equal "objects reported changed" "" "$(jq -r 'select(.event == "object_applied" and .changed) | .object' "$OUT")"

part "up --profile serverless"
run q plan --profile serverless
expect_exit 0 "plan"
told plan --profile serverless
expect_text "the user's stays" 'yours +InferenceService default/mine stays as it is' "$OUT"
run q up --profile serverless
expect_exit 0 "up --profile serverless"
told up --profile serverless
say "   it took $TOOK s"
stop_if_failed
predicts_as sklearn-iris.kserve-test.example.com
expect_equal "the mode of the demo" Knative "$(kubectl get inferenceservice -n kserve-test sklearn-iris -o 'jsonpath={.status.deploymentMode}')"
run asked mine-default.example.com
expect_json "the user's model answers still" '. == {"predictions": [1, 1]}' "$OUT"
run q up --profile raw
expect_exit 0 "up --profile raw, with nothing of the user's in the way"
told up --profile raw
say "   it took $TOOK s"
predicts_as sklearn-iris-kserve-test.example.com

part "down"
run q down
expect_exit 0 "down"
verdict
