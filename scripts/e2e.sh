#!/usr/bin/env bash
# The real thing, end to end, on the lab's bundle: up, status, predict, a second up, the ways it must refuse, the documents' commands, down;
# and what is left behind.
# Everything of it has a name, a state folder, a cache and a kubeconfig of its own: a cluster that you work with is not touched.
#
#   scripts/e2e.sh
#
# E2E_KEEP=1 leaves the cluster (and says how to take it away). Exit codes: 0 all assertions hold · 1 one does not · 3 something is missing.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

NAME=e2e
NODE=$NAME-control-plane
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-e2e.XXXXXX")
HOLDER=
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  if [ -n "$HOLDER" ]; then kill "$HOLDER" 2>/dev/null || true; fi
  if [ -n "${E2E_KEEP:-}" ] && [ -d "$WORK/state/$NAME" ]; then
    say "kept: QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$KUBECONFIG $PROGRAM down --name $NAME"
  else
    for name in "$NAME" "$NAME-foreign" "$NAME-damaged" "$NAME-port"; do remove_cluster "$name" || true; done
    docker image rm -f e2e-empty:1 >/dev/null 2>&1 || true
    rm -rf "$WORK"
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "e2e: about 11 minutes once the lab's bundle is there; building that takes about 35 minutes and 22 GB the first time"
part "program, engine, bundle"
build_program
lab engine
need docker jq curl python3
lab_to_oneself
lab all 8>&- # an engine that it starts must not hold the lock
BUNDLE=$LAB_BUNDLE
expect_true "the bundle is there: $BUNDLE" test -s "$BUNDLE"
stop_if_failed

# What was there before, and must be there afterwards.
REAL_KUBECONFIG=${KUBECONFIG:-$HOME/.kube/config}
kubeconfig_sum() { if [ -f "$REAL_KUBECONFIG" ]; then sha256sum <"$REAL_KUBECONFIG"; else echo none; fi; }
KUBECONFIG_BEFORE=$(kubeconfig_sum)
for name in "$NAME" "$NAME-foreign" "$NAME-damaged" "$NAME-port"; do remove_cluster "$name"; done # of a run that was killed

# Only what this run names reaches the program.
forget_settings
export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig
cat >"$KUBECONFIG" <<'YAML'
apiVersion: v1
kind: Config
clusters: [{name: before, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: before, context: {cluster: before, user: before}}]
users: [{name: before, user: {}}]
current-context: before
YAML
current_context() { sed -n 's/^current-context: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$KUBECONFIG"; }

cd "$WORK" # no quickstart.yaml of the user
q() { "$PROGRAM" --name "$NAME" "$@"; }
kubectl() { docker exec -i "$NODE" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }
show_cluster() {
  q status || true
  docker ps -a --filter "label=io.x-k8s.kind.cluster=$NAME"
  kubectl get pods -A -o wide 2>/dev/null || true
  kubectl get events -A --field-selector type=Warning --sort-by .lastTimestamp 2>/dev/null | tail -n 15 || true
}
# Takes 127.0.0.1:$1 until it is killed.
hold_port() {
  python3 -c 'import socket,sys,time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(7200)' "$1" &
  HOLDER=$!
  eventually 10 not_free "$1"
}
not_free() { ! port_is_free "$1"; }
release_port() {
  kill "$HOLDER" 2>/dev/null || true
  wait "$HOLDER" 2>/dev/null || true
  HOLDER=
}

# shellcheck source=scripts/lib/e2e_refusals.sh
. "$ROOT/scripts/lib/e2e_refusals.sh"
# shellcheck source=scripts/lib/e2e_cluster.sh
. "$ROOT/scripts/lib/e2e_cluster.sh"
# shellcheck source=scripts/lib/docs.sh
. "$ROOT/scripts/lib/docs.sh"

plan_needs_nothing
wrong_values
damaged_bundle
taken_port
foreign_cluster
stop_if_failed # cheap refusals first: what fails here needs no cluster to be understood
first_up
status_names_substitutes
predict_answers
own_model
tunnel
second_up
documents
if [ -z "${E2E_KEEP:-}" ]; then down_leaves_nothing; fi
verdict
