//! What `bundle.json` says, version 1, and the bundle *spec* from which the writer makes one.
//!
//! The types that both share refuse unknown keys; an addition to them is a new version of the format, and that is looked at first.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog::Target;

/// The version of the format that this program writes and the newest that it reads.
pub const VERSION: u32 = 1;

/// The index: the first entry of every bundle.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Index {
    /// Format version; a newer one is refused.
    pub version: u32,
    /// A name for people, such as `lab`.
    pub name: String,
    /// The program that wrote it.
    pub created_by: String,
    /// GOARCH of every image and program inside.
    pub architecture: String,
    /// The version set of the catalog.
    pub set: String,
    /// Every other entry of the archive, in the order in which they follow.
    pub files: Vec<Entry>,
    /// Manifests and what they stand in for.
    pub manifests: Vec<Manifest>,
    /// Images, in the order in which stages need them.
    pub images: Vec<Image>,
    /// The kind node.
    pub node: Option<Node>,
    /// The kind program.
    pub kind: Option<Kind>,
    /// The demo model.
    pub model: Option<Model>,
    /// Changes that only this bundle's stand-ins need.
    #[serde(default)]
    pub patches: Vec<Patch>,
    /// Additions to kind's configuration that only this bundle's stand-ins need.
    #[serde(default)]
    pub kind_settings: KindSettings,
    /// What of a registry each image is, where they were read from registries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
}

/// What of a registry an image is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Origin {
    /// As `images` or `node` write it.
    pub reference: String,
    /// The platform that was chosen, `linux/amd64`.
    pub platform: String,
    /// Digest of its manifest, `sha256:…`.
    pub digest: String,
    /// Digest of the index that named it among other platforms, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Entry {
    /// Path inside the archive, relative, with `/`.
    pub path: String,
    /// In hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// A manifest of a component.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Component of the catalog.
    pub component: String,
    /// File name in the catalog.
    pub file: String,
    /// Path: inside the archive in an index, on disk in a spec.
    pub path: String,
    /// `None` when it is byte for byte the pinned file.
    #[serde(default)]
    pub substitute: Option<Substitute>,
}

/// An image of the bundle.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// As the manifests write it.
    pub reference: String,
    /// Its name in the local engine and inside the archive.
    pub local: String,
    /// Which stage needs it.
    pub group: String,
    /// The archive that holds it; empty in a spec.
    #[serde(default)]
    pub archive: String,
    /// The image's ID (digest of its configuration); empty in a spec.
    #[serde(default)]
    pub id: String,
    /// `None` when it is the upstream image.
    #[serde(default)]
    pub substitute: Option<Substitute>,
}

/// What something really is where it stands in for an upstream reference.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Substitute {
    /// The program that really runs.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// Why it stands in.
    pub reason: String,
}

/// The node image.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The reference that kind is given.
    pub reference: String,
    /// Its name in the local engine.
    pub local: String,
    /// Kubernetes version without `v`.
    pub kubernetes: String,
    /// Path of its archive; empty in a spec.
    #[serde(default)]
    pub archive: String,
    /// The image's ID; empty in a spec.
    #[serde(default)]
    pub id: String,
    /// `None` when it is kind's own image.
    #[serde(default)]
    pub substitute: Option<Substitute>,
}

/// The kind program.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Path: inside the archive in an index, on disk in a spec.
    pub path: String,
    /// Without `v`.
    pub version: String,
}

/// The demo model.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name of the sample it belongs to.
    pub name: String,
    /// Path: inside the archive in an index, on disk in a spec.
    pub path: String,
}

/// A change to an object of a component: a JSON merge patch.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Component whose object it is.
    pub component: String,
    /// Which object.
    pub object: Target,
    /// JSON merge patch (RFC 7386), lists of named objects merged by name.
    pub patch: Value,
    /// Why.
    pub reason: String,
}

/// Additions to kind's configuration.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KindSettings {
    /// Kubernetes feature gates.
    #[serde(default)]
    pub feature_gates: std::collections::BTreeMap<String, bool>,
}

/// From what the writer makes a bundle; see the lab.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Format version; 1.
    pub version: u32,
    /// A name for people.
    pub name: String,
    /// GOARCH.
    pub architecture: String,
    /// Version set of the catalog.
    pub set: String,
    /// Manifests on disk.
    pub manifests: Vec<Manifest>,
    /// Images of the local engine.
    pub images: Vec<Image>,
    /// Node image of the local engine.
    pub node: Option<Node>,
    /// kind on disk.
    pub kind: Option<Kind>,
    /// Model on disk.
    pub model: Option<Model>,
    /// Patches.
    #[serde(default)]
    pub patches: Vec<Patch>,
    /// kind settings.
    #[serde(default)]
    pub kind_settings: KindSettings,
}
