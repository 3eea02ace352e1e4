#!/usr/bin/env bash
# Airplane mode: `serve FILE` and `up --join` to a prediction, while the kernel counts and rejects every packet that would leave loopback
# and the engine's networks. After the run the counters must be at 0; then somebody dials out on purpose, and they must not stay there.
#
#   AIRPLANE_PROGRAM=FILE AIRPLANE_PORT=18400 scripts/airplane.sh [BUNDLE]
#
# What is watched: packets of this run's own processes (a group ID that nobody else has, so kind and docker as its children too), and of a
# bridge of its own that only this run's node is on (its pods and its name lookups). Whoever else is on this machine keeps the network.
# What the engine itself would fetch is watched by name: no `docker pull` is started, and the engine tells of no pulled image.
# Three things that the node does by itself are rejected like the rest, but counted apart and only told (AIRPLANE_STRICT=1 asserts them, too):
#   - dials of the cluster's own service and pod addresses before kube-proxy routes them: they take the node's way out, and nobody is there
#   - dials of 169.254.169.254, where clouds keep what a machine is: components ask whether they are in one
#   - DNS: CoreDNS asks the node's resolver for a name of chance when it starts (plugin loop), and for the root while that one is silent
#     (plugin forward). A name that some pod asks for would be among these.
# Linux, root, and iptables with the match `owner`; else it ends with 3. The rules are taken away at every way out, and a killed run's at
# the next start.
# Exit codes: 0 all assertions hold · 1 one does not · 3 nothing was tested
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

BUNDLE=${1:-$LAB_BUNDLE}
NAME=${AIRPLANE_NAME:-airplane}
PORT=${AIRPLANE_PORT:-18400}
GROUP=${AIRPLANE_GID:-61987}
OUT_CHAIN=QUICKSTART-AIRPLANE-O
BRIDGE_CHAIN=QUICKSTART-AIRPLANE-F
BRIDGE=qs-airplane
# Nobody is there (RFC 5737).
BEYOND=192.0.2.1
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-airplane.XXXXXX")
SERVE=
REGISTRY=
EVENTS=
MADE=
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"

skip() {
  say "SKIPPED, nothing was tested: $1"
  rm -rf "$WORK"
  exit 3
}

tables() { # the programs that can be used here
  printf '%s\n' iptables
  if has ip6tables && ip6tables -w 5 -nL OUTPUT >/dev/null 2>&1; then printf '%s\n' ip6tables; fi
}
rules_go() {
  local table
  for table in $(tables); do
    while "$table" -w 5 -D OUTPUT -m owner --gid-owner "$GROUP" -j "$OUT_CHAIN" 2>/dev/null; do :; done
    while "$table" -w 5 -D FORWARD -i "$BRIDGE" ! -o "$BRIDGE" -j "$BRIDGE_CHAIN" 2>/dev/null; do :; done
    for chain in "$OUT_CHAIN" "$BRIDGE_CHAIN"; do
      "$table" -w 5 -F "$chain" 2>/dev/null && "$table" -w 5 -X "$chain" 2>/dev/null || true
    done
  done
}
rules_come() {
  local table
  for table in $(tables); do
    "$table" -w 5 -N "$OUT_CHAIN"
    "$table" -w 5 -A "$OUT_CHAIN" -o lo -j RETURN
    "$table" -w 5 -A "$OUT_CHAIN" -o "$BRIDGE" -j RETURN
    "$table" -w 5 -A "$OUT_CHAIN" -j REJECT
    "$table" -w 5 -N "$BRIDGE_CHAIN"
    if [ "$table" = iptables ]; then
      "$table" -w 5 -A "$BRIDGE_CHAIN" -d 10.96.0.0/16 -m comment --comment own -j REJECT
      "$table" -w 5 -A "$BRIDGE_CHAIN" -d 10.244.0.0/16 -m comment --comment own -j REJECT
      "$table" -w 5 -A "$BRIDGE_CHAIN" -d 169.254.169.254 -m comment --comment metadata -j REJECT
    fi
    "$table" -w 5 -A "$BRIDGE_CHAIN" -p udp --dport 53 -m comment --comment dns -j REJECT
    "$table" -w 5 -A "$BRIDGE_CHAIN" -p tcp --dport 53 -m comment --comment dns -j REJECT
    "$table" -w 5 -A "$BRIDGE_CHAIN" -m limit --limit 10/second -j LOG --log-prefix "$BRIDGE_CHAIN " 2>/dev/null || true
    "$table" -w 5 -A "$BRIDGE_CHAIN" -j REJECT
    "$table" -w 5 -I OUTPUT 1 -m owner --gid-owner "$GROUP" -j "$OUT_CHAIN"
  done
}
# Behind the network's making: the engine puts rules of its own to the front, and one of them accepts what leaves a bridge.
watch_bridge() {
  local table
  for table in $(tables); do "$table" -w 5 -I FORWARD 1 -i "$BRIDGE" ! -o "$BRIDGE" -j "$BRIDGE_CHAIN"; done
}
rules_zero() {
  local table
  for table in $(tables); do
    for chain in "$OUT_CHAIN" "$BRIDGE_CHAIN"; do "$table" -w 5 -Z "$chain"; done
  done
}
counted() { # CHAIN [COMMENT]: packets that were rejected, IPv4 and IPv6 together; without a comment those of rules that have none
  local table
  for table in $(tables); do "$table" -w 5 -nvxL "$1"; done |
    awk -v wanted="${2:-}" '$3 == "REJECT" { comment = match($0, /\/\* .* \*\//) ? substr($0, RSTART + 3, RLENGTH - 6) : ""; if (comment == wanted) all += $1 } END { print all + 0 }'
}
apart() { # COMMENT NAME
  if [ -n "${AIRPLANE_STRICT:-}" ]; then
    expect_equal "$2" 0 "$(counted "$BRIDGE_CHAIN" "$1")"
  else
    say "   told $2: $(counted "$BRIDGE_CHAIN" "$1") (rejected)"
  fi
}
show_rules() {
  local table
  for table in $(tables); do
    for chain in "$OUT_CHAIN" "$BRIDGE_CHAIN"; do "$table" -w 5 -nvxL "$chain"; done
  done
  echo "who dialled whom, as far as the kernel wrote it down:"
  dmesg | grep "$BRIDGE_CHAIN " | grep -oE '(SRC|DST|PROTO|DPT|SYN|RST|ACK|FIN)=?[^ ]*' | paste -sd ' ' | sed 's/ SRC/\nSRC/g' | sort | uniq -c | sort -rn | head -n 20
}

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  part_ends
  for pid in $SERVE $REGISTRY $EVENTS; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rules_go
  if [ -n "$MADE" ]; then
    remove_cluster "$NAME" || true
    docker network rm "$BRIDGE" >/dev/null 2>&1 || true
  fi
  rm -rf "$WORK"
  exit "$code"
}

[ "$(uname -s)" = Linux ] || skip "this needs Linux"
is_root || skip "rules in the kernel need root"
for program in docker iptables setpriv curl jq; do has "$program" || skip "$program is missing (Debian and Ubuntu: iptables, util-linux, curl, jq)"; done
engine_answers || skip "the container engine does not answer"
[ -s "$BUNDLE" ] || skip "there is no bundle at $BUNDLE: \`make lab\` makes one"
case $(docker context show 2>/dev/null || echo default) in default) ;; *) skip "the engine is behind a docker context, not on this machine" ;; esac
case ${DOCKER_HOST:-unix://} in unix://*) ;; *) skip "the engine is not on this machine" ;; esac
if grep -qs "^Groups:.*\b$GROUP\b\|^Gid:.*\b$GROUP\b" /proc/[0-9]*/status; then skip "group $GROUP is in use: name another with AIRPLANE_GID"; fi
if [ -n "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$NAME")" ]; then skip "there is a cluster $NAME: name another with AIRPLANE_NAME"; fi
if [ -n "${AIRPLANE_PROGRAM:-}" ]; then PROGRAM=$AIRPLANE_PROGRAM; else build_program; fi
forget_settings

trap clean_up EXIT
trap 'exit 130' INT TERM
rules_go
docker network rm "$BRIDGE" >/dev/null 2>&1 || true
rules_come 2>"$WORK/iptables" || skip "the kernel takes no such rules: $(tail -n 1 "$WORK/iptables")"

# As the run's own user would: the same root, another group, a home of its own.
mkdir -p "$WORK/bin" "$WORK/home"
real=$(command -v docker)
: >"$WORK/docker.log"
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>%s\nexec %s "$@"\n' "$WORK/docker.log" "$real" >"$WORK/bin/docker"
chmod 755 "$WORK/bin/docker"
# No function: what is started in the background must be the program itself, or the wrong process would be ended.
INSIDE=(setpriv --regid "$GROUP" --clear-groups env "HOME=$WORK/home" "PATH=$WORK/bin:$PATH" "KUBECONFIG=$WORK/home/kubeconfig"
  "XDG_CACHE_HOME=$WORK/cache" "XDG_STATE_HOME=$WORK/state" "KIND_EXPERIMENTAL_DOCKER_NETWORK=$BRIDGE")
dial() { "${INSIDE[@]}" bash -c "exec 3<>/dev/tcp/$BEYOND/80"; }

part "the counter counts"
before=$(counted "$OUT_CHAIN")
run dial
expect_equal "a dial to $BEYOND fails" 1 "$CODE"
after=$(counted "$OUT_CHAIN")
expect_equal "a dial to $BEYOND is counted" yes "$([ "$after" -gt "$before" ] && echo yes || echo "no: $before, then $after")"
stop_if_failed
rules_zero

part "a room, and one who joins"
docker network create --driver bridge --opt "com.docker.network.bridge.name=$BRIDGE" \
  --opt com.docker.network.bridge.enable_ip_masquerade=true "$BRIDGE" >/dev/null
MADE=yes
watch_bridge
docker events --filter type=image --filter event=pull >"$WORK/pulled" &
EVENTS=$!
listen=127.0.0.1:$(free_port $((PORT + 1)))
"${INSIDE[@]}" "$PROGRAM" serve "$BUNDLE" --listen "$listen" >"$WORK/serve" 2>"$WORK/serve.log" &
SERVE=$!
eventually 120 grep -q -- '--join' "$WORK/serve"
link=$(sed -n "s/.*--join '\([^']*\)'.*/\1/p" "$WORK/serve" | head -n 1)
run "${INSIDE[@]}" "$PROGRAM" --name "$NAME" up --join "$link" --as airplane --port "$PORT"
expect_exit 0 "up --join"
stop_if_failed
run "${INSIDE[@]}" "$PROGRAM" --name "$NAME" predict
expect_exit 0 "a prediction"
expect_text "it is the right one" '1, *1' "$OUT"
run "${INSIDE[@]}" "$PROGRAM" --name "$NAME" status
expect_exit 0 "status"

part "the node pulls from the room"
# On the bridge, where the node reaches it; the first one is for this machine only.
gateway=$(docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' "$BRIDGE")
registry=$gateway:$((PORT + 50))
"${INSIDE[@]}" "$PROGRAM" serve "$BUNDLE" --listen "$registry" >"$WORK/registry" 2>"$WORK/registry.log" &
REGISTRY=$!
eventually 120 grep -q -- '--join' "$WORK/registry"
secret=$(sed -n "s/.*--join '[^#]*#\([^.']*\).*/\1/p" "$WORK/registry" | head -n 1)
image=$(tar --occurrence=1 -xOf "$BUNDLE" bundle.json | jq -r '[.images[].reference | select(test("/agent:"))][0]')
in_node() { docker exec -i "$NAME-control-plane" "$@"; }
mirror() { # CODE: containerd asks the room for images of Docker Hub
  local folder=/etc/containerd/certs.d/docker.io
  in_node mkdir -p "$folder"
  printf 'server = "http://%s"\n[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n  [host."http://%s".header]\n    Authorization = "Basic %s"\n' \
    "$registry" "$registry" "$registry" "$(printf 'node:%s' "$1" | base64 -w 0)" | in_node tee "$folder/hosts.toml" >/dev/null
}
# containerd's own client: crictl is not in every node image, and asks the same way.
images() { in_node ctr -n k8s.io images "$@"; }
run images rm "docker.io/$image"
expect_exit 0 "$image is taken out of the node"
mirror nobody
run images pull --hosts-dir /etc/containerd/certs.d "docker.io/$image"
expect_equal "without the room's code nothing is pulled" 1 "$CODE"
mirror "$secret"
run images pull --hosts-dir /etc/containerd/certs.d "docker.io/$image"
expect_exit 0 "containerd pulls it from \`serve\`"
run images ls -q "name==docker.io/$image"
expect_text "and has it" "$image" "$OUT"
kill "$REGISTRY"
wait "$REGISTRY" || true
REGISTRY=

part "nobody dialled out"
expect_equal "packets of this run's programs that would have left" 0 "$(counted "$OUT_CHAIN")"
expect_equal "packets of the node and its pods that would have left" 0 "$(counted "$BRIDGE_CHAIN")"
apart own "packets of the node to the cluster's own addresses, not routed yet"
apart metadata "packets of the node to 169.254.169.254"
apart dns "packets of the node's DNS to its resolver"
expect_equal "pulls that the engine was told to do" "" "$(grep -E '^(image )?pull\b' "$WORK/docker.log" || true)"
expect_equal "images that the engine pulled" "" "$(cat "$WORK/pulled")"
[ "$FAILED" = 0 ] || show_rules >&2

part "the counters count at the end, too"
dial 2>/dev/null || true
run docker exec "$NAME-control-plane" timeout 5 bash -c "exec 3<>/dev/tcp/$BEYOND/80"
expect_equal "a dial of a program is counted" yes "$([ "$(counted "$OUT_CHAIN")" -gt 0 ] && echo yes || echo no)"
expect_equal "a dial of the node is counted" yes "$([ "$(counted "$BRIDGE_CHAIN")" -gt 0 ] && echo yes || echo no)"

part "away"
kill "$SERVE"
wait "$SERVE" || true
SERVE=
run "${INSIDE[@]}" "$PROGRAM" --name "$NAME" down
expect_exit 0 "down"
expect_false "no process of this run is left" grep -qs "^Gid:.*\b$GROUP\b" /proc/[0-9]*/status
verdict
