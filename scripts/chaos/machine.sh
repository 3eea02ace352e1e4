# shellcheck shell=bash disable=SC2153
# The node's container, the engine, and what surrounds our process: ports, PATH, proxies, the clock.

# node COMMAND: `up` afterwards finds the node in that state.
node_after() { # docker's verb
  must "docker $1" docker "$1" "$NODE" || return 1
  if [ "$1" = pause ]; then undo docker unpause "$NODE"; fi
  plain_up
  tell_outcome
}
node_removed() {
  must "docker rm" docker rm -f -v "$NODE" || return 1
  plain_up
  tell_outcome
}

# Only an engine of this machine that we may start again, and that runs nothing of anybody else.
engine_is_ours() {
  engine_pid >/dev/null && [ -z "$(docker ps --format '{{.Names}}' | grep -vx "$NODE")" ]
}
engine_pid() {
  is_root && [ -f /var/run/docker.pid ] && grep -qs dockerd "/proc/$(cat /var/run/docker.pid)/comm" && cat /var/run/docker.pid
}
stop_engine() {
  local pid
  pid=$(engine_pid) || return 1
  kill -TERM "$pid"
  # the log of its containers and its socket are gone with it
  eventually 60 eval "! kill -0 $pid"
}
# Without our variables: what bears them is ended with the campaign (so the engine was, at the end of its first run with this fault).
engine_again() { (unset QUICKSTART_STATE_DIR QUICKSTART_CACHE_DIR KUBECONFIG && cd "$ROOT" && lab engine) 8>&-; }

engine_restarted() {
  engine_is_ours || { leave_out "the engine is not ours to stop"; return 0; }
  undo engine_again
  must "stop the engine" stop_engine || return 1
  must "start it again" engine_again || return 1
  plain_up
  tell_outcome
}
engine_gone_during_up() {
  engine_is_ours || { leave_out "the engine is not ours to stop"; return 0; }
  begin
  if ! reached 120 control_plane_made; then
    finish 600
    return 1
  fi
  undo engine_again
  must "stop the engine" stop_engine || return 1
  finish 300
  tell_outcome
  expect_text "what to do" '^hint: ' "$ERR"
}
engine_nowhere() {
  plain_up DOCKER_HOST=tcp://127.0.0.1:1
  tell_outcome
  expect_text "what to do" '^hint: ' "$ERR"
}

# Takes 127.0.0.1:$1 until it is let go.
hold_port() {
  python3 -c 'import socket,sys,time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(7200)' "$1" 8>&- &
  undo "kill $!; wait $!"
  eventually 10 eval "! port_is_free $1"
}
port_taken() {
  must "take the port" hold_port "$PORT" || return 1
  plain_up
  tell_outcome
  expect_equal "containers made" "" "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$NAME")"
}
# Not asked for: the next free one is taken, and said.
port_taken_next() {
  if port_is_free 8080; then must "take port 8080" hold_port 8080 || return 1; fi
  FLAGS=(--bundle "$BUNDLE")
  plain_up
  tell_outcome
  expect_text "the next free port" '127\.0\.0\.1:8080 is taken.*uses [0-9]+' "$ERR"
}

# PATH holds docker, which kind needs, and no kind.
path_without_kind() {
  mkdir -p "$WORK/path"
  ln -sf "$(command -v docker)" "$WORK/path/docker"
  plain_up PATH="$WORK/path"
  tell_outcome
}
# PATH holds a kind that cannot be used.
path_with_broken_kind() {
  mkdir -p "$WORK/path"
  ln -sf "$(command -v docker)" "$WORK/path/docker"
  printf '#!/bin/sh\nexit 126\n' >"$WORK/path/kind"
  chmod 0755 "$WORK/path/kind"
  plain_up PATH="$WORK/path:/usr/bin:/bin"
  tell_outcome
  expect_text "it is told" 'path/kind cannot be used' "$ERR"
}
proxy_nowhere() {
  plain_up HTTPS_PROXY=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1
  tell_outcome
}

# The clock as our process sees it; the machine's own is never touched.
clock_moved() { # OFFSET
  if ! has faketime; then
    is_root && has apt-get && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends faketime >/dev/null 2>&1
  fi
  must "faketime is there" has faketime || return 1
  DONT_FAKE_MONOTONIC=1 must "it reaches our program" moved_by "$1" || return 1
  run with_time_limit 900 env DONT_FAKE_MONOTONIC=1 faketime -f "$1" "$PROGRAM" --name "$NAME" up "${FLAGS[@]}"
  tell_outcome
}
# `down` of what is not there says the time.
moved_by() {
  local at
  at=$(faketime -f "$1" "$PROGRAM" --name "$NAME-none" down -o json | jq -r '.at[0:10]')
  [ "$at" = "$(date -u -d "${1%d} days" +%F)" ]
}
