#!/usr/bin/env bash
# Takes the input of the serial sequence out of a bundle: the manifests as they are, less what the catalog leaves out too, with
# lean.json's changes and the bundle's own patches; kind, its configuration, the model. None of it is timed.
#
#   scripts/bench/prepare.sh BUNDLE FOLDER KUBECTL
set -euo pipefail
bundle=$1 folder=$2 kubectl=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$folder/in" "$folder/patches" "$folder/out"

# the index is the first entry: tar need not read the rest of a few gigabytes
tar -xOf "$bundle" --occurrence=1 bundle.json >"$folder/bundle.json"
jq -r '.manifests[].path, .kind.path, .model.path' "$folder/bundle.json" >"$folder/wanted"
tar -C "$folder/in" -xf "$bundle" --occurrence=1 -T "$folder/wanted"
cp "$folder/in/$(jq -r .kind.path "$folder/bundle.json")" "$folder/kind"
chmod 755 "$folder/kind"
cp "$folder/in/$(jq -r .model.path "$folder/bundle.json")" "$folder/model.joblib"
jq '{kind: "Cluster", apiVersion: "kind.x-k8s.io/v1alpha4", nodes: [{role: "control-plane"}]}
  + (if (.kind_settings.featureGates // {}) == {} then {} else {featureGates: .kind_settings.featureGates} end)' "$folder/bundle.json" >"$folder/kind.yaml"

# documents KINDS-ONLY KINDS-NOT NAMES-NOT: extended regular expressions, empty for none
documents() {
  awk -v only="$1" -v kinds="$2" -v names="$3" '
    function flush(    i) {
      if (count > 0 && kind != "" && (only == "" || kind ~ "^(" only ")$") && (kinds == "" || kind !~ "^(" kinds ")$") && (names == "" || name !~ names)) {
        print "---"
        for (i = 0; i < count; i++) print lines[i]
      }
      count = 0; kind = ""; name = ""; top = ""
    }
    /^---/ { flush(); next }
    /^[A-Za-z]/ { top = $1 }
    /^kind: / { kind = $2 }
    top == "metadata:" && /^  name: / && name == "" { name = $2; gsub(/["\047]/, "", name) }
    { lines[count++] = $0 }
    END { flush() }'
}

while read -r file path; do
  case $file in
    serving-core.yaml) documents "" CustomResourceDefinition "" ;;
    kserve.yaml) documents "" CustomResourceDefinition 'llmisvc|localmodel|llminference' ;;
    kserve-cluster-resources.yaml) documents ClusterServingRuntime "" "" ;;
    *) cat ;;
  esac <"$folder/in/$path" >"$folder/patches/$file"
  # every patch of this file becomes a file of its own, in the form that kustomize merges by name
  component=$(jq -r --arg file "$file" '.manifests[] | select(.file == $file) | .component' "$folder/bundle.json")
  jq -n --slurpfile lean "$here/lean.json" --slurpfile bundle "$folder/bundle.json" --arg file "$file" --arg component "$component" '
    def object($kind; $version; $namespace; $name): {apiVersion: $version, kind: $kind, metadata: ({name: $name} + (if $namespace then {namespace: $namespace} else {} end))};
    [($lean[0].patches[] | select(.file == $file) | object(.kind; (if .kind == "Deployment" then "apps/v1" else "v1" end); .namespace; .name) * .patch),
     ($bundle[0].patches[]? | select(.component == $component) | object(.object.kind; .object.apiVersion; .object.namespace; .object.name) * .patch)]
    | {resources: [$file], sortOptions: {order: "fifo"}, patches: map({patch: tojson})}' >"$folder/patches/kustomization.yaml"
  if [ "$(jq '.patches | length' "$folder/patches/kustomization.yaml")" = 0 ]; then
    mv "$folder/patches/$file" "$folder/out/$file"
  else
    "$kubectl" kustomize "$folder/patches" >"$folder/out/$file"
    rm "$folder/patches/$file"
  fi
done < <(jq -r '.manifests[] | "\(.file) \(.path)"' "$folder/bundle.json")
rm -rf "$folder/patches" "$folder/in" "$folder/wanted"
