//! `DIR/downloads/<sha256>`: files by what they are, proven again each time they are used.

use std::path::{Path, PathBuf};

use fs_err::tokio as fs;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{AtomicFile, FetchError, OnBytes, Policy, atomic::blocking, code::is_sha256};

const CHUNK: usize = 256 * 1024;

/// A file of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Where it lies.
    pub path: PathBuf,
    /// Of its content, in hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// The content-addressed cache.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(super) folder: PathBuf,
    pub(super) policy: Policy,
}

impl Cache {
    /// The cache in `directory`; nothing is made before something is put.
    pub fn new(directory: &Path) -> Self {
        Self { folder: directory.join("downloads"), policy: Policy::default() }
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Where a file of that content lies or would lie.
    pub fn place(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256)
    }

    /// The file, when it is there and still is what it was. A damaged one is set aside as `<sha256>.damaged`.
    pub async fn get(&self, sha256: &str) -> Result<Option<PathBuf>, FetchError> {
        let place = self.place(sha256);
        if !fs::try_exists(&place).await.map_err(FetchError::io("look into the download cache"))? {
            return Ok(None);
        }
        let (found, _) = sum_of_file(&place).await.map_err(FetchError::io("read the download cache"))?;
        if found == sha256 {
            return Ok(Some(place));
        }
        tracing::warn!(path = %place.display(), found, "a file of the cache is damaged and is set aside");
        fs::rename(&place, self.folder.join(format!("{sha256}.damaged"))).await.map_err(FetchError::io("set a damaged file aside"))?;
        Ok(None)
    }

    /// The sums of files whose sum starts so, as their names say; [`Cache::get`] says whether they still are what they were.
    pub async fn starting_with(&self, prefix: &str) -> Result<Vec<String>, FetchError> {
        let mut entries = match fs::read_dir(&self.folder).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FetchError::io("look into the download cache")(error)),
        };
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(FetchError::io("look into the download cache"))? {
            found.extend(entry.file_name().into_string().ok().filter(|name| is_sha256(name) && name.starts_with(prefix)));
        }
        Ok(found)
    }

    /// Puts what `reader` gives, when it is `sha256`; otherwise it is kept aside and [`FetchError::Checksum`] says so.
    pub async fn put_reader<R>(&self, what: &str, sha256: &str, mut reader: R, on_bytes: OnBytes<'_>) -> Result<PathBuf, FetchError>
    where
        R: AsyncRead + Send + Unpin,
    {
        let place = self.place(sha256);
        let mut file = AtomicFile::create(&place).await.map_err(FetchError::io("write to the download cache"))?;
        let mut sum = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let (mut moved, mut head) = (0_u64, Vec::new());
        loop {
            let count = reader.read(&mut buffer).await.map_err(FetchError::io(format!("read {what}")))?;
            let chunk = &buffer[..count];
            if count == 0 {
                break;
            }
            if head.is_empty() {
                head = chunk[..count.min(256)].to_vec();
            }
            sum.update(chunk);
            file.write_all(chunk).await.map_err(FetchError::io("write to the download cache"))?;
            moved += count as u64;
            on_bytes(moved);
        }
        let found = hex::encode(sum.finalize());
        if found == sha256 {
            file.commit(None).await.map_err(FetchError::io("write to the download cache"))?;
            return Ok(place);
        }
        let aside = self.rejected(sha256);
        file.commit_to(&aside).await.map_err(FetchError::io("set a file aside"))?;
        Err(FetchError::Checksum { what: what.to_owned(), pinned: sha256.to_owned(), found, kept: aside, page: is_page(&head) })
    }

    pub(super) fn rejected(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.rejected"))
    }
}

/// Sum and size of a file.
pub(super) async fn sum_of_file(path: &Path) -> std::io::Result<(String, u64)> {
    let path = path.to_owned();
    blocking(move || {
        let (sum, size) = sum_of(&mut fs_err::File::open(path)?)?;
        Ok((hex::encode(sum.finalize()), size))
    })
    .await
}

/// The running sum and size of the rest of `reader`.
pub(super) fn sum_of(reader: &mut impl std::io::Read) -> std::io::Result<(Sha256, u64)> {
    let mut sum = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok((sum, size));
        }
        sum.update(&buffer[..count]);
        size += count as u64;
    }
}

/// The start of a file looks like a web page.
pub(super) fn is_page(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&head[..head.len().min(256)]).trim_start().to_ascii_lowercase();
    text.starts_with("<!doctype html") || text.starts_with("<html")
}
