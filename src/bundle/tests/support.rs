//! A small bundle with everything in it, and tars that no writer of ours makes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bundle::{Bundle, BundleError, Entry, Index, Saved, SavedImages, Sources, Spec, seal, write};

pub(super) struct Sample {
    pub(super) folder: TempDir,
    pub(super) spec: Spec,
    pub(super) sources: Sources,
}

pub(super) fn spec_json() -> Value {
    json!({
        "version": 1, "name": "lab", "architecture": "amd64", "set": "kserve-0.20",
        "manifests": [
            {"component": "kserve", "file": "kserve.yaml", "path": "m/kserve.yaml", "substitute": null},
            {"component": "knative", "file": "serving-crds.yaml", "path": "m/crds.yaml"},
            {"component": "cert-manager", "file": "cert-manager.yaml", "path": "m/cm.yaml", "substitute": {"name": "other", "reason": "no download site"}},
        ],
        "images": [
            {"reference": "docker.io/istio/pilot:1.27.1", "local": "lab/pilot:1", "group": "istio"},
            {"reference": "kserve/agent:v0.20.0", "local": "docker.io/kserve/agent:v0.20.0", "group": "kserve"},
            {"reference": "quay.io/jetstack/cert-manager-controller:v1.18.0", "local": "lab/cm:1", "group": "cert-manager",
             "substitute": {"name": "cert-manager", "version": "1.11.5", "reason": "last in the main module"}},
            {"reference": "extra/tool", "local": "tool", "group": "zz-extra"},
        ],
        "node": {"reference": "kindest/node:v1.34.3", "local": "kindest/node:v1.34.3", "kubernetes": "1.34.3", "substitute": null},
        "kind": {"path": "bin/kind", "version": "0.30.0"},
        "model": {"name": "sklearn-iris", "path": "m/model.joblib"},
        "patches": [{"component": "istio", "object": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "istio-system", "name": "istio"},
                     "patch": {"data": {"mesh": "x", "seal": "\"seal\": \"no\""}}, "reason": "plain Envoy"}],
        "kind_settings": {"featureGates": {"KubeletInUserNamespace": true}}
    })
}

/// Bytes that do not repeat in the block size.
pub(super) fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

pub(super) fn sample() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (path, seed, length) in
        [("m/kserve.yaml", 1, 3000), ("m/crds.yaml", 2, 512), ("m/cm.yaml", 3, 1), ("bin/kind", 4, 1500), ("m/model.joblib", 5, 700)]
    {
        put(&root.join(path), &noise(seed, length));
    }
    put(&root.join("spec.json"), spec_json().to_string().as_bytes());
    let spec = Spec::read(&root.join("spec.json")).unwrap();
    let saved = |file: &str, seed, names: &[(&str, &str)]| SavedImages {
        archive: Saved::File(docker_save(&root.join(file), seed, &names.iter().map(|(_, tag)| *tag).collect::<Vec<_>>())),
        ids: names.iter().map(|(local, _)| ((*local).to_owned(), format!("sha256:{seed:064x}"))).collect(),
    };
    let groups = [
        ("istio", saved("istio.tar", 11, &[("lab/pilot:1", "lab/pilot:1")])),
        ("kserve", saved("kserve.tar", 12, &[("docker.io/kserve/agent:v0.20.0", "kserve/agent:v0.20.0")])),
        ("cert-manager", saved("cm.tar", 13, &[("lab/cm:1", "lab/cm:1")])),
        ("zz-extra", saved("extra.tar", 14, &[("tool", "tool:latest")])),
    ];
    let sources = Sources {
        catalog: "version: 1\n".into(),
        node: Some(saved("node.tar", 10, &[("kindest/node:v1.34.3", "kindest/node:v1.34.3")])),
        groups: groups.into_iter().map(|(name, saved)| (name.to_owned(), saved)).collect::<BTreeMap<_, _>>(),
        origins: Vec::new(),
    };
    Sample { folder, spec, sources }
}

impl Sample {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str) -> (PathBuf, Index) {
        let out = self.path(name);
        let index = write(&self.spec, &self.sources, &out, &mut |_| {}).unwrap();
        (out, index)
    }
}

pub(super) fn put(path: &Path, bytes: &[u8]) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

pub(super) fn docker_save(path: &Path, seed: u32, tags: &[&str]) -> PathBuf {
    let manifest = json!([{"Config": "c.json", "RepoTags": tags, "Layers": ["l.tar"]}]).to_string();
    put(path, &Tar::default().file("l.tar", &noise(seed, 2000)).file("c.json", b"{}").file("manifest.json", manifest.as_bytes()).end());
    path.to_owned()
}

/// A tar, header by header, without the checks of a writer.
#[derive(Clone, Default)]
pub(super) struct Tar(pub(super) Vec<u8>);

impl Tar {
    pub(super) fn header(mut self, path: &str, kind: u8, size: u64) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[156] = kind;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_link_name_literal("/etc/passwd").unwrap();
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    pub(super) fn content(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(super) fn file(self, path: &str, bytes: &[u8]) -> Self {
        self.header(path, b'0', bytes.len() as u64).content(bytes)
    }

    pub(super) fn index(self, index: &Index) -> Self {
        self.file("bundle.json", &seal::write(index).unwrap())
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub(super) fn entry(path: &str, bytes: &[u8]) -> Entry {
    use sha2::{Digest, Sha256};
    Entry { path: path.to_owned(), sha256: hex::encode(Sha256::digest(bytes)), size: bytes.len() as u64 }
}

/// An index that names these files and nothing else.
pub(super) fn index_of(files: Vec<Entry>) -> Index {
    Index {
        version: 1,
        name: "test".into(),
        created_by: "a test".into(),
        architecture: "amd64".into(),
        set: "kserve-0.20".into(),
        files,
        manifests: Vec::new(),
        images: Vec::new(),
        node: None,
        kind: None,
        model: None,
        patches: Vec::new(),
        kind_settings: crate::bundle::KindSettings::default(),
        origins: Vec::new(),
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Opens and verifies these bytes, plain or compressed.
pub(super) fn check(bytes: &[u8]) -> Result<(), BundleError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), bytes).unwrap();
    Bundle::open(file.path())?.verify(|_, _| {})
}

/// The error of these bytes, which must be an error both plain and compressed; the compressed one's is returned.
pub(super) fn refused(bytes: &[u8]) -> BundleError {
    check(bytes).unwrap_err();
    check(&gzip(bytes)).unwrap_err()
}
