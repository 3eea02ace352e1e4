#!/usr/bin/env bash
# The documents' commands on a real cluster: every block of docs/tutorial.md and README.md that is marked `sh run`, from `quickstart up` on
# the lab's bundle to `quickstart down`, each answer compared with the one that is written below it (scripts/lib/docs.py says how).
# `make e2e` runs the same blocks on its own cluster, all but `down`.
#
#   scripts/docs.sh [FILE…]           # 5 minutes
#
# DOCS_PROGRAM is a program that is there already. Exit codes: 0 all as written · 1 something is not · 3 something is missing.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

NAME=docs
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-docs.XXXXXX")
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"
# shellcheck source=scripts/lib/docs.sh
. "$ROOT/scripts/lib/docs.sh"

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  remove_cluster "$NAME" || true
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

part "program, engine, bundle"
[ -n "${DOCS_PROGRAM:-}" ] || build_program
PROGRAM=${DOCS_PROGRAM:-$PROGRAM}
lab engine
need docker curl python3
lab_to_oneself
[ -s "$LAB_BUNDLE" ] || lab all 8>&-
remove_cluster "$NAME"
forget_settings
export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig
PORT=$(free_port 8080)
export QUICKSTART_BUNDLE=$LAB_BUNDLE QUICKSTART_PORT=$PORT

documents --alone "$@"
expect_equal "containers left" "" "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$NAME")"
verdict
