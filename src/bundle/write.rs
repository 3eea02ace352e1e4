//! The writer: two passes over the sources, one file that appears whole or not at all, the same bytes for the same sources.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use super::extract::{beside, commit};
use super::frame::{BLOCK, header};
use super::spec::{group_path, manifest_path, model_path, rank};
use super::{BundleError, CATALOG_PATH, Entry, INDEX_PATH, Image, Index, KIND_PATH, NODE_PATH, Node, Spec, VERSION, archive, check, seal};

const BUFFER: usize = 256 * 1024;

/// What a specification does not say itself.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The text of the catalog.
    pub catalog: String,
    /// The node image, where the specification has one.
    pub node: Option<SavedImages>,
    /// The images of each group, by its name.
    pub groups: BTreeMap<String, SavedImages>,
}

/// An archive of `docker save`.
#[derive(Clone, Debug)]
pub struct SavedImages {
    /// Where it is.
    pub archive: PathBuf,
    /// Image ID by the `local` name of the specification.
    pub ids: BTreeMap<String, String>,
}

/// How far the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Which pass.
    pub phase: Phase,
    /// Path inside the bundle.
    pub path: &'a str,
    /// Bytes of the pass that are done.
    pub done: u64,
    /// Bytes of the pass.
    pub total: u64,
}

/// A pass of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Sizes and sums are taken.
    Hash,
    /// The bundle is written.
    Write,
}

/// Where the bytes of an entry come from.
enum Source {
    Text(String),
    File { path: PathBuf, field: String },
}

/// Writes the bundle of `spec` to `out`, compressed if that ends in `.gz` or `.tgz`; answers with its index.
///
/// Entries, headers and order depend on the sources alone: the same ones make the same bytes. A source that is not the same in both passes
/// is [`BundleError::Changed`]; whatever fails, `out` stays what it was.
pub fn write(spec: &Spec, sources: &Sources, out: &Path, on_progress: &mut dyn FnMut(Progress<'_>)) -> Result<Index, BundleError> {
    spec.check()?;
    let mut plan = plan(spec, sources)?;
    let mut index = index(spec, sources)?;
    index.files = measure(&mut plan, on_progress)?;
    check::check(&index)?;
    let text = seal::write(&index)?;
    if text.len() as u64 > check::MAX_INDEX {
        return Err(BundleError::field("files", "the index would be larger than 4 MiB"));
    }
    let failed = || BundleError::write(format!("write bundle {}", out.display()));
    let temporary = beside(out).map_err(failed())?;
    {
        let file = BufWriter::with_capacity(BUFFER, temporary.as_file());
        if zipped(out) {
            // No name and no time in its header: the same bytes every time.
            let mut gzip = GzBuilder::new().operating_system(255).write(file, Compression::default());
            append(&text, &plan, &index, out, &mut gzip, on_progress)?;
            gzip.finish().and_then(|mut file| file.flush()).map_err(failed())?;
        } else {
            let mut file = file;
            append(&text, &plan, &index, out, &mut file, on_progress)?;
            file.flush().map_err(failed())?;
        }
    }
    commit(temporary, out, 0o644).map_err(failed())?;
    Ok(index)
}

fn zipped(out: &Path) -> bool {
    out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz") || extension.eq_ignore_ascii_case("tgz"))
}

/// Archive path and source of every entry, in the order of the archive.
fn plan(spec: &Spec, sources: &Sources) -> Result<Vec<(String, Source)>, BundleError> {
    let on_disk = |path: &str, field: String| Source::File { path: PathBuf::from(path), field };
    let mut manifests: Vec<_> = spec.manifests.iter().enumerate().collect();
    manifests.sort_by_key(|(_, manifest)| (rank(&manifest.component), &manifest.file));
    let mut plan: Vec<(String, Source)> = manifests
        .into_iter()
        .map(|(at, manifest)| (manifest_path(&manifest.component, &manifest.file), on_disk(&manifest.path, format!("manifests[{at}].path"))))
        .collect();
    plan.push((CATALOG_PATH.to_owned(), Source::Text(sources.catalog.clone())));
    if let Some(kind) = &spec.kind {
        plan.push((KIND_PATH.to_owned(), on_disk(&kind.path, "kind.path".into())));
    }
    if let Some(node) = &spec.node {
        let saved = sources.node.as_ref().ok_or_else(|| BundleError::field("node", "its image was not saved"))?;
        holds(saved, &node.local, "node.local")?;
        plan.push((NODE_PATH.to_owned(), Source::File { path: saved.archive.clone(), field: "node".into() }));
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
        let saved = sources.groups.get(group).ok_or_else(|| BundleError::field(&*field, format!("the images of {group} were not saved")))?;
        let inside = Tags::of(saved)?;
        for (at, image) in spec.images.iter().enumerate().filter(|(_, image)| image.group == group) {
            inside.check(&image.local, &format!("images[{at}].local"))?;
        }
        plan.push((group_path(group), Source::File { path: saved.archive.clone(), field }));
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
        let names = archive::tags(&saved.archive)?.iter().map(|name| archive::short(name)).collect();
        Ok(Self { saved, names })
    }

    fn check(&self, local: &str, field: &str) -> Result<(), BundleError> {
        if self.names.contains(&archive::short(local)) {
            return Ok(());
        }
        Err(BundleError::field(field, format!("{local} is not in {}", self.saved.archive.display())))
    }
}

fn holds(saved: &SavedImages, local: &str, field: &str) -> Result<(), BundleError> {
    Tags::of(saved)?.check(local, field)
}

/// The index without its files.
fn index(spec: &Spec, sources: &Sources) -> Result<Index, BundleError> {
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
    })
}

/// The first pass.
fn measure(plan: &mut [(String, Source)], on_progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<Entry>, BundleError> {
    let mut total = 0;
    for (_, source) in plan.iter() {
        total += source.open()?.1;
    }
    let mut done = 0;
    let mut entries = Vec::new();
    for (path, source) in plan.iter() {
        let (mut reader, _) = source.open()?;
        let mut told = |count: u64| on_progress(Progress { phase: Phase::Hash, path, done: done + count, total });
        let (sha256, size) = copy(&mut *reader, &mut io::sink(), u64::MAX, &mut told).map_err(|error| match error {
            Copy::Read(error) | Copy::Write(error) => source.unusable(&error),
        })?;
        done += size;
        entries.push(Entry { path: path.clone(), sha256, size });
    }
    Ok(entries)
}

/// The second pass.
fn append(
    text: &[u8],
    plan: &[(String, Source)],
    index: &Index,
    out: &Path,
    to: &mut dyn Write,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), BundleError> {
    let failed = || BundleError::write(format!("write bundle {}", out.display()));
    let zeros = [0; 2 * BLOCK as usize];
    let padding = |size: u64| &zeros[..usize::try_from((BLOCK - size % BLOCK) % BLOCK).unwrap_or(0)];
    let start = |to: &mut dyn Write, path: &str, size: u64| to.write_all(header(path, size)?.as_bytes());
    let length = text.len() as u64;
    start(to, INDEX_PATH, length).and_then(|()| to.write_all(text)).and_then(|()| to.write_all(padding(length))).map_err(failed())?;
    let total = index.files.iter().map(|entry| entry.size).sum();
    let mut done = 0;
    for ((_, source), entry) in plan.iter().zip(&index.files) {
        start(to, &entry.path, entry.size).map_err(failed())?;
        let (mut reader, _) = source.open()?;
        let mut told = |count: u64| on_progress(Progress { phase: Phase::Write, path: &entry.path, done: done + count, total });
        // One byte more than there was: a source that grew is noticed, and not written.
        let copied = copy(&mut *reader, to, entry.size, &mut told).map_err(|error| match error {
            Copy::Read(error) => source.unusable(&error),
            Copy::Write(error) => failed()(error),
        })?;
        let grown = reader.read(&mut [0]).map_err(|error| source.unusable(&error))? > 0;
        if grown || copied != (entry.sha256.clone(), entry.size) {
            return Err(BundleError::Changed { path: source.path(entry) });
        }
        to.write_all(padding(entry.size)).map_err(failed())?;
        done += entry.size;
    }
    to.write_all(&zeros).map_err(failed())
}

impl Source {
    fn open(&self) -> Result<(Box<dyn Read + '_>, u64), BundleError> {
        match self {
            Self::Text(text) => Ok((Box::new(text.as_bytes()), text.len() as u64)),
            Self::File { path, .. } => {
                let file = fs_err::File::open(path).map_err(|error| self.unusable(&error))?;
                let size = file.metadata().map_err(|error| self.unusable(&error))?.len();
                Ok((Box::new(file), size))
            }
        }
    }

    fn unusable(&self, error: &io::Error) -> BundleError {
        let field = match self {
            Self::Text(_) => CATALOG_PATH,
            Self::File { field, .. } => field,
        };
        BundleError::field(field, error.to_string())
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        match self {
            Self::Text(_) => PathBuf::from(&entry.path),
            Self::File { path, .. } => path.clone(),
        }
    }
}

/// Which side of a copy failed.
enum Copy {
    Read(io::Error),
    Write(io::Error),
}

/// Copies at most `most` bytes; answers with their sum and number.
fn copy(from: &mut dyn Read, to: &mut dyn Write, most: u64, on_bytes: &mut dyn FnMut(u64)) -> Result<(String, u64), Copy> {
    let mut buffer = vec![0; BUFFER];
    let mut sum = Sha256::new();
    let mut size = 0;
    while size < most {
        let room = usize::try_from(most - size).unwrap_or(BUFFER).min(BUFFER);
        let count = match from.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Copy::Read(error)),
        };
        sum.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(Copy::Write)?;
        size += count as u64;
        on_bytes(size);
    }
    Ok((hex::encode(sum.finalize()), size))
}
