# shellcheck shell=bash disable=SC2153
# The bundle of an older version set: programs, manifests and model of its own, in $LAB/kserve-0.15; node, Istio, cert-manager and the
# net-istio stand-in are the lab's. Nothing of `all` is changed by it.

OLDER=kserve-0.15 OLDER_KSERVE=0.15.2 OLDER_SERVING=0.42.2 OLDER_SERVING_RELEASE=1.15.2 OLDER_ISTIO_MANIFESTS=1.22.2 OLDER_CERT_MANAGER=1.16.1
OLDER_COMPONENTS=(kserve-0.15 knative-1.15)
for component in "${OLDER_COMPONENTS[@]}"; do
  name=${component//[-.]/_}
  eval "build_$name() { build_component $component; }
        build_${name}_ready() { component_ready $component; }"
done

older_python_key() { file_key "$HERE/older/requirements.txt"; }
older_python_ready() { has_key "$LAB/$OLDER/python/.key" "$(older_python_key)"; }
older_python() { install_python "$HERE/older/requirements.txt" "$LAB/$OLDER/python"; }

older_recipes() { # see recipes
  local do=$1 kserve='module:kserve-0.15:github.com/kserve/kserve:python'
  serving_images "$do" "$OLDER_SERVING" "$LAB/bin/knative-1.15"
  kserve_images "$do" "$OLDER_KSERVE" "$LAB/bin/kserve-0.15"
  python_images "$do" "$OLDER_KSERVE" "$LAB/$OLDER/python" "$kserve"
}
older_binaries_complete() {
  local component
  for component in "${OLDER_COMPONENTS[@]}"; do component_ready "$component" || return 1; done
  older_python_ready
}
older_images_ready() { images_are_there recipes older_recipes; }
older_images() {
  need docker
  after older older_binaries_complete
  after images images_ready
  learn_images recipes older_recipes
  older_recipes make_image
  forget_replaced
}

older_model_key() { key "$(file_key "$HERE/model/train.py")" "$(older_python_key)"; }
older_model_ready() { [ -s "$LAB/$OLDER/model/model.joblib" ] && has_key "$LAB/$OLDER/model/.key" "$(older_model_key)"; }
older_model() {
  after older older_images_ready
  train_model "$OLDER_KSERVE" "$LAB/$OLDER/model"
  older_model_key >"$LAB/$OLDER/model/.key"
}

older_manifests_key() {
  key "$(manifests_key)" "$(file_key "$HERE"/older/*.txt "$HERE/lib/older.sh" "$HERE"/go/{kserve-0.15,knative-operator}/go.sum)"
}
older_manifests_ready() { has_key "$LAB/$OLDER/manifests/.key" "$(older_manifests_key)"; }
older_manifests() {
  need go
  after manifests manifests_ready
  local out=$LAB/$OLDER/manifests.part kserve knative
  rm -rf "$out"
  mkdir -p "$out"
  kserve=$(module_root kserve-0.15 github.com/kserve/kserve)
  # Knative's operator carries the published files of the releases that it installs
  knative=$(module_root knative-operator knative.dev/operator)/cmd/operator/kodata
  cp "$kserve/install/v$OLDER_KSERVE"/{kserve,kserve-cluster-resources}.yaml "$out/"
  cp "$knative/knative-serving/$OLDER_SERVING_RELEASE/1-serving-crds.yaml" "$out/serving-crds.yaml"
  cp "$knative/knative-serving/$OLDER_SERVING_RELEASE/2-serving-core.yaml" "$out/serving-core.yaml"
  cp "$knative/ingress/${OLDER_SERVING_RELEASE%.*}/istio/net-istio.yaml" "$out/"
  sed -E "s#(quay.io/jetstack/cert-manager-[a-z]+:v)[0-9.]+#\1$OLDER_CERT_MANAGER#" "$LAB/manifests/cert-manager.yaml" >"$out/cert-manager.yaml"
  render_istio "$out" "$OLDER_ISTIO_MANIFESTS"
  chmod -R u+w "$out"
  older_manifests_key >"$out/.key"
  rm -rf "$LAB/$OLDER/manifests"
  mv "$out" "$LAB/$OLDER/manifests"
}

older_spec_key() { key "$(spec_key)" "$(older_manifests_key)"; }
older_spec_ready() { [ -s "$LAB/$OLDER.json" ] && has_key "$LAB/$OLDER/.spec.key" "$(older_spec_key)"; }
older_spec() {
  after older older_manifests_ready
  describe "$OLDER" "$HERE/older" "$OLDER/manifests" "$OLDER/model" >"$LAB/$OLDER.json.part"
  mv "$LAB/$OLDER.json.part" "$LAB/$OLDER.json"
  older_spec_key >"$LAB/$OLDER/.spec.key"
}

older_bundle_key() { content_key "$OLDER.json" "$HERE/older/images.txt" "$OLDER/manifests" "$OLDER/model"; }
older_bundle_ready() { [ -s "$LAB/$OLDER.tar" ] && has_key "$LAB/$OLDER/.bundle.key" "$(older_bundle_key 2>/dev/null)"; }
older_bundle() {
  after older older_spec_ready
  after older older_images_ready
  after node node_ready
  after older older_model_ready
  rm -f "$LAB/$OLDER/.bundle.key"
  write_bundle "$OLDER.json" "$OLDER.tar"
  older_bundle_key >"$LAB/$OLDER/.bundle.key"
}

older_steps() {
  step build_knative_1_15 "90 s" "Knative Serving $OLDER_SERVING"
  step build_kserve_0_15 "90 s" "KServe $OLDER_KSERVE"
  step older_python "30 s" "Python packages of KServe $OLDER_KSERVE"
  step older_images "1 min" "component images of $OLDER"
  step older_model "10 s" "demo model of $OLDER"
  step older_manifests "10 s" "manifests of $OLDER"
  step older_spec "2 s" "description of the bundle of $OLDER"
  step older_bundle "1 min" "bundle of $OLDER"
}
