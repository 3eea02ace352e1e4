# shellcheck shell=bash disable=SC2153
# Files that `up` reads and writes: full disks, the user's kubeconfig, our own state.

# small_disk FOLDER SIZE: a disk of its own; it goes with the fault.
small_disk() {
  is_root || return 1
  mkdir -p "$1"
  mount -t tmpfs -o "size=$2" quickstart-chaos "$1" || return 1
  undo umount -l "$1"
}

cache_full() {
  local disk=$WORK/disk
  must "a disk of 4 MiB" small_disk "$disk" 4m || return 1
  plain_up QUICKSTART_CACHE_DIR="$disk/cache"
  tell_outcome
  expect_text "what to do" '^hint: ' "$ERR"
  must "room on it" mount -o remount,size=200m "$disk" || return 1
  cp "$ERR" "$WORK/full-err"
  plain_up QUICKSTART_CACHE_DIR="$disk/cache"
  expect_exit 0 "with room on that disk"
  cp "$WORK/full-err" "$ERR"
}

# The same cluster, by a copy of its state on a disk without a byte left.
state_full() {
  local disk=$WORK/disk
  must "a disk of 8 MiB" small_disk "$disk" 8m || return 1
  must "a copy of the state" cp -a "$QUICKSTART_STATE_DIR/$NAME" "$disk/$NAME" || return 1
  head -c 16777216 /dev/zero >"$disk/filler" 2>/dev/null || true
  plain_up QUICKSTART_STATE_DIR="$disk"
  tell_outcome
  expect_text "what to do" '^hint: ' "$ERR"
  rm -f "$disk/filler"
  cp "$ERR" "$WORK/full-err"
  plain_up QUICKSTART_STATE_DIR="$disk"
  expect_exit 0 "with room on that disk"
  cp "$WORK/full-err" "$ERR"
}

# The user's kubeconfig cannot be changed: the cluster is made all the same, and it is said.
kubeconfig_hurt() {
  plain_up
  tell_outcome
  expect_text "it is said" 'was not changed' "$ERR"
  if [ "$1" != gone ]; then expect_equal "the file" "$1" "$(sha256sum <"$KUBECONFIG")"; fi
}
kubeconfig_read_only() {
  local disk=$WORK/disk
  must "a disk" small_disk "$disk" 1m || return 1
  cp "$KUBECONFIG" "$disk/config"
  must "read-only" mount -o remount,ro "$disk" || return 1
  undo export KUBECONFIG="$KUBECONFIG"
  KUBECONFIG=$disk/config
  kubeconfig_hurt "$(sha256sum <"$KUBECONFIG")"
}
kubeconfig_locked() {
  : >"$KUBECONFIG.lock"
  undo rm -f "$KUBECONFIG.lock"
  kubeconfig_hurt "$(sha256sum <"$KUBECONFIG")"
}
kubeconfig_garbage() {
  printf 'apiVersion: v1\nkind: [Config\n\0\377 not yaml\n' >"$KUBECONFIG"
  kubeconfig_hurt "$(sha256sum <"$KUBECONFIG")"
}

# Our own state; the file is put back before the next `up`.
state_hurt() { # garbage|newer|removed|cut
  local state=$QUICKSTART_STATE_DIR/$NAME/state.json
  must "a copy of the state" cp "$state" "$WORK/state.json" || return 1
  undo cp "$WORK/state.json" "$state"
  case $1 in
    garbage) printf '\0\377 not json' >"$state" ;;
    newer) jq '.version = 2' "$WORK/state.json" >"$state" ;;
    cut) head -c 100 "$WORK/state.json" >"$state" ;;
    removed) rm "$state" ;;
  esac
  plain_up
  tell_outcome
  # what is gone is made again; what cannot be read is somebody's to look at
  [ "$1" = removed ] || expect_text "what to do" '^hint: ' "$ERR"
}

# The private kubeconfig and the bundle's index are ours too, and can be made again.
private_kubeconfig_removed() {
  must "remove it" rm "$QUICKSTART_STATE_DIR/$NAME/kubeconfig" || return 1
  plain_up
  tell_outcome
}
cache_removed() {
  rm -rf "$QUICKSTART_CACHE_DIR"
  plain_up
  tell_outcome
}
cache_damaged() {
  local file
  for file in "$QUICKSTART_CACHE_DIR"/downloads/*; do printf 'x' | dd of="$file" bs=1 seek=50 conv=notrunc status=none; done
  plain_up
  tell_outcome
}
