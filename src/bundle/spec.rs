//! The specification that a bundle is made from: read, resolved, checked.

use std::collections::BTreeSet;
use std::path::Path;

use super::layout::VERSION;
use super::path::{check_path, is_name};
use super::{BundleError, Spec};

/// The groups of images in the order in which stages need them; others follow by name.
pub const GROUPS: [&str; 8] = ["cert-manager", "istio", "kourier", "knative", "net-istio", "net-kourier", "kserve", "demo"];

/// Where a group or component stands in the archive.
pub(super) fn rank(group: &str) -> (usize, &str) {
    (GROUPS.iter().position(|known| *known == group).unwrap_or(GROUPS.len()), group)
}

impl Spec {
    /// Reads a specification; its relative paths are resolved against its folder. Paths are not looked at yet.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        let place = || path.display().to_string();
        let text = fs_err::read_to_string(path)
            .map_err(|error| BundleError::Spec { place: place(), message: format!("cannot be read: {}", root(&error)) })?;
        let mut spec: Self = serde_json::from_str(&text).map_err(|error| {
            let text = error.to_string();
            // The position goes to the front, as compilers write it.
            let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
            BundleError::Spec { place: format!("{}:{}:{}", place(), error.line(), error.column()), message: message.to_owned() }
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let paths = spec.manifests.iter_mut().map(|manifest| &mut manifest.path);
        let paths = paths.chain(spec.kind.as_mut().map(|kind| &mut kind.path)).chain(spec.model.as_mut().map(|model| &mut model.path));
        for path in paths.filter(|path| !path.is_empty()) {
            *path = folder.join(&*path).to_string_lossy().into_owned();
        }
        Ok(spec)
    }

    /// Checks everything that can be known without the images: names, duplicates, that the files are there.
    pub fn check(&self) -> Result<(), BundleError> {
        if self.version != VERSION {
            return Err(BundleError::field("version", format!("is {}, this program knows {VERSION}", self.version)));
        }
        let words = [("name", &self.name), ("architecture", &self.architecture), ("set", &self.set)];
        for (field, word) in words {
            if !is_name(word) {
                return Err(BundleError::field(field, "must be a word of letters, digits and `._-+@=`"));
            }
        }
        if let Some(go) = go_name(&self.architecture) {
            return Err(BundleError::field("architecture", format!("is `{}`, Go's name for it is `{go}`", self.architecture)));
        }
        self.check_manifests()?;
        self.check_images()?;
        if let Some(kind) = &self.kind {
            version("kind.version", &kind.version)?;
            file("kind.path", &kind.path)?;
        }
        if let Some(model) = &self.model {
            file("model.path", &model.path)?;
            let path = model_path(&model.name, &model.path).filter(|path| check_path(path).is_ok());
            if path.is_none() || !is_name(&model.name) {
                return Err(BundleError::field("model", "its name and the file's must be words of letters, digits and `._-+@=`"));
            }
        }
        for (at, patch) in self.patches.iter().enumerate() {
            if !patch.patch.is_object() {
                return Err(BundleError::field(format!("patches[{at}].patch"), "a JSON merge patch must be an object"));
            }
        }
        Ok(())
    }

    fn check_manifests(&self) -> Result<(), BundleError> {
        let mut seen = BTreeSet::new();
        for (at, manifest) in self.manifests.iter().enumerate() {
            let field = |name: &str| format!("manifests[{at}].{name}");
            for (name, word) in [("component", &manifest.component), ("file", &manifest.file)] {
                if !is_name(word) {
                    return Err(BundleError::field(field(name), "must be a word of letters, digits and `._-+@=`"));
                }
            }
            if check_path(&manifest_path(&manifest.component, &manifest.file)).is_err() {
                return Err(BundleError::field(field("file"), "is too long"));
            }
            if !seen.insert((&manifest.component, &manifest.file)) {
                return Err(BundleError::field(field("file"), format!("{} of {} is there twice", manifest.file, manifest.component)));
            }
            file(&field("path"), &manifest.path)?;
        }
        Ok(())
    }

    fn check_images(&self) -> Result<(), BundleError> {
        let mut seen = BTreeSet::new();
        for (at, image) in self.images.iter().enumerate() {
            let field = |name: &str| format!("images[{at}].{name}");
            for (name, reference) in [("reference", &image.reference), ("local", &image.local)] {
                check_reference(field(name), reference)?;
            }
            if !seen.insert(&image.reference) {
                return Err(BundleError::field(field("reference"), format!("{} is there twice", image.reference)));
            }
            if !is_name(&image.group) || check_path(&group_path(&image.group)).is_err() {
                return Err(BundleError::field(field("group"), format!("must be a word; known are {}", GROUPS.join(", "))));
            }
            empty(field("archive"), &image.archive)?;
            empty(field("id"), &image.id)?;
        }
        if let Some(node) = &self.node {
            check_reference("node.reference".into(), &node.reference)?;
            check_reference("node.local".into(), &node.local)?;
            version("node.kubernetes", &node.kubernetes)?;
            empty("node.archive".into(), &node.archive)?;
            empty("node.id".into(), &node.id)?;
        }
        Ok(())
    }
}

/// Path of a manifest in the archive.
pub(super) fn manifest_path(component: &str, file: &str) -> String {
    format!("manifests/{component}/{file}")
}

/// Path of a group's archive of images.
pub(super) fn group_path(group: &str) -> String {
    format!("images/{group}.tar")
}

/// Path of the model, whose file keeps its name.
pub(super) fn model_path(name: &str, on_disk: &str) -> Option<String> {
    Some(format!("model/{name}/{}", Path::new(on_disk).file_name()?.to_str()?))
}

fn check_reference(field: String, reference: &str) -> Result<(), BundleError> {
    if reference.is_empty() || !reference.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BundleError::field(field, "must be the reference of an image"));
    }
    Ok(())
}

fn version(field: &str, version: &str) -> Result<(), BundleError> {
    if version.starts_with(|first: char| first.is_ascii_digit()) {
        Ok(())
    } else {
        Err(BundleError::field(field, "must be a version without `v`, such as 1.34.3"))
    }
}

fn empty(field: String, value: &str) -> Result<(), BundleError> {
    if value.is_empty() { Ok(()) } else { Err(BundleError::field(field, "is filled in by the writer: leave it out")) }
}

fn file(field: &str, path: &str) -> Result<(), BundleError> {
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(BundleError::field(field, format!("{path} is not a file"))),
        Err(error) => Err(BundleError::field(field, format!("{path}: {}", root(&error)))),
    }
}

/// The system's own words, without the path that `fs_err` adds.
fn root(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

fn go_name(architecture: &str) -> Option<&'static str> {
    match architecture {
        "x86_64" | "x86-64" => Some("amd64"),
        "aarch64" | "arm64v8" => Some("arm64"),
        _ => None,
    }
}
