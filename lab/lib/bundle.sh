# shellcheck shell=bash
# The demo model, the bundle's description, and the bundle itself, which the program writes.

model_key() { key "$(file_key "$HERE/model/train.py" "$HERE/python/requirements.txt")"; }
model_ready() { [ -s "$LAB/model/model.joblib" ] && has_key "$LAB/model/.key" "$(model_key)"; }
model() {
  after images images_ready
  train_model "$KSERVE" "$LAB/model"
  model_key >"$LAB/model/.key"
}
train_model() { # version of the server, folder
  mkdir -p "$2"
  docker run --rm -i --network none --entrypoint python3 "lab/sklearnserver:$1" - <"$HERE/model/train.py" >"$2/model.part"
  mv "$2/model.part" "$2/model.joblib"
}

SPEC_FILE=spec.json
spec_ready() { [ -s "$LAB/$SPEC_FILE" ] && has_key "$LAB/.spec.key" "$(spec_key)"; }
spec_key() { key "$(manifests_key)" "$(file_key "$HERE/images.txt" "$HERE/lib/bundle.sh" "$HERE/lib/versions.sh")"; }

spec() {
  after manifests manifests_ready
  describe "$SET" "$HERE" manifests model >"$LAB/$SPEC_FILE.part"
  mv "$LAB/$SPEC_FILE.part" "$LAB/$SPEC_FILE"
  spec_key >"$LAB/.spec.key"
}

# The description of a bundle: SET, folder with pins.txt and images.txt, and in $LAB the folders of its manifests and of its model.
describe() {
  need jq
  local mesh
  mesh=$("$LAB/bin/tools/lab-yaml" mesh "$LAB/$3/istio.yaml")
  jq -n --arg set "$1" --arg model "$4/model.joblib" --arg mesh "$mesh" --arg node "$NODE" --arg kubernetes "$KUBERNETES" --arg kind "$KIND" \
    --arg node_name "kind $KIND node with Kubernetes $KUBERNETES, etcd $ETCD, CoreDNS $COREDNS" \
    --argjson manifests "$(spec_manifests "$2/pins.txt" "$3")" --argjson images "$(spec_images "$2/images.txt")" '{
      version: 1, name: "lab", architecture: "amd64", set: $set, manifests: $manifests, images: $images,
      node: {reference: $node, local: $node, kubernetes: $kubernetes, substitute: {name: $node_name, version: $kubernetes,
        reason: "built from Go modules and Debian 12, because the published image cannot be pulled everywhere"}},
      kind: {path: "bin/kind/kind", version: $kind},
      model: {name: "sklearn-iris", path: $model},
      patches: [{component: "istio", object: {apiVersion: "v1", kind: "ConfigMap", namespace: "istio-system", name: "istio"},
        patch: {data: {mesh: $mesh}},
        reason: "plain Envoy lacks Istio'"'"'s stats filter: with metrics providers or merged metrics the gateway would refuse its configuration"},
        {component: "cert-manager", object: {apiVersion: "apps/v1", kind: "Deployment", namespace: "cert-manager", name: "cert-manager"},
        patch: {spec: {template: {spec: {containers: [{name: "cert-manager-controller", livenessProbe: null}]}}}},
        reason: "version 1.11 does not serve the health port that the 1.18 manifest asks: it would be restarted every 90 seconds"}],
      kind_settings: {featureGates: {KubeletInUserNamespace: true}}
    }'
}

spec_manifests() { # pins, folder of the manifests in $LAB
  local component file pin known substitute
  while read -r component file pin known; do
    substitute=
    [ "$(sum_of "$LAB/$2/$file")" = "$pin" ] || substitute=${known:-$(substitute_of "$file")}
    jq -n --arg component "$component" --arg file "$file" --arg folder "$2" --arg substitute "$substitute" '{component: $component, file: $file, path: "\($folder)/\($file)",
      substitute: (if $substitute == "" then null else {name: ($substitute / "|")[0], reason: ($substitute / "|")[1]} end)}'
  done < <(grep -v '^#' "$1") | jq -s .
}

spec_images() { # images.txt
  grep -v '^#' "$1" | jq -R '. / "|" | {reference: .[1], local: .[2], group: .[0], substitute: {name: .[3], version: .[4], reason: .[5]}}' | jq -s .
}

program() {
  local program=${QUICKSTART_BIN:-$HERE/../target/release/quickstart}
  [ -x "$program" ] || fail 3 "the bundle is written by quickstart itself, and $program is not there: run \`cargo build --release\` first, or name it in QUICKSTART_BIN"
  printf '%s\n' "$program"
}

# The description, and what it names: images by their IDs, files by their sums.
bundle_key() { content_key "$SPEC_FILE" "$HERE/images.txt" manifests model; }
content_key() { # description, images.txt, folders of manifests and model
  local names
  mapfile -t names < <(grep -v '^#' "$2" | cut -d'|' -f3)
  key "$(file_key "$LAB/$1")" "$(docker image inspect --format '{{.Id}}' "${names[@]}" "$NODE")" \
    "$(cd "$LAB" && sha256sum "$3"/*.yaml bin/kind/kind "$4/model.joblib")"
}
bundle_there() { [ -s "$LAB/bundle.tar" ] && [ -f "$LAB/.bundle.key" ]; }
bundle_ready() { bundle_there && has_key "$LAB/.bundle.key" "$(bundle_key 2>/dev/null)"; }
bundle() {
  after spec spec_ready
  after images images_ready
  after node node_ready
  after model model_ready
  rm -f "$LAB/.bundle.key"
  write_bundle "$SPEC_FILE" bundle.tar
  bundle_key >"$LAB/.bundle.key"
}
write_bundle() { # description, bundle
  local program part=$LAB/${2%.tar}.part.tar
  program=$(program)
  rm -f "$part"
  "$program" bundle create --from "$LAB/$1" "$part"
  mv "$part" "$LAB/$2"
}

# clean: only what the lab made. Images go by their label, so a pulled kindest/node stays.
clean() {
  local images
  if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    docker rm -f "$BUILDER" >/dev/null 2>&1 || true
    mapfile -t images < <(docker image ls -q --no-trunc --filter "label=$LABEL" | sort -u)
    if [ ${#images[@]} -gt 0 ]; then
      docker image rm -f "${images[@]}" >/dev/null || say "some images are in use: take the cluster away first (\`quickstart down\`), then clean again"
    fi
    say "images removed: ${#images[@]}"
  else
    say "no container engine answers: images stay"
  fi
  [ -e "$LAB/.quickstart-lab" ] || fail 1 "$LAB is not the lab's"
  chmod -R u+w "$LAB" 2>/dev/null || true
  rm -rf "$LAB"
  say "$LAB removed; Go's module cache and the engine stay"
}
