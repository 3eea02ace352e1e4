#!/usr/bin/env bash
# Lists the images of the catalog's selected documents and fails when the catalog's own list differs.
#
#   scripts/images.sh [--catalog FILE] DIR
#
# DIR holds the downloaded manifests, at any depth. A file is found by the sha256 of the catalog, whatever its name; a file that
# is there only by name differs from the pin, is read all the same and makes the run fail. Works offline.
# Exit codes: 0 the lists agree · 1 they differ, or a file differs from its pin · 2 usage · 3 a file or PyYAML is missing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
catalog="$root/manifests/catalog.yaml"
dir=

usage() {
  echo "usage: scripts/images.sh [--catalog FILE] DIR" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --catalog)
      [ $# -ge 2 ] || usage
      catalog=$2
      shift
      ;;
    -*) usage ;;
    *)
      [ -z "$dir" ] || usage
      dir=$1
      ;;
  esac
  shift
done
[ -n "$dir" ] || usage
if [ ! -d "$dir" ]; then
  echo "error: no folder $dir" >&2
  exit 3
fi
if ! python3 -c 'import yaml' 2>/dev/null; then
  echo "error: python3 with PyYAML is needed; hint: apt install python3-yaml, or pip install pyyaml" >&2
  exit 3
fi

exec python3 - "$catalog" "$dir" <<'PY'
import hashlib
import json
import os
import sys

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
KEYS = {"image", "defaultJobImage", "queue-sidecar-image"}


def selected(document, pin):
    kind, name = document.get("kind"), document.get("metadata", {}).get("name", "")
    include, exclude = pin["include"], pin["exclude"]
    if include["kinds"] and kind not in include["kinds"]:
        return False
    if include.get("names") and not any(part in name for part in include["names"]):
        return False
    return kind not in exclude["kinds"] and not any(part in name for part in exclude["names"])


def references(value):
    """Every image below a value. A name without tag or digest is a default that another setting completes: not an image."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in KEYS and isinstance(inner, str):
                if "@" in inner or ":" in inner.rsplit("/", 1)[-1]:
                    yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def of_document(document):
    """Images of one document; the values of a ConfigMap are also read as JSON. `_example` is documentation."""
    if document["kind"] == "CustomResourceDefinition":
        return
    if document["kind"] == "ConfigMap":
        data = {k: v for k, v in (document.get("data") or {}).items() if k != "_example"}
        yield from references(data)
        for text in data.values():
            try:
                yield from references(json.loads(text))
            except ValueError:
                pass
        return
    yield from references(document)


def main(catalog, folder):
    with open(catalog, encoding="utf-8") as stream:
        components = yaml.load(stream, Loader=LOADER)["components"]
    by_sum, by_name = {}, {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as stream:
                by_sum[hashlib.sha256(stream.read()).hexdigest()] = path
            by_name[name] = path

    missing, failed = [], False
    for component in components:
        # An add-on's objects are ours; the program's own tests compare their images with the catalog.
        for version in [] if component.get("addon") else component["versions"]:
            label = f"{component['name']} {version['version']}"
            found, complete = {}, True
            for pin in version["files"]:
                path = by_sum.get(pin["sha256"])
                if path is None and pin["name"] in by_name:
                    path, failed = by_name[pin["name"]], True
                    print(f"error: {label}: {path} differs from the pinned {pin['name']}", file=sys.stderr)
                if path is None:
                    missing.append(f"{label}: {pin['name']}")
                    complete = False
                    continue
                with open(path, encoding="utf-8") as stream:
                    for document in yaml.load_all(stream, Loader=LOADER):
                        if document and selected(document, pin):
                            for reference in of_document(document):
                                user = f"{document['kind']}/{document['metadata']['name']}"
                                found.setdefault(reference, set()).add(user)
            if not complete:
                continue
            listed = {image["reference"]: image for image in version["images"]}
            if len(listed) != len(version["images"]):
                failed = True
                print(f"error: {label}: an image is listed twice", file=sys.stderr)
            for reference in sorted(set(found) | set(listed)):
                if reference not in found:
                    failed = True
                    print(f"error: {label}: {reference} is in the catalog, no selected document uses it", file=sys.stderr)
                    continue
                users = ", ".join(sorted(found[reference]))
                if reference not in listed:
                    failed = True
                    print(f"error: {label}: {reference} is not in the catalog; used by {users}", file=sys.stderr)
                    continue
                image = listed[reference]
                if "@" in reference and image["digest"] != reference.split("@", 1)[1]:
                    failed = True
                    print(f"error: {label}: digest beside {reference} is {image['digest']}", file=sys.stderr)
                print(f"{component['name']}\t{image['group']}\t{reference}\t{users}")
    for name in missing:
        print(f"error: not in {folder}: {name}", file=sys.stderr)
    return 1 if failed else 3 if missing else 0


sys.exit(main(sys.argv[1], sys.argv[2]))
PY
