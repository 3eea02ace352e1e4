#!/usr/bin/env bash
# Checks every pin of manifests/catalog.yaml against the network; with --write puts what it found into the file.
#
#   scripts/pins.sh [--write] [--catalog FILE]
#
# Downloads each file from all of its addresses and hashes it, downloads kind's binaries and compares them with the sums published
# beside them, hashes the demo's model, asks the registries for the digest and the architectures of each image. Nothing but the catalog is written.
# A pin that was null and is found is reported, and is no mismatch. Run it on a machine that reaches the download sites.
# Exit codes: 0 all pins hold, or were written · 1 a pin differs (without --write), or the addresses of one file disagree
#             2 usage · 3 PyYAML is missing, or an address did not answer.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
catalog="$root/manifests/catalog.yaml"
write=0

usage() {
  echo "usage: scripts/pins.sh [--write] [--catalog FILE]" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --write) write=1 ;;
    --catalog)
      [ $# -ge 2 ] || usage
      catalog=$2
      shift
      ;;
    *) usage ;;
  esac
  shift
done
if ! python3 -c 'import yaml' 2>/dev/null; then
  echo "error: python3 with PyYAML is needed; hint: apt install python3-yaml, or pip install pyyaml" >&2
  exit 3
fi

exec python3 - "$catalog" "$write" <<'PY'
import hashlib
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import yaml

MANIFEST_TYPES = ", ".join([
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
])
DEADLINE = 120  # seconds without a byte


def opened(url, headers=None):
    request = urllib.request.Request(url, headers={"User-Agent": "quickstart-pins", **(headers or {})})
    return urllib.request.urlopen(request, timeout=DEADLINE)


def digest_of(url):
    """sha256 and size of what an address answers, read as a stream."""
    total, size = hashlib.sha256(), 0
    with opened(url) as answer:
        while chunk := answer.read(1 << 20):
            total.update(chunk)
            size += len(chunk)
    return total.hexdigest(), size


def split_reference(reference):
    """Host, repository and tag or digest of an image reference, with Docker Hub's short names written out."""
    name, mark, version = reference.partition("@")
    if not mark:
        name, _, version = reference.rpartition(":")
    elif ":" in name.rsplit("/", 1)[-1]:
        name = name.rpartition(":")[0]
    host, _, repository = name.partition("/")
    if not repository or ("." not in host and ":" not in host and host != "localhost"):
        host, repository = "docker.io", name
    if host in ("docker.io", "index.docker.io"):
        host = "registry-1.docker.io"
        repository = repository if "/" in repository else f"library/{repository}"
    return host, repository, version


def token_for(challenge):
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = {k: fields[k] for k in ("service", "scope") if k in fields}
    with opened(fields["realm"] + "?" + urllib.parse.urlencode(query)) as answer:
        body = json.load(answer)
    return body.get("token") or body["access_token"]


def image_pin(reference):
    """Digest of an image's index (or only manifest) and the architectures in it; none are known of a single manifest."""
    host, repository, version = split_reference(reference)
    scheme = "http" if host.split(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{host}/v2/{repository}/manifests/{version}"
    headers = {"Accept": MANIFEST_TYPES}
    try:
        answer = opened(url, headers)
    except urllib.error.HTTPError as error:
        if error.code != 401 or "WWW-Authenticate" not in error.headers:
            raise
        headers["Authorization"] = "Bearer " + token_for(error.headers["WWW-Authenticate"])
        answer = opened(url, headers)
    with answer:
        body = answer.read()
    entries = json.loads(body).get("manifests", [])
    platforms = [entry.get("platform", {}) for entry in entries]
    architectures = sorted({p["architecture"] for p in platforms if p.get("os") == "linux" and "architecture" in p})
    return "sha256:" + hashlib.sha256(body).hexdigest(), architectures


class Catalog:
    """The file's lines, changed one value at a time, so that comments and order stay."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as stream:
            self.lines = stream.read().split("\n")
        self.path, self.changed = path, False

    def put(self, anchor, key, value, after=0):
        """Writes `key: value` at the first line with that key at or below the line that holds `anchor`."""
        start = next(i for i in range(after, len(self.lines)) if anchor.search(self.lines[i]))
        pattern = re.compile(rf"^(\s*(?:- )?){re.escape(key)}: .*$")
        for i in range(start, min(start + 20, len(self.lines))):
            if match := pattern.match(self.lines[i]):
                line = f"{match.group(1)}{key}: {value}"
                self.changed |= line != self.lines[i]
                self.lines[i] = line
                return
        raise SystemExit(f"error: no line `{key}:` below {anchor.pattern}")

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as stream:
            stream.write("\n".join(self.lines))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(self.path + ".new", self.path)


class Report:
    def __init__(self):
        self.mismatches, self.unreached, self.conflicts = 0, 0, 0

    def differs(self, what, old, new):
        """True when the value is new; counts it as a mismatch when there was a pin before."""
        if old == new:
            return False
        if old is None:
            print(f"found    {what}: {new}")
        else:
            self.mismatches += 1
            print(f"MISMATCH {what}: pinned {old}, found {new}")
        return True

    def failed(self, what, error):
        self.unreached += 1
        print(f"FAILED   {what}: {error}")

    def conflict(self, what):
        self.conflicts += 1
        print(f"CONFLICT {what}")


ERRORS = (OSError, ValueError, KeyError, urllib.error.URLError)


def check_file(label, pin, catalog, report):
    sums = {}
    for url in pin["urls"]:
        try:
            sums.setdefault(digest_of(url), []).append(url)
        except ERRORS as error:
            report.failed(f"{label} {url}", error)
    if len(sums) > 1:
        report.conflict(f"{label}: its addresses answer different files: " + "; ".join(
            f"{total} from {' '.join(urls)}" for (total, _), urls in sums.items()))
        return
    for (total, size), urls in sums.items():
        anchor = re.compile(re.escape(pin["urls"][0]) + r"\s*$")
        if report.differs(f"{label} sha256", pin["sha256"], total):
            catalog.put(anchor, "sha256", f'"{total}"')
        elif pin["size"] == size:
            print(f"ok       {label}: {len(urls)} of {len(pin['urls'])} addresses")
        if report.differs(f"{label} size", pin["size"], size):
            catalog.put(anchor, "size", size)


def check_binary(binary, catalog, report):
    label, url = f"kind {binary['url'].rsplit('/', 2)[-2]} {binary['platform']}", binary["url"]
    try:
        total, _ = digest_of(url)
        with opened(url + ".sha256sum") as answer:
            published = answer.read().decode().split()[0]
    except (*ERRORS, IndexError) as error:
        report.failed(label, error)
        return
    if published != total:
        report.conflict(f"{label}: the file's sum is {total}, published beside it is {published}")
        return
    if report.differs(f"{label} sha256", binary["sha256"], total):
        anchor = re.compile(re.escape(url) + r"\s*$")
        catalog.put(anchor, "sha256", f'"{total}"')
        catalog.put(anchor, "reason", "null")
    else:
        print(f"ok       {label}")


def check_model(model, catalog, report):
    label, sums = f"model {model['name']}", set()
    try:
        sums = {digest_of(url)[0] for url in model["urls"]}
    except ERRORS as error:
        report.failed(label, error)
        return
    if len(sums) > 1:
        report.conflict(f"{label}: its addresses carry different files: {', '.join(sorted(sums))}")
        return
    total = sums.pop()
    if report.differs(f"{label} sha256", model["sha256"], total):
        anchor = re.compile(r"- name: " + re.escape(model["name"]) + r"\s*$")
        catalog.put(anchor, "sha256", f'"{total}"')
        catalog.put(anchor, "reason", "null")
    else:
        print(f"ok       {label}")


def check_image(image, catalog, report):
    reference = image["reference"]
    try:
        digest, architectures = image_pin(reference)
    except ERRORS as error:
        report.failed(reference, error)
        return
    anchor = re.compile(r"- reference: " + re.escape(reference) + r"\s*$")
    if report.differs(f"{reference} digest", image["digest"], digest):
        if "@" in reference:
            report.conflict(f"{reference}: the registry answers another digest than was asked for")
            return
        catalog.put(anchor, "digest", digest)
        catalog.put(anchor, "reason", "null")
    else:
        print(f"ok       {reference}")
    known = sorted(image["architectures"])
    # A list that only grows was incomplete, not wrong.
    before = None if set(known) < set(architectures) else known
    if architectures and report.differs(f"{reference} architectures", before, architectures):
        catalog.put(anchor, "architectures", f"[{', '.join(architectures)}]")


def main(path, write):
    with open(path, encoding="utf-8") as stream:
        content = yaml.safe_load(stream)
    catalog, report = Catalog(path), Report()
    for component in content["components"]:
        for version in component["versions"]:
            for pin in version["files"]:
                check_file(f"{component['name']} {version['version']} {pin['name']}", pin, catalog, report)
            for image in version["images"]:
                check_image(image, catalog, report)
    for model in content["models"]:
        check_model(model, catalog, report)
    for version in content["kind"]["versions"]:
        for binary in version["binaries"]:
            check_binary(binary, catalog, report)
        for node in version["nodes"]:
            try:
                image_pin(node["image"])
                print(f"ok       {node['image']}")
            except ERRORS as error:
                report.failed(node["image"], error)
    if write and catalog.changed:
        catalog.save()
        print(f"written: {path}; look at the difference before you commit it")
    elif catalog.changed:
        print("nothing written; run again with --write to put the new values into the catalog")
    if report.conflicts or (report.mismatches and not write):
        return 1
    return 3 if report.unreached else 0


sys.exit(main(sys.argv[1], sys.argv[2] == "1"))
PY
