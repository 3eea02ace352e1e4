"""Puts a few images into a registry that nobody else has, and writes a bundle's description of them.

    images.py HOST:PORT FOLDER

Two platforms under an index, one image without an index, one for another processor, and a layer of 24 MB that several share.
Everything is made of a fixed seed: the same registry each time. FOLDER gets spec.json and the small files that it names.
"""

import gzip
import hashlib
import io
import json
import os
import random
import sys
import tarfile
import urllib.request

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
CONFIG = "application/vnd.docker.container.image.v1+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(name, size):
    """A compressed layer with one file, and the sum of what is compressed."""
    content = random.Random(name).randbytes(size)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = size
        archive.addfile(info, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), compresslevel=1, mtime=0), digest(raw.getvalue())


class Registry:
    def __init__(self, host):
        self.base = f"http://{host}/v2"

    def request(self, method, url, data=None, headers=None):
        url = url if url.startswith("http") else self.base + url
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers or {}), timeout=60) as answer:
            return answer.headers

    def blob(self, repository, data, media_type):
        place = self.request("POST", f"/{repository}/blobs/uploads/", data=b"")["Location"]
        mark = "&" if "?" in place else "?"
        self.request("PUT", f"{place}{mark}digest={digest(data)}", data, {"Content-Type": "application/octet-stream"})
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def manifest(self, repository, tag, body, media_type):
        data = json.dumps({"schemaVersion": 2, "mediaType": media_type, **body}).encode()
        self.request("PUT", f"/{repository}/manifests/{tag}", data, {"Content-Type": media_type})
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def image(self, repository, tag, architecture, layers):
        described = [self.blob(repository, data, LAYER) for data, _ in layers]
        config = {"architecture": architecture, "os": "linux", "config": {"Labels": {"for": f"{repository} {architecture}"}},
                  "rootfs": {"type": "layers", "diff_ids": [plain for _, plain in layers]}}
        config = self.blob(repository, json.dumps(config).encode(), CONFIG)
        return self.manifest(repository, tag, {"config": config, "layers": described}, MANIFEST)


def main(host, folder):
    registry, base = Registry(host), layer("base", 24 << 20)
    groups = {"cert-manager": ["cm/controller", "cm/webhook"], "istio": ["istio/pilot"], "kserve": ["kserve/controller", "kserve/agent"]}
    images = []
    for group, names in groups.items():
        for name in names:
            entries = []
            for architecture in ("amd64", "arm64"):
                own = layer(f"{name}-{architecture}", 1 << 20)
                entry = registry.image(name, architecture, architecture, [base, own])
                entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
            registry.manifest(name, "1", {"manifests": entries}, INDEX)
            images.append({"reference": f"{name}:1", "local": f"{host}/{name}:1", "group": group})
    registry.image("plain/only", "1", "amd64", [base])
    images.append({"reference": "plain/only:1", "local": f"{host}/plain/only:1", "group": "kserve"})
    registry.image("kindest/node", "v1.34.3", "amd64", [layer("node", 4 << 20)])
    registry.image("odd/machine", "1", "s390x", [layer("odd", 1000)])
    for name, text in (("kind", "#!/bin/sh\n"), ("model.joblib", "not really a model"), ("cert-manager.yaml", "# nothing\n")):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    spec = {"version": 1, "name": "registry", "architecture": "amd64", "set": "kserve-0.20",
            "manifests": [{"component": "cert-manager", "file": "cert-manager.yaml", "path": "cert-manager.yaml"}], "images": images,
            "node": {"reference": "kindest/node:v1.34.3", "local": f"{host}/kindest/node:v1.34.3", "kubernetes": "1.34.3"},
            "kind": {"path": "kind", "version": "0.30.0"}, "model": {"name": "sklearn-iris", "path": "model.joblib"}}
    for name, change in (("spec", {}), ("odd", {"images": [{"reference": "odd:1", "local": f"{host}/odd/machine:1", "group": "demo"}]}),
                         ("lost", {"images": [{"reference": "lost:1", "local": f"{host}/lost/image:1", "group": "demo"}]})):
        with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump({**spec, **change}, file)
    print(base[0] and digest(base[0]))


main(sys.argv[1], sys.argv[2])
