# shellcheck shell=bash disable=SC2034
# A script with one cluster of its own on the lab's bundle: names, folders, and an end that takes everything away. Set ONE, the cluster's
# name, before this; `clear_more` is called at the end where a script defines it.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

NODE=$ONE-control-plane
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-$ONE.XXXXXX")
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"

q() { "$PROGRAM" --name "$ONE" "$@"; }
kubectl() { docker exec -i "$NODE" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }
show_cluster() {
  q status || true
  kubectl get pods,inferenceservices -A -o wide 2>/dev/null || true
  kubectl get events -A --field-selector type=Warning --sort-by .lastTimestamp 2>/dev/null | tail -n 15 || true
}

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  q down >/dev/null 2>&1 || true
  remove_cluster "$ONE" || true
  if [ "$(type -t clear_more)" = function ]; then clear_more >/dev/null 2>&1 || true; fi
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

INPUT='{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'

# The demo under the profile's host, and no other.
predicts_as() { # HOST
  run q predict -o json
  expect_exit 0 "predict"
  expect_json "its answer" '. == {"predictions": [1, 1]}' "$OUT"
  run curl -s --max-time 30 -H "Host: $1" -H 'Content-Type: application/json' "http://127.0.0.1:$PORT/v1/models/sklearn-iris:predict" -d "$INPUT"
  expect_json "under the host $1" '. == {"predictions": [1, 1]}' "$OUT"
}

# begin PROGRAM [VERB]: a program that is there already, or none to build it; the lab's verb for another bundle than its
# first. Afterwards nothing that the user has set reaches it.
begin() {
  part "program, engine, bundle"
  [ -n "$1" ] || build_program
  PROGRAM=${1:-$PROGRAM}
  lab engine
  need docker jq curl
  lab_to_oneself
  # an engine that it starts must not hold the lock
  if [ $# -gt 1 ]; then lab "$2" 8>&-; elif [ ! -s "$LAB_BUNDLE" ]; then lab all 8>&-; fi
  remove_cluster "$ONE"
  forget_settings
  export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig
  cd "$WORK" || exit 1 # no quickstart.yaml of the user
}
