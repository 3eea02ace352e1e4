//! The images of the bundle as a registry that nodes can pull from: the reading half of the distribution API, version 2.
//!
//! Layers are pieces of the bundle and are sent from it. Archives of engines before Docker 25 hold no manifests: those are made, always
//! the same for the same image; the sums of their layers stand in the image's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::answer::Answer;
use super::saved::{Saved, SavedImage, places};
use super::share::Slice;
use crate::bundle::{BundleError, Index};
use crate::docker::normalize_reference;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const BLOBS: &str = "blobs/sha256/";

/// What can be pulled.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// Full reference, as the kubelet asks for it → digest of its manifest.
    names: BTreeMap<String, String>,
    manifests: BTreeMap<String, Manifest>,
    blobs: BTreeMap<String, Slice>,
}

#[derive(Debug)]
struct Manifest {
    kind: String,
    text: Bytes,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: Option<String>,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Descriptors {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Registry {
    /// Looks into the image archives of a plain bundle.
    pub(super) fn of(index: &Index, bundle: &Path) -> Result<Self, BundleError> {
        let places = places(bundle)?;
        let mut wanted: BTreeMap<&str, Vec<(&str, &str, &str)>> = BTreeMap::new();
        for image in &index.images {
            wanted.entry(&image.archive).or_default().push((&image.reference, &image.local, &image.id));
        }
        if let Some(node) = &index.node {
            wanted.entry(&node.archive).or_default().push((&node.reference, &node.local, &node.id));
        }
        let mut registry = Self::default();
        for (archive, images) in wanted {
            let Some(slice) = places.get(archive) else { continue };
            let mut saved = Saved::open(bundle, archive, *slice)?;
            registry.archive(&mut saved, &images)?;
        }
        Ok(registry)
    }

    /// How many images have a name here.
    pub(super) fn images(&self) -> usize {
        self.names.values().collect::<BTreeSet<_>>().len()
    }

    fn archive(&mut self, saved: &mut Saved<'_>, images: &[(&str, &str, &str)]) -> Result<(), BundleError> {
        let list: Vec<SavedImage> = saved.json("manifest.json")?.unwrap_or_default();
        let own: Vec<Descriptor> = saved.json::<Descriptors>("index.json")?.map(|index| index.manifests).unwrap_or_default();
        for (reference, local, id) in images {
            let full = normalize_reference(local);
            let named = own.iter().find(|one| {
                let name = one.annotations.get("io.containerd.image.name");
                one.digest == **id || name.is_some_and(|name| normalize_reference(name) == full)
            });
            let digest = match named {
                Some(descriptor) => self.take(saved, descriptor, 0)?,
                None => None,
            };
            let digest = match digest {
                Some(digest) => Some(digest),
                None => match list.iter().find(|image| is_it(image, &full, id)) {
                    Some(image) => self.make(saved, image)?,
                    None => None,
                },
            };
            if let Some(digest) = digest {
                self.names.insert(normalize_reference(reference), digest);
            }
        }
        Ok(())
    }

    /// A manifest of the archive, those that it lists, and what they consist of. `None`: it is not there as a whole.
    fn take(&mut self, saved: &mut Saved<'_>, descriptor: &Descriptor, depth: u8) -> Result<Option<String>, BundleError> {
        let Some(path) = blob_path(&descriptor.digest) else { return Ok(None) };
        let Some(text) = saved.bytes(&path)? else { return Ok(None) };
        let Ok(content) = serde_json::from_slice::<Value>(&text) else { return Ok(None) };
        if sum(&text) != descriptor.digest {
            return Ok(None);
        }
        let is_index = content.get("manifests").is_some();
        if is_index && depth < 2 {
            let listed: Descriptors = serde_json::from_value(content.clone()).unwrap_or(Descriptors { manifests: Vec::new() });
            let mut whole = false;
            for child in &listed.manifests {
                whole |= self.take(saved, child, depth + 1)?.is_some();
            }
            if !whole {
                return Ok(None);
            }
        } else {
            let parts = content.get("config").into_iter().chain(content.get("layers").and_then(Value::as_array).into_iter().flatten());
            let mut found = Vec::new();
            for part in parts {
                let digest = part.get("digest").and_then(Value::as_str).unwrap_or_default();
                let Some(slice) = blob_path(digest).and_then(|path| saved.place(&path)) else { return Ok(None) };
                found.push((digest.to_owned(), slice));
            }
            self.blobs.extend(found);
        }
        let said = content.get("mediaType").and_then(Value::as_str).map(str::to_owned).or_else(|| descriptor.media_type.clone());
        let kind = said.unwrap_or_else(|| if is_index { OCI_INDEX } else { OCI_MANIFEST }.to_owned());
        self.manifests.insert(descriptor.digest.clone(), Manifest { kind, text: text.into() });
        Ok(Some(descriptor.digest.clone()))
    }

    /// A manifest for an image that has none.
    fn make(&mut self, saved: &mut Saved<'_>, image: &SavedImage) -> Result<Option<String>, BundleError> {
        let (Some(config), Some(place)) = (saved.bytes(&image.config)?, saved.place(&image.config)) else { return Ok(None) };
        let parsed: Value = serde_json::from_slice(&config).unwrap_or_default();
        let sums: Vec<&str> =
            parsed.pointer("/rootfs/diff_ids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if sums.len() != image.layers.len() {
            return Ok(None);
        }
        let mut blobs = vec![(sum(&config), place)];
        let mut layers = Vec::new();
        for (path, unpacked) in image.layers.iter().zip(sums) {
            let Some(slice) = saved.place(path) else { return Ok(None) };
            let digest = path.strip_prefix(BLOBS).map_or_else(|| unpacked.to_owned(), |hex| format!("sha256:{hex}"));
            let packed = match saved.start(slice)?.as_slice() {
                [0x1f, 0x8b, ..] => "+gzip",
                [0x28, 0xb5, 0x2f, 0xfd] => "+zstd",
                _ => "",
            };
            layers.push(json!({"mediaType": format!("{OCI_LAYER}{packed}"), "size": slice.size, "digest": digest}));
            blobs.push((digest, slice));
        }
        let config = json!({"mediaType": OCI_CONFIG, "size": config.len(), "digest": blobs[0].0});
        let text = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}).to_string();
        let digest = sum(text.as_bytes());
        self.blobs.extend(blobs);
        self.manifests.insert(digest.clone(), Manifest { kind: OCI_MANIFEST.to_owned(), text: text.into() });
        Ok(Some(digest))
    }

    /// The API; its errors have the form that clients read.
    pub(super) fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Answer {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is for reading");
        }
        let path = uri.path().trim_start_matches("/v2").trim_start_matches('/');
        let answer = if path.is_empty() {
            Answer::bytes(StatusCode::OK, "application/json", "{}")
        } else if let Some((name, reference)) = path.rsplit_once("/manifests/") {
            let namespace = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("ns=")));
            self.manifest(name, reference, namespace)
        } else if let Some((_, digest)) = path.rsplit_once("/blobs/") {
            match (self.blobs.get(digest), digest.strip_prefix("sha256:")) {
                (Some(slice), Some(sum)) => {
                    Answer::slice(headers, *slice, "application/octet-stream", sum).with_text(CONTENT_DIGEST, digest)
                }
                _ => refuse(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "the bundle has no such blob"),
            }
        } else {
            refuse(StatusCode::NOT_FOUND, "UNSUPPORTED", "this registry knows manifests and blobs")
        };
        answer.with(HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"))
    }

    fn manifest(&self, name: &str, reference: &str, namespace: Option<&str>) -> Answer {
        let digest = if reference.starts_with("sha256:") { Some(reference) } else { self.digest(name, reference, namespace) };
        match digest.and_then(|digest| Some((digest, self.manifests.get(digest)?))) {
            Some((digest, manifest)) => Answer::bytes(StatusCode::OK, "", manifest.text.clone())
                .with_text(http::header::CONTENT_TYPE, &manifest.kind)
                .with_text(http::header::ETAG, &format!("\"{digest}\""))
                .with_text(CONTENT_DIGEST, digest),
            None => refuse(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "the bundle has no such image"),
        }
    }

    /// A name as a mirror is asked (`jetstack/x`, with `?ns=quay.io` by containerd), or with its registry in front.
    fn digest(&self, name: &str, tag: &str, namespace: Option<&str>) -> Option<&str> {
        let exact = |full: String| self.names.get(&normalize_reference(&full)).map(String::as_str);
        if let Some(namespace) = namespace {
            return exact(format!("{namespace}/{name}:{tag}"));
        }
        exact(format!("{name}:{tag}")).or_else(|| {
            let end = format!("/{name}:{tag}");
            self.names
                .iter()
                .find(|(full, _)| full.ends_with(&end) && !full[..full.len() - end.len()].contains('/'))
                .map(|(_, digest)| digest.as_str())
        })
    }
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

fn is_it(image: &SavedImage, full: &str, id: &str) -> bool {
    let config = image.config.trim_start_matches(BLOBS).trim_end_matches(".json");
    Some(config) == id.strip_prefix("sha256:") || image.repo_tags.iter().flatten().any(|tag| normalize_reference(tag) == full)
}

fn blob_path(digest: &str) -> Option<String> {
    Some(format!("{BLOBS}{}", digest.strip_prefix("sha256:")?))
}

fn sum(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::bytes(status, "application/json", json!({"errors": [{"code": code, "message": message}]}).to_string())
}
