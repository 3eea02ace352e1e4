//! A file that is either whole at its place or not there.

use std::io;
use std::path::{Path, PathBuf};

use fs_err::tokio as fs;
use tempfile::TempPath;
use tokio::io::{AsyncWriteExt, BufWriter};

const BUFFER: usize = 256 * 1024;

/// Written beside its place under a temporary name; [`AtomicFile::commit`] puts it there. Dropped before: gone.
#[derive(Debug)]
pub struct AtomicFile {
    file: BufWriter<tokio::fs::File>,
    temporary: TempPath,
    place: PathBuf,
}

impl AtomicFile {
    /// Starts a file for `place`, whose folder is made when missing.
    pub async fn create(place: &Path) -> io::Result<Self> {
        let folder = folder(place).to_owned();
        fs::create_dir_all(&folder).await?;
        let prefix = prefix(place);
        let temporary = blocking(move || tempfile::Builder::new().prefix(&prefix).tempfile_in(folder)).await?;
        let (file, temporary) = temporary.into_parts();
        Ok(Self { file: BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file)), temporary, place: place.to_owned() })
    }

    /// Removes what writers of `place` left that were killed. Whoever calls it knows that nobody writes there now.
    pub async fn sweep(place: &Path) {
        let (Some(folder), prefix) = (place.parent(), prefix(place)) else { return };
        let Ok(mut entries) = fs::read_dir(folder).await else { return };
        while let Ok(Some(entry)) = entries.next_entry().await {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_file(entry.path()).await.ok();
            }
        }
    }

    /// Appends.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// What is written so far becomes what `write` makes of it, a path, in a new file; where that answers false it stays as it is.
    pub async fn rewrite(&mut self, write: impl FnOnce(&Path, &mut std::fs::File) -> io::Result<bool> + Send + 'static) -> io::Result<()> {
        self.file.flush().await?;
        let (from, place) = (self.temporary.to_path_buf(), self.place.clone());
        let written = blocking(move || {
            let (mut file, temporary) = tempfile::Builder::new().prefix(&prefix(&place)).tempfile_in(folder(&place))?.into_parts();
            Ok(write(&from, &mut file)?.then_some((file, temporary)))
        });
        if let Some((file, temporary)) = written.await? {
            self.file = BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file));
            self.temporary = temporary;
        }
        Ok(())
    }

    /// As [`AtomicFile::commit`], at another place of the same file system.
    pub async fn commit_to(mut self, place: &Path) -> io::Result<()> {
        place.clone_into(&mut self.place);
        self.commit(None).await
    }

    /// Flushes, syncs and renames. `permissions` of `None` leaves 0600.
    pub async fn commit(self, permissions: Option<std::fs::Permissions>) -> io::Result<()> {
        let Self { mut file, temporary, place } = self;
        file.flush().await?;
        let file = file.into_inner();
        if let Some(permissions) = permissions {
            file.set_permissions(permissions).await?;
        }
        file.sync_all().await?;
        drop(file.into_std().await);
        blocking(move || temporary.persist(&place).map_err(|error| error.error)).await
    }
}

fn folder(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn prefix(place: &Path) -> String {
    format!(".quickstart-{}-", place.file_name().unwrap_or_default().to_string_lossy())
}

/// Runs file calls that have no asynchronous form.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
