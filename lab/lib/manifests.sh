# shellcheck shell=bash disable=SC2153
# The components' manifests out of module contents: copied where a module carries the published file, rendered the way upstream
# renders it elsewhere. What comes out is compared with the pins; a file that is not the pinned one becomes a named substitute.

MANIFESTS=(cert-manager.yaml istio.yaml serving-crds.yaml serving-core.yaml net-istio.yaml kserve-crds.yaml kserve.yaml kserve-cluster-resources.yaml)

manifests_key() {
  key "$(cat "$HERE/pins.txt" "$HERE/images.txt" "$HERE/istio.yaml" "$HERE/lib/manifests.sh" "$HERE/lib/versions.sh" | sha256sum)" \
    "$(cat "$LAB"/bin/{tools,istio}/.key 2>/dev/null)" "$(file_key "$HERE"/go/{knative,kserve,istio}/go.sum)"
}
manifests_ready() {
  local file
  has_key "$LAB/manifests/.key" "$(manifests_key)" || return 1
  for file in "${MANIFESTS[@]}"; do [ -s "$LAB/manifests/$file" ] || return 1; done
}

manifests() {
  need go
  after binaries build_tools_ready
  after binaries build_istio_ready
  local out=$LAB/manifests.part serving kserve
  rm -rf "$out"
  mkdir -p "$out"
  serving=$(module_root knative knative.dev/serving)
  kserve=$(module_root kserve github.com/kserve/kserve)
  cp "$serving/third_party/cert-manager-latest/cert-manager.yaml" "$out/"
  cp "$kserve/install/v$KSERVE"/{kserve-crds,kserve,kserve-cluster-resources}.yaml "$out/"
  render_istio "$out" "$ISTIO_MANIFESTS"
  render_serving "$serving" "$out"
  rename_net_istio "$serving/third_party/istio-latest/net-istio.yaml" >"$out/net-istio.yaml"
  chmod -R u+w "$out"
  manifests_key >"$out/.key"
  rm -rf "$LAB/manifests"
  mv "$out" "$LAB/manifests"
}

# Istio's release builder writes the release into the charts; the rest is istioctl's own renderer.
render_istio() { # folder, release
  local charts=$1/charts source
  source=$(module_root istio istio.io/istio)/manifests
  mkdir "$charts"
  cp -r "$source/charts" "$source/profiles" "$charts/"
  chmod -R u+w "$charts"
  find "$charts" -name Chart.yaml -exec sed -i -E "s/^(version|appVersion): .*/\1: $2/" {} +
  sed "s/^  tag: .*/  tag: $2/" "$HERE/istio.yaml" >"$charts/settings.yaml"
  {
    printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: istio-system\n---\n'
    "$LAB/bin/istio/istio-render" "$charts/settings.yaml" "$charts"
  } >"$charts/istio.yaml"
  "$LAB/bin/tools/lab-yaml" sorted "$charts/istio.yaml" >"$1/istio.yaml"
  rm -rf "$charts"
}

# Serving's config/core. Six of its files are links into two other modules, and a module has no links.
render_serving() {
  local core=$2/core networking caching file files
  cp -r "$1/config/core" "$core"
  chmod -R u+w "$core"
  networking=$(module_root knative knative.dev/networking)/config
  caching=$(module_root knative knative.dev/caching)/config
  cp "$caching/image.yaml" "$core/300-imagecache.yaml"
  for file in certificate domain-claim ingress serverlessservice; do cp "$networking/$file.yaml" "$core/300-resources/"; done
  cp "$networking/config-network.yaml" "$core/configmaps/network.yaml"
  chmod -R u+w "$core"
  find "$core" -name '*.yaml' -exec sed -i "s|app.kubernetes.io/version: devel|app.kubernetes.io/version: \"$SERVING_RELEASE\"|" {} +
  find "$core" -name '*.yaml' -exec sed -i -f <(resolve_script knative knative.dev/serving/cmd) {} +
  mapfile -t files < <(find "$core" -name '*.yaml' | LC_ALL=C sort)
  "$LAB/bin/tools/lab-yaml" indented "${files[@]}" >"$2/serving-core.yaml"
  mapfile -t files < <(find "$core/300-resources" -name '*.yaml' | LC_ALL=C sort)
  "$LAB/bin/tools/lab-yaml" indented "${files[@]}" "$core/300-imagecache.yaml" >"$2/serving-crds.yaml"
  rm -rf "$core"
}

# sed commands: ko://PACKAGE → the reference in images.txt
resolve_script() { awk -F'|' -v group="$1" -v package="$2" '$1 == group { name = $2; sub(/@.*/, "", name); sub(/.*\//, "", name); printf "s|ko://%s/%s$|%s|\n", package, name, $2 }' "$HERE/images.txt"; }

# Serving carries a nightly of net-istio; the release differs from it in its names only (`check` shows whether that still holds).
rename_net_istio() {
  local nightly
  nightly=$(sed -n 's|^ *app.kubernetes.io/version: "\(.*\)"$|\1|p' "$1" | head -n 1)
  sed -e "s|app.kubernetes.io/version: \"$nightly\"|app.kubernetes.io/version: \"$NET_ISTIO_RELEASE\"|" \
    -e "s|^# Generated when HEAD was .*|# Generated when HEAD was $NET_ISTIO_COMMIT|" \
    -f <(awk -F'|' '$1 == "net-istio" { name = $2; sub(/@.*/, "", name); sub(/.*\//, "", name)
      printf "s|gcr.io/knative-nightly/knative.dev/net-istio/cmd/%s@sha256:[0-9a-f]*|%s|\n", name, $2 }' "$HERE/images.txt") "$1"
}

sum_of() { sha256sum "$1" | cut -d' ' -f1; }

# What a file is where it is not the pinned one: name|reason
substitute_of() {
  case $1 in
    istio.yaml) echo "Istio $ISTIO charts rendered as $ISTIO_MANIFESTS by istioctl's own code|the published rendering differs; \`lab.sh check\` lists where" ;;
    serving-*.yaml) echo "Knative Serving $SERVING config/ with resolved image references|the published rendering differs; \`lab.sh check\` lists where" ;;
    net-istio.yaml) echo "the net-istio nightly of Knative Serving $SERVING under the names of $NET_ISTIO_RELEASE|the released file differs; \`lab.sh check\` lists where" ;;
    *) echo "$1 as a Go module carries it|the pinned file differs; \`lab.sh check\` lists where" ;;
  esac
}

# check: object-level differences between the lab's manifests and the pinned ones, wherever these are cached.
check() {
  [ -d "$LAB/manifests" ] || fail 3 "no manifests in $LAB yet: run \`lab.sh manifests\` first"
  check_files "$HERE/pins.txt" "$LAB/manifests"
  [ ! -d "$LAB/$OLDER/manifests" ] || check_files "$HERE/older/pins.txt" "$LAB/$OLDER/manifests"
}

check_files() { # pins, folder
  local component file pin sum pinned catalog=$HERE/../manifests/catalog.yaml differing=0 unknown=0 all=0 lines
  while read -r component file pin _; do
    all=$((all + 1))
    if [ -f "$catalog" ] && ! grep -q "$pin" "$catalog"; then
      printf '%s %s: the pin of the lab is not in manifests/catalog.yaml\n' "$component" "$file"
      differing=$((differing + 1))
    fi
    sum=$(sum_of "$2/$file")
    pinned=$(pinned_file "$file" "$pin")
    if [ "$sum" = "$pin" ]; then
      printf '%s %s: identical, byte for byte (sha256 %s)\n' "$component" "$file" "$sum"
    elif [ -z "$pinned" ]; then
      printf '%s %s: differs (sha256 %s, pinned %s); the pinned file is not cached here, so the differences cannot be listed\n' "$component" "$file" "$sum" "$pin"
      unknown=$((unknown + 1))
    elif lines=$("$LAB/bin/tools/lab-yaml" diff "$2/$file" "$pinned"); then
      printf '%s %s: every object is identical, the bytes are not (sha256 %s, pinned %s)\n' "$component" "$file" "$sum" "$pin"
    else
      printf '%s %s: differs (sha256 %s, pinned %s); lab → pinned:\n%s\n' "$component" "$file" "$sum" "$pin" "$lines"
      differing=$((differing + 1))
    fi
  done < <(grep -v '^#' "$1")
  printf '%d of %d files differ' $((differing + unknown)) "$all"
  if [ "$unknown" = 0 ]; then echo; else printf '; %d could not be compared: set QUICKSTART_PINNED to a folder with the pinned files\n' "$unknown"; fi
}

# The pinned file by its sum: in a folder of one's own choice, or in quickstart's download cache.
pinned_file() {
  local candidate cache=${XDG_CACHE_HOME:-$HOME/.cache}/quickstart/downloads/$2
  if [ -n "${QUICKSTART_PINNED:-}" ]; then
    for candidate in "$QUICKSTART_PINNED"/*"$1"; do
      if [ -f "$candidate" ] && [ "$(sum_of "$candidate")" = "$2" ]; then
        printf '%s\n' "$candidate"
        return
      fi
    done
  fi
  if [ -f "$cache" ]; then printf '%s\n' "$cache"; fi
}
