//! The writer: two passes over the sources, one file that appears whole or not at all, the same bytes for the same sources.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use super::compose::{Source, index, plan};
use super::extract::{beside, commit};
use super::frame::{BLOCK, header, padding};
use super::{BundleError, Entry, INDEX_PATH, Index, OciArchive, Origin, Spec, check, seal};

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
    /// What of a registry each image is, where they were read from registries.
    pub origins: Vec<Origin>,
}

/// Images that are one entry of the bundle.
#[derive(Clone, Debug)]
pub struct SavedImages {
    /// Their bytes.
    pub archive: Saved,
    /// Image ID by the `local` name of the specification.
    pub ids: BTreeMap<String, String>,
}

/// Where an archive of images comes from.
#[derive(Clone, Debug)]
pub enum Saved {
    /// A file that `docker save` wrote.
    File(PathBuf),
    /// Blobs that are put together while they are read.
    Oci(OciArchive),
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
    let zeros = [0; 2 * BLOCK];
    let padding = |size: u64| &zeros[..padding(size)];
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
