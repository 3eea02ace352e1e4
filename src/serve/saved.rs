//! Where in the bundle the files of its image archives are: what `docker save` wrote, found without unpacking anything.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tar::Archive;

use super::share::Slice;
use crate::bundle::BundleError;

/// Most bytes of a JSON file in an archive; real ones have a few thousand.
const MAX_JSON: u64 = 4 * 1024 * 1024;
/// Links that lead to links; engines write none.
const MAX_LINKS: usize = 4;

/// An archive inside the bundle.
#[derive(Debug)]
pub(super) struct Saved<'a> {
    bundle: &'a Path,
    name: String,
    file: BufReader<fs_err::File>,
    at: BTreeMap<String, Place>,
}

#[derive(Clone, Debug)]
enum Place {
    Here(Slice),
    /// Older engines write a layer once, and links to it.
    Link(String),
}

/// An image of `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SavedImage {
    pub(super) config: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) layers: Vec<String>,
}

/// The files of a plain bundle by path.
pub(super) fn places(bundle: &Path) -> Result<BTreeMap<String, Slice>, BundleError> {
    let mut file = fs_err::File::open(bundle).map_err(|source| BundleError::Unreadable { path: bundle.to_owned(), source })?;
    let size = file.seek(SeekFrom::End(0)).map_err(|error| damaged("bundle.json", &error))?;
    let found = walk(&mut file, Slice { offset: 0, size }).map_err(|error| damaged("its list of files", &error))?;
    Ok(found.into_iter().filter_map(|(path, place)| if let Place::Here(slice) = place { Some((path, slice)) } else { None }).collect())
}

impl<'a> Saved<'a> {
    /// The archive that lies in this piece of the bundle.
    pub(super) fn open(bundle: &'a Path, name: &str, slice: Slice) -> Result<Self, BundleError> {
        let mut file = fs_err::File::open(bundle).map_err(|source| BundleError::Unreadable { path: bundle.to_owned(), source })?;
        let at = walk(&mut file, slice).map_err(|error| damaged(name, &error))?;
        Ok(Self { bundle, name: name.to_owned(), file: BufReader::new(file), at })
    }

    /// A file, also where it is a link to another one.
    pub(super) fn place(&self, path: &str) -> Option<Slice> {
        let mut path = normal(path);
        for _ in 0..=MAX_LINKS {
            match self.at.get(&path)? {
                Place::Here(slice) => return Some(*slice),
                Place::Link(to) => path.clone_from(to),
            }
        }
        None
    }

    /// A small file as a whole.
    pub(super) fn bytes(&mut self, path: &str) -> Result<Option<Vec<u8>>, BundleError> {
        let Some(slice) = self.place(path) else { return Ok(None) };
        if slice.size > MAX_JSON {
            return Err(BundleError::Bomb { reason: format!("{path} in {} has {} bytes", self.name, slice.size) });
        }
        self.read(slice).map(Some)
    }

    /// The first bytes of a piece.
    pub(super) fn start(&mut self, slice: Slice) -> Result<Vec<u8>, BundleError> {
        self.read(Slice { size: slice.size.min(4), ..slice })
    }

    fn read(&mut self, slice: Slice) -> Result<Vec<u8>, BundleError> {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(slice.offset)).and_then(|_| self.file.by_ref().take(slice.size).read_to_end(&mut bytes));
        read.map_err(|source| BundleError::Unreadable { path: self.bundle.to_owned(), source })?;
        Ok(bytes)
    }

    /// A JSON file; one that is there and is none is damage.
    pub(super) fn json<T: DeserializeOwned>(&mut self, path: &str) -> Result<Option<T>, BundleError> {
        let Some(bytes) = self.bytes(path)? else { return Ok(None) };
        let name = format!("{path} in {}", self.name);
        serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(&name, &error))
    }
}

fn damaged(at: &str, reason: &dyn std::fmt::Display) -> BundleError {
    BundleError::Damaged { at: at.to_owned(), reason: reason.to_string() }
}

/// A piece of a file as a file of its own.
struct Section<'a> {
    file: &'a mut fs_err::File,
    slice: Slice,
    at: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.slice.size.saturating_sub(self.at);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.file.seek(SeekFrom::Start(self.slice.offset + self.at))?;
        let count = self.file.read(&mut buffer[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.slice.size.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

fn walk(file: &mut fs_err::File, slice: Slice) -> io::Result<BTreeMap<String, Place>> {
    let mut archive = Archive::new(Section { file, slice, at: 0 });
    let mut found = BTreeMap::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let path = normal(&String::from_utf8_lossy(&entry.path_bytes()));
        let kind = entry.header().entry_type();
        if kind.is_file() {
            let (start, size) = (entry.raw_file_position(), entry.size());
            if start.checked_add(size).is_none_or(|end| end > slice.size) {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it is cut off in {path}")));
            }
            found.insert(path, Place::Here(Slice { offset: slice.offset + start, size }));
        } else if let Some(target) = entry.link_name_bytes().filter(|_| kind.is_symlink() || kind.is_hard_link()) {
            let target = String::from_utf8_lossy(&target).into_owned();
            let folder = path.rsplit_once('/').map(|(folder, _)| folder).filter(|_| kind.is_symlink()).unwrap_or_default();
            let to = normal(&format!("{folder}/{target}"));
            found.insert(path, Place::Link(to));
        }
    }
    Ok(found)
}

/// `./a/../b` is `b`; nothing is above the archive.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
