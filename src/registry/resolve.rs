//! From a reference to the manifest of one platform.

use std::path::PathBuf;

use super::image::{Found, Parts, check_configuration, read, sum};
use super::{Blob, Place, Platform, Registry, RegistryError, Resolved};
use crate::fetch::{FetchError, quiet};

/// A configuration has kilobytes.
const MAX_CONFIGURATION: u64 = 8 * 1024 * 1024;
const ACCEPT: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

impl Registry {
    /// Finds an image for a platform. With a digest (of the catalog, or in the reference) just that one is taken, else what the tag names now.
    ///
    /// Manifests are kept in the cache: what is there by its digest is not asked for again, so a second run counts for no limit.
    pub async fn resolve(&self, image: &str, digest: Option<&str>, platform: &Platform) -> Result<Resolved, RegistryError> {
        let places = Place::of(image, digest, self.mirror.as_ref())?;
        if let Some(place) = self.memory.recall(image, &places).await {
            match self.resolve_at(image, &place, platform).await {
                Err(RegistryError::NotFound { .. }) => {}
                other => return other,
            }
        }
        let mut looked = Vec::new();
        for place in &places {
            match self.resolve_at(image, place, platform).await {
                Err(RegistryError::NotFound { at, .. }) => looked.push(at),
                Ok(resolved) => {
                    self.memory.keep(image, &places, &resolved).await;
                    return Ok(resolved);
                }
                failed => return failed,
            }
        }
        Err(RegistryError::NotFound { image: image.to_owned(), at: looked.join(", nor at ") })
    }

    async fn resolve_at(&self, image: &str, place: &Place, platform: &Platform) -> Result<Resolved, RegistryError> {
        let (top, path, bytes) = self.manifest(image, place).await?;
        let resolved = |index: Option<String>, manifest: Blob, path: PathBuf, parts: Parts| Resolved {
            reference: image.to_owned(),
            place: place.with_digest(&format!("sha256:{}", manifest.sha256)),
            index,
            manifest,
            path,
            media_type: parts.media_type,
            config: parts.config,
            layers: parts.layers,
        };
        let blob = |sha256: String, bytes: &[u8]| Blob { sha256, size: bytes.len() as u64 };
        match read(image, &bytes, platform)? {
            Found::Manifest(parts) => {
                if parts.config.size > MAX_CONFIGURATION {
                    return Err(RegistryError::Failed {
                        image: image.to_owned(),
                        registry: None,
                        message: "its configuration has megabytes".to_owned(),
                    });
                }
                let configuration = self.blob(image, place, &parts.config, &quiet).await?;
                let configuration = fs_err::tokio::read(&configuration).await.map_err(FetchError::io("read the download cache"))?;
                check_configuration(image, &configuration, platform)?;
                Ok(resolved(None, blob(top, &bytes), path, parts))
            }
            Found::Index(digest) => {
                let (sha256, path, bytes) = self.manifest(image, &place.with_digest(&digest)).await?;
                match read(image, &bytes, platform)? {
                    Found::Manifest(parts) => Ok(resolved(Some(format!("sha256:{top}")), blob(sha256, &bytes), path, parts)),
                    Found::Index(_) => Err(RegistryError::Failed {
                        image: image.to_owned(),
                        registry: None,
                        message: "its index names another index".to_owned(),
                    }),
                }
            }
        }
    }

    /// Who is asked for an image first, for people and as a key.
    pub fn asked(&self, image: &str) -> Result<String, RegistryError> {
        let places = Place::of(image, None, self.mirror.as_ref())?;
        Ok(places.first().map(|place| place.host().to_owned()).unwrap_or_default())
    }

    /// An index or a manifest, whatever it describes: its sum, its file in the cache, its bytes. What is in the cache by its digest is
    /// nobody's answer: no registry is asked for leave.
    pub async fn manifest(&self, image: &str, place: &Place) -> Result<(String, PathBuf, Vec<u8>), RegistryError> {
        if let Some(digest) = place.reference.digest() {
            let sha256 = sum(image, digest)?;
            if let Some(path) = self.cache.get(&sha256).await? {
                let bytes = fs_err::tokio::read(&path).await.map_err(FetchError::io("read the download cache"))?;
                return Ok((sha256, path, bytes));
            }
        }
        self.authorize(image, place).await?;
        let auth = self.login(image, place).await?;
        let client = &self.clients[usize::from(place.plain)];
        let digest = match place.reference.digest() {
            Some(digest) => digest.to_owned(),
            None => self.ask(image, place, || client.fetch_manifest_digest(&place.reference, &auth)).await?,
        };
        let sha256 = sum(image, &digest)?;
        let path = if let Some(path) = self.cache.get(&sha256).await? {
            path
        } else {
            let pinned = place.with_digest(&digest);
            let (bytes, _) = self.ask(image, place, || client.pull_manifest_raw(&pinned.reference, &auth, &ACCEPT)).await?;
            self.cache.put_reader(&format!("the manifest of {image}"), &sha256, &bytes[..], &quiet).await?
        };
        let bytes = fs_err::tokio::read(&path).await.map_err(FetchError::io("read the download cache"))?;
        Ok((sha256, path, bytes))
    }
}
