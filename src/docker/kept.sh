# The image stores of nodes, in one volume of the engine. Runs with bash in a container of the node image, where the volume is /images:
#
#   nodes/CLUSTER         what that cluster's node has at /var/lib/containerd
#   kept/KEY/store        images of a cluster that is gone, for the next node of the same node image
#   kept/KEY/mib          its size
#   kept/KEY/whole        it can be used
#
# Layers and blobs are never changed once they are there, so a node's store is made of hard links to the kept one: no copy, no second
# gigabyte. Databases are changed in place: each node has its own.
#
#   prepare CLUSTER KEY          makes nodes/CLUSTER; says `kept MIB` or `new`
#   keep CLUSTER KEY NAME…       nodes/CLUSTER, whose node is gone, becomes kept/KEY: without containers, and of images with the names given and the node's own
#   drop CLUSTER                 nodes/CLUSTER goes
#   distrust KEY                 kept/KEY is not used any more
set -euo pipefail
root=/images
mkdir -p "$root/nodes" "$root/kept"
exec 9>"$root/.lock"
flock -w 120 9

prepare() {
  local new=$root/nodes/$1 kept=$root/kept/$2 how=new
  [ -d /var/lib/containerd ] || { echo "the node image has no /var/lib/containerd" >&2; exit 1; }
  # A folder of the host that only looks like the volume would stay behind when the volume goes.
  [ "$root/.lock" -ef /volume/.lock ] || { echo "the engine's volume is not at its mount point" >&2; exit 1; }
  rm -rf -- "$new" "$new.part"
  if [ -e "$kept/whole" ]; then
    cp -al -- "$kept/store" "$new.part"
    find "$new.part" -maxdepth 2 -name '*.db' -type f | while IFS= read -r file; do
      cp -a -- "$file" "$file.own"
      mv -- "$file.own" "$file"
    done
    # written by `keep`: twenty thousand files take a while to be added up
    how="kept $(cat "$kept/mib" 2>/dev/null || du -sm "$kept/store" | cut -f 1)"
  else
    cp -a -- /var/lib/containerd "$new.part"
  fi
  mv -- "$new.part" "$new"
  echo "$how"
}

# containerd itself takes its containers out: nobody else knows what belongs to what.
with_containerd() {
  local store=$1 tries=0
  shift
  mkdir -p /run/keep
  printf 'version = 2\nroot = "%s"\nstate = "/run/keep"\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]\n[grpc]\naddress = "/run/keep/socket"\n' \
    "$store" >/run/keep/config
  containerd --config /run/keep/config >/run/keep/log 2>&1 9>&- &
  local daemon=$!
  until ctr --address /run/keep/socket version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$daemon"; then
      tail -n 5 /run/keep/log >&2
      exit 1
    fi
    sleep 0.1
  done
  "$@"
  kill "$daemon"
  wait "$daemon" || true
}
c() { ctr --address /run/keep/socket --namespace k8s.io "$@"; }
collect() { # what nothing names any more goes before this returns
  c leases create --id quickstart-sweep >/dev/null
  c leases rm --sync quickstart-sweep
}
tidy() {
  local name digest
  c containers ls -q | while IFS= read -r name; do c containers rm "$name"; done
  # containerd 1 has no such thing
  { c sandboxes ls 2>/dev/null || true; } | awk 'NR > 1 && $1 != "" && $1 != "No" { print $1 }' | while IFS= read -r name; do c sandboxes rm --force "$name" || true; done
  c images ls -q | while IFS= read -r name; do
    case " $* " in *" $name "*) continue ;; esac
    case $name in
      registry.k8s.io/* | docker.io/kindest/* | sha256:*) ;;
      *) c images rm "$name" ;;
    esac
  done
  c leases ls -q | while IFS= read -r name; do c leases rm "$name"; done
  # an image that has only its ID left was named by nothing that is to stay
  c images ls | awk 'NR > 1 && $1 !~ /^sha256:/ { print $3 }' | sort -u >/run/keep/named
  c images ls | awk 'NR > 1 && $1 ~ /^sha256:/ { print $1, $3 }' | while read -r name digest; do
    grep -qxF -- "$digest" /run/keep/named || c images rm "$name"
  done
  collect
}

keep() {
  local node=$root/nodes/$1 key=$2
  local kept=$root/kept/$key
  shift 2
  [ -d "$node" ] || exit 0
  with_containerd "$node" tidy "$@"
  rm -rf -- "$node/io.containerd.grpc.v1.cri" "$node/io.containerd.runtime.v2.task"
  rm -rf -- "$kept.new" "$kept.old"
  mkdir "$kept.new"
  mv -- "$node" "$kept.new/store"
  du -sm "$kept.new/store" | cut -f 1 >"$kept.new/mib"
  sync -f "$root"
  touch "$kept.new/whole"
  if [ -e "$kept" ]; then mv -- "$kept" "$kept.old"; fi
  mv -- "$kept.new" "$kept"
  # one for each of the last two node images
  rm -rf -- "$kept.old"
  find "$root/kept" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn | tail -n +3 | cut -d ' ' -f 2- | while IFS= read -r old; do rm -rf -- "$old"; done
}

drop() { rm -rf -- "$root/nodes/$1" "$root/nodes/$1.part"; }
distrust() { rm -f -- "$root/kept/$1/whole"; }

"$@"
