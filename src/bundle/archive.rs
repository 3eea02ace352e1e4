//! Archives of `docker save`: which images are inside, and the repair that containerd's image store makes necessary.
//!
//! With that store (the default of newer engines) the archive names all platforms of an image and holds the blobs of one; whoever imports all
//! that is named then fails with "content digest … not found" (kind issue 3795). [`repair`] leaves in `index.json` what is there.

use std::collections::BTreeMap;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use tar::Archive;

use super::BundleError;
use super::extract::{beside, commit};

const INDEX: &str = "index.json";
const MANIFEST: &str = "manifest.json";
/// Most bytes of a JSON file inside; real ones have a few thousand.
const MAX_JSON: u64 = 4 * 1024 * 1024;
const BUFFER: usize = 256 * 1024;

/// The names under which an archive's images would be loaded (`RepoTags`), sorted.
pub fn tags(archive: &Path) -> Result<Vec<String>, BundleError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Saved {
        #[serde(default)]
        repo_tags: Option<Vec<String>>,
    }
    let mut files = Files::of(archive)?;
    let manifest = files.json(MANIFEST)?.ok_or_else(|| unusable(archive, "it has no manifest.json: not an archive of `docker save`"))?;
    let saved: Vec<Saved> = serde_json::from_value(manifest).map_err(|error| unusable(archive, format!("its manifest.json: {error}")))?;
    let mut tags: Vec<String> = saved.into_iter().filter_map(|image| image.repo_tags).flatten().collect();
    tags.sort();
    tags.dedup();
    Ok(tags)
}

/// A name as `docker images` shows it, with its tag: `docker.io/library/a` and `a:latest` are one.
pub(super) fn short(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

/// Rewrites `index.json` in place (a new file, renamed over the old one) so that it names only manifests that are in the archive with all
/// their blobs; an index of platforms becomes the one manifest for linux on `architecture` (GOARCH), else the first that is there.
///
/// Answers whether there was something to repair; an archive without `index.json` or a sound one is not touched.
pub fn repair(archive: &Path, architecture: &str) -> Result<bool, BundleError> {
    let mut files = Files::of(archive)?;
    let Some(mut index) = files.json(INDEX)? else { return Ok(false) };
    let Some(named) = index.get("manifests").and_then(Value::as_array).cloned() else {
        return Err(unusable(archive, "its index.json names no manifests"));
    };
    let mut kept = Vec::new();
    for descriptor in &named {
        if let Some(descriptor) = files.present(descriptor, architecture, 0)?
            && !kept.contains(&descriptor)
        {
            kept.push(descriptor);
        }
    }
    if kept == named {
        return Ok(false);
    }
    if let Some(lost) = names(&named).find(|name| !names(&kept).any(|other| other == *name)) {
        return Err(unusable(archive, format!("{lost} is named in it, but its layers are not inside for any platform")));
    }
    if kept.is_empty() {
        return Err(unusable(archive, "none of its images is whole"));
    }
    index["manifests"] = Value::Array(kept);
    replace(archive, &index)?;
    Ok(true)
}

fn names(descriptors: &[Value]) -> impl Iterator<Item = &str> {
    descriptors.iter().filter_map(|descriptor| {
        let annotations = descriptor.get("annotations")?;
        annotations.get("io.containerd.image.name").or_else(|| annotations.get("org.opencontainers.image.ref.name"))?.as_str()
    })
}

/// Where the archive's files are; links and the like are there, and hold nothing.
struct Files<'a> {
    archive: &'a Path,
    file: BufReader<fs_err::File>,
    at: BTreeMap<String, Option<(u64, u64)>>,
}

impl<'a> Files<'a> {
    fn of(archive: &'a Path) -> Result<Self, BundleError> {
        let file = fs_err::File::open(archive).map_err(|error| unusable(archive, error))?;
        let end = file.metadata().map_err(|error| unusable(archive, error))?.len();
        let mut tar = Archive::new(BufReader::new(file));
        let mut at = BTreeMap::new();
        for entry in tar.entries_with_seek().map_err(|error| unusable(archive, error))? {
            let entry = entry.map_err(|error| unusable(archive, error))?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            let (start, size) = (entry.raw_file_position(), entry.size());
            if start.checked_add(size).is_none_or(|behind| behind > end) {
                return Err(unusable(archive, format!("it is cut off in {path}")));
            }
            // Layers that are links to the same file in an older layout have size 0: they are there too.
            at.insert(path, entry.header().entry_type().is_file().then_some((start, size)));
        }
        Ok(Self { archive, file: tar.into_inner(), at })
    }

    fn json(&mut self, path: &str) -> Result<Option<Value>, BundleError> {
        let Some((start, size)) = self.at.get(path).copied().flatten() else { return Ok(None) };
        if size > MAX_JSON {
            return Err(unusable(self.archive, format!("{path} has {size} bytes")));
        }
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(start))
            .and_then(|_| self.file.by_ref().take(size).read_to_end(&mut bytes))
            .map_err(|error| unusable(self.archive, format!("{path}: {error}")))?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| unusable(self.archive, format!("{path}: {error}")))
    }

    fn blob(&self, descriptor: &Value) -> Option<String> {
        let (algorithm, sum) = descriptor.get("digest")?.as_str()?.split_once(':')?;
        let path = format!("blobs/{algorithm}/{sum}");
        self.at.contains_key(&path).then_some(path)
    }

    /// What of a descriptor is there: itself, one of the manifests that it lists, or nothing.
    fn present(&mut self, descriptor: &Value, architecture: &str, depth: u8) -> Result<Option<Value>, BundleError> {
        let Some(path) = self.blob(descriptor) else { return Ok(None) };
        let Some(content) = self.json(&path)? else { return Ok(None) };
        let Some(children) = content.get("manifests").and_then(Value::as_array) else {
            let blobs = content.get("config").into_iter().chain(content.get("layers").and_then(Value::as_array).into_iter().flatten());
            return Ok(blobs.into_iter().all(|blob| self.blob(blob).is_some()).then(|| descriptor.clone()));
        };
        // An index in an index in an index is nothing that an engine writes.
        if depth > 1 {
            return Ok(None);
        }
        let mut there = Vec::new();
        for child in children {
            there.extend(self.present(child, architecture, depth + 1)?);
        }
        if &there == children {
            return Ok(Some(descriptor.clone()));
        }
        there.retain(|child| !is_attestation(child));
        let ours = there.iter().position(|child| platform(child) == Some(("linux", architecture))).unwrap_or(0);
        if ours >= there.len() {
            return Ok(None);
        }
        let mut chosen = there.swap_remove(ours);
        // The name of the image is an annotation of the index's descriptor.
        if let Some(outer) = descriptor.get("annotations").and_then(Value::as_object) {
            let mut annotations: Map<String, Value> = chosen.get("annotations").and_then(Value::as_object).cloned().unwrap_or_default();
            annotations.extend(outer.clone());
            chosen["annotations"] = Value::Object(annotations);
        }
        Ok(Some(chosen))
    }
}

/// Records of how an image was built are listed like platforms.
fn is_attestation(descriptor: &Value) -> bool {
    platform(descriptor).is_some_and(|(os, _)| os == "unknown")
        || descriptor.get("annotations").is_some_and(|annotations| annotations.get("vnd.docker.reference.type").is_some())
}

fn platform(descriptor: &Value) -> Option<(&str, &str)> {
    let platform = descriptor.get("platform")?;
    Some((platform.get("os")?.as_str()?, platform.get("architecture")?.as_str()?))
}

/// Copies the archive as it is, with another `index.json`.
fn replace(archive: &Path, index: &Value) -> Result<(), BundleError> {
    let failed = || BundleError::write(format!("rewrite image archive {}", archive.display()));
    let text = index.to_string();
    let mut temporary = beside(archive).map_err(failed())?;
    let mut to = BufWriter::with_capacity(BUFFER, temporary.as_file_mut());
    let file = BufReader::with_capacity(BUFFER, fs_err::File::open(archive).map_err(failed())?);
    let mut tar = Archive::new(file);
    let mut builder = tar::Builder::new(&mut to);
    // Raw: extension headers are entries of their own and are copied like all others.
    for entry in tar.entries().map_err(failed())?.raw(true) {
        let mut entry = entry.map_err(failed())?;
        let mut header = entry.header().clone();
        if entry.path_bytes().strip_prefix(b"./").unwrap_or(&entry.path_bytes()) == INDEX.as_bytes() && header.entry_type().is_file() {
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).map_err(failed())?;
        } else {
            builder.append(&header, &mut entry).map_err(failed())?;
        }
    }
    builder.finish().map_err(failed())?;
    drop(builder);
    to.flush().map_err(failed())?;
    drop(to);
    commit(temporary, archive, 0o600).map_err(failed())
}

fn unusable(archive: &Path, reason: impl std::fmt::Display) -> BundleError {
    BundleError::Archive { path: archive.to_owned(), reason: reason.to_string() }
}
