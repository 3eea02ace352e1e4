#!/usr/bin/env bash
# A cluster that quickstart did not make, with a cert-manager that somebody has applied with kubectl and work of theirs in it: `up --on`,
# a prediction through the tunnel, a second up that changes nothing, and `down --on`, after which everything that was there is there with
# the same resourceVersion, and nothing else. Its node image is the lab's with all images baked in. Without the local overlays the stack asks
# for 0.3 CPUs more than a node of two has left beside Kubernetes, and KServe's controller for a registry at every start: a quickstart.yaml
# gives istiod less, and lets the controller start from the image that is there.
#
#   scripts/on.sh
#
# ON_PROGRAM is a program that is there already. About 6 minutes once the lab's bundle is there. Names, state, cache and kubeconfig of its own.
# Exit codes: 0 all assertions hold · 1 one does not · 3 something is missing.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

ONE=on THEIRS=theirs
CONTEXT=kind-$THEIRS
NODE_IMAGE=kindest/node:v1.34.3-baked
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-on.XXXXXX")
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"

q() { "$PROGRAM" --name "$ONE" "$@"; }
kubectl() { "$KUBECTL" --context "$CONTEXT" "$@"; }
show_cluster() {
  q status || true
  kubectl get pods -A -o wide 2>/dev/null || true
  kubectl get events -A --field-selector type=Warning 2>/dev/null | tail -n 15 || true
}

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  q forward stop >/dev/null 2>&1 || true
  remove_cluster "$THEIRS" || true
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Everything on the cluster, with its resourceVersion. Of what changes by itself (pods, nodes, addresses) the uid alone; of cluster roles the
# rules, since Kubernetes gathers those of `admin`, `edit` and `view` from other roles, ours among them while they are there. Events, leases
# and the API server's own counts of addresses come and go.
everything() {
  kubectl get "$(kubectl api-resources --verbs=list -o name | grep -v -E '^(events|leases|componentstatuses|ipaddresses|servicecidrs|csinodes)(\.|$)' | paste -sd, -)" -A -o json |
    jq -r '.items[] | "\(.kind) \(.metadata.namespace // "-") \(.metadata.name) \(.metadata.uid) " +
      (if ([.kind] | inside(["Pod", "Node", "EndpointSlice", "Endpoints"])) then "" elif .kind == "ClusterRole" then (.rules | tojson) else .metadata.resourceVersion end)' | sort -u
}
as_before() { everything >"$WORK/now" && diff "$WORK/before" "$WORK/now"; }

part "program, engine, bundle, a node image with everything in it"
[ -n "${ON_PROGRAM:-}" ] || build_program
PROGRAM=${ON_PROGRAM:-$PROGRAM}
lab engine
need docker jq curl
lab_to_oneself
[ -s "$LAB_BUNDLE" ] || lab all 8>&-
lab bake 8>&-
KUBECTL=$LAB/bin/kubernetes/kubectl
[ -x "$KUBECTL" ] || KUBECTL=$(command -v kubectl) || fail 3 "no kubectl: neither the lab's nor one on PATH"
remove_cluster "$THEIRS"
forget_settings
export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig
cd "$WORK" # no quickstart.yaml of the user's, but this one
cat >quickstart.yaml <<'YAML'
resources: { istio: { discovery: { requests: { cpu: 100m, memory: 512Mi } } } }
patches:
  - component: kserve
    kind: Deployment
    name: kserve-controller-manager
    patch: { spec: { template: { spec: { containers: [{ name: manager, imagePullPolicy: IfNotPresent }] } } } }
YAML

part "a cluster of somebody else's, with cert-manager"
"$ROOT/scripts/bench/prepare.sh" "$LAB_BUNDLE" "$WORK/prepared" "$KUBECTL"
run "$WORK/prepared/kind" create cluster --name "$THEIRS" --image "$NODE_IMAGE" --config "$WORK/prepared/kind.yaml" --wait 180s
expect_exit 0 "kind create cluster"
stop_if_failed
kubectl apply --server-side -f "$WORK/prepared/out/cert-manager.yaml" >/dev/null
expect_true "cert-manager runs" kubectl wait --for=condition=Available deployment --all -n cert-manager --timeout=180s
kubectl create namespace team >/dev/null
kubectl create configmap -n team mine --from-literal=a=b >/dev/null
expect_true "its webhook answers" eventually 120 eval "printf 'apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: theirs, namespace: team}\nspec: {selfSigned: {}}\n' | $KUBECTL --context $CONTEXT apply -f -"
printf 'apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: theirs, namespace: team}\nspec: {secretName: theirs, dnsNames: [a.example], issuerRef: {name: theirs}}\n' | kubectl apply -f - >/dev/null
expect_true "a certificate of theirs is made" kubectl wait --for=condition=Ready certificate/theirs -n team --timeout=120s
stop_if_failed
everything >"$WORK/before"
say "   $(wc -l <"$WORK/before") objects are there"

part "the plan says what is used as it is"
run q plan --on "$CONTEXT" --bundle "$LAB_BUNDLE"
expect_exit 0 "plan --on"
expect_text "cert-manager" 'cert-manager: already there .*by kubectl.*used as it is' "$OUT"
expect_true "nothing was touched" as_before

part "up --on"
PORT=$(free_port 18700)
run q up --on "$CONTEXT" --bundle "$LAB_BUNDLE" --port "$PORT"
expect_exit 0 "up --on"
cat "$OUT" "$ERR" >"$WORK/up"
expect_text "cert-manager" 'cert-manager: already there .*used as it is' "$WORK/up"
expect_text "its prediction" '\[1, 1\]' "$WORK/up"
stop_if_failed
expect_equal "the gateway's Service" LoadBalancer "$(kubectl get service -n istio-system istio-ingressgateway -o jsonpath='{.spec.type}')"
expect_equal "cert-manager's objects that are ours" "" "$(kubectl get all -n cert-manager -l app.kubernetes.io/managed-by=quickstart -o name)"
run q predict
expect_exit 0 "predict"
run q status
expect_exit 0 "status"
expect_text "status names it" 'cert-manager: already there' "$OUT"
run q doctor
expect_exit 0 "doctor"
run q plan --diff
expect_exit 0 "plan --diff"

part "a second up changes nothing"
run q up --on "$CONTEXT" -o json
expect_exit 0 "second up"
say "   it took $TOOK s"
expect_equal "objects that were changed" 0 "$(jq -s '[.[] | select(.event == "object_applied" and .changed)] | length' "$OUT")"

part "down --on"
kubectl create configmap -n kserve notes --from-literal=a=b >/dev/null
run q down --on "$CONTEXT"
expect_exit 0 "down --on with a ConfigMap of somebody's in a namespace of ours"
expect_text "it is named" 'namespace kserve stays: ConfigMap kserve/notes' "$ERR"
expect_equal "what is left there" "configmap/notes" "$(kubectl get configmaps,secrets,deployments,services -n kserve -o name | grep -v -E 'kube-root-ca|istio-ca-root')"
kubectl delete namespace kserve --wait=true >/dev/null
cat "$ERR" | sed 's/^/   | /' >&2
expect_true "everything that was there is as it was, and nothing else is there" eventually 90 as_before
diff "$WORK/before" "$WORK/now" | head -n 40 >&2 || true
expect_equal "state" "" "$(find "$QUICKSTART_STATE_DIR" -mindepth 1 -maxdepth 1 2>/dev/null)"
expect_true "the tunnel's port is free" eventually 10 port_is_free "$PORT"
expect_true "their certificate is still renewed by their cert-manager" kubectl get certificate -n team theirs
run q down --on "$CONTEXT"
expect_exit 0 "down --on again"
verdict
