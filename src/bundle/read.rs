//! The reader: one pass over the archive, nothing believed that was not hashed.
//!
//! Synchronous, for `spawn_blocking`. A plain archive is seeked in, a compressed one read through.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::check::{self, MAX_INDEX};
use super::frame::{self, Stream};
use super::{BundleError, Entry, INDEX_PATH, Index, seal};

const BUFFER: usize = 128 * 1024;

/// Takes the bytes of an entry.
pub type Sink<'a> = dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()> + 'a;

/// A bundle whose index was read and found sound.
#[derive(Clone, Debug)]
pub struct Bundle {
    path: PathBuf,
    gzip: bool,
    index: Index,
    text: Vec<u8>,
}

impl Bundle {
    /// Reads the index and checks it: version, seal, paths, limits, references.
    ///
    /// Of a plain archive all headers are compared with the index too, which finds a cut-off copy at once and reads next to nothing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let path = path.as_ref();
        let mut stream = Stream::open(path)?;
        let text = index_text(&mut stream, path)?;
        let index = seal::read(&text)?;
        check::check(&index)?;
        let bundle = Self { path: path.to_owned(), gzip: stream.is_gzip(), index, text };
        if !bundle.gzip {
            bundle.walk(stream, &|_| false, true, &mut |_, _| Ok(()), &mut |_| Ok(()))?;
        }
        Ok(bundle)
    }

    /// What the bundle says of itself.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The index, without the bundle.
    pub fn into_index(self) -> Index {
        self.index
    }

    /// Where the bundle is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the archive is compressed: then each pass reads from its beginning.
    pub fn is_gzip(&self) -> bool {
        self.gzip
    }

    /// The entry of a path.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.index.files.iter().find(|entry| entry.path == path)
    }

    /// Refuses a bundle for other processors than the machine's, both in Go's words (`amd64`, `arm64`).
    pub fn check_architecture(&self, goarch: &str) -> Result<(), BundleError> {
        if self.index.architecture == goarch {
            return Ok(());
        }
        Err(BundleError::Architecture { bundle: self.index.architecture.clone(), machine: goarch.to_owned() })
    }

    /// Hands the selected entries to `sink`, in the order of the archive, in one pass that ends behind the last of them.
    ///
    /// Each entry is hashed while `sink` reads it; what `sink` leaves unread is drained, then size and sha256 are compared. What `sink` has
    /// done with the bytes of an entry before an error must be undone by the caller: only when this returns `Ok` were they the right ones
    /// ([`Bundle::extract_to`] does so with temporary names). An error of `sink` is [`BundleError::Sink`], unless the bundle itself failed first.
    pub fn extract(&self, select: impl Fn(&Entry) -> bool, sink: &mut Sink<'_>) -> Result<(), BundleError> {
        self.pass(&select, false, sink, &mut |_| Ok(()))
    }

    /// Reads everything: each entry's size and sha256, and that nothing else is there. `on_progress` hears the bytes of the entry read so far.
    pub fn verify(&self, mut on_progress: impl FnMut(&Entry, u64)) -> Result<(), BundleError> {
        let mut buffer = vec![0; BUFFER];
        let mut sink = |entry: &Entry, reader: &mut dyn Read| {
            let mut done = 0;
            loop {
                let count = reader.read(&mut buffer)?;
                if count == 0 {
                    return Ok(());
                }
                done += count as u64;
                on_progress(entry, done);
            }
        };
        self.pass(&|_| true, true, &mut sink, &mut |_| Ok(()))
    }

    /// A small file as a whole; one of more than `max` bytes is refused before it is read.
    pub fn read_small(&self, path: &str, max: u64) -> Result<Vec<u8>, BundleError> {
        let entry = self.entry(path).ok_or_else(|| BundleError::Missing { path: path.to_owned() })?;
        if entry.size > max {
            return Err(BundleError::Bomb { reason: format!("{path} has {} bytes, the limit is {max}", entry.size) });
        }
        let mut bytes = Vec::new();
        self.extract(|entry| entry.path == path, &mut |_, reader| reader.read_to_end(&mut bytes).map(|_| ()))?;
        Ok(bytes)
    }

    /// A new pass over the file, which must still be the one that was opened. `verified` hears of every selected entry whose sum was right.
    pub(super) fn pass(
        &self,
        select: &dyn Fn(&Entry) -> bool,
        whole: bool,
        sink: &mut Sink<'_>,
        verified: &mut dyn FnMut(&Entry) -> Result<(), BundleError>,
    ) -> Result<(), BundleError> {
        let mut stream = Stream::open(&self.path)?;
        if index_text(&mut stream, &self.path)? != self.text {
            return Err(BundleError::damaged(INDEX_PATH, "it changed since the bundle was opened"));
        }
        self.walk(stream, select, whole, sink, verified)
    }

    fn walk(
        &self,
        mut stream: Stream,
        select: &dyn Fn(&Entry) -> bool,
        whole: bool,
        sink: &mut Sink<'_>,
        verified: &mut dyn FnMut(&Entry) -> Result<(), BundleError>,
    ) -> Result<(), BundleError> {
        let selected: Vec<bool> = self.index.files.iter().map(select).collect();
        let wanted = match selected.iter().rposition(|chosen| *chosen) {
            _ if whole => self.index.files.len(),
            Some(last) => last + 1,
            None => 0,
        };
        for (entry, chosen) in self.index.files.iter().zip(&selected).take(wanted) {
            self.expect(&mut stream, entry)?;
            if *chosen {
                hand_over(&mut stream, entry, sink)?;
                stream.padding(entry.size, &entry.path)?;
                verified(entry)?;
            } else {
                stream.skip(entry.size, &entry.path)?;
            }
        }
        if wanted < self.index.files.len() {
            return Ok(());
        }
        match stream.frame("the end of the archive")? {
            None => stream.trailer(),
            Some(frame) => Err(self.stranger(frame.path)),
        }
    }

    /// The next header must be this entry's.
    fn expect(&self, stream: &mut Stream, entry: &Entry) -> Result<(), BundleError> {
        let missing = || BundleError::Missing { path: entry.path.clone() };
        let frame = stream.frame(&entry.path)?.ok_or_else(missing)?;
        if frame.path != entry.path {
            let position = |path: &str| self.index.files.iter().position(|entry| entry.path == path);
            return Err(match (position(&frame.path), position(&entry.path)) {
                (Some(found), Some(expected)) if found > expected => missing(),
                _ => self.stranger(frame.path),
            });
        }
        if frame.size != entry.size {
            return Err(BundleError::Size { path: frame.path, expected: entry.size, found: frame.size });
        }
        Ok(())
    }

    fn stranger(&self, path: String) -> BundleError {
        if path == INDEX_PATH || self.entry(&path).is_some() { BundleError::Duplicate { path } } else { BundleError::Unexpected { path } }
    }
}

fn index_text(stream: &mut Stream, path: &Path) -> Result<Vec<u8>, BundleError> {
    let size = frame::first(stream, path)?;
    if size > MAX_INDEX {
        return Err(BundleError::Bomb { reason: format!("its index has {size} bytes, the limit is {MAX_INDEX}") });
    }
    let mut text = Vec::new();
    stream.take(size).read_to_end(&mut text).map_err(|error| frame::reading(INDEX_PATH, error))?;
    if text.len() as u64 != size {
        return Err(BundleError::Truncated { at: INDEX_PATH.to_owned() });
    }
    stream.padding(size, INDEX_PATH)?;
    Ok(text)
}

/// An entry's bytes, hashed as they pass; what went wrong below is kept, since a sink may hide it.
struct Hashed<'a> {
    stream: &'a mut Stream,
    left: u64,
    sum: Sha256,
    failed: Option<io::Error>,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        if let Some(error) = &self.failed {
            return Err(io::Error::new(error.kind(), "the bundle cannot be read further"));
        }
        let count = match self.stream.read(&mut buffer[..most]) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the bundle is cut off")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            other => other,
        };
        match count {
            Ok(count) => {
                self.sum.update(&buffer[..count]);
                self.left -= count as u64;
                Ok(count)
            }
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(told)
            }
        }
    }
}

fn hand_over(stream: &mut Stream, entry: &Entry, sink: &mut Sink<'_>) -> Result<(), BundleError> {
    let mut reader = Hashed { stream, left: entry.size, sum: Sha256::new(), failed: None };
    let taken = sink(entry, &mut reader);
    let drained = if taken.is_ok() { io::copy(&mut reader, &mut io::sink()).map(|_| ()) } else { Ok(()) };
    if let Some(error) = reader.failed {
        return Err(frame::reading(&entry.path, error));
    }
    taken.map_err(|source| BundleError::Sink { path: entry.path.clone(), source })?;
    drained.map_err(|error| frame::reading(&entry.path, error))?;
    let found = hex::encode(reader.sum.finalize());
    if found == entry.sha256 {
        return Ok(());
    }
    Err(BundleError::Checksum { path: entry.path.clone(), expected: entry.sha256.clone(), found })
}
