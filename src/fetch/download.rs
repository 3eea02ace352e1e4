//! A pinned file from the first source that has it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::tokio as fs;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, HeaderValue, RANGE};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::cache::{is_page, sum_of};
use super::retry::Trouble;
use super::{Cache, Cached, FetchError, OnBytes, atomic::blocking};

/// What to download.
#[derive(Clone, Debug)]
pub struct Download {
    /// The file, for people: `cert-manager.yaml`.
    pub what: String,
    /// Sources, in the order in which they are tried.
    pub urls: Vec<String>,
    /// The pin, in hexadecimal; `None` accepts whatever comes (the caller has asked the user).
    pub sha256: Option<String>,
    /// Bytes, where pinned.
    pub size: Option<u64>,
    /// What a server that wants a login is told; it is not taken along to another host.
    pub authorization: Option<HeaderValue>,
}

impl Cache {
    /// The file from the cache, or from the first source that gives it whole; verified, synced, in its place.
    ///
    /// A cut transfer goes on where it stopped when the server can do ranges, also in a later run of the program.
    pub async fn fetch(
        &self,
        client: &reqwest::Client,
        download: &Download,
        on_bytes: OnBytes<'_>,
        cancel: &CancellationToken,
    ) -> Result<Cached, FetchError> {
        if let Some(sha256) = &download.sha256
            && let Some(path) = self.get(sha256).await?
        {
            let size = fs::metadata(&path).await.map_err(FetchError::io("read the download cache"))?.len();
            on_bytes(size);
            return Ok(Cached { path, sha256: sha256.clone(), size });
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(FetchError::Cancelled { what: download.what.clone() }),
            done = Transfer::run(self, client, download, on_bytes) => done,
        }
    }
}

/// What has arrived so far.
struct Part {
    file: tokio::fs::File,
    path: PathBuf,
    sum: Sha256,
    size: u64,
    /// Some of it was there before this run.
    inherited: bool,
    head: Vec<u8>,
}

impl Part {
    /// The unfinished file of an earlier run, or an empty one; an unfinished file that another process holds is left to it.
    async fn open(folder: &Path, sha256: Option<&str>) -> std::io::Result<Self> {
        fs::create_dir_all(folder).await?;
        let shared = sha256.map(|sha256| folder.join(format!("{sha256}.part")));
        let own = folder.join(format!(".{}-{}.part", sha256.unwrap_or("unpinned"), std::process::id()));
        blocking(move || {
            let open = |path: &Path| fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let mut chosen = None;
            if let Some(path) = shared {
                let file = open(&path)?;
                // The name must still be this file's: another process may have finished and moved it since.
                let same =
                    |other: std::fs::Metadata| file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (other.dev(), other.ino()));
                if file.file().try_lock().is_ok() && fs_err::metadata(&path).is_ok_and(same) {
                    chosen = Some((file, path));
                }
            }
            let (mut file, path) = if let Some(chosen) = chosen {
                chosen
            } else {
                let file = open(&own)?;
                file.file().set_len(0)?;
                (file, own)
            };
            let mut head = vec![0; 256];
            let (sum, size) = {
                use std::io::{Read, Seek};
                let count = file.read(&mut head)?;
                head.truncate(count);
                file.rewind()?;
                sum_of(&mut file)?
            };
            let (file, _) = file.into_parts();
            Ok(Self { file: tokio::fs::File::from_std(file), path, sum, size, inherited: size > 0, head })
        })
        .await
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.head.len() < 256 {
            self.head.extend_from_slice(&bytes[..bytes.len().min(256 - self.head.len())]);
        }
        self.sum.update(bytes);
        self.file.write_all(bytes).await?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    async fn restart(&mut self) -> std::io::Result<()> {
        self.file.flush().await?;
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        (self.sum, self.size, self.inherited) = (Sha256::new(), 0, false);
        self.head.clear();
        Ok(())
    }

    async fn move_to(&mut self, place: &Path) -> std::io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        fs::rename(&self.path, place).await
    }
}

struct Transfer<'a> {
    cache: &'a Cache,
    client: &'a reqwest::Client,
    download: &'a Download,
    on_bytes: OnBytes<'a>,
    part: Part,
}

/// How one try of one source ended without a whole file.
enum Ended {
    Trouble(Trouble),
    Fatal(FetchError),
}

impl From<FetchError> for Ended {
    fn from(error: FetchError) -> Self {
        Self::Fatal(error)
    }
}

impl<'a> Transfer<'a> {
    async fn run(
        cache: &'a Cache,
        client: &'a reqwest::Client,
        download: &'a Download,
        on_bytes: OnBytes<'a>,
    ) -> Result<Cached, FetchError> {
        let part = Part::open(&cache.folder, download.sha256.as_deref()).await.map_err(write_error())?;
        let mut transfer = Self { cache, client, download, on_bytes, part };
        let mut seen = Vec::new();
        let mut all_missing = true;
        let mut tls = None;
        for url in &download.urls {
            match transfer.source(url).await {
                Ok(cached) => return Ok(cached),
                Err(Ended::Fatal(error)) => return Err(error),
                Err(Ended::Trouble(trouble)) => {
                    tracing::info!(url, %trouble, "source given up");
                    all_missing &= matches!(trouble, Trouble::Missing(_));
                    if let Trouble::Tls(message) = &trouble {
                        tls = Some((url.clone(), message.clone()));
                    }
                    seen.push(format!("{url}: {trouble}"));
                }
            }
        }
        if transfer.part.size == 0 {
            // Nothing worth going on with: leave no empty file.
            let _ = fs::remove_file(&transfer.part.path).await;
        }
        let what = download.what.clone();
        Err(match tls {
            _ if all_missing && !seen.is_empty() => FetchError::NotFound { what, urls: download.urls.join(", ") },
            Some((url, message)) => FetchError::Tls { what, url, message },
            None if seen.is_empty() => FetchError::Failed { what, message: "it has no source".into() },
            None => FetchError::Failed { what, message: seen.join("; ") },
        })
    }

    /// One source, tried again while that may help; a try that brought bytes does not count.
    async fn source(&mut self, url: &str) -> Result<Cached, Ended> {
        let policy = self.cache.policy;
        let mut tried = 0;
        loop {
            let before = self.part.size;
            let trouble = match self.once(url).await {
                Ok(()) => match self.finish().await? {
                    Some(cached) => return Ok(cached),
                    None => continue,
                },
                Err(Ended::Fatal(error)) => return Err(error.into()),
                Err(Ended::Trouble(trouble)) => trouble,
            };
            let after = match &trouble {
                Trouble::Transient { after, .. } => *after,
                // One more try for a network that is just coming up.
                Trouble::NoConnection(_) if tried == 0 => None,
                _ => return Err(Ended::Trouble(trouble)),
            };
            tried = if self.part.size > before { 1 } else { tried + 1 };
            if tried >= policy.tries {
                return Err(Ended::Trouble(trouble));
            }
            tracing::debug!(url, %trouble, tried, "try again");
            tokio::time::sleep(policy.wait(tried + 1, after)).await;
        }
    }

    async fn once(&mut self, url: &str) -> Result<(), Ended> {
        let idle = self.cache.policy.idle;
        if self.download.size.is_some_and(|size| self.part.size == size && size > 0) {
            return Ok(());
        }
        let mut request = self.request(url);
        if self.part.size > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.part.size));
        }
        let mut response = within(idle, request.send()).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && self.part.size > 0 {
            self.part.restart().await.map_err(write_error())?;
            response = within(idle, self.request(url).send()).await?;
        }
        if let Some(trouble) = Trouble::of_status(&response) {
            return Err(Ended::Trouble(trouble));
        }
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT && range_start(&response) == Some(self.part.size);
        if self.part.size > 0 && !goes_on {
            self.part.restart().await.map_err(write_error())?;
        }
        if response.content_length().is_some_and(|length| self.too_long(length)) {
            return Err(self.refuse(url).await);
        }
        while let Some(chunk) = within(idle, response.chunk()).await? {
            if self.too_long(chunk.len() as u64) {
                return Err(self.refuse(url).await);
            }
            self.part.write(&chunk).await.map_err(write_error())?;
            (self.on_bytes)(self.part.size);
        }
        Ok(())
    }

    fn request(&self, url: &str) -> reqwest::RequestBuilder {
        let request = self.client.get(url);
        match &self.download.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        }
    }

    fn too_long(&self, more: u64) -> bool {
        self.download.size.is_some_and(|size| self.part.size + more > size)
    }

    async fn refuse(&mut self, url: &str) -> Ended {
        let _ = fs::remove_file(&self.part.path).await;
        let size = self.download.size.unwrap_or_default();
        Ended::Fatal(FetchError::TooLong { what: self.download.what.clone(), url: url.to_owned(), size })
    }

    /// The verdict over a whole file; `None` when the start came from an earlier run and the whole is worth another try.
    async fn finish(&mut self) -> Result<Option<Cached>, FetchError> {
        let found = hex::encode(self.part.sum.clone().finalize());
        let pinned = self.download.sha256.clone().unwrap_or_else(|| found.clone());
        if found == pinned {
            let path = self.cache.place(&found);
            self.part.move_to(&path).await.map_err(write_error())?;
            return Ok(Some(Cached { path, sha256: found, size: self.part.size }));
        }
        if self.part.inherited {
            self.part.restart().await.map_err(write_error())?;
            return Ok(None);
        }
        let kept = self.cache.rejected(&pinned);
        self.part.move_to(&kept).await.map_err(write_error())?;
        Err(FetchError::Checksum { what: self.download.what.clone(), pinned, found, kept, page: is_page(&self.part.head) })
    }
}

fn write_error() -> impl FnOnce(std::io::Error) -> FetchError {
    FetchError::io("write to the download cache")
}

async fn within<T>(idle: Duration, step: impl Future<Output = reqwest::Result<T>>) -> Result<T, Ended> {
    match tokio::time::timeout(idle, step).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Ended::Trouble(Trouble::of_error(&error))),
        Err(_) => Err(Ended::Trouble(Trouble::Transient { message: format!("nothing came for {} s", idle.as_secs()), after: None })),
    }
}

/// `bytes 100-199/200` → 100.
fn range_start(response: &reqwest::Response) -> Option<u64> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
