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

# begin PROGRAM: a program that is there already, or none to build it. Afterwards nothing that the user has set reaches it.
begin() {
  part "program, engine, bundle"
  [ -n "$1" ] || build_program
  PROGRAM=${1:-$PROGRAM}
  lab engine
  need docker jq curl
  lab_to_oneself
  [ -s "$LAB_BUNDLE" ] || lab all 8>&- # an engine that it starts must not hold the lock
  remove_cluster "$ONE"
  forget_settings
  export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig
  cd "$WORK" || exit 1 # no quickstart.yaml of the user
}
