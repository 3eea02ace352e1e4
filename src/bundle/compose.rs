//! What a new bundle is made of: its entries with their sources, and its index.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::PathBuf;

use super::spec::{group_path, manifest_path, model_path, rank};
use super::write::{Saved, SavedImages, Sources};
use super::{BundleError, CATALOG_PATH, Entry, Image, Index, KIND_PATH, NODE_PATH, Node, OciArchive, Spec, VERSION, archive};

/// Where the bytes of an entry come from.
pub(super) enum Source {
    Text(String),
    File { path: PathBuf, field: String },
    Oci { archive: OciArchive, field: String },
}

impl Source {
    fn images(saved: &SavedImages, field: String) -> Self {
        match &saved.archive {
            Saved::File(path) => Self::File { path: path.clone(), field },
            Saved::Oci(archive) => Self::Oci { archive: archive.clone(), field },
        }
    }

    pub(super) fn open(&self) -> Result<(Box<dyn Read + '_>, u64), BundleError> {
        match self {
            Self::Text(text) => Ok((Box::new(text.as_bytes()), text.len() as u64)),
            Self::File { path, .. } => {
                let file = fs_err::File::open(path).map_err(|error| self.unusable(&error))?;
                let size = file.metadata().map_err(|error| self.unusable(&error))?.len();
                Ok((Box::new(file), size))
            }
            Self::Oci { archive, .. } => Ok((Box::new(archive.open()), archive.size())),
        }
    }

    pub(super) fn unusable(&self, error: &io::Error) -> BundleError {
        let field = match self {
            Self::Text(_) => CATALOG_PATH,
            Self::File { field, .. } | Self::Oci { field, .. } => field,
        };
        BundleError::field(field, error.to_string())
    }

    pub(super) fn path(&self, entry: &Entry) -> PathBuf {
        match self {
            Self::Text(_) | Self::Oci { .. } => PathBuf::from(&entry.path),
            Self::File { path, .. } => path.clone(),
        }
    }
}

/// Archive path and source of every entry, in the order of the archive.
pub(super) fn plan(spec: &Spec, sources: &Sources) -> Result<Vec<(String, Source)>, BundleError> {
    let on_disk = |path: &str, field: String| Source::File { path: PathBuf::from(path), field };
    let mut manifests: Vec<_> = spec.manifests.iter().enumerate().collect();
    manifests.sort_by_key(|(_, manifest)| (rank(&manifest.component), &manifest.file));
    let mut plan: Vec<(String, Source)> = manifests
        .into_iter()
        .map(|(at, manifest)| {
            (manifest_path(&manifest.component, &manifest.file), on_disk(&manifest.path, format!("manifests[{at}].path")))
        })
        .collect();
    plan.push((CATALOG_PATH.to_owned(), Source::Text(sources.catalog.clone())));
    if let Some(kind) = &spec.kind {
        plan.push((KIND_PATH.to_owned(), on_disk(&kind.path, "kind.path".into())));
    }
    if let Some(node) = &spec.node {
        let saved = sources.node.as_ref().ok_or_else(|| BundleError::field("node", "its image was not saved"))?;
        holds(saved, &node.local, "node.local")?;
        plan.push((NODE_PATH.to_owned(), Source::images(saved, "node".into())));
    }
    if let Some(model) = &spec.model {
        let path = model_path(&model.name, &model.path).ok_or_else(|| BundleError::field("model.path", "names no file"))?;
        plan.push((path, on_disk(&model.path, "model.path".into())));
    }
    let mut groups: Vec<&str> = spec.images.iter().map(|image| image.group.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    groups.sort_by_key(|group| rank(group));
    for group in groups {
        let (at, _) = spec.images.iter().enumerate().find(|(_, image)| image.group == group).unzip();
        let field = format!("images[{}].group", at.unwrap_or_default());
        let saved =
            sources.groups.get(group).ok_or_else(|| BundleError::field(&*field, format!("the images of {group} were not saved")))?;
        let inside = Tags::of(saved)?;
        for (at, image) in spec.images.iter().enumerate().filter(|(_, image)| image.group == group) {
            inside.check(&image.local, &format!("images[{at}].local"))?;
        }
        plan.push((group_path(group), Source::images(saved, field)));
    }
    Ok(plan)
}

/// The names inside an archive of images.
struct Tags<'a> {
    saved: &'a SavedImages,
    names: BTreeSet<String>,
}

impl<'a> Tags<'a> {
    fn of(saved: &'a SavedImages) -> Result<Self, BundleError> {
        let names = match &saved.archive {
            Saved::File(path) => archive::tags(path)?,
            Saved::Oci(archive) => archive.names(),
        };
        Ok(Self { saved, names: names.iter().map(|name| archive::short(name)).collect() })
    }

    fn check(&self, local: &str, field: &str) -> Result<(), BundleError> {
        if self.names.contains(&archive::short(local)) {
            return Ok(());
        }
        let place = match &self.saved.archive {
            Saved::File(path) => path.display().to_string(),
            Saved::Oci(_) => "what was read from registries".to_owned(),
        };
        Err(BundleError::field(field, format!("{local} is not in {place}")))
    }
}

fn holds(saved: &SavedImages, local: &str, field: &str) -> Result<(), BundleError> {
    Tags::of(saved)?.check(local, field)
}

/// The index without its files.
pub(super) fn index(spec: &Spec, sources: &Sources) -> Result<Index, BundleError> {
    let id = |saved: Option<&SavedImages>, local: &str, field: String| {
        let id = saved.and_then(|saved| saved.ids.get(local)).filter(|id| !id.is_empty());
        id.cloned().ok_or_else(|| BundleError::field(field, format!("the ID of {local} is not known")))
    };
    let mut manifests = spec.manifests.clone();
    manifests.sort_by(|a, b| (rank(&a.component), &a.file).cmp(&(rank(&b.component), &b.file)));
    for manifest in &mut manifests {
        manifest.path = manifest_path(&manifest.component, &manifest.file);
    }
    let mut images = Vec::new();
    for (at, image) in spec.images.iter().enumerate() {
        let id = id(sources.groups.get(&image.group), &image.local, format!("images[{at}].local"))?;
        images.push(Image { archive: group_path(&image.group), id, ..image.clone() });
    }
    images.sort_by(|a, b| (rank(&a.group), &a.reference).cmp(&(rank(&b.group), &b.reference)));
    let node = match &spec.node {
        Some(node) => {
            let id = id(sources.node.as_ref(), &node.local, "node.local".into())?;
            Some(Node { archive: NODE_PATH.to_owned(), id, ..node.clone() })
        }
        None => None,
    };
    let mut kind = spec.kind.clone();
    if let Some(kind) = &mut kind {
        KIND_PATH.clone_into(&mut kind.path);
    }
    let mut model = spec.model.clone();
    if let Some(model) = &mut model {
        model.path = model_path(&model.name, &model.path).unwrap_or_default();
    }
    let mut origins = sources.origins.clone();
    origins.sort();
    Ok(Index {
        version: VERSION,
        name: spec.name.clone(),
        created_by: concat!("quickstart ", env!("CARGO_PKG_VERSION")).to_owned(),
        architecture: spec.architecture.clone(),
        set: spec.set.clone(),
        files: Vec::new(),
        manifests,
        images,
        node,
        kind,
        model,
        patches: spec.patches.clone(),
        kind_settings: spec.kind_settings.clone(),
        origins,
    })
}
