//! Where an image was found the last time: a tag that was asked once is not asked again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Place, Resolved};
use crate::fetch::AtomicFile;

const VERSION: u32 = 1;

/// A folder with a small file for each image. Without one nothing is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Option<PathBuf>);

/// What is written down. The digest is what counts: whatever lies under it later is held against it.
#[derive(Deserialize, Serialize)]
struct Found {
    version: u32,
    image: String,
    repository: String,
    digest: String,
}

impl Memory {
    pub(super) fn of(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// The place where it was, with its digest, when it is one of those where it would be looked for now.
    pub(super) async fn recall(&self, image: &str, places: &[Place]) -> Option<Place> {
        let text = fs_err::tokio::read(self.file(image, places)?).await.ok()?;
        let found: Found = serde_json::from_slice(&text).ok()?;
        let place = places.iter().find(|place| found.version == VERSION && place.repository() == found.repository)?;
        // A digest of the reference or the catalog is no other one today.
        let fits = place.reference.digest().is_none_or(|pinned| pinned == found.digest);
        (fits && super::image::sum(image, &found.digest).is_ok()).then(|| place.with_digest(&found.digest))
    }

    /// Writes it down. What cannot be written is asked again the next time.
    pub(super) async fn keep(&self, image: &str, places: &[Place], resolved: &Resolved) {
        let Some(file) = self.file(image, places) else { return };
        let digest = resolved.index.clone().unwrap_or_else(|| format!("sha256:{}", resolved.manifest.sha256));
        let found = Found { version: VERSION, image: image.to_owned(), repository: resolved.place.repository(), digest };
        let written = async {
            let mut kept = AtomicFile::create(&file).await?;
            kept.write_all(&serde_json::to_vec(&found)?).await?;
            kept.commit(None).await
        };
        if let Err(error) = written.await {
            tracing::debug!(image, %error, "where it was found is not written down");
        }
    }

    /// One file for an image at these places: a mirror's answer is not that of the image's own registry.
    fn file(&self, image: &str, places: &[Place]) -> Option<PathBuf> {
        let mut sum = Sha256::new();
        for part in std::iter::once(image.to_owned()).chain(places.iter().map(Place::whole)) {
            sum.update(part);
            sum.update("\n");
        }
        Some(self.0.as_ref()?.join(format!("{}.json", hex::encode(sum.finalize()))))
    }
}
