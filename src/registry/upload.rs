//! Puts blobs and manifests into a registry.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::HeaderValue;
use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::{Place, Registry, RegistryError};
use crate::fetch::{Pulse, quiet};

/// A registry that takes no byte for so long is given up for this try.
const IDLE: Duration = Duration::from_mins(1);
/// One try of one blob, however slow the line is.
const BLOB: Duration = Duration::from_hours(12);
/// One request of an upload.
const CHUNK: usize = 4 * 1024 * 1024;

/// A part of a file, as a blob.
#[derive(Clone, Debug)]
pub struct Section {
    /// The file.
    pub path: PathBuf,
    /// Where it starts there.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
}

impl Registry {
    /// Asks whether one may write there, so that this is known before anything is sent.
    pub async fn may_push(&self, place: &Place) -> Result<(), RegistryError> {
        let (name, client) = (place.whole(), &self.clients[usize::from(place.plain)]);
        let login = self.login(&name, place).await?;
        self.ask(&name, place, || client.auth(&place.reference, &login, RegistryOperation::Push)).await.map(drop)
    }

    /// Sends a blob unless the registry has it; answers whether it was sent. `place` was asked for leave by [`Registry::may_push`].
    pub async fn push(&self, place: &Place, section: &Section) -> Result<bool, RegistryError> {
        let (name, digest) = (place.whole(), format!("sha256:{}", section.sha256));
        let client = &self.clients[usize::from(place.plain)];
        if self.ask(&name, place, || client.blob_exists(&place.reference, &digest)).await? {
            return Ok(false);
        }
        let send = || async {
            let pulse = Pulse::default();
            let blob = open(section, &pulse).await?;
            let sending = client.push_blob_stream(&place.reference, blob, &digest, Some(section.size));
            let sent = pulse.watch(IDLE, &quiet, sending).await;
            sent.unwrap_or_else(|idle| Err(OciDistributionError::GenericError(Some(format!("nothing was taken for {} s", idle.seconds)))))
        };
        self.ask_within(BLOB, &name, place, send).await?;
        Ok(true)
    }

    /// Puts a manifest under the tag of `place`, last of all: what it names must be there.
    pub async fn push_manifest(&self, place: &Place, media_type: &'static str, bytes: Vec<u8>) -> Result<(), RegistryError> {
        let client = &self.clients[usize::from(place.plain)];
        let put = || client.push_manifest_raw(&place.reference, bytes.clone(), HeaderValue::from_static(media_type));
        self.ask(&place.whole(), place, put).await.map(drop)
    }
}

type Chunks = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, OciDistributionError>> + Send>>;

async fn open(section: &Section, pulse: &Pulse) -> Result<Chunks, OciDistributionError> {
    let mut file = tokio::fs::File::open(&section.path).await?;
    file.seek(std::io::SeekFrom::Start(section.start)).await?;
    let pulse = pulse.clone();
    let chunks = ReaderStream::with_capacity(file.take(section.size), CHUNK).map(move |chunk| {
        let chunk = chunk?;
        pulse.add(chunk.len());
        Ok(chunk)
    });
    Ok(Box::pin(chunks))
}
