#!/usr/bin/env bash
# Packs a release for this machine's architecture: the program with licence, README and documents, manual page and completions, and SHA256SUMS beside
# the archive; the same input gives the same bytes. On Linux the program is static (musl), so that it runs on any distribution, and that
# is checked: in an empty folder that is its whole world, without a C library. DIST_LIBC=gnu builds against this machine's glibc instead;
# DIST_PROFILE=dev tries the packing with a program that is built in a fraction of the time, and four times as large.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
need_cargo

out=$ROOT/target/dist
system=$(uname -s | tr '[:upper:]' '[:lower:]')
case $(uname -m) in x86_64) machine=amd64 ;; aarch64 | arm64) machine=arm64 ;; *) machine=$(uname -m) ;; esac

# Sets PROGRAM to a new build: static where that can be had, or ends with what is missing.
build() {
  if [ "$system" != linux ]; then
    say "$system has no static programs: this one needs the system's own libraries, which every machine of its kind has"
    build_program
    return
  fi
  if [ "${DIST_LIBC:-musl}" = gnu ]; then
    say "DIST_LIBC=gnu: the program needs a glibc at least as new as this machine's"
    build_program
    return
  fi
  local target
  target=$(uname -m)-unknown-linux-musl
  has musl-gcc || fail 3 "missing on this machine: musl-gcc; Debian and Ubuntu: apt-get install musl-tools; DIST_LIBC=gnu does without"
  if ! rustc --print target-libdir --target "$target" | xargs -I{} test -e {}; then
    has rustup || fail 3 "this Rust has no standard library for $target: with rustup, \`rustup target add $target\`; else DIST_LIBC=gnu"
    (cd "$ROOT" && rustup target add "$target") || fail 3 "rustup could not get the standard library for $target; DIST_LIBC=gnu does without"
  fi
  local profile=${DIST_PROFILE:-release} folder
  folder=$profile
  if [ "$profile" = dev ]; then folder=debug; fi
  (cd "$ROOT" && cargo build --profile "$profile" --locked --target "$target") || fail 1 "the program could not be built: see cargo's message above"
  PROGRAM=${PROGRAM%/release/quickstart}/$target/$folder/quickstart
}

# check TREE: no dynamic linker is asked for, and it runs where there is nothing but itself.
check() {
  local program=$1/quickstart empty
  if [ "$system" != linux ] || [ "${DIST_LIBC:-musl}" = gnu ]; then return; fi
  ldd "$program" 2>&1 | grep -qE 'statically linked|not a dynamic executable' || fail 1 "$program is not static: $(ldd "$program" 2>&1)"
  empty=$(mktemp -d)
  install -m 0755 "$program" "$empty/quickstart"
  local alone=(unshare -r chroot "$empty")
  if is_root; then alone=(chroot "$empty"); fi
  if ! "${alone[@]}" /quickstart version >/dev/null 2>&1 && ! is_root; then
    rm -rf "$empty"
    say "static; not tried in an empty root: this user may not make one"
    return
  fi
  # The catalog is read, the plan is made, a man page is written: without a file or a library of this machine.
  env -i PATH="$PATH" HOME=/ "${alone[@]}" /quickstart version >&2
  env -i PATH="$PATH" HOME=/ "${alone[@]}" /quickstart plan -o json | grep -q '"stages"' || fail 1 "it makes no plan in an empty root"
  env -i PATH="$PATH" HOME=/ "${alone[@]}" /quickstart man | grep -q 'quickstart up' || fail 1 "it writes no manual page in an empty root"
  rm -rf "$empty"
  say "static, and it runs in an empty root: version, plan, man"
}

build
version=$("$PROGRAM" version | awk '{ print $2 }')
name=quickstart-$version-$system-$machine
tree=$out/$name
rm -rf "$tree"
mkdir -p "$tree/completions"
install -m 0755 "$PROGRAM" "$tree/quickstart"
check "$tree"
install -m 0644 "$ROOT/LICENSE" "$ROOT/README.md" "$ROOT/CONTRIBUTING.md" "$tree/"
# where the README's links lead
mkdir "$tree/docs"
install -m 0644 "$ROOT"/docs/*.md "$tree/docs/"
"$PROGRAM" man >"$tree/quickstart.1"
"$PROGRAM" completions bash >"$tree/completions/quickstart.bash"
"$PROGRAM" completions zsh >"$tree/completions/_quickstart"
"$PROGRAM" completions fish >"$tree/completions/quickstart.fish"
"$PROGRAM" completions powershell >"$tree/completions/quickstart.ps1"

epoch=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || echo 0)}
if tar --version 2>/dev/null | grep -q GNU; then
  tar -C "$out" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -n9 >"$tree.tar.gz"
else
  tar -C "$out" -cf - "$name" | gzip -n9 >"$tree.tar.gz"
fi
rm -rf "$tree"
(
  cd "$out"
  # Archives of other architectures that were put beside this one are listed too.
  { sha256sum quickstart-*.tar.gz 2>/dev/null || shasum -a 256 quickstart-*.tar.gz; } | tee SHA256SUMS
)
