//! Whether an index makes sense: before anything that it names is touched.

use std::collections::BTreeSet;

use super::path::check_path;
use super::{BundleError, INDEX_PATH, Index};

/// Most files that a bundle may have.
pub const MAX_FILES: usize = 10_000;
/// Most bytes of `bundle.json`.
pub const MAX_INDEX: u64 = 4 * 1024 * 1024;
/// Most bytes of a manifest; the largest that is known has 7 MB.
pub const MAX_MANIFEST: u64 = 64 * 1024 * 1024;
/// Most bytes of the kind program; a real one has 10 MB.
pub const MAX_PROGRAM: u64 = 512 * 1024 * 1024;

/// Checks paths, sums, sizes and that every section names files that are there.
pub(super) fn check(index: &Index) -> Result<(), BundleError> {
    files(index)?;
    sections(index)
}

fn files(index: &Index) -> Result<(), BundleError> {
    if index.files.len() > MAX_FILES {
        return Err(BundleError::Bomb { reason: format!("its index names {} files, the limit is {MAX_FILES}", index.files.len()) });
    }
    let mut seen = BTreeSet::new();
    let mut total = 0_u64;
    for entry in &index.files {
        let path = entry.path.as_str();
        check_path(path).map_err(|reason| BundleError::Unsafe { path: path.to_owned(), reason })?;
        // Some file systems know no difference between `A` and `a`.
        if path.eq_ignore_ascii_case(INDEX_PATH) || !seen.insert(path.to_ascii_lowercase()) {
            return Err(BundleError::Duplicate { path: path.to_owned() });
        }
        if entry.sha256.len() != 64 || !entry.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(BundleError::damaged(INDEX_PATH, format!("the sha256 of {path} is none")));
        }
        let limit = if path.starts_with("manifests/") {
            MAX_MANIFEST
        } else if path.starts_with("bin/") {
            MAX_PROGRAM
        } else {
            u64::MAX / 4
        };
        if entry.size > limit {
            return Err(BundleError::Bomb { reason: format!("{path} would have {} bytes", entry.size) });
        }
        total = total
            .checked_add(entry.size)
            .filter(|total| *total <= u64::MAX / 4)
            .ok_or_else(|| BundleError::Bomb { reason: "its files would have more bytes than can be counted".into() })?;
    }
    let folder = |path: &String| path.rmatch_indices('/').map(|(at, _)| path[..at].to_owned()).find(|folder| seen.contains(folder));
    match seen.iter().find_map(folder) {
        Some(path) => Err(BundleError::damaged(INDEX_PATH, format!("{path} is a file and a folder"))),
        None => Ok(()),
    }
}

fn sections(index: &Index) -> Result<(), BundleError> {
    let known: BTreeSet<&str> = index.files.iter().map(|entry| entry.path.as_str()).collect();
    let refer = |what: &str, path: &str| {
        if known.contains(path) {
            return Ok(());
        }
        Err(BundleError::damaged(INDEX_PATH, format!("{what} is in `{}`, which is not among the files", path.escape_debug())))
    };
    let twice = |what: String| BundleError::damaged(INDEX_PATH, format!("{what} is named twice"));
    let mut manifests = BTreeSet::new();
    for manifest in &index.manifests {
        let what = format!("manifest {} of {}", manifest.file, manifest.component);
        refer(&what, &manifest.path)?;
        limit(index, &what, &manifest.path, MAX_MANIFEST)?;
        if !manifests.insert((manifest.component.as_str(), manifest.file.as_str())) {
            return Err(twice(what));
        }
    }
    let mut images = BTreeSet::new();
    for image in &index.images {
        refer(&format!("image {}", image.reference), &image.archive)?;
        if !images.insert(image.reference.as_str()) {
            return Err(twice(format!("image {}", image.reference)));
        }
    }
    if let Some(node) = &index.node {
        refer("the node image", &node.archive)?;
    }
    if let Some(kind) = &index.kind {
        refer("kind", &kind.path)?;
        limit(index, "kind", &kind.path, MAX_PROGRAM)?;
    }
    if let Some(model) = &index.model {
        refer("the model", &model.path)?;
    }
    Ok(())
}

/// What is held in memory must be small, whatever its path is.
fn limit(index: &Index, what: &str, path: &str, limit: u64) -> Result<(), BundleError> {
    match index.files.iter().find(|entry| entry.path == path) {
        Some(entry) if entry.size > limit => Err(BundleError::Bomb { reason: format!("{what} would have {} bytes", entry.size) }),
        _ => Ok(()),
    }
}
