//! The archive itself: a gzipped tar that appears whole or not at all, and only its owner can read.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use fs_err as fs;
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

use super::LogsError;

/// Where the archive will be: claimed before anything is gathered.
#[derive(Debug)]
pub struct Out {
    path: PathBuf,
    temporary: NamedTempFile,
}

/// An archive that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Files in it.
    pub files: usize,
    /// Parts that could not be had.
    pub missing: usize,
}

impl Out {
    /// A temporary file beside what will be the archive.
    ///
    /// # Errors
    /// [`LogsError::Exists`] and [`LogsError::Write`].
    pub fn claim(path: &Path) -> Result<Self, LogsError> {
        if path.symlink_metadata().is_ok() {
            return Err(LogsError::Exists { path: path.display().to_string() });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Mode 0600 is tempfile's own.
        let temporary = tempfile::Builder::new()
            .prefix(".quickstart-")
            .suffix(".part")
            .tempfile_in(folder)
            .map_err(|source| LogsError::Write { path: path.display().to_string(), source })?;
        Ok(Self { path: path.to_owned(), temporary })
    }

    /// Packs all files of a folder below `top`, and gives the archive its name.
    pub(super) fn pack(self, folder: &Path, top: &str, missing: usize) -> Result<Packed, LogsError> {
        let Self { path, temporary } = self;
        let failed = |source: io::Error| LogsError::Write { path: path.display().to_string(), source };
        let files = write(temporary.as_file(), folder, top).map_err(failed)?;
        temporary.as_file().sync_all().map_err(failed)?;
        let size = temporary.as_file().metadata().map_err(failed)?.len();
        match temporary.persist_noclobber(&path) {
            Ok(_) => Ok(Packed { path, size, files, missing }),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(LogsError::Exists { path: path.display().to_string() }),
            Err(error) => Err(failed(error.error)),
        }
    }
}

fn write(out: &std::fs::File, folder: &Path, top: &str) -> io::Result<usize> {
    let mut builder = Builder::new(GzEncoder::new(BufWriter::new(out), Compression::default()));
    let modified = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    let paths = files(folder);
    for path in &paths {
        let mut file = fs::File::open(path)?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(file.metadata()?.len());
        header.set_mode(0o600);
        header.set_mtime(modified);
        let name = Path::new(top).join(path.strip_prefix(folder).map_err(io::Error::other)?);
        builder.append_data(&mut header, name, &mut file)?;
    }
    builder.into_inner()?.finish()?.flush()?;
    Ok(paths.len())
}

/// The regular files below a folder, sorted; links are not followed.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
