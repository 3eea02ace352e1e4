#!/usr/bin/env bash
# Builds a complete, real quickstart stack from package registries (Go modules, PyPI, Debian); see README.md.
set -euo pipefail
shopt -s inherit_errexit
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE"
for part in versions common disk engine rootfs binaries images node manifests bundle older; do
  # shellcheck source=/dev/null
  . "$HERE/lib/$part.sh"
done

usage() {
  cat <<'TEXT'
usage: lab.sh VERB
  engine      a container engine and the tools, where they are missing (root, Debian or Ubuntu)
  binaries    every component's programs from Go modules and PyPI   (about 22 min on 2 cores)
  rootfs      three Debian root file systems                        (about 3 min, root)
  images      component images lab/…                                (about 2 min)
  node        kindest/node:v1.34.3                                  (about 1 min)
  model       the demo model, trained and tried
  manifests   the components' manifests from module contents
  spec        the bundle's description, spec.json
  bundle      bundle.tar, written by quickstart itself              (about 1 min)
  all         all of the above; what is there already is skipped
  older       bundle of version set kserve-0.15, kserve-0.15.tar   (about 6 min more)
  bake        a node image with every component image inside        (about 2 min, 5 GB; for the benchmark)
  check       every difference between the lab's manifests and the pinned ones
  clean       remove the cache folder and every image that the lab made
  help        this text
environment:
  QUICKSTART_LAB         the cache folder (default: ~/.cache/quickstart-lab, or in XDG_CACHE_HOME)
  QUICKSTART_LAB_DEBIAN  the Debian archive to take packages from (default: this machine's own)
  QUICKSTART_PINNED      a folder with the pinned manifests, for `check` (default: quickstart's download cache)
  QUICKSTART_BIN         the program that writes the bundle (default: target/release/quickstart)
exit codes: 0 done, 1 a step failed, 2 usage, 3 something is missing on this machine, 130 interrupted
TEXT
}

engine_step() { step engine "1 min" "container engine and tools"; }
binaries_steps() {
  step build_tools "1 min" "the lab's own tools"
  step build_kubernetes "5 min" "Kubernetes $KUBERNETES"
  step build_kind "10 s" "kind $KIND"
  step build_pause "5 s" "the pause program"
  step build_etcd "20 s" "etcd $ETCD"
  step build_coredns "2 min" "CoreDNS $COREDNS"
  step build_cert_manager "90 s" "cert-manager 1.11.5"
  step build_knative "90 s" "Knative Serving $SERVING"
  step build_net_istio "1 min" "net-istio stand-in"
  step build_kserve "90 s" "KServe $KSERVE"
  step build_kube_rbac_proxy "1 min" "kube-rbac-proxy 0.18.0"
  step build_istio "4 min" "Istio $ISTIO"
  step build_versitygw "2 min" "S3 server of the samples $VERSITYGW"
  step build_metrics_server "1 min" "metrics-server $METRICS_SERVER"
  step build_kube_state_metrics "1 min" "kube-state-metrics $KUBE_STATE_METRICS"
  step build_prometheus "90 s" "Prometheus $PROMETHEUS"
  step build_local_path_provisioner "30 s" "local-path-provisioner $LOCAL_PATH"
  step build_network_policies "40 s" "network policies' program $NETWORK_POLICIES"
  step build_envoy "10 s" "Envoy $ENVOY"
  step build_python "40 s" "Python packages of KServe $KSERVE"
}
rootfs_steps() {
  step rootfs_slim "1 min" "Debian $DEBIAN_SUITE for programs"
  step rootfs_python "1 min" "Debian $DEBIAN_SUITE for Python"
  step rootfs_node "1 min" "Debian $DEBIAN_SUITE for the node"
}
images_step() { step images "2 min" "component images"; }
node_step() { step node "1 min" "node image $NODE"; }
model_step() { step model "10 s" "demo model"; }
manifests_step() { step manifests "10 s" "manifests"; }
spec_step() { step spec "2 s" "description of the bundle"; }
bundle_step() { step bundle "1 min" "bundle"; }
stack_steps() { # what every bundle is made of
  # said at once, not after half an hour
  program >/dev/null
  engine_step
  binaries_steps
  rootfs_steps
  images_step
  node_step
}

# in a function: bash reads it whole, so that a change of this file does not reach a running build
main() {
  local verb
  verb=${1:-help}
  case $verb in
    -h | --help | help)
      usage
      exit 0
      ;;
    engine | binaries | rootfs | images | node | model | manifests | spec | bundle | older | bake | check | clean | all) ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  [ $# -le 1 ] || { usage >&2; exit 2; }
  [ "$(uname -sm)" = "Linux x86_64" ] || [ "$verb" = clean ] ||
    fail 3 "the lab is for Linux on x86-64 (its wheels and root file systems are pinned for it), this is $(uname -sm)"
  use_cache_folder

  case $verb in
    check)
      check
      exit 0
      ;;
    clean)
      take_lock
      clean
      exit 0
      ;;
    engine) engine_step ;;
    binaries) binaries_steps ;;
    rootfs) rootfs_steps ;;
    images) images_step ;;
    node) node_step ;;
    model) model_step ;;
    manifests) manifests_step ;;
    spec)
      manifests_step
      spec_step
      ;;
    bundle)
      model_step
      manifests_step
      spec_step
      bundle_step
      ;;
    older)
      stack_steps
      manifests_step
      older_steps
      ;;
    bake) step bake "2 min" "baked node image $BAKED" ;;
    all)
      stack_steps
      model_step
      manifests_step
      spec_step
      bundle_step
      ;;
  esac
  take_lock
  case $verb in
    all | binaries) check_disk ;;
    older) older_bundle_ready || check_disk 5 ;;
    bake) bake_ready || check_disk 5 ;;
  esac
  run_steps
  if [ -d "$LAB/gocache" ] && binaries_complete; then rm -rf "$LAB/gocache"; fi
  case $verb in
    all)
      tell_disk_peak
      say "done: $LAB/bundle.tar; kind is $LAB/bin/kind/kind, the node image $NODE"
      ;;
    older) say "done: $LAB/$OLDER.tar" ;;
  esac
}
main "$@"; exit
