# shellcheck shell=bash disable=SC2153
# Container images, under honest names of their own (lab/…). The label `quickstart.lab` says what an image was made from.

LABEL=quickstart.lab
PATH_IN_IMAGE=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
declare -A IMAGE_KEY=() HAVE=()

# recipe MODE …: walks over all images, in building order. MODE is a function that is called with every image:
#   MODE NAME BASE USER ENTRYPOINT ENV SOURCE::DESTINATION…      (BASE @name: the root file system of that name; ENV may be empty)
recipes() {
  local do=$1 b k8s=$LAB/bin/kubernetes kserve='module:kserve:github.com/kserve/kserve:python'
  "$do" lab/static:1 @static "" '[]' ""
  "$do" lab/slim:1 @slim "" '[]' ""
  "$do" lab/python:1 @python "" '[]' 'PYTHONPATH=/app PYTHONUNBUFFERED=1 HOME=/tmp'
  "$do" lab/pause:3.10.1 scratch "" '["/pause"]' "" "$LAB/bin/pause/pause::/pause"
  for b in kube-apiserver kube-controller-manager kube-scheduler; do
    "$do" "lab/$b:$KUBERNETES" lab/static:1 "" "[\"$b\"]" "" "$k8s/$b::/usr/local/bin/$b"
  done
  "$do" "lab/kube-proxy:$KUBERNETES" lab/slim:1 "" '["kube-proxy"]' "" "$k8s/kube-proxy::/usr/local/bin/kube-proxy"
  "$do" "lab/etcd:$ETCD" lab/static:1 "" '["etcd"]' "" "$LAB/bin/etcd/etcd::/usr/local/bin/etcd"
  "$do" "lab/coredns:$COREDNS" lab/static:1 "" '["/coredns"]' "" "$LAB/bin/coredns/coredns::/coredns"
  for b in controller cainjector webhook; do
    "$do" "lab/cert-manager-$b:1.11.5" lab/static:1 1000 "[\"/app/$b\"]" "" "$LAB/bin/cert-manager/$b::/app/$b"
  done
  # plain Envoy has neither of the two filters that istiod would ask it for
  "$do" "lab/pilot:$ISTIO" lab/static:1 1337:1337 '["/usr/local/bin/pilot-discovery"]' \
    'PILOT_ENABLE_METADATA_EXCHANGE=false PILOT_ENABLE_ALPN_FILTER=false' "$LAB/bin/istio/pilot-discovery::/usr/local/bin/pilot-discovery"
  "$do" "lab/proxyv2:$ISTIO" lab/slim:1 1337:1337 '["/usr/local/bin/pilot-agent"]' "" \
    "$LAB/bin/istio/pilot-agent::/usr/local/bin/pilot-agent" "$LAB/bin/envoy/envoy::/usr/local/bin/envoy" \
    'module:istio:istio.io/istio:tools/packaging/common/envoy_bootstrap.json::/var/lib/istio/envoy/envoy_bootstrap_tmpl.json'
  serving_images "$do" "$SERVING" "$LAB/bin/knative"
  for b in controller webhook; do
    "$do" "lab/net-istio-$b:1.21" lab/static:1 65532 "[\"/ko-app/$b\"]" "" "$LAB/bin/net-istio/net-istio-$b::/ko-app/$b"
  done
  kserve_images "$do" "$KSERVE" "$LAB/bin/kserve"
  "$do" lab/kube-rbac-proxy:0.18.0 lab/static:1 65532:65532 '["/usr/local/bin/kube-rbac-proxy"]' "" \
    "$LAB/bin/kube-rbac-proxy/kube-rbac-proxy::/usr/local/bin/kube-rbac-proxy"
  "$do" "lab/versitygw:$VERSITYGW" lab/static:1 65532 '["/usr/local/bin/versitygw"]' "" "$LAB/bin/versitygw/versitygw::/usr/local/bin/versitygw"
  "$do" "lab/metrics-server:$METRICS_SERVER" lab/static:1 1000 '["/metrics-server"]' "" "$LAB/bin/metrics-server/metrics-server::/metrics-server"
  "$do" "lab/prometheus:$PROMETHEUS" lab/static:1 65534 '["/bin/prometheus"]' "" "$LAB/bin/prometheus/prometheus::/bin/prometheus"
  "$do" "lab/kube-state-metrics:$KUBE_STATE_METRICS" lab/static:1 65534 '["/kube-state-metrics"]' "" \
    "$LAB/bin/kube-state-metrics/kube-state-metrics::/kube-state-metrics"
  "$do" "lab/local-path-provisioner:$LOCAL_PATH" lab/static:1 "" '["/usr/local/bin/local-path-provisioner"]' "" \
    "$LAB/bin/local-path-provisioner/local-path-provisioner::/usr/local/bin/local-path-provisioner"
  # the shell of those who make and remove the folders
  "$do" lab/shell:12 lab/slim:1 "" '["/bin/sh"]' ""
  "$do" "lab/network-policies:$NETWORK_POLICIES" lab/static:1 "" '["/bin/netpol"]' "" "$LAB/bin/network-policies/cmd::/bin/netpol"
  python_images "$do" "$KSERVE" "$LAB/python" "$kserve"
}

serving_images() { # MODE, version, programs
  local do=$1 version=$2 programs=$3 b
  for b in controller webhook activator autoscaler queue; do
    "$do" "lab/serving-$b:$version" lab/static:1 65532 "[\"/ko-app/$b\"]" "" "$programs/$b::/ko-app/$b"
  done
}

kserve_images() { # MODE, version, programs
  local do=$1 version=$2 programs=$3 b
  "$do" "lab/kserve-controller:$version" lab/static:1 65532 '["/manager"]' "" "$programs/manager::/manager"
  for b in agent router; do
    "$do" "lab/kserve-$b:$version" lab/static:1 65532 "[\"/ko-app/$b\"]" "" "$programs/$b::/ko-app/$b"
  done
}

python_images() { # MODE, version, packages, source of the entry points: one layer of packages under both
  local do=$1 version=$2 packages=$3 source=$4
  "$do" "lab/kserve-python:$version" lab/python:1 "" '[]' "" "$packages::/app"
  "$do" "lab/sklearnserver:$version" "lab/kserve-python:$version" 1000 '["/usr/bin/python3","-m","sklearnserver"]' "" \
    "$source/sklearnserver/sklearnserver::/app/sklearnserver"
  "$do" "lab/storage-initializer:$version" "lab/kserve-python:$version" 1000 '["/usr/bin/python3","/storage-initializer/initializer-entrypoint"]' "" \
    "$source/storage-initializer/scripts/initializer-entrypoint::/storage-initializer/initializer-entrypoint"
}

# What a source was made from: a component's or a folder's key; a file of a module is pinned with its component.
source_key() {
  case $1 in
    module:*) local component; IFS=: read -r _ component _ <<<"$1"; file_key "$HERE/go/$component/go.sum" ;;
    *) cat "$1/.key" 2>/dev/null || cat "${1%/*}/.key" 2>/dev/null || echo none ;;
  esac
}

learn_key() { # sets IMAGE_KEY[NAME]
  local name=$1 base=$2 source parts=("$@")
  case $base in
    @static) parts+=("$(static_passwd)") ;;
    @*) parts+=("$(cat "$LAB/rootfs/${base#@}.key" 2>/dev/null || echo none)") ;;
    scratch) ;;
    *) parts+=("${IMAGE_KEY[$base]}") ;;
  esac
  for source in "${@:6}"; do parts+=("$(source_key "${source%%::*}")"); done
  # where the cache lies makes no difference
  IMAGE_KEY[$name]=$(key "${parts[@]//"$LAB"/}")
}

know_keys() { [ ${#IMAGE_KEY[@]} -gt 0 ] || recipes learn_key; }

learn_images() { # RECIPES…: which of our images the engine has, with their keys
  local line list
  IMAGE_KEY=() HAVE=()
  for list in "$@"; do "$list" learn_key; done
  # an engine without any of them prints an empty line
  while read -r line; do if [ -n "$line" ]; then HAVE[${line%% *}]=${line#* }; fi; done < <(
    docker image inspect --format "{{index .RepoTags 0}} {{index .Config.Labels \"$LABEL\"}}" "${!IMAGE_KEY[@]}" 2>/dev/null || true
  )
}
image_there() { [ "${HAVE[$1]:-}" = "${IMAGE_KEY[$1]}" ]; }

images_ready() { images_are_there recipes; }
images_are_there() { # RECIPES…
  command -v docker >/dev/null || return 1
  local name
  learn_images "$@"
  for name in "${!IMAGE_KEY[@]}"; do image_there "$name" || return 1; done
}

images() {
  need docker
  after binaries binaries_complete
  after rootfs rootfs_complete
  learn_images recipes
  recipes make_image
  forget_replaced
}

# An image that a newer one has taken the name of is of no use; what a container runs from stays.
forget_replaced() { docker image prune -f --filter "label=$LABEL"; }

make_image() { # see recipes
  image_there "$1" && return
  echo "$1"
  case $2 in
    @*) import_image "$@" ;;
    *) build_image "$@" ;;
  esac
}

import_image() {
  local tree=$LAB/rootfs/${2#@} changes=(--change "LABEL $LABEL=${IMAGE_KEY[$1]}" --change "ENV PATH=$PATH_IN_IMAGE") setting
  if [ "$2" = @static ]; then
    tree=$LAB/static
    make_static_tree "$tree"
  fi
  for setting in $5; do changes+=(--change "ENV $setting"); done
  tar -C "$tree" --numeric-owner -c . | docker import "${changes[@]}" - "$1" >/dev/null
}

build_image() {
  local name=$1 base=$2 user=$3 entrypoint=$4 environment=$5 source path folder i=0
  shift 5
  folder=$(mktemp -d "$LAB/image.XXXXXX")
  {
    echo "FROM $base"
    for source in "$@"; do
      path=${source%%::*}
      case $path in
        module:*)
          local component module
          IFS=: read -r _ component module path <<<"$path"
          path=$(module_root "$component" "$module")/$path
          ;;
      esac
      # hard links where they can be made: half a gigabyte of Python is not copied
      cp -rlL "$path" "$folder/f$i" 2>/dev/null || cp -rL "$path" "$folder/f$i"
      echo "COPY f$i ${source##*::}"
      i=$((i + 1))
    done
    for source in $environment; do echo "ENV $source"; done
    if [ -n "$user" ]; then echo "USER $user"; fi
    echo "ENTRYPOINT $entrypoint"
  } >"$folder/Dockerfile"
  docker build -q --label "$LABEL=${IMAGE_KEY[$name]}" -t "$name" "$folder"
  chmod -R u+w "$folder"
  rm -rf "$folder"
}

static_passwd() {
  echo 'root:x:0:0:root:/root:/sbin/nologin'
  echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin'
}

# Certificates, two users and a /tmp: what a program without libraries may look for.
make_static_tree() {
  mkdir -p "$1"/{etc/ssl/certs,tmp,home/nonroot}
  chmod 1777 "$1/tmp"
  cp "$LAB/rootfs/slim/etc/ssl/certs/ca-certificates.crt" "$1/etc/ssl/certs/"
  static_passwd >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
  chown 65532:65532 "$1/home/nonroot" 2>/dev/null || true
}
