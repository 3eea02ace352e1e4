# shellcheck shell=bash disable=SC2153,SC2034
# Driving `up`: alone or in the background, up to a point of its events; the state to start from; the `up` that must converge.

HEALTHY=      # a cluster runs on which the last `up` ended with a prediction
FLAGS=()      # how it was made
UP=           # process of the `up` in the background
EVENTS=       # its events
MARK=0        # lines of EVENTS that were there before it
UP_BEGAN=0

q() { "$PROGRAM" --name "$NAME" "$@"; }
kubectl() { docker exec -i "$NODE" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }
show_cluster() {
  q status || true
  docker ps -a --filter "label=io.x-k8s.kind.cluster=$NAME"
  with_time_limit 20 docker exec "$NODE" kubectl --kubeconfig /etc/kubernetes/admin.conf get pods -A -o wide 2>/dev/null || true
  with_time_limit 20 docker exec "$NODE" kubectl --kubeconfig /etc/kubernetes/admin.conf get events -A --field-selector type=Warning 2>/dev/null | tail -n 15 || true
}

# start_from fresh|small|running
start_from() {
  case $1 in
    running)
      if [ -n "$HEALTHY" ]; then return 0; fi
      use_flags fresh
      forget_cluster
      say "   (a cluster first)"
      run with_time_limit 900 "$PROGRAM" --name "$NAME" up "${FLAGS[@]}"
      if [ "$CODE" != 0 ]; then return 1; fi
      HEALTHY=yes
      ;;
    *)
      use_flags "$1"
      forget_cluster
      ;;
  esac
}

use_flags() { # fresh|small
  FLAGS=(--bundle "$BUNDLE" --port "$PORT")
  if [ "$1" != small ] && [ -n "$NODE_IMAGE" ]; then FLAGS+=(--node-image "$NODE_IMAGE"); fi
}

# No cluster, no state, and the kubeconfig of somebody who has another one.
forget_cluster() {
  HEALTHY=
  run with_time_limit 240 "$PROGRAM" --name "$NAME" down
  if [ "$CODE" != 0 ]; then say "   (down: $(outcome))"; fi
  remove_cluster "$NAME"
  rm -rf "${QUICKSTART_STATE_DIR:?}/$NAME" "$KUBECONFIG" "$KUBECONFIG.lock"
  cat >"$KUBECONFIG" <<'YAML'
apiVersion: v1
kind: Config
clusters: [{name: before, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: before, context: {cluster: before, user: before}}]
users: [{name: before, user: {}}]
current-context: before
YAML
}

# EXIT, or EXIT:ID
outcome() {
  local id
  id=$(grep -m1 -o 'error\[[A-Z0-9_]*\]' "$ERR" | tr -d '[]' | sed 's/^error//' || true)
  if [ "$CODE" = 0 ] || [ -z "$id" ]; then echo "$CODE"; else echo "$CODE:$id"; fi
}
tell_outcome() { tells "$(outcome)" "$TOOK"; }

# plain_up [VARIABLE=VALUE…]: an `up` to its end.
plain_up() { run with_time_limit 900 env "$@" "$PROGRAM" --name "$NAME" up "${FLAGS[@]}"; }

# begin [VARIABLE=VALUE…]: an `up` in the background.
begin() {
  EVENTS=$QUICKSTART_STATE_DIR/$NAME/events.jsonl
  MARK=0
  if [ -f "$EVENTS" ]; then MARK=$(wc -l <"$EVENTS"); fi
  UP_BEGAN=$(now)
  set -m # so that it is not started with Ctrl-C ignored
  env "$@" "$PROGRAM" --name "$NAME" up "${FLAGS[@]}" >"$OUT" 2>"$ERR" </dev/null 8>&- &
  UP=$!
  set +m
}
up_is_gone() { ! kill -0 "$UP" 2>/dev/null; }
# finish SECONDS
finish() {
  CODE=0
  # bash tells of a killed child wherever it notices it
  if ! eventually "$1" up_is_gone 2>/dev/null; then
    bad "\`up\` ends within $1 s" "$(tail -n 5 "$OUT" "$ERR")"
    kill -KILL "$UP" 2>/dev/null || true
  fi
  wait "$UP" 2>/dev/null || CODE=$?
  TOOK=$(since "$UP_BEGAN")
  UP=
}

# happened PATTERN [TIMES]: in the events of this `up`.
happened() { [ "$(tail -n "+$((MARK + 1))" "$EVENTS" 2>/dev/null | grep -c -E -- "$1")" -ge "${2:-1}" ]; }
# reached SECONDS CONDITION…: false when `up` ends before.
reached() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if up_is_gone || [ "$SECONDS" -ge "$deadline" ]; then
      bad "the point is reached: $*" "$(tail -n 5 "$OUT" "$ERR"; tail -n 3 "$EVENTS" 2>/dev/null)"
      return 1
    fi
    sleep 0.05
  done
}

# Points of the timeline.
started() { happened "\"event\":\"stage_started\",\"stage\":\"$1\""; }
applied() { happened "\"event\":\"object_applied\",\"stage\":\"$1\"" "$2"; }
moved() { happened "\"event\":\"bytes_moved\",\"stage\":\"$1\"" "$2"; }
pod_runs() { happened '"event":"check_pending","stage":"demo".*runs but is not ready yet'; }
node_runs() { [ -n "$(docker ps -q --filter "name=^$NODE\$")" ]; }
control_plane_made() { docker exec "$NODE" test -e /etc/kubernetes/admin.conf; }

# The `up` without the fault: exit code 0, the prediction, and a model that answers it.
NEXT='' NEXT_TOOK='' NEXT_STAGES=''
recover() {
  run with_time_limit 900 "$PROGRAM" --name "$NAME" up "${FLAGS[@]}" -o json
  NEXT=$CODE NEXT_TOOK=$TOOK HEALTHY=yes
  # five stages look at the world each time
  NEXT_STAGES=$(jq -rs '[.[] | select(.event == "stage_finished").stage] - ["engine-check", "fetch", "nodes", "ingress", "predict"] | join(" ")' "$OUT" 2>/dev/null || true)
  if [ "$CODE" = 0 ] && jq -es 'last | .event == "run_finished" and .outcome.prediction == {"predictions": [1, 1]}' "$OUT" >/dev/null 2>&1; then
    ok "the next up: [1, 1] after $TOOK s (${NEXT_STAGES:-all skipped})"
  else
    NEXT=$(jq -rs --arg code "$CODE" 'last | "\($code):\((.failure // .error // {}).id // "?")"' "$OUT" 2>/dev/null || echo "$CODE")
    bad "the next up: exit code 0 and [1, 1] expected" "$(seen)"
    HEALTHY=
    return
  fi
  cp "$OUT" "$WORK/next-up"
  run with_time_limit 60 "$PROGRAM" --name "$NAME" predict -o json
  if ! jq -e '. == {"predictions": [1, 1]}' "$OUT" >/dev/null 2>&1; then
    bad "predict after it answers [1, 1]" "$(seen)"
    HEALTHY=
  fi
  if ! eventually 30 everything_runs; then
    bad "every Deployment has a pod that is available" "$(idle_deployments)"
    HEALTHY=
  fi
  cp "$WORK/next-up" "$OUT"
}

# Deployments without an available pod, asked without the program.
idle_deployments() {
  kubectl get deployments -A -o json | jq -r '.items[] | select((.status.availableReplicas // 0) < 1) | "\(.metadata.namespace)/\(.metadata.name)"'
}
everything_runs() {
  local idle
  idle=$(idle_deployments) && [ -z "$idle" ]
}

# Every program of this run has its state folder in the environment; they are ended one by one.
end_processes() {
  local process
  for process in /proc/[0-9]*; do
    if [ "${process#/proc/}" != "$$" ] && env -u QUICKSTART_STATE_DIR grep -qsz "^QUICKSTART_STATE_DIR=$WORK" "$process/environ"; then
      kill -KILL "${process#/proc/}" 2>/dev/null || true
    fi
  done
}
