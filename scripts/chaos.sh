#!/usr/bin/env bash
# The fault campaign: `up` on the lab's real cluster, disturbed in every way that we can think of. Each fault has an expected outcome,
# and after each one `up` without the fault must end with exit code 0 and the prediction.
#
#   scripts/chaos.sh [--list | --ci | NAME…]
#
# SLICE=1/4 runs a part of it (each at most 40 minutes on 2 cores), FAULTS="NAME NAME" the named ones, --ci five cheap ones (4 minutes).
# CHAOS_SEED chooses the objects, offsets and bytes; CHAOS_PROGRAM is a program that is there already; CHAOS_NODE_IMAGE a node image.
# The table goes to target/chaos.tsv (chaos-1of4.tsv of a slice), what a failed fault left behind to target/chaos/NAME.
# Exit codes: 0 every expectation held · 1 one did not · 2 usage · 3 something is missing on this machine · 130 interrupted.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

NAME=chaos
NODE=$NAME-control-plane
SEED=${CHAOS_SEED:-4}
TABLE=$ROOT/target/chaos${SLICE:+-${SLICE/\//of}}.tsv
KEPT=$ROOT/target/chaos
PROGRAM=${CHAOS_PROGRAM:-$PROGRAM}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-chaos.XXXXXX")
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"
# shellcheck source=scripts/chaos/campaign.sh
. "$ROOT/scripts/chaos/campaign.sh"
# shellcheck source=scripts/chaos/drive.sh
. "$ROOT/scripts/chaos/drive.sh"
# shellcheck source=scripts/chaos/timeline.sh
. "$ROOT/scripts/chaos/timeline.sh"
# shellcheck source=scripts/chaos/workloads.sh
. "$ROOT/scripts/chaos/workloads.sh"
# shellcheck source=scripts/chaos/machine.sh
. "$ROOT/scripts/chaos/machine.sh"
# shellcheck source=scripts/chaos/files.sh
. "$ROOT/scripts/chaos/files.sh"
# shellcheck source=scripts/chaos/bundle.sh
. "$ROOT/scripts/chaos/bundle.sh"
# shellcheck source=scripts/chaos/faults.sh
. "$ROOT/scripts/chaos/faults.sh"

usage() { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; }

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  undo_all
  end_processes
  if has docker; then remove_cluster "$NAME" || true; fi
  rm -rf "$WORK"
  exit "$code"
}
CHOSEN=()
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
choose_faults "$@"
trap clean_up EXIT

say "chaos: ${#CHOSEN[@]} faults, about $(clock "$(expected_seconds)"), seed $SEED"
if [ -z "${CHAOS_PROGRAM:-}" ]; then build_program; fi
lab engine
need docker jq curl python3
lab_to_oneself
lab all 8>&-
BUNDLE=$LAB_BUNDLE
[ -s "$BUNDLE" ] || fail 3 "the lab's bundle $BUNDLE is not there"
NODE_IMAGE=${CHAOS_NODE_IMAGE:-}

# Only what this run names reaches the program.
forget_settings
export QUICKSTART_STATE_DIR=$WORK/state QUICKSTART_CACHE_DIR=$WORK/cache KUBECONFIG=$WORK/kubeconfig
cd "$WORK" # no quickstart.yaml of the user
PORT=$(free_port 18100)
remove_cluster "$NAME" # of a run that was killed

begin_table
for number in "${CHOSEN[@]}"; do run_fault "$number"; done
print_table
verdict
