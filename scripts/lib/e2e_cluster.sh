# shellcheck shell=bash disable=SC2034
# The life of one cluster: each function is a part of the run and needs the ones before it.

first_up() {
  part "up, with port 8080 taken"
  # somebody may have it already, which serves as well
  if port_is_free 8080; then hold_port 8080; fi
  run with_time_limit 1200 "$PROGRAM" --name "$NAME" up --bundle "$BUNDLE"
  if [ -n "$HOLDER" ]; then release_port; fi
  expect_exit 0 "up"
  stop_if_failed
  tail -n 40 "$OUT" >"$WORK/last"
  cat "$WORK/last" >&2
  expect_text "the prediction" '\[1, 1\]' "$WORK/last"
  expect_text "the next free port" '127\.0\.0\.1:8080 is taken.*uses [0-9]+' "$ERR"
  PORT=$(sed -n 's/.*http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' "$WORK/last" | head -1)
  expect_text "the URL" "http://127\.0\.0\.1:$PORT" "$WORK/last"
  local line
  line=$(sed -n 's/^ *\(curl .*\)/\1/p' "$WORK/last" | tail -1)
  run bash -c "$line"
  expect_json "the curl line as printed" '. == {"predictions": [1, 1]}' "$OUT"
  expect_text "times per stage" '^ *cluster +[0-9.]+' "$WORK/last"
  expect_equal "the current context" "kind-$NAME" "$(current_context)"
  expect_equal "the mode of the private kubeconfig" 600 "$(stat -c %a "$QUICKSTART_STATE_DIR/$NAME/kubeconfig")"
  stop_if_failed
}

status_names_substitutes() {
  part "status"
  run q status -o json
  expect_exit 0 "status -o json"
  expect_json "everything is ready" '.running and .ready and ([.components[].ready] | all) and .demo.ready and .ingress_ready' "$OUT"
  expect_json "all five components" '[.components[].name] | sort == ["cert-manager", "istio", "knative", "kserve", "net-istio"]' "$OUT"
  # shellcheck disable=SC2016
  local stands='[.components[] | select(.name == $component) | .deployments[].containers[].substitute // empty | "\(.name) \(.version)"] | join("\n")'
  named() { jq -r --arg component "$1" "$stands" "$OUT" >"$WORK/named" || true; }
  named cert-manager
  expect_text "cert-manager is said to be" '1\.11\.5' "$WORK/named"
  named istio
  expect_text "istiod is said to be" 'istiod 1\.27\.0' "$WORK/named"
  expect_text "the gateway is said to be" 'Envoy' "$WORK/named"
  named net-istio
  expect_text "net-istio is said to be" 'stand-in' "$WORK/named"
  expect_json "what only the stand-ins need is listed" '.patches | length > 0' "$OUT"
  run q status
  expect_exit 0 "status"
}

predict_answers() {
  part "predict"
  run q predict -o json
  expect_exit 0 "predict -o json"
  expect_json "its answer" '. == {"predictions": [1, 1]}' "$OUT"
  run q predict missing
  expect_exit 6 "predict of a model that is not there"
}

own_model() {
  part "an InferenceService of one's own, as in the lessons"
  kubectl apply -f - >"$OUT" 2>&1 <<'YAML' || bad "kubectl apply" "$(cat "$OUT")"
apiVersion: v1
kind: PersistentVolume
metadata: { name: e2e-sklearn-iris }
spec:
  capacity: { storage: 16Mi }
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  claimRef: { apiVersion: v1, kind: PersistentVolumeClaim, namespace: default, name: sklearn-iris }
  hostPath: { path: /var/lib/quickstart/models/sklearn-iris, type: Directory }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: sklearn-iris, namespace: default }
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  volumeName: e2e-sklearn-iris
  resources: { requests: { storage: 16Mi } }
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: { name: sklearn-iris, namespace: default }
spec:
  predictor:
    minReplicas: 1
    model:
      modelFormat: { name: sklearn }
      storageUri: pvc://sklearn-iris/
      resources: { requests: { cpu: 100m, memory: 256Mi }, limits: { cpu: "1", memory: 1Gi } }
YAML
  run kubectl wait --for=condition=Ready --timeout=240s inferenceservice/sklearn-iris
  expect_exit 0 "it becomes Ready"
  run curl -s --max-time 30 -H 'Host: sklearn-iris.default.example.com' -H 'Content-Type: application/json' \
    "http://localhost:$PORT/v1/models/sklearn-iris:predict" -d '{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'
  expect_json "the lesson's curl" '. == {"predictions": [1, 1]}' "$OUT"
  run kubectl delete --wait=true --timeout=60s inferenceservice/sklearn-iris pvc/sklearn-iris pv/e2e-sklearn-iris
}

tunnel() {
  part "forward run"
  local port pid
  port=$(free_port 9090)
  set -m # so that it is not started with Ctrl-C ignored
  "$PROGRAM" --name "$NAME" forward run --port "$port" >"$WORK/forward" 2>&1 </dev/null &
  pid=$!
  set +m
  if eventually 20 grep -q '^curl ' "$WORK/forward"; then
    run bash -c "$(grep -m1 '^curl ' "$WORK/forward")"
    expect_json "its curl line on port $port" '. == {"predictions": [1, 1]}' "$OUT"
  else
    bad "it prints a curl line" "$(cat "$WORK/forward")"
  fi
  kill -INT "$pid" 2>/dev/null || true
  CODE=0 TOOK=0
  wait "$pid" || CODE=$?
  : >"$OUT"
  cp "$WORK/forward" "$ERR"
  expect_exit 0 "it ends at Ctrl-C"
  expect_true "port $port is free again" port_is_free "$port"
}

generations() {
  kubectl get namespaces,deployments,services,configmaps,crds,validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterservingruntimes,inferenceservices,clusterroles -A \
    --no-headers -o custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name,GENERATION:.metadata.generation,UID:.metadata.uid |
    awk '$2 != "default"' | sort # what the model of one's own left in there is still being collected
}

second_up() {
  part "a second up"
  generations >"$WORK/before" 2>"$ERR" || bad "objects can be listed" "$(cat "$ERR")"
  run with_time_limit 300 "$PROGRAM" --name "$NAME" up -o json
  expect_exit 0 "up -o json, without naming the bundle"
  say "   it took $TOOK s"
  expect_below "its time" 20 "$TOOK"
  cp "$OUT" "$WORK/events"
  expect_equal "objects reported changed" "" "$(jq -r 'select(.event == "object_applied" and .changed) | .object' "$WORK/events")"
  expect_true "every line is an event" jq -es 'all(.event != null and .at != null)' "$WORK/events"
  expect_true "the last one is the end, with exit code 0" jq -es 'last | .event == "run_finished" and .exit == 0' "$WORK/events"
  generations >"$WORK/after" 2>"$ERR" || bad "objects can be listed again" "$(cat "$ERR")"
  expect_equal "objects with another generation" "" "$(diff "$WORK/before" "$WORK/after" | grep '^[<>]' || true)"
  expect_true "$(wc -l <"$WORK/before") objects were compared" test "$(wc -l <"$WORK/before")" -gt 100
  run with_time_limit 300 "$PROGRAM" --name "$NAME" up --port "$((PORT + 1))"
  expect_exit 3 "up with another port"
  expect_text "its ID" 'error\[PORT_FIXED\]' "$ERR"
}

down_leaves_nothing() {
  part "down"
  local volumes
  volumes=$(docker inspect -f '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}' "$NAME-control-plane" | sed '/^$/d')
  expect_true "the node has volumes of its own" test -n "$volumes"
  run with_time_limit 180 "$PROGRAM" --name "$NAME" down
  expect_exit 0 "down"
  expect_equal "containers left" "" "$(docker ps -a --filter "label=io.x-k8s.kind.cluster=$NAME" --format '{{.Names}}')"
  expect_equal "volumes left" "" "$(docker volume ls -q | sort | comm -12 <(printf '%s\n' "$volumes" | sort) -)"
  expect_false "its entries are out of the kubeconfig" grep -q "kind-$NAME" "$KUBECONFIG"
  expect_equal "the current context" before "$(current_context)"
  expect_true "port $PORT is free" port_is_free "$PORT"
  expect_false "its state folder is gone" test -e "$QUICKSTART_STATE_DIR/$NAME"
  expect_equal "processes left" "" "$(processes_of_this_run)"
  expect_equal "your own kubeconfig" "$KUBECONFIG_BEFORE" "$(kubeconfig_sum)"
  run q status
  expect_exit 6 "status"
  run q down
  expect_exit 0 "a second down"
}

# Every program of this run has its state folder in the environment.
processes_of_this_run() {
  local process
  for process in /proc/[0-9]*; do
    if env -u QUICKSTART_STATE_DIR grep -qsz "^QUICKSTART_STATE_DIR=$WORK" "$process/environ"; then
      printf '%s %s\n' "${process#/proc/}" "$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null | head -c 120)"
    fi
  done
}
