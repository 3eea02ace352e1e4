//! What `bundle inspect` says, as a value.

use serde::Serialize;

use super::spec::rank;
use super::{Index, KindSettings, Origin, Patch, Substitute};

/// A bundle in few words.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Version of the format.
    pub version: u32,
    /// A name for people.
    pub name: String,
    /// Version set of the catalog.
    pub set: String,
    /// GOARCH.
    pub architecture: String,
    /// The program that wrote it.
    pub created_by: String,
    /// Kubernetes version of its node.
    pub kubernetes: Option<String>,
    /// Version of its kind program.
    pub kind: Option<String>,
    /// Sample whose model is inside.
    pub model: Option<String>,
    /// Bytes of all files.
    pub size: u64,
    /// Files and bytes by the first part of their path, images by their group, in the order of the archive.
    pub sections: Vec<Section>,
    /// The node image.
    pub node: Option<NodeSummary>,
    /// Manifests.
    pub manifests: Vec<ManifestSummary>,
    /// Images, in the order in which stages need them.
    pub images: Vec<ImageSummary>,
    /// Changes that only its stand-ins need.
    pub patches: Vec<Patch>,
    /// kind settings that only its stand-ins need.
    pub kind_settings: KindSettings,
}

/// A part of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// `manifests`, `bin`, `node`, `model` or `images/GROUP`.
    pub name: String,
    /// How many files.
    pub files: usize,
    /// Bytes.
    pub size: u64,
}

/// The node image in few words.
#[derive(Clone, Debug, Serialize)]
pub struct NodeSummary {
    /// The reference that kind is given.
    pub reference: String,
    /// The image's ID.
    pub id: String,
    /// What it really is.
    pub substitute: Option<Substitute>,
    /// What of a registry it is, where it was read from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// A manifest in few words.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestSummary {
    /// Component.
    pub component: String,
    /// File name.
    pub file: String,
    /// Of its content.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// What it really is.
    pub substitute: Option<Substitute>,
}

/// An image in few words.
#[derive(Clone, Debug, Serialize)]
pub struct ImageSummary {
    /// As the manifests write it.
    pub reference: String,
    /// Which stage needs it.
    pub group: String,
    /// The image's ID.
    pub id: String,
    /// What it really is.
    pub substitute: Option<Substitute>,
    /// What of a registry it is, where it was read from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Says what a bundle holds.
pub fn describe(index: &Index) -> Summary {
    let file = |path: &str| index.files.iter().find(|entry| entry.path == path);
    let origin = |reference: &str| index.origins.iter().find(|origin| origin.reference == reference).cloned();
    let mut images: Vec<ImageSummary> = index
        .images
        .iter()
        .map(|image| ImageSummary {
            reference: image.reference.clone(),
            group: image.group.clone(),
            id: image.id.clone(),
            substitute: image.substitute.clone(),
            origin: origin(&image.reference),
        })
        .collect();
    images.sort_by(|a, b| rank(&a.group).cmp(&rank(&b.group)));
    Summary {
        version: index.version,
        name: index.name.clone(),
        set: index.set.clone(),
        architecture: index.architecture.clone(),
        created_by: index.created_by.clone(),
        kubernetes: index.node.as_ref().map(|node| node.kubernetes.clone()),
        kind: index.kind.as_ref().map(|kind| kind.version.clone()),
        model: index.model.as_ref().map(|model| model.name.clone()),
        size: index.files.iter().map(|entry| entry.size).sum(),
        sections: sections(index),
        node: index.node.as_ref().map(|node| NodeSummary {
            reference: node.reference.clone(),
            id: node.id.clone(),
            substitute: node.substitute.clone(),
            origin: origin(&node.reference),
        }),
        manifests: index
            .manifests
            .iter()
            .map(|manifest| ManifestSummary {
                component: manifest.component.clone(),
                file: manifest.file.clone(),
                sha256: file(&manifest.path).map(|entry| entry.sha256.clone()).unwrap_or_default(),
                size: file(&manifest.path).map(|entry| entry.size).unwrap_or_default(),
                substitute: manifest.substitute.clone(),
            })
            .collect(),
        images,
        patches: index.patches.clone(),
        kind_settings: index.kind_settings.clone(),
    }
}

fn sections(index: &Index) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for entry in &index.files {
        let name = if entry.path.starts_with("images/") {
            entry.path.trim_end_matches(".tar")
        } else {
            entry.path.split('/').next().unwrap_or_default()
        };
        match sections.iter_mut().find(|section| section.name == name) {
            Some(section) => {
                section.files += 1;
                section.size += entry.size;
            }
            None => sections.push(Section { name: name.to_owned(), files: 1, size: entry.size }),
        }
    }
    sections
}
