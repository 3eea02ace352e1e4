# shellcheck shell=bash disable=SC2034
# What happens to a cluster in its days: each function is a part of the run and needs the ones before it.

q() { "$PROGRAM" --name "$ONE" "$@"; }
kubectl() { docker exec -i "$NODE" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }
show_cluster() {
  q status || true
  docker ps -a --filter label=io.x-k8s.kind.cluster
  kubectl get pods -A -o wide 2>/dev/null || true
}

# answers PORT HOST MODEL: asks until the prediction is there, for at most two minutes.
answers() {
  eventually 120 eval "curl -sf --max-time 20 -H 'Host: $2' -H 'Content-Type: application/json' -o '$WORK/answer' \
    -d '{\"instances\": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}' 'http://127.0.0.1:$1/v1/models/$3:predict' && \
    jq -e '. == {\"predictions\": [1, 1]}' '$WORK/answer'"
}
demo_answers() { answers "$1" sklearn-iris.kserve-test.example.com sklearn-iris; }
mine_answers() { answers "$PORT" mine.kserve-test.example.com mine; }

first_day() {
  part "up, a model of one's own, a tunnel"
  run q up --bundle "$LAB_BUNDLE" --port "$PORT" ${DAYS_NODE_IMAGE:+--node-image "$DAYS_NODE_IMAGE"}
  expect_exit 0 "up"
  stop_if_failed
  kubectl apply -f - >"$OUT" 2>&1 <<'YAML' || bad "kubectl apply" "$(cat "$OUT")"
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: { name: mine, namespace: kserve-test, labels: { course: friday } }
spec:
  predictor:
    minReplicas: 1
    model:
      modelFormat: { name: sklearn }
      storageUri: pvc://sklearn-iris/
      resources: { requests: { cpu: 50m, memory: 128Mi }, limits: { cpu: "1", memory: 1Gi } }
YAML
  run q forward start --port "$TUNNEL"
  expect_exit 0 "forward start --port $TUNNEL"
  expect_true "the demo answers through the tunnel" demo_answers "$TUNNEL"
  expect_true "the model of one's own answers" mine_answers
  stop_if_failed
}

# `kubeadm certs renew` with a validity of two days: what a cluster that slept for a year looks like.
certificates_end_soon() {
  kubectl -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' >"$WORK/kubeadm" || return 1
  sed -i '/^certificateValidityPeriod/d' "$WORK/kubeadm"
  echo 'certificateValidityPeriod: 48h0m0s' >>"$WORK/kubeadm"
  # shellcheck disable=SC2016
  docker exec -i "$NODE" sh -c 'cat >/kind/two-days.yaml && kubeadm certs renew all --config /kind/two-days.yaml' <"$WORK/kubeadm"
}
days_left() { # of the certificate that ends first
  docker exec "$NODE" kubeadm certs check-expiration --config /kind/kubeadm.conf -o json 2>/dev/null |
    jq '[.certificates[].expirationDate | fromdateiso8601] | (min - now) / 86400 | floor'
}

a_long_sleep() {
  part "stop, the engine is restarted, start"
  expect_true "certificates that end in two days" certificates_end_soon
  expect_equal "days that the first of them has left" 1 "$(days_left)"
  run q stop
  expect_exit 0 "stop"
  run q status
  expect_exit 6 "status of a cluster that sleeps"
  expect_true "the tunnel's port $TUNNEL is free" port_is_free "$TUNNEL"
  if [ -n "${DAYS_ENGINE-1}" ]; then expect_true "the engine is restarted" restart_engine 8>&-; fi
  run q start
  expect_exit 0 "start"
  cat "$OUT" "$ERR" >"$WORK/start"
  say "   start took $TOOK s"
  expect_text "certificates are renewed" 'certificates would have ended in 1 days? .*renewed' "$WORK/start"
  expect_text "a prediction again" '\[1, 1\]' "$WORK/start"
  expect_true "they hold for a year" test "$(days_left)" -gt 300
  expect_true "the demo answers through the tunnel, on the same port" demo_answers "$TUNNEL"
  expect_true "the model of one's own answers" mine_answers
  run q status
  expect_exit 0 "status"
  stop_if_failed
}

two_side_by_side() {
  part "a second cluster: profile raw, another port"
  kubeconfigs >"$WORK/kubeconfigs-of-one"
  run "$PROGRAM" --name "$TWO" up --profile raw --bundle "$LAB_BUNDLE" --port "$RAW_PORT" ${DAYS_NODE_IMAGE:+--node-image "$DAYS_NODE_IMAGE"}
  expect_exit 0 "up --profile raw"
  expect_text "its prediction" '\[1, 1\]' "$OUT"
  expect_text "the host of raw mode" 'sklearn-iris-kserve-test\.example\.com' "$OUT"
  expect_true "it answers on port $RAW_PORT" answers "$RAW_PORT" sklearn-iris-kserve-test.example.com sklearn-iris
  run "$PROGRAM" --name "$TWO" predict
  expect_exit 0 "predict"
  run "$PROGRAM" --name "$TWO" status
  expect_exit 0 "status"
  expect_false "it has no Knative" docker exec "$TWO-control-plane" kubectl --kubeconfig /etc/kubernetes/admin.conf get namespace knative-serving
  expect_true "the first one answers beside it" demo_answers "$PORT"
  run "$PROGRAM" --name "$TWO" down
  expect_exit 0 "down of the second"
  expect_equal "what is left of it" "" "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$TWO")$(ls -d "$QUICKSTART_STATE_DIR/$TWO" 2>/dev/null)"
  expect_equal "kubeconfig files that differ from before it" "" "$(kubeconfigs | diff - "$WORK/kubeconfigs-of-one")"
  expect_true "the first one still answers" demo_answers "$PORT"
  expect_true "so does its tunnel" demo_answers "$TUNNEL"
}

a_fresh_stack() {
  part "reset --stack, the user's model kept"
  run q reset
  expect_exit 2 "reset without --yes and with somebody's model"
  expect_text "it is named" 'mine' "$ERR"
  run q reset --stack --keep-user
  expect_exit 0 "reset --stack --keep-user"
  say "   it took $TOOK s"
  if [ "$CODE" != 0 ]; then seen >&2; fi
  expect_true "the model of one's own answers again" mine_answers
  expect_equal "its label" friday "$(kubectl -n kserve-test get inferenceservice mine -o jsonpath='{.metadata.labels.course}')"
  expect_true "the demo answers through the tunnel" demo_answers "$TUNNEL"
  stop_if_failed
}

a_fresh_cluster() {
  part "reset, the user's model kept"
  local before
  before=$(docker inspect -f '{{.Id}}' "$NODE")
  run q reset --keep-user
  expect_exit 0 "reset --keep-user"
  say "   it took $TOOK s"
  expect_false "it is another node" test "$before" = "$(docker inspect -f '{{.Id}}' "$NODE")"
  expect_true "the model of one's own answers again" mine_answers
  expect_true "the demo answers through the tunnel" demo_answers "$TUNNEL"
}

# Every place where something of ours could be.
no_trace() {
  part "down --all --purge"
  run "$PROGRAM" down --all --purge
  expect_exit 0 "down --all --purge"
  cat "$OUT" "$ERR" | sed 's/^/   | /' >&2
  expect_equal "containers" "" "$(docker ps -aq --filter label=io.x-k8s.kind.cluster="$ONE")"
  expect_equal "volumes without a container" "" "$(docker volume ls -q --filter dangling=true | grep -v -x -F -f "$WORK/volumes" || true)"
  expect_equal "state" "" "$(find "$QUICKSTART_STATE_DIR" -mindepth 1 2>/dev/null)"
  expect_equal "cache" "" "$(find "$QUICKSTART_CACHE_DIR" -mindepth 1 2>/dev/null)"
  expect_equal "kubeconfig files that differ from the user's own" "" "$(kubeconfigs | diff - "$WORK/kubeconfigs")"
  expect_equal "files beside the kubeconfig" "" "$(find "$WORK" -maxdepth 1 \( -name '*.lock' -o -name '.quickstart*' \))"
  expect_equal "processes" "" "$(pgrep -f -- "--name $ONE" || true)"
  for port in "$PORT" "$TUNNEL"; do expect_true "port $port is free" port_is_free "$port"; done
  expect_equal "temporary folders" "" "$(find "${TMPDIR:-/tmp}" -maxdepth 1 \( -name 'kind-*' -o -name '.tmp*' -o -name 'quickstart*' \) -newer "$WORK/kubeconfigs" ! -path "$WORK" 2>/dev/null)"
}
