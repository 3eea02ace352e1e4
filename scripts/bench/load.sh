#!/usr/bin/env bash
# `kind load image-archive` of a bundle's groups, one after the other, into a node of the bundle's own small image.
#
#   scripts/bench/load.sh BUNDLE KIND CONFIG CLUSTER FOLDER GROUP…
#
# stdout: {"create_ms", "groups": [{"group", "bytes", "ms"}], "total_ms"}. What makes it comparable with the groups that `up` loads:
#   - the same archives: they are taken out of the bundle beforehand, which is not timed (`up` reads them out of the bundle)
#   - the same node image, fresh; both sides find their bytes in the page cache; the disk has written what went before
#   - in kind's favour: its node is idle, it has the machine to itself. `up` installs the stack while it loads.
# The cluster stays; the caller takes it away.
set -euo pipefail
bundle=$1 kind=$2 config=$3 name=$4 folder=$5
shift 5
now_ms() { local time=${EPOCHREALTIME/,/.}; echo $((${time/./} / 1000)); }

mkdir -p "$folder"
tar -xOf "$bundle" --occurrence=1 bundle.json >"$folder/bundle.json"
image=$(jq -r .node.reference "$folder/bundle.json")
archives=()
for group in "$@"; do
  while IFS= read -r archive; do archives+=("$group $archive"); done < <(
    jq -r --arg group "$group" '[.images[] | select(.group == $group).archive] | unique[]' "$folder/bundle.json")
done
[ "${#archives[@]}" -gt 0 ] || { echo "load: the bundle has no such groups: $*" >&2; exit 1; }
printf '%s\n' "${archives[@]}" | cut -d' ' -f2- >"$folder/wanted"
tar -C "$folder" -xf "$bundle" --occurrence=1 -T "$folder/wanted"

export KUBECONFIG=$folder/kubeconfig
began=$(now_ms)
"$kind" create cluster --name "$name" --image "$image" --config "$config" --wait 180s >&2
created=$(($(now_ms) - began))
sync
: >"$folder/loaded"
for pair in "${archives[@]}"; do
  group=${pair%% *} archive=$folder/${pair#* }
  cat "$archive" >/dev/null
  began=$(now_ms)
  "$kind" load image-archive "$archive" --name "$name" >&2
  printf '%s\t%d\t%d\n' "$group" "$(wc -c <"$archive")" $(($(now_ms) - began)) >>"$folder/loaded"
done
jq -Rn --argjson created "$created" '[inputs | split("\t") | {group: .[0], bytes: (.[1] | tonumber), ms: (.[2] | tonumber)}]
  | {create_ms: $created, groups: ., total_ms: (map(.ms) | add)}' <"$folder/loaded"
