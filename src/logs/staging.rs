//! A private temporary folder that is filled with what goes into the archive; nothing gets in but through the filter.

use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fs_err as fs;
use serde::Serialize;

use super::redact::{Redactor, redact};
use crate::error::Failure;

/// How much before a cut is read, so that a private key which begins there is recognised, in bytes.
const RUN_UP: u64 = 64 << 10;

/// The folder, and the list of what is missing. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Staging(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: tempfile::TempDir,
    home: Option<PathBuf>,
    missing: Mutex<BTreeMap<String, String>>,
}

impl Staging {
    /// An empty folder that only its owner can read, gone when the last clone is.
    pub(super) fn new(home: Option<&Path>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("quickstart-logs-").tempdir()?;
        fs::create_dir(folder.path().join("packed"))?;
        Ok(Self(Arc::new(Inner { folder, home: home.map(Path::to_owned), missing: Mutex::default() })))
    }

    /// What goes into the archive.
    pub(super) fn packed(&self) -> PathBuf {
        self.0.folder.path().join("packed")
    }

    /// Where a program may write what is filtered afterwards.
    pub(super) fn raw(&self) -> PathBuf {
        self.0.folder.path().join("raw")
    }

    /// Writes a text. `torn`: its beginning was cut off.
    pub(super) async fn text(&self, name: &str, text: String, torn: bool) {
        let this = self.clone();
        self.off(name, move |name| this.filter(name, &mut text.as_bytes(), torn)).await;
    }

    /// Writes a document.
    pub(super) async fn json<T: Serialize>(&self, name: &str, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.text(name, text + "\n", false).await,
            Err(error) => self.missing(name, &error.to_string()),
        }
    }

    /// Copies the end of a file, at most `limit` bytes of it.
    pub(super) async fn file(&self, name: &str, path: PathBuf, limit: u64) {
        let this = self.clone();
        self.off(name, move |name| this.tail(name, &path, limit)).await;
    }

    /// Writes a part that may have failed.
    pub(super) async fn part<T: Serialize>(&self, name: &str, part: Result<T, Failure>) {
        match part {
            Ok(value) => self.json(name, &value).await,
            Err(failure) => self.failed(name, &failure),
        }
    }

    /// A part that could not be had.
    pub(super) fn missing(&self, part: &str, why: &str) {
        let why = redact(&why.split_whitespace().collect::<Vec<_>>().join(" "), self.0.home.as_deref());
        self.0.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), why);
    }

    /// The same for a failure.
    pub(super) fn failed(&self, part: &str, failure: &Failure) {
        let cause = failure.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        self.missing(part, &format!("{}{cause} ({})", failure.what, failure.id));
    }

    /// A part with an end: what takes longer is missing.
    pub(super) async fn within(&self, part: &str, limit: Duration, work: impl Future<Output = ()>) {
        if tokio::time::timeout(limit, work).await.is_err() {
            self.missing(part, &format!("not done within {} s; what was there by then is in the archive", limit.as_secs()));
        }
    }

    /// Every part that is missing, with its reason.
    pub(super) fn all_missing(&self) -> BTreeMap<String, String> {
        self.0.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn off(&self, name: &str, work: impl FnOnce(&str) -> io::Result<()> + Send + 'static) {
        let owned = name.to_owned();
        let done = tokio::task::spawn_blocking(move || work(&owned)).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = done {
            self.missing(name, &error.to_string());
        }
    }

    fn tail(&self, name: &str, path: &Path, limit: u64) -> io::Result<()> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        if length <= limit {
            return self.filter(name, &mut BufReader::new(file.take(limit)), false);
        }
        // The run-up is filtered too, so that the filter knows where it is when what stays begins.
        let start = (length - limit).saturating_sub(RUN_UP);
        file.seek(SeekFrom::Start(start))?;
        self.filter(name, &mut BufReader::new(file.take(limit + RUN_UP)), start > 0)?;
        self.missing(name, &format!("cut: of {length} bytes the end is in the archive"));
        Ok(())
    }

    fn filter(&self, name: &str, input: &mut dyn io::BufRead, torn: bool) -> io::Result<()> {
        let name = Path::new(name);
        if !name.components().all(|component| matches!(component, Component::Normal(_))) {
            return Err(io::Error::other("that is no name for a file"));
        }
        let path = self.packed().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut output = BufWriter::new(fs::File::create(&path)?);
        Redactor::new(self.0.home.as_deref(), torn).copy(input, &mut output)?;
        output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a large log began inside a private key, which therefore did not look like one.
    #[tokio::test]
    async fn the_end_of_a_large_file_without_the_key_that_it_begins_in() {
        let staging = Staging::new(Some(Path::new("/home/ada"))).unwrap();
        let source = staging.raw();
        let key = format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n", "Secret64Secret64\n".repeat(100));
        fs::write(&source, format!("{}{key}at the end /home/ada/x\n", "line\n".repeat(50_000))).unwrap();
        staging.file("a/b.log", source, 200).await;
        let text = fs::read_to_string(staging.packed().join("a/b.log")).unwrap();
        assert!(text.ends_with("[redacted]\nat the end ~/x\n") && !text.contains("Secret64"), "{text}");
        assert!(text.len() < 80_000, "{}", text.len());
        assert_eq!(staging.all_missing().len(), 1, "that it was cut is said");
    }

    #[tokio::test]
    async fn no_name_leads_out_of_the_folder() {
        let staging = Staging::new(None).unwrap();
        staging.text("../out", "x".into(), false).await;
        assert!(!staging.0.folder.path().join("out").exists());
        assert_eq!(staging.all_missing().len(), 1);
    }
}
