# shellcheck shell=bash disable=SC2034
# `up` that pulls its images from the registry, on the lab's images and a real cluster. The published images cannot be had in the lab, so its own
# ones stand under the published tags at the registry, as at any mirror; those that manifests name by digest (Knative's, net-istio's) come
# out of a bundle, since nothing else can have their digests. Catalog and verification are the program's own.

UP_NAME=${QUICKSTART_E2E_NAME:-prefetch}
UP_PORT=${QUICKSTART_E2E_PORT:-18300}

# tagged: group|reference|local of every image of the lab whose reference is a tag.
tagged() { grep -v '^#' "$ROOT/lab/images.txt" | cut -d'|' -f1-3 | grep -v '@'; }
# full REFERENCE: with its registry.
full() { case $1 in *.*/*) printf '%s\n' "$1" ;; *) printf 'docker.io/%s\n' "$1" ;; esac; }

push_lab() {
  local group reference built name
  while IFS='|' read -r group reference built; do
    name=$HOST/$(full "$reference")
    docker tag "$built" "$name"
    docker push -q "$name" >"$WORK/push" 2>&1 || skip "docker push $name: $(tail -1 "$WORK/push")"
    docker rmi "$name" >/dev/null
  done < <(tagged)
}

# The lab's bundle without the images that the registry has, and without the node, which the engine has.
slim_bundle() {
  jq --arg lab "$LAB" 'def here: if startswith("/") then . else $lab + "/" + . end;
    .images |= map(select(.reference | contains("@"))) | .node = null | .manifests[].path |= here | .kind.path |= here | .model.path |= here' \
    "$LAB/spec.json" >"$WORK/slim.json"
  run "$PROGRAM" bundle create --from "$WORK/slim.json" "$WORK/slim.tar"
  expect_exit 0 "a bundle without them"
}

asked() { grep -c '"GET /v2/\|"HEAD /v2/' "$WORK/registry.log" || true; }
at() { jq -s --arg event "$1" --arg stage "$2" '[.[] | select(.event == $event and .stage == $stage)][0].elapsed_ms' "$OUT"; }
gone() { run "$PROGRAM" --name "$UP_NAME" down; }

up_from_registry() {
  unset DOCKER_HOST
  export QUICKSTART_CACHE_DIR=$WORK/up-cache QUICKSTART_STATE_DIR=$WORK/up-state KUBECONFIG=$WORK/kubeconfig
  part "the lab's images into the registry"
  stop_registry
  rm -rf "$DOCKER_CONFIG/config.json"
  start_registry
  push_lab
  ok "$(tagged | wc -l) images, $(du -sh "$WORK/storage" | cut -f1)"
  slim_bundle
  stop_if_failed

  part "up"
  local arguments=(--name "$UP_NAME" up --bundle "$WORK/slim.tar" --node-image kindest/node:v1.34.3 --mirror "http://$HOST" --port "$UP_PORT" -o json)
  UP_BEGUN=1
  run with_peak "$WORK/peak" "$PROGRAM" "${arguments[@]}"
  expect_exit 0 "up --mirror"
  cp "$OUT" "$WORK/up.jsonl"
  stop_if_failed
  tail -n 1 "$OUT" >"$WORK/last"
  expect_json "the prediction" '.outcome.prediction == {"predictions": [1, 1]}' "$WORK/last"
  local group
  for group in cert-manager istio kserve demo; do
    ok "$group: pulled $(at stage_started "pull/$group")-$(at stage_finished "pull/$group") ms, loaded $(at stage_started "images/$group")-$(at stage_finished "images/$group") ms"
  done
  ok "cluster: $(at stage_started cluster)-$(at stage_finished cluster) ms"
  expect_true "pulls start before the cluster is there" test "$(at stage_started pull/demo)" -lt "$(at stage_finished cluster)"
  expect_false "nothing is left to the node" grep -q 'left to the node' "$OUT"
  ok "peak memory $(($(cat "$WORK/peak") / 1024)) MiB"
  expect_true "below 100 MB" test "$(cat "$WORK/peak")" -lt 97656

  part "reset"
  local before
  before=$(asked)
  run with_time_limit 900 "$PROGRAM" --name "$UP_NAME" reset --yes -o json
  expect_exit 0 "reset"
  expect_equal "questions to the registry meanwhile" "$before" "$(asked)"
  ok "$(jq -s 'last.took_ms' "$OUT") ms; pull/demo $(at stage_started pull/demo)-$(at stage_finished pull/demo) ms, cluster until $(at stage_finished cluster) ms"

  part "down"
  gone
  expect_exit 0 "down"
  UP_BEGUN=
}
