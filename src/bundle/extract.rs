//! Entries as files: under a temporary name until their sum was right.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::frame::is_program;
use super::{Bundle, BundleError, Entry};

impl Bundle {
    /// Writes the entries for which `place` has a path, in one pass; answers with the paths written.
    ///
    /// Each file is written beside its place, synced, and renamed when its size and sha256 were right; at an error the files before it are
    /// there and whole, the rest is not there. Folders are made when missing. Mode 0755 for the kind program, 0644 for all else.
    pub fn extract_to(&self, place: impl Fn(&Entry) -> Option<PathBuf>) -> Result<Vec<PathBuf>, BundleError> {
        let waiting = std::cell::RefCell::new(None);
        let mut written = Vec::new();
        self.pass(
            &|entry| place(entry).is_some(),
            false,
            &mut |entry, reader| {
                let Some(to) = place(entry) else { return Ok(()) };
                let mut file = beside(&to)?;
                io::copy(reader, file.as_file_mut())?;
                *waiting.borrow_mut() = Some((file, to));
                Ok(())
            },
            &mut |entry| {
                let Some((file, to)) = waiting.take() else { return Ok(()) };
                let mode = if is_program(&entry.path) { 0o755 } else { 0o644 };
                commit(file, &to, mode).map_err(|source| BundleError::Sink { path: entry.path.clone(), source })?;
                written.push(to);
                Ok(())
            },
        )?;
        Ok(written)
    }
}

/// A temporary file in the folder of `place`, which is made when missing.
pub(super) fn beside(place: &Path) -> io::Result<NamedTempFile> {
    let folder = folder(place);
    fs_err::create_dir_all(folder)?;
    tempfile::Builder::new().prefix(".quickstart-").tempfile_in(folder)
}

/// Syncs the file and gives it its name and mode.
pub(super) fn commit(mut file: NamedTempFile, place: &Path, mode: u32) -> io::Result<()> {
    file.flush()?;
    set_mode(file.as_file(), mode)?;
    file.as_file().sync_all()?;
    file.persist(place).map_err(|error| error.error)?;
    sync_folder(folder(place))
}

fn folder(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn set_mode(file: &std::fs::File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &std::fs::File, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
