#!/usr/bin/env bash
# The days after `up`, on the lab: a cluster sleeps through a restart of the engine and certificates that nearly end, lives beside a second
# one of the other profile, gets its stack and then itself anew with its user's model kept, and goes without a trace.
# Names, state, cache, kubeconfig and ports of its own; restarting the engine touches every container (DAYS_ENGINE= leaves that out).
#
#   scripts/days.sh
#
# DAYS_PROGRAM is a program that is there already, DAYS_NODE_IMAGE a node image.
# Exit codes: 0 all assertions hold · 1 one does not · 3 something is missing.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

ONE=days TWO=days-raw
NODE=$ONE-control-plane
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-days.XXXXXX")
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"
# shellcheck source=scripts/lib/days.sh
. "$ROOT/scripts/lib/days.sh"

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  for name in "$ONE" "$TWO"; do
    "$PROGRAM" --name "$name" down >/dev/null 2>&1 || true
    remove_cluster "$name" || true
  done
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "days: about 8 minutes once the lab's bundle is there"
part "program, engine, bundle"
[ -n "${DAYS_PROGRAM:-}" ] || build_program
PROGRAM=${DAYS_PROGRAM:-$PROGRAM}
lab engine
need docker jq curl
lab_to_oneself
[ -s "$LAB_BUNDLE" ] || lab all 8>&-
for name in "$ONE" "$TWO"; do remove_cluster "$name"; done
forget_settings
export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig:$WORK/second
cat >"$WORK/kubeconfig" <<'YAML'
# mine, do not touch
apiVersion: v1
kind: Config
clusters:
  - {name: before, cluster: {server: "https://127.0.0.1:1"}} # the old one
contexts: [{name: before, context: {cluster: before, user: before}}]
users: [{name: before, user: {}}]
current-context: before
YAML
printf 'apiVersion: v1\nkind: Config\ncontexts:\n- name: other # of another file\n  context: {cluster: before, user: before}\n' >"$WORK/second"
chmod 640 "$WORK/second"
kubeconfigs() { (cd "$WORK" && sha256sum kubeconfig second && stat -c '%a %n' kubeconfig second); }
docker volume ls -q --filter dangling=true >"$WORK/volumes"
kubeconfigs >"$WORK/kubeconfigs"
cd "$WORK" # no quickstart.yaml of the user

PORT=$(free_port 18600)
RAW_PORT=$(free_port $((PORT + 1)))
TUNNEL=$(free_port $((RAW_PORT + 1)))
first_day
a_long_sleep
two_side_by_side
a_fresh_stack
a_fresh_cluster
no_trace
verdict
