//! The tar below a bundle: one kind of entry, no extensions, headers read and written one at a time.
//!
//! Bundles need less of tar than a general reader offers, and what is not offered cannot be misused: every entry is a regular file with a short path.

use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use flate2::bufread::GzDecoder;
use tar::{EntryType, Header};

use super::path::check_path;
use super::{BundleError, INDEX_PATH};

/// Bytes of a tar block.
pub(super) const BLOCK: usize = 512;
/// Blocks of zeros behind the last entry that are put up with (tar programs fill up to a record); two are required.
const MAX_TRAILER: u64 = 1024 * 1024;
const BUFFER: usize = 256 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A header that passed all checks: a regular file of this path and size.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) path: String,
    pub(super) size: u64,
}

/// Bytes of the archive, one after the other.
pub(super) enum Stream {
    Plain(BufReader<fs_err::File>),
    Gzip(Box<GzDecoder<BufReader<fs_err::File>>>),
}

impl Stream {
    /// Opens a regular file; gzip is known by its first two bytes.
    pub(super) fn open(path: &Path) -> Result<Self, BundleError> {
        let unreadable = |source| BundleError::Unreadable { path: path.to_owned(), source };
        // A pipe would block in `open`.
        if !fs_err::metadata(path).map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("not a regular file")));
        }
        let mut file = BufReader::with_capacity(BUFFER, fs_err::File::open(path).map_err(unreadable)?);
        let zipped = file.fill_buf().map_err(unreadable)?.starts_with(&GZIP);
        Ok(if zipped { Self::Gzip(Box::new(GzDecoder::new(file))) } else { Self::Plain(file) })
    }

    pub(super) fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// The next entry's header; `None` at the end of the archive, whose first block is then consumed.
    pub(super) fn frame(&mut self, at: &str) -> Result<Option<Frame>, BundleError> {
        let mut header = Header::new_old();
        self.read_exact(header.as_mut_bytes()).map_err(|error| reading(at, error))?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        check(&header, at).map(Some)
    }

    /// Goes over `size` bytes and the padding behind them; a plain archive is not read there.
    pub(super) fn skip(&mut self, size: u64, at: &str) -> Result<(), BundleError> {
        let whole = size.checked_next_multiple_of(BLOCK as u64).ok_or_else(|| too_large(at))?;
        match self {
            Self::Plain(file) => {
                let distance = i64::try_from(whole).map_err(|_| too_large(at))?;
                let failed = |source| BundleError::Read { at: at.to_owned(), source };
                file.seek_relative(distance).map_err(failed)?;
                let end = file.get_ref().metadata().map_err(failed)?.len();
                if file.stream_position().map_err(failed)? > end {
                    return Err(BundleError::Truncated { at: at.to_owned() });
                }
                Ok(())
            }
            Self::Gzip(_) => {
                let skipped = io::copy(&mut self.by_ref().take(whole), &mut io::sink()).map_err(|error| reading(at, error))?;
                if skipped < whole { Err(BundleError::Truncated { at: at.to_owned() }) } else { Ok(()) }
            }
        }
    }

    /// Reads the zeros between an entry of `size` bytes and the next header.
    pub(super) fn padding(&mut self, size: u64, at: &str) -> Result<(), BundleError> {
        let mut block = [0; BLOCK];
        let padding = &mut block[..padding(size)];
        self.read_exact(padding).map_err(|error| reading(at, error))?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(BundleError::damaged(at, "something else than zeros follows it"));
        }
        Ok(())
    }

    /// Reads what must follow the block of zeros that ended the entries: at least one more, nothing else, and a whole gzip.
    pub(super) fn trailer(&mut self) -> Result<(), BundleError> {
        const AT: &str = "the end of the archive";
        let mut second = [0; BLOCK];
        self.read_exact(&mut second).map_err(|error| reading(AT, error))?;
        let mut zero = second.iter().all(|byte| *byte == 0);
        let mut rest = Vec::new();
        let limit = self.by_ref().take(MAX_TRAILER + 1).read_to_end(&mut rest).map_err(|error| reading(AT, error))?;
        if limit as u64 > MAX_TRAILER {
            return Err(BundleError::Bomb { reason: "more than 1 MiB follows its last entry".into() });
        }
        zero &= rest.iter().all(|byte| *byte == 0);
        if let Self::Gzip(gzip) = self {
            zero &= gzip.get_mut().fill_buf().map_err(|error| reading(AT, error))?.is_empty();
        }
        if zero { Ok(()) } else { Err(BundleError::damaged(AT, "something else than zeros follows the last entry")) }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
        }
    }
}

/// Bytes between the end of an entry of `size` bytes and the next block.
pub(super) fn padding(size: u64) -> usize {
    let block = BLOCK as u64;
    usize::try_from((block - size % block) % block).unwrap_or_default()
}

/// What an error of the stream below means.
pub(super) fn reading(at: &str, error: io::Error) -> BundleError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => BundleError::Truncated { at: at.to_owned() },
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => BundleError::damaged(at, format!("the compression is broken: {error}")),
        _ => BundleError::Read { at: at.to_owned(), source: error },
    }
}

fn too_large(at: &str) -> BundleError {
    BundleError::Bomb { reason: format!("{at} has more bytes than can be counted") }
}

fn check(header: &Header, at: &str) -> Result<Frame, BundleError> {
    let bytes = header.as_bytes();
    let sum: u32 = bytes.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    if header.cksum().ok() != Some(sum) {
        return Err(BundleError::damaged(at, "the header of the entry has a wrong checksum"));
    }
    let raw = header.path_bytes();
    let path = String::from_utf8_lossy(&raw).into_owned();
    let refuse = |reason| BundleError::Unsafe { path: path.clone(), reason };
    let reason = match header.entry_type() {
        EntryType::Regular => None,
        EntryType::Link | EntryType::Symlink => Some("it is a link"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Some("it is a device"),
        EntryType::Directory => Some("it is a folder"),
        _ => Some("it is a kind of entry that bundles do not have"),
    };
    if let Some(reason) = reason {
        return Err(refuse(reason));
    }
    check_path(&path).map_err(refuse)?;
    let size = header.entry_size().map_err(|error| BundleError::damaged(path.as_str(), error.to_string()))?;
    Ok(Frame { path, size })
}

/// The header that the writer gives an entry: always the same for the same path and size.
pub(super) fn header(path: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(path)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(if is_program(path) { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

/// Whether an entry is to be executable.
pub(super) fn is_program(path: &str) -> bool {
    path.starts_with("bin/")
}

/// Whether the first header is that of an index, and its size.
pub(super) fn first(stream: &mut Stream, path: &Path) -> Result<u64, BundleError> {
    let not = |reason: &str| BundleError::NotABundle { path: path.to_owned(), reason: reason.to_owned() };
    match stream.frame(INDEX_PATH) {
        Ok(Some(frame)) if frame.path == INDEX_PATH => Ok(frame.size),
        Err(error @ BundleError::Read { .. }) => Err(error),
        Ok(_) => Err(not("its first entry is not bundle.json")),
        Err(_) => Err(not("it is no tar archive that starts with bundle.json")),
    }
}
