#!/usr/bin/env bash
# `bundle create`, `push` and `pull` with a real container registry: Debian's package docker-registry, unpacked into a folder (nothing is installed) and
# started on 127.0.0.1 with its storage on disk. No engine, and no network but the package's. With --up also `up`, which pulls the lab's images from
# that registry: that needs the lab and its engine, and makes a cluster of its own (QUICKSTART_E2E_NAME, QUICKSTART_E2E_PORT), which goes at the end.
#
#   scripts/registry.sh [--up|--only-up]
#
# QUICKSTART_BIN names another program than the release build, DOCKER_REGISTRY_BIN a registry that is there already.
# Exit codes: 0 all assertions hold · 1 one does not · 3 the registry or another tool cannot be had: nothing was tested.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
PROGRAM=${QUICKSTART_BIN:-$PROGRAM}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-registry.XXXXXX")
SERVER=
# shellcheck source=scripts/lib/expect.sh
. "$ROOT/scripts/lib/expect.sh"
# shellcheck source=scripts/lib/figures.sh
. "$ROOT/scripts/lib/figures.sh"
# shellcheck source=scripts/lib/registry_up.sh
. "$ROOT/scripts/lib/registry_up.sh"
UP_BEGUN=
WANTED_UP=${1:-}

clean_up() {
  local code=$?
  trap - EXIT
  part_ends
  [ -z "$UP_BEGUN" ] || gone
  stop_registry
  rm -rf "$WORK"
  exit "$code"
}
stop_registry() {
  [ -z "$SERVER" ] || { kill "$SERVER" 2>/dev/null && wait "$SERVER" 2>/dev/null; } || true
  SERVER=
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# skip WHY: loud, and never a success.
skip() {
  say "SKIPPED, nothing was tested: $1"
  exit 3
}

registry_program() {
  if [ -n "${DOCKER_REGISTRY_BIN:-}" ]; then
    [ -x "$DOCKER_REGISTRY_BIN" ] || skip "$DOCKER_REGISTRY_BIN is not a program"
    REGISTRY=$DOCKER_REGISTRY_BIN
    return
  fi
  has docker-registry && { REGISTRY=docker-registry; return; }
  has apt-get && has dpkg-deb || skip "the package docker-registry is Debian's: install a registry and name it with DOCKER_REGISTRY_BIN"
  mkdir "$WORK/deb"
  (cd "$WORK/deb" && with_time_limit 120 apt-get download docker-registry >"$WORK/apt" 2>&1) ||
    skip "apt-get download docker-registry failed: $(tail -1 "$WORK/apt")"
  dpkg-deb -x "$WORK"/deb/*.deb "$WORK/deb/tree" || skip "the package cannot be unpacked"
  REGISTRY=$WORK/deb/tree/usr/bin/docker-registry
  [ -x "$REGISTRY" ] || skip "the package holds no usr/bin/docker-registry"
}

# start_registry [WITH A LOGIN]: the password of `me` is `secret`.
start_registry() {
  {
    printf 'version: 0.1\nlog: {level: warn}\nstorage:\n  filesystem: {rootdirectory: %s}\nhttp:\n  addr: 127.0.0.1:%s\n' "$WORK/storage" "$PORT"
    if [ -n "${1:-}" ]; then printf 'auth:\n  htpasswd: {realm: test, path: %s}\n' "$WORK/htpasswd"; fi
  } >"$WORK/config.yml"
  # shellcheck disable=SC2016
  printf 'me:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n' >"$WORK/htpasswd"
  "$REGISTRY" serve "$WORK/config.yml" >>"$WORK/registry.log" 2>&1 &
  SERVER=$!
  eventually 30 answers || skip "the registry did not start: $(tail -1 "$WORK/registry.log")"
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; }

create() { run "$PROGRAM" bundle create --from "$WORK/in/$1" --pull "${@:2}"; }
sum() { sha256sum <"$1" | cut -d' ' -f1; }
leftovers() { find "$WORK/made" -mindepth 1 | sed "s|$WORK/made/||" | sort | tr '\n' ' '; }

need python3 jq sha256sum
part "program and registry"
registry_program
[ -n "${QUICKSTART_BIN:-}" ] || build_program
for variable in $(compgen -e | grep '^QUICKSTART_'); do unset "$variable"; done
export QUICKSTART_CACHE_DIR=$WORK/cache QUICKSTART_STATE_DIR=$WORK/state DOCKER_CONFIG=$WORK/docker DOCKER_HOST=unix:///nowhere.sock
PORT=$(free_port 25000)
HOST=127.0.0.1:$PORT
mkdir -p "$WORK/in" "$WORK/made" "$DOCKER_CONFIG"
start_registry
if [ "$WANTED_UP" = --only-up ]; then
  up_from_registry
  verdict
  exit
fi
BASE=$(python3 "$ROOT/scripts/lib/images.py" "$HOST" "$WORK/in")
ok "$("$REGISTRY" --version 2>&1 | head -1) has seven images; the layer that they share is ${BASE:0:19}"

part "a bundle of everything"
create spec.json "$WORK/made/a.tar"
expect_exit 0 "bundle create"
run "$PROGRAM" bundle verify "$WORK/made/a.tar"
expect_exit 0 "bundle verify"
run "$PROGRAM" bundle inspect -o json "$WORK/made/a.tar"
expect_json "each image says its platform and digest" '[.images[].origin | .platform == "linux/amd64" and (.digest | startswith("sha256:"))] | length == 6 and all' "$OUT"
WANTED=$(curl -sSI -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$HOST/v2/istio/pilot/manifests/1" 2>/dev/null | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //p')
[ -z "$WANTED" ] || expect_equal "the index's digest is the registry's own" "$WANTED" "$(jq -r '.images[] | select(.reference == "istio/pilot:1").origin.index' "$OUT")"
expect_equal "the shared layer is once in each group, whatever the number of images" "images/cert-manager.tar 1 images/istio.tar 1 images/kserve.tar 1 " "$(
  for group in cert-manager istio kserve; do
    tar -xOf "$WORK/made/a.tar" "images/$group.tar" >"$WORK/group.tar"
    printf 'images/%s.tar %s ' "$group" "$(tar -tf "$WORK/group.tar" | grep -c "${BASE#sha256:}")"
  done
)"
tar -xOf "$WORK/made/a.tar" images/kserve.tar >"$WORK/group.tar"
mkdir "$WORK/layout" && tar -xf "$WORK/group.tar" -C "$WORK/layout"
expect_true "every blob of the layout is what its name says" sh -c "cd $WORK/layout/blobs/sha256 && for file in *; do echo \"\$file  \$file\"; done | sha256sum -c --quiet"

part "the same again"
QUICKSTART_CACHE_DIR=$WORK/cache2 create spec.json "$WORK/made/b.tar"
expect_exit 0 "with another, empty cache"
expect_equal "two runs give the same bytes" "$(sum "$WORK/made/a.tar")" "$(sum "$WORK/made/b.tar")"
run "$PROGRAM" bundle create --from "$WORK/in/spec.json" --mirror "http://$HOST" "$WORK/made/c.tar"
expect_exit 0 "the registry as a mirror of itself"
expect_equal "a mirror gives the same bytes" "$(sum "$WORK/made/a.tar")" "$(sum "$WORK/made/c.tar")"
rm -rf "$WORK/made" "$WORK/cache2" && mkdir "$WORK/made"

part "a bundle as an artifact"
create spec.json "$WORK/made/a.tar"
run "$PROGRAM" bundle push "$WORK/made/a.tar" "oci://$HOST/room/stack:1"
expect_exit 0 "bundle push"
expect_text "something is sent" "@sha256:.*: [1-9].* sent" "$OUT"
run "$PROGRAM" bundle push "$WORK/made/a.tar" "oci://$HOST/room/stack:2"
expect_exit 0 "bundle push again"
expect_text "nothing is sent" ": 0 B sent" "$OUT"
rm -rf "$WORK/cache"
run "$PROGRAM" bundle pull "oci://$HOST/room/stack:2" "$WORK/made/b.tar"
expect_exit 0 "bundle pull"
expect_equal "it is the same file" "$(sum "$WORK/made/a.tar")" "$(sum "$WORK/made/b.tar")"
run "$PROGRAM" bundle diff "$WORK/made/a.tar" "$WORK/made/b.tar"
expect_exit 0 "bundle diff"
rm -rf "$WORK/made" && mkdir "$WORK/made"

part "refusals"
create odd.json "$WORK/made/x.tar"
expect_exit 3 "an image for another processor"
expect_text "its ID" 'error\[IMAGE_ARCH\]' "$ERR"
create lost.json "$WORK/made/x.tar"
expect_exit 3 "an image that is not there"
expect_text "its ID" 'error\[IMAGE_NOT_FOUND\]' "$ERR"
rm -rf "$WORK/cache"
BLOB=$(find "$WORK/storage" -path "*${BASE#sha256:}/data")
cp "$BLOB" "$WORK/whole"
python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(99999); b = f.read(1)[0]; f.seek(99999); f.write(bytes([b ^ 1]))' "$BLOB"
create spec.json "$WORK/made/x.tar"
expect_exit 8 "a layer that is damaged in the registry"
expect_text "its ID" 'error\[CHECKSUM\]' "$ERR"
expect_text "the image is named" "cause: .*$HOST/" "$ERR"
expect_equal "nothing half-done is left" "" "$(leftovers)"
cp "$WORK/whole" "$BLOB"

part "a registry that goes away"
rm -rf "$WORK/cache"
stop_registry
create spec.json "$WORK/made/x.tar"
expect_exit 3 "a registry that is gone"
expect_text "its ID" 'error\[DOWNLOAD_FAILED\]' "$ERR"
expect_equal "nothing half-done is left" "" "$(leftovers)"
start_registry
# What a run that was killed leaves of a layer.
mkdir -p "$WORK/cache/downloads"
head -c 9000000 "$BLOB" >"$WORK/cache/downloads/${BASE#sha256:}.part"
create spec.json "$WORK/made/a.tar"
expect_exit 0 "once it is back"
expect_text "the rest of the layer is asked for, not the whole" "blobs/$BASE HTTP/1.1\" 206 $(($(wc -c <"$BLOB") - 9000000))" "$WORK/registry.log"
run "$PROGRAM" bundle verify "$WORK/made/a.tar"
expect_exit 0 "bundle verify"

part "a registry that wants a login"
stop_registry
rm -rf "$WORK/cache"
start_registry login
create spec.json "$WORK/made/x.tar"
expect_exit 3 "nobody"
expect_text "its ID" 'error\[REGISTRY_LOGIN\]' "$ERR"
printf '{"auths": {"%s": {"auth": "bWU6c2VjcmV0"}}}' "$HOST" >"$DOCKER_CONFIG/config.json"
create spec.json "$WORK/made/b.tar"
expect_exit 0 "the login of config.json"
expect_equal "it makes the same bytes" "$(sum "$WORK/made/a.tar")" "$(sum "$WORK/made/b.tar")"
[ "$WANTED_UP" != --up ] || up_from_registry
verdict
