# shellcheck shell=bash
# What can be reached: a registry that has the node image, and the site that has the manifests.

# The first node image of the catalog, which is the default one.
node_reference() { sed -n 's/.*image: "\(kindest\/node:[^"]*\)".*/\1/p' "$ROOT/manifests/catalog.yaml" | head -1; }
manifest_address() { sed -n 's/^ *- \(https:.*\.yaml\)$/\1/p' "$ROOT/manifests/catalog.yaml" | head -1; }

# https_answers URL: somebody who speaks HTTPS is there; a 401 is an answer too.
https_answers() {
  if has curl; then
    curl -sS -o /dev/null --connect-timeout 6 --max-time 15 "$1" 2>/dev/null
  elif has wget; then
    # 6 and 8: asked for a password, or an error of the server
    wget -q -O /dev/null --timeout=8 --tries=1 "$1" 2>/dev/null
    case $? in 0 | 6 | 8) return 0 ;; *) return 1 ;; esac
  else
    return 1
  fi
}

# Does the engine (with its mirrors and proxies) get the node image? Its first layers are as good an answer as the whole image.
engine_pulls() {
  local reference said
  reference=$(node_reference)
  docker image inspect "$reference" >/dev/null 2>&1 && return 0
  said=$(with_time_limit 20 docker pull "$reference" 2>&1)
  printf '%s\n' "$said" | grep -qE 'Pulling fs layer|Downloading|Already exists|Pull complete|Digest:'
}

registry_answers() {
  if engine_answers; then
    engine_pulls
  else
    # Docker Hub, where a name without a host comes from
    https_answers https://registry-1.docker.io/v2/
  fi
}

# Without curl or wget nobody can tell; the program will.
manifests_answer() { { ! has curl && ! has wget; } || https_answers "$(manifest_address)"; }
