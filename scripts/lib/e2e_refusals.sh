# shellcheck shell=bash disable=SC2153
# What must be refused, with which exit code, and without touching anything. No cluster is needed for any of it.

plan_needs_nothing() {
  part "plan, without engine, network and cache"
  run env DOCKER_HOST=tcp://127.0.0.1:1 QUICKSTART_CACHE_DIR="$WORK/nothing" QUICKSTART_STATE_DIR="$WORK/nothing" "$PROGRAM" plan -o json
  expect_exit 0 "plan -o json"
  expect_json "its stages end with the prediction" '.version == 1 and (.stages | length > 8) and (.stages | last | .id == "predict")' "$OUT"
  expect_json "all five components" '[.components[].name] | sort == ["cert-manager", "istio", "knative", "kserve", "net-istio"]' "$OUT"
}

wrong_values() {
  part "wrong values"
  run q plan --set kserve=9.9.9
  expect_exit 2 "an unknown version"
  expect_text "the versions there are" '0\.20\.0' "$ERR"
  run q plan --set kserv=0.20.0
  expect_exit 2 "an unknown component"
  run q up --profile fast
  expect_exit 2 "an unknown profile"
  expect_text "the profiles there are" 'serverless' "$ERR"
  printf 'name: x\nprot: 1\n' >"$WORK/wrong.yaml"
  run q --config "$WORK/wrong.yaml" plan
  expect_exit 2 "an unknown key of the configuration file"
  expect_text "its line" '2:1|line 2' "$ERR"
  run q status
  expect_exit 6 "status without a cluster"
}

damaged_bundle() {
  part "damaged bundles"
  head -c 30000000 "$BUNDLE" >"$WORK/cut.tar"
  run q bundle verify "$WORK/cut.tar"
  expect_exit 8 "verify of a bundle that was cut off"
  # one byte, well behind the index and within the first files
  printf '\377' | dd of="$WORK/cut.tar" bs=1 seek=400000 conv=notrunc status=none
  run q bundle verify "$WORK/cut.tar"
  expect_exit 8 "verify of a bundle with a changed byte"
  rm "$WORK/cut.tar"
  head -c 2000 "$BUNDLE" >"$WORK/torn.tar"
  run "$PROGRAM" --name "$NAME-damaged" up --bundle "$WORK/torn.tar"
  expect_exit 8 "up with a torn bundle"
  expect_text "its ID" 'error\[BUNDLE_' "$ERR"
  expect_equal "containers made" "" "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$NAME-damaged")"
  run "$PROGRAM" --name "$NAME-damaged" down
  expect_exit 0 "down of what never was"
}

taken_port() {
  part "a port that is taken"
  local port
  port=$(free_port 18080)
  hold_port "$port"
  run "$PROGRAM" --name "$NAME-port" up --bundle "$BUNDLE" --port "$port"
  expect_exit 3 "up --port $port"
  expect_text "its ID" 'error\[PORT_BUSY\]' "$ERR"
  expect_equal "containers made" "" "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$NAME-port")"
  release_port
  run "$PROGRAM" --name "$NAME-port" down
  expect_exit 0 "down afterwards"
}

foreign_cluster() {
  part "a cluster of that name that is not ours"
  local name=$NAME-foreign container
  tar -c -f - -T /dev/null | docker import - e2e-empty:1 >/dev/null
  container=$(docker create --name "$name-control-plane" --label "io.x-k8s.kind.cluster=$name" --label io.x-k8s.kind.role=control-plane e2e-empty:1 /nothing)
  run "$PROGRAM" --name "$name" up --bundle "$BUNDLE"
  expect_exit 3 "up"
  expect_text "its ID" 'error\[CLUSTER_FOREIGN\]' "$ERR"
  run "$PROGRAM" --name "$name" down
  expect_exit 3 "down"
  expect_equal "the container" "$container created" "$(docker inspect -f '{{.Id}} {{.State.Status}}' "$name-control-plane" 2>&1)"
  docker rm -f "$container" >/dev/null
  docker image rm -f e2e-empty:1 >/dev/null 2>&1
}
