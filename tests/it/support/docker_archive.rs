//! Images as `docker save` writes them: one tiny layer, a configuration, a manifest.

use std::io::Read as _;

use serde_json::{Value, json};

use super::faults::sha256;

/// An image of a fake engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its names.
    pub tags: Vec<String>,
    /// The bytes whose sum is its ID.
    pub config: Vec<u8>,
}

impl Image {
    /// An image that differs from those of other names.
    pub fn new(reference: &str, architecture: &str) -> Self {
        let config = json!({"architecture": architecture, "os": "linux", "config": {"Labels": {"made-for": reference}, "Entrypoint": ["/usr/local/bin/entrypoint"]},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer(reference)))]}});
        Self { tags: vec![reference.to_owned()], config: config.to_string().into_bytes() }
    }

    /// One that was made of a container of this one.
    pub fn made(&self, reference: &str, config: &Value) -> Self {
        let mut whole: Value = serde_json::from_slice(&self.config).unwrap();
        whole["config"] = config.clone();
        whole["made"] = json!(reference);
        Self { tags: vec![reference.to_owned()], config: whole.to_string().into_bytes() }
    }

    /// `sha256:…`.
    pub fn id(&self) -> String {
        format!("sha256:{}", sha256(&self.config))
    }

    /// As the engine describes it.
    pub fn inspect(&self) -> Value {
        let config: Value = serde_json::from_slice(&self.config).unwrap();
        json!({"Id": self.id(), "RepoTags": self.tags, "RepoDigests": [], "Architecture": config["architecture"], "Os": "linux",
            "Size": 1024, "Created": "2026-01-01T00:00:00Z", "RootFS": {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]}, "Config": config["config"]})
    }
}

fn layer(reference: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, "name", reference.as_bytes());
    builder.into_inner().unwrap()
}

fn append(builder: &mut tar::Builder<Vec<u8>>, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append_data(&mut header, path, bytes).unwrap();
}

/// The archive of these images, each with the names given.
pub fn save(images: &[(Image, Vec<String>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut manifest = Vec::new();
    for (image, tags) in images {
        let config: Value = serde_json::from_slice(&image.config).unwrap();
        let layer = layer(config["config"]["Labels"]["made-for"].as_str().unwrap_or_default());
        let (config_path, layer_path) = (format!("blobs/sha256/{}", sha256(&image.config)), format!("blobs/sha256/{}", sha256(&layer)));
        append(&mut builder, &config_path, &image.config);
        append(&mut builder, &layer_path, &layer);
        manifest.push(json!({"Config": config_path, "RepoTags": tags, "Layers": [layer_path]}));
    }
    append(&mut builder, "manifest.json", json!(manifest).to_string().as_bytes());
    builder.into_inner().unwrap()
}

/// The images of an archive; `Err` is what the engine would say.
pub fn load(archive: &[u8]) -> Result<Vec<Image>, String> {
    let mut files = std::collections::BTreeMap::new();
    let mut reader = tar::Archive::new(archive);
    for entry in reader.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().map_err(|error| error.to_string())?.display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        files.insert(path.trim_start_matches("./").to_owned(), bytes);
    }
    let manifest = files.get("manifest.json").ok_or("invalid archive: does not contain a manifest.json")?;
    let manifest: Vec<Value> = serde_json::from_slice(manifest).map_err(|error| error.to_string())?;
    manifest
        .iter()
        .map(|one| {
            let config = files.get(one["Config"].as_str().unwrap_or_default()).ok_or("config is missing")?.clone();
            let tags = one["RepoTags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
            Ok(Image { tags, config })
        })
        .collect()
}

/// The name that containerd gives a Docker name: `lab/x:1` is `docker.io/lab/x:1`.
pub fn full_name(reference: &str) -> String {
    let first = reference.split('/').next().unwrap_or_default();
    match reference.contains('/') {
        true if first.contains(['.', ':']) || first == "localhost" => reference.to_owned(),
        true => format!("docker.io/{reference}"),
        false => format!("docker.io/library/{reference}"),
    }
}

/// Path and sha256 of each file.
pub fn files(archive: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    for entry in tar::Archive::new(archive).entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().map_err(|error| error.to_string())?.display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if entry.header().entry_type().is_file() {
            out.push((path, sha256(&bytes)));
        }
    }
    Ok(out)
}
