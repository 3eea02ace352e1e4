# shellcheck shell=bash disable=SC2153
# Faults as a list, slices of it, the run of one fault, and the table.

F_NAME=() F_START=() F_SECONDS=() F_EXPECTED=() F_WHAT=() F_COMMAND=()

# fault NAME START SECONDS EXPECTED WHAT COMMAND…
#   START: fresh (no cluster), small (no cluster, and images come from the bundle), running (a healthy cluster).
#   SECONDS: with the `up` afterwards, on 2 cores. EXPECTED: outcomes, any of which will do: EXIT or EXIT:ID; 137 is SIGKILL.
fault() {
  F_NAME+=("$1") F_START+=("$2") F_SECONDS+=("$3") F_EXPECTED+=("$4") F_WHAT+=("$5")
  shift 5
  F_COMMAND+=("$*")
}

number_of() { # NAME
  local number
  for number in "${!F_NAME[@]}"; do
    if [ "${F_NAME[$number]}" = "$1" ]; then
      echo "$number"
      return
    fi
  done
  fail 2 "there is no fault \"$1\": scripts/chaos.sh --list names them"
}

expected_seconds() {
  local number sum=0
  for number in "${CHOSEN[@]}"; do sum=$((sum + F_SECONDS[number])); done
  echo "$sum"
}

list_faults() {
  local number
  for number in "${!F_NAME[@]}"; do
    printf '%-28s %-8s %4ss  %-44s %s\n' "${F_NAME[$number]}" "${F_START[$number]}" "${F_SECONDS[$number]}" "${F_EXPECTED[$number]}" "${F_WHAT[$number]}"
  done
  say "${#F_NAME[@]} faults"
}

# slice PART OF: as much time in each, neighbours together, because they share a cluster.
slice() {
  local number sum=0 all=0
  for number in "${!F_NAME[@]}"; do all=$((all + F_SECONDS[number])); done
  for number in "${!F_NAME[@]}"; do
    if [ $((sum * $2 / all + 1)) = "$1" ]; then CHOSEN+=("$number"); fi
    sum=$((sum + F_SECONDS[number]))
  done
}

choose_faults() {
  local name part of names=()
  case ${1:-} in
    --list)
      list_faults
      exit 0
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    --ci) names=("${CI_FAULTS[@]}") ;;
    -*)
      usage
      exit 2
      ;;
    '') read -r -a names <<<"${FAULTS:-}" ;;
    *) names=("$@") ;;
  esac
  if [ ${#names[@]} -gt 0 ]; then
    for name in "${names[@]}"; do
      name=$(number_of "$name")
      CHOSEN+=("$name")
    done
    return
  fi
  part=${SLICE:-1/1}
  case $part in */*) of=${part#*/} part=${part%/*} ;; *) fail 2 "SLICE is a part such as 1/4, not $part" ;; esac
  case $part$of in *[!0-9]*) fail 2 "SLICE is a part such as 1/4, not $SLICE" ;; esac
  [ "$part" -ge 1 ] && [ "$part" -le "$of" ] || fail 2 "SLICE is a part such as 1/4, not $SLICE"
  slice "$part" "$of"
}

# seeded NAME MAX: a number from 1 to MAX; the same one for the same seed.
seeded() { printf '%s %s' "$SEED" "$1" | cksum | awk -v max="$2" '{ print $1 % max + 1 }'; }

# What has to be put right after a fault, or when the run ends before it: the newest first.
UNDO=()
undo() { UNDO+=("$*"); }
undo_all() {
  local last
  while [ ${#UNDO[@]} -gt 0 ]; do
    last=$((${#UNDO[@]} - 1))
    eval "${UNDO[$last]}" >/dev/null 2>&1 || true
    unset "UNDO[$last]"
  done
}

# must WHAT COMMAND…: without this step the fault is none.
must() {
  local what=$1
  shift
  if "$@" >"$WORK/must" 2>&1; then return 0; fi
  bad "the fault cannot be made: $what" "$(tail -n 20 "$WORK/must")"
  return 1
}

# What faults leave for the table: the outcome, and the seconds until there was one.
OUTCOME='' FAULT_TOOK=''
tells() { OUTCOME=$1 FAULT_TOOK=$2; }

# leave_out WHY: this machine does not allow the fault.
leave_out() {
  say "   left out: $1"
  tells left-out 0
}

is_expected() { # OUTCOME EXPECTED
  local one
  for one in $2; do if [ "$1" = "$one" ]; then return 0; fi; done
  return 1
}

run_fault() { # NUMBER
  local name=${F_NAME[$1]} expected=${F_EXPECTED[$1]} before=$FAILED command
  read -r -a command <<<"${F_COMMAND[$1]}"
  part "$name: ${F_WHAT[$1]}"
  OUTCOME=none FAULT_TOOK=0
  if start_from "${F_START[$1]}"; then
    if "${command[@]}"; then
      if [ "$OUTCOME" = left-out ]; then :; elif is_expected "$OUTCOME" "$expected"; then ok "outcome: $OUTCOME ($FAULT_TOOK s)"; else bad "outcome: $expected expected" "$(seen)"; fi
    fi
    cp "$ERR" "$WORK/fault-err" 2>/dev/null || true
    undo_all
    recover
  else
    bad "the cluster to start from is not there" "$(seen)"
    tells "no start" 0 && NEXT=- NEXT_TOOK=- NEXT_STAGES=-
    forget_cluster
  fi
  local result=ok
  if [ "$OUTCOME" = left-out ]; then result=left-out; fi
  if [ "$FAILED" -gt "$before" ]; then
    result=FAILED
    keep_traces "$name"
  fi
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "${F_WHAT[$1]}" "$expected" "$OUTCOME" "$FAULT_TOOK" "$NEXT" "$NEXT_TOOK" "$NEXT_STAGES" "$result" >>"$TABLE"
}

keep_traces() { # NAME
  mkdir -p "$KEPT/$1"
  cp "$OUT" "$KEPT/$1/next-up.out" 2>/dev/null || true
  cp "$ERR" "$KEPT/$1/next-up.err" 2>/dev/null || true
  cp "$WORK/fault-err" "$KEPT/$1/fault.err" 2>/dev/null || true
  cp "$QUICKSTART_STATE_DIR/$NAME/events.jsonl" "$QUICKSTART_STATE_DIR/$NAME/quickstart.log" "$QUICKSTART_STATE_DIR/$NAME/state.json" "$KEPT/$1/" 2>/dev/null || true
  show_cluster >"$KEPT/$1/cluster.txt" 2>&1 || true
}

begin_table() {
  mkdir -p "$(dirname "$TABLE")"
  rm -rf "$KEPT"
  printf 'fault\twhat\texpected\toutcome\tseconds\tnext up\tseconds\tstages not skipped\tresult\n' >"$TABLE"
}

print_table() {
  part_ends
  say ""
  awk -F '\t' '{ printf "%-28s %-28s %8s   %-7s %8s  %-6s %s\n", $1, $4, $5, $6, $7, $9, $8 }' "$TABLE"
  say "written: $TABLE"
}
