#!/usr/bin/env bash
# The add-ons on a real cluster of the lab: `kubectl top`, Prometheus' targets, rules and alerts, and a namespace that refuses what it must.
# One cluster of its own, on the lab's bundle, taken away afterwards (4 minutes).
#
#   scripts/addons.sh
#
# ADDONS_PROGRAM is a program that is there already. Exit codes: 0 all assertions hold · 1 one does not · 3 something is missing.
set -euo pipefail
ONE=addons
# shellcheck source=scripts/lib/one.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/one.sh"

begin "${ADDONS_PROGRAM:-}"

prom() { kubectl get --raw "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/$1"; }
# prom_says QUERY FILTER: the jq filter answers true for the result of a query.
prom_says() { prom "query?query=$(jq -rn --arg query "$1" '$query | @uri')" | jq -e ".data.result | $2"; }
may() { kubectl auth can-i --as=system:serviceaccount:models:serving-team "$@"; }
# ask NAMESPACE POD: a request from a pod of namespace `default` to the model server of that pod, by its address.
ask() {
  local address
  address=$(kubectl -n "$1" get pod "$2" -o jsonpath='{.status.podIP}')
  kubectl -n default exec client -- python3 -c "import urllib.request as r; print(r.urlopen('http://$address:8080/', timeout=5).status)"
}
# A kernel without nftables' `queue` (CONFIG_NFT_QUEUE) refuses the rules of who enforces policies; iptables' NFQUEUE leads the same packets to it.
queued_by_nftables() { docker exec "$NODE" nft list tables | grep -q network-policies; }
queue_by_iptables() {
  local table=(docker exec "$NODE" iptables -t mangle)
  "${table[@]}" -N POLICIES
  "${table[@]}" -A POLICIES -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
  # the node's own, such as the kubelet's probes
  "${table[@]}" -A POLICIES -m owner --uid-owner 0 -j RETURN
  "${table[@]}" -A POLICIES -d 10.244.0.0/16 -j NFQUEUE --queue-num 98
  "${table[@]}" -A POLICIES -s 10.244.0.0/16 -j NFQUEUE --queue-num 98
  "${table[@]}" -A POSTROUTING -j POLICIES
}
pod_of() { kubectl -n "$1" get pods -l "serving.kserve.io/inferenceservice=$2" -o jsonpath='{.items[0].metadata.name}'; }

part "rules, without a cluster"
PROMTOOL=$LAB/bin/prometheus/promtool
(cd "$ROOT/manifests/addons" && "$PROMTOOL" check rules prometheus-rules.yml && "$PROMTOOL" test rules prometheus-rules.test.yml &&
  "$PROMTOOL" check config --syntax-only prometheus-config.yml) >"$OUT" 2>&1 && CODE=0 || CODE=$?
expect_exit 0 "promtool check rules, test rules, check config"

part "up, then add-ons on the running cluster"
PORT=$(free_port 18300)
run q up --bundle "$LAB_BUNDLE" --port "$PORT"
expect_exit 0 "up"
stop_if_failed
run q up --bundle "$LAB_BUNDLE" --with metrics-server,prometheus,hardening,local-storage
expect_exit 0 "up --with metrics-server,prometheus,hardening,local-storage"
stop_if_failed
run q up
expect_exit 0 "up without naming them"
q status -o json >"$OUT"
expect_json "status shows the four, ready" '[.components[] | select(.addon and .ready) | .name] | sort == ["hardening", "local-storage", "metrics-server", "prometheus"]' "$OUT"

part "metrics-server"
expect_true "kubectl top nodes answers" eventually 60 kubectl top nodes
run kubectl top nodes
expect_text "what it says" "^$NODE +[0-9]+m" "$OUT"
expect_true "kubectl top pods answers" eventually 60 eval "kubectl top pods -n kserve-test | grep -q sklearn"

part "local-storage: a claim gets a folder of the node, and gives it back"
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: notes, namespace: default }
spec: { storageClassName: local-path, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: v1
kind: Pod
metadata: { name: writer, namespace: default }
spec:
  restartPolicy: Never
  containers:
    - name: writer
      image: docker.io/library/busybox:1.37.0
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "echo kept > /notes/word"]
      volumeMounts: [{ name: notes, mountPath: /notes }]
  volumes: [{ name: notes, persistentVolumeClaim: { claimName: notes } }]
YAML
no_folder() { [ -z "$(docker exec "$NODE" ls /opt/quickstart-local-path)" ]; }
expect_true "a pod wrote into it" eventually 60 eval "kubectl -n default get pod writer -o jsonpath='{.status.phase}' | grep -qx Succeeded"
expect_true "the word lies in a folder of the node" docker exec "$NODE" sh -c 'grep -qx kept /opt/quickstart-local-path/*/word'
kubectl -n default delete pod/writer pvc/notes >/dev/null
expect_true "without the claim the folder is gone" eventually 60 no_folder

part "Prometheus: targets, rules, requests"
for job in queue-proxy models knative kserve istio kube-state-metrics prometheus; do
  expect_true "targets of job $job are up" eventually 90 prom_says "up{job=\"$job\"} == 1" 'length > 0'
done
prom targets >"$OUT"
jq -r '.data.activeTargets[] | select(.health != "up") | "        not up: \(.labels.job) \(.labels.pod // "") \(.lastError)"' "$OUT" >&2
prom rules >"$OUT"
expect_json "rules are loaded and sound" '[.data.groups[].rules[] | select(.health == "err")] == [] and ([.data.groups[].rules[] | select(.type == "alerting")] | length) == 6' "$OUT"
# A rate needs a counter that has been seen twice: requests go on until it is known.
asked_and_counted() { q predict --repeat 20 && prom_says 'sum(kserve:requests:rate2m{inferenceservice="sklearn-iris"}) > 0' 'length == 1'; }
expect_true "the rate of predictions is known" eventually 120 asked_and_counted
expect_true "and their p95" eventually 90 prom_says 'kserve:latency_seconds:p95_2m{inferenceservice="sklearn-iris"} > 0' 'length > 0'
"$PROGRAM" --name "$ONE" status --web --port "$((PORT + 1))" >"$WORK/url" 2>/dev/null &
WEB=$!
expect_true "the dashboard shows it" eventually 60 eval \
  "curl -sf http://127.0.0.1:$((PORT + 1))/status.json | jq -e '.serving.models[] | select(.name == \"sklearn-iris\") | .ready and .requests > 0'"
kill "$WEB"

part "Prometheus: a model that fails"
run q sample apply failing-model
expect_exit 4 "sample apply failing-model"
for alert in ModelDown ModelLoadFailed; do
  expect_true "alert $alert is pending or fires" eventually 180 prom_says "ALERTS{alertname=\"$alert\", inferenceservice=\"failing-model\"}" 'length > 0'
done
expect_true "no alert for the model that works" prom_says 'ALERTS{inferenceservice="sklearn-iris"}' 'length == 0'
q sample delete failing-model >/dev/null 2>&1 || true

part "hardening: who may what"
expect_true "the team may make models" may create inferenceservices.serving.kserve.io -n models
expect_false "not elsewhere" may create inferenceservices.serving.kserve.io -n default
expect_false "nor change its own bounds" may delete resourcequotas -n models
expect_false "nor open a shell in a pod" may create pods/exec -n models
run kubectl -n models run greedy --image=kserve/sklearnserver:v0.20.0 --overrides='{"spec":{"containers":[{"name":"c","image":"x","resources":{"requests":{"cpu":"99"}}}]}}'
expect_text "the quota holds" 'exceeded quota' "$ERR"

part "hardening: who may speak with whom"
q image load lab/network-policies:0.8.0 >/dev/null
kubectl apply -f - <"$ROOT/lab/network-policies.yaml" >/dev/null
expect_true "who enforces policies runs" kubectl -n kube-system rollout status daemonset/network-policies --timeout=90s
eventually 5 queued_by_nftables || queue_by_iptables
run q sample apply sklearn-iris -n models
expect_exit 0 "a model in namespace models"
kubectl -n default run client --image=kserve/sklearnserver:v0.20.0 --image-pull-policy=Never --command -- sleep 3600 >/dev/null
kubectl -n default wait --for=condition=Ready pod/client --timeout=60s >/dev/null
expect_true "a prediction through the gateway is answered" eventually 60 q predict sklearn-iris -n models
expect_true "a pod's request to a model elsewhere is answered" eventually 30 ask kserve-test "$(pod_of kserve-test sklearn-iris)"
expect_false "a pod's request to the model in models is refused" ask models "$(pod_of models sklearn-iris)"
run q predict sklearn-iris -n models --repeat 20
expect_exit 0 "predictions still go through"
verdict
