#!/usr/bin/env bash
# Packs the release program with licence, README, manual page and completions; the same input gives the same bytes.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
[ -x "$PROGRAM" ] || fail 3 "$PROGRAM is not there: \`make build\` first"

version=$("$PROGRAM" version | awk '{ print $2 }')
case $(uname -m) in x86_64) machine=amd64 ;; aarch64 | arm64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
name=quickstart-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$machine
out=$ROOT/target/dist
tree=$out/$name
rm -rf "$tree"
mkdir -p "$tree/completions"
install -m 0755 "$PROGRAM" "$tree/quickstart"
install -m 0644 "$ROOT/LICENSE" "$ROOT/README.md" "$tree/"
"$PROGRAM" man >"$tree/quickstart.1"
"$PROGRAM" completions bash >"$tree/completions/quickstart.bash"
"$PROGRAM" completions zsh >"$tree/completions/_quickstart"
"$PROGRAM" completions fish >"$tree/completions/quickstart.fish"

epoch=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || echo 0)}
if tar --version 2>/dev/null | grep -q GNU; then
  tar -C "$out" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -n9 >"$tree.tar.gz"
else
  tar -C "$out" -cf - "$name" | gzip -n9 >"$tree.tar.gz"
fi
rm -rf "$tree"
(cd "$out" && { sha256sum "$name.tar.gz" 2>/dev/null || shasum -a 256 "$name.tar.gz"; } | tee "$name.tar.gz.sha256")
