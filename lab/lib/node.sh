# shellcheck shell=bash
# The kind node: Debian, kind's own base files, Kubernetes' programs, and the images that kubeadm asks for. The baked one also
# holds every component's image, under the references of the manifests: nothing has to be loaded into it.

NODE=kindest/node:v$KUBERNETES
BAKED=$NODE-baked
BUILDER=quickstart-lab-node

node_images() { # reference inside the node, local image
  local b
  for b in kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
    echo "registry.k8s.io/$b:v$KUBERNETES lab/$b:$KUBERNETES"
  done
  echo "$ETCD_REFERENCE lab/etcd:$ETCD"
  echo "$COREDNS_REFERENCE lab/coredns:$COREDNS"
  echo "$PAUSE_REFERENCE lab/pause:3.10.1"
}

component_images() { grep -v '^#' "$HERE/images.txt" | awk -F'|' '{ print $2, $3 }'; }

# Anything that goes into the node: its root file system, the programs, the images, and this recipe.
node_key() {
  local images
  images=$(node_images | while read -r reference name; do echo "$reference ${IMAGE_KEY[$name]}"; done)
  key "$images" "$(cat "$LAB/rootfs/node.key" "$LAB/bin/kubernetes/.key" 2>/dev/null)" "$(file_key "$HERE/go/kind/go.sum" "$HERE/lib/node.sh")"
}
image_label() { docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null || true; }
node_ready() { command -v docker >/dev/null && know_keys && [ "$(image_label "$NODE")" = "$(node_key)" ]; }

node() {
  need docker jq
  after images images_ready
  local tree=$LAB/node-tree.part
  rm -rf "$tree"
  cp -a "$LAB/rootfs/node" "$tree"
  furnish_node "$tree"
  rm -rf "$LAB/node-context"
  mkdir "$LAB/node-context"
  tar -C "$tree" --numeric-owner -cf "$LAB/node-context/rootfs.tar" .
  rm -rf "$tree"
  printf 'FROM scratch\nADD rootfs.tar /\nENV container=docker\nSTOPSIGNAL SIGRTMIN+3\nENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]\n' >"$LAB/node-context/Dockerfile"
  docker build -q --label "$LABEL=base" -t lab/node-base:1 "$LAB/node-context"
  rm -rf "$LAB/node-context"
  start_builder lab/node-base:1
  node_images | give_images
  commit_builder "$NODE" "$(node_key)"
}

# kind's own recipe for its base image, less what a lab of one node does without.
furnish_node() {
  local tree=$1 base service manifest program
  base=$(module_root kind sigs.k8s.io/kind)/images/base/files
  mkdir -p "$tree"/{kind/manifests,opt/cni/bin,etc/kubernetes/manifests,etc/cni/net.d,etc/systemd/system/multi-user.target.wants,usr/local/sbin}
  cp -r "$base/etc/." "$tree/etc/"
  cp -r "$base/kind/." "$tree/kind/"
  cp -r "$base/usr/local/bin/." "$tree/usr/local/bin/"
  chmod -R u+w "$tree/etc" "$tree/kind" "$tree/usr/local/bin"
  chmod 755 "$tree/kind" "$tree/kind/bin" "$tree"/kind/bin/* "$tree"/usr/local/bin/*
  # systemd starts what a node needs and nothing else
  find "$tree/lib/systemd/system/sysinit.target.wants/" -name systemd-tmpfiles-setup.service -delete
  rm -f "$tree"/lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* "$tree"/lib/systemd/system/sockets.target.wants/*{udev,initctl}*
  rm -f "$tree"/etc/systemd/system/*.wants/*
  echo ReadKMsg=no >>"$tree/etc/systemd/journald.conf"
  ln -sf /usr/lib/systemd/systemd "$tree/sbin/init"
  for service in kubelet containerd undo-mount-hacks; do
    ln -sf "/etc/systemd/system/$service.service" "$tree/etc/systemd/system/multi-user.target.wants/$service.service"
  done
  ln -sf /dev/null "$tree/etc/systemd/system/systemd-binfmt.service"
  cp -a "$tree"/usr/lib/cni/{host-local,loopback,ptp,portmap} "$tree/opt/cni/bin/"
  for program in containerd ctr containerd-shim-runc-v2; do ln -sf "/usr/bin/$program" "$tree/usr/local/bin/$program"; done
  ln -sf /usr/sbin/runc "$tree/usr/local/sbin/runc"
  # what every container starts from: kind's hook, and no limits that the machine may not raise
  chroot "$tree" ctr oci spec |
    jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' >"$tree/etc/containerd/cri-base.json"
  # kubeadm's pause image; and where limits cannot be raised, an OOM score cannot be lowered either
  sed -i -e "s#registry.k8s.io/pause:[0-9.]*#$PAUSE_REFERENCE#" -e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$tree/etc/containerd/config.toml"
  # one node: point-to-point links and host-local addresses are enough
  cat >"$tree/etc/cni/net.d/10-lab.conflist" <<'JSON'
{"cniVersion":"0.4.0","name":"lab","plugins":[
 {"type":"ptp","ipMasq":true,"mtu":1500,"ipam":{"type":"host-local","dataDir":"/run/cni-ipam-state","routes":[{"dst":"0.0.0.0/0"}],"ranges":[[{"subnet":"10.244.0.0/24"}]]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
JSON
  # kind applies these two; network and storage need nothing in the cluster here
  for manifest in cni storage; do
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lab-%s, namespace: kube-system}\n' "$manifest" >"$tree/kind/manifests/default-$manifest.yaml"
  done
  cp "$LAB"/bin/kubernetes/{kubeadm,kubelet,kubectl} "$tree/usr/bin/"
  printf 'v%s' "$KUBERNETES" >"$tree/kind/version"
}

start_builder() { # image: a container in which containerd runs
  docker rm -f "$BUILDER" >/dev/null 2>&1 || true
  docker run -d --privileged --network none --name "$BUILDER" --entrypoint sleep "$1" infinity >/dev/null
  docker exec -d "$BUILDER" containerd
  wait_until 30 "containerd answers in the node" docker exec "$BUILDER" ctr version
}

give_images() { # from stdin: reference, local image
  local reference name full names=() pairs=()
  while read -r reference name; do
    names+=("$name")
    pairs+=("$reference $name")
  done
  docker save "${names[@]}" | docker exec -i "$BUILDER" ctr -n k8s.io images import --all-platforms - >/dev/null
  for full in "${pairs[@]}"; do
    read -r reference name <<<"$full"
    docker exec "$BUILDER" ctr -n k8s.io images tag --force "docker.io/$name" "$(full_reference "$reference")" >/dev/null
    docker exec "$BUILDER" ctr -n k8s.io images rm "docker.io/$name" >/dev/null
  done
}

# Short names are Docker Hub's; the kubelet asks containerd for the whole reference.
full_reference() {
  case ${1%%/*} in
    *.* | *:* | localhost) printf '%s\n' "$1" ;;
    *) printf 'docker.io/%s\n' "$1" ;;
  esac
}

# What is unpacked needs no layer beside it (containerd's configuration in the node says the same of images that it pulls): kind copies
# /var of the image into a volume for every cluster, and half of it would be these.
drop_layers() {
  docker exec "$BUILDER" ctr -n k8s.io content prune references >/dev/null
}

commit_builder() { # image, key
  drop_layers
  docker exec "$BUILDER" pkill containerd
  wait_until 30 "containerd has ended in the node" eval "! docker exec $BUILDER pgrep -x containerd >/dev/null"
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]' --change "LABEL $LABEL=$2" "$BUILDER" "$1" >/dev/null
  docker rm -f "$BUILDER" >/dev/null
  forget_replaced
}

baked_key() { key "$(node_key)" "$(component_images | while read -r reference name; do echo "$reference ${IMAGE_KEY[$name]}"; done)"; }
bake_ready() { command -v docker >/dev/null && know_keys && [ "$(image_label "$BAKED")" = "$(baked_key)" ]; }
bake() {
  after images images_ready
  after node node_ready
  start_builder "$NODE"
  component_images | give_images
  commit_builder "$BAKED" "$(baked_key)"
}
