//! What a registry says of an image: an index of platforms, a manifest, its blobs.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Place, RegistryError};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An operating system and a processor, `linux/amd64`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// GOARCH; the system is always linux.
    pub architecture: String,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture)
    }
}

/// A part of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blob {
    /// In hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// An image, chosen for a platform: its manifest is in the cache, its blobs need not be.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// As the manifests write it.
    pub reference: String,
    /// Where it is.
    pub place: Place,
    /// Digest of the index that names its platforms, where there is one: `sha256:…`.
    pub index: Option<String>,
    /// Its manifest.
    pub manifest: Blob,
    /// Where that lies in the cache.
    pub path: PathBuf,
    /// Of the manifest.
    pub media_type: String,
    /// Its configuration, whose sum is the image's ID.
    pub config: Blob,
    /// From the lowest to the uppermost; the same one may be there twice.
    pub layers: Vec<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    media_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
pub(super) struct Descriptor {
    digest: String,
    size: u64,
    platform: Option<Described>,
}

#[derive(Deserialize)]
pub(super) struct Described {
    pub(super) os: String,
    pub(super) architecture: String,
    variant: Option<String>,
}

/// A manifest's own parts.
pub(super) struct Parts {
    pub(super) media_type: String,
    pub(super) config: Blob,
    pub(super) layers: Vec<Blob>,
}

/// What a reference leads to.
pub(super) enum Found {
    /// Digest of the platform's manifest.
    Index(String),
    Manifest(Parts),
}

impl Descriptor {
    fn blob(&self, image: &str) -> Result<Blob, RegistryError> {
        Ok(Blob { sha256: sum(image, &self.digest)?, size: self.size })
    }
}

/// The hexadecimal part of `sha256:…`, and nothing else: it becomes a file name.
pub(super) fn sum(image: &str, digest: &str) -> Result<String, RegistryError> {
    let hex =
        digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    hex.map(str::to_owned).ok_or_else(|| unusable(image, format!("its digest `{}` is not a sha256", digest.escape_debug())))
}

/// Reads an index or a manifest; of an index the platform's entry.
pub(super) fn read(image: &str, bytes: &[u8], platform: &Platform) -> Result<Found, RegistryError> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| unusable(image, format!("its manifest: {error}")))?;
    if let Some(entries) = &document.manifests {
        return choose(image, entries, platform).map(Found::Index);
    }
    let config = document.config.ok_or_else(|| unusable(image, "its manifest has no configuration: a format of before 2017".to_owned()))?;
    let layers: Result<Vec<Blob>, RegistryError> = document.layers.iter().map(|layer| layer.blob(image)).collect();
    let media_type = document.media_type.unwrap_or_else(|| MANIFEST.to_owned());
    Ok(Found::Manifest(Parts { media_type, config: config.blob(image)?, layers: layers? }))
}

/// The entry of a platform; without a variant, or with the one that every such processor has, before the others.
fn choose(image: &str, entries: &[Descriptor], platform: &Platform) -> Result<String, RegistryError> {
    let fits =
        |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|has| has.os == "linux" && has.architecture == platform.architecture);
    let usual =
        |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|has| matches!(has.variant.as_deref(), None | Some("" | "v1" | "v8")));
    let chosen = entries.iter().filter(fits).find(usual).or_else(|| entries.iter().find(fits));
    let chosen = chosen.ok_or_else(|| {
        let has: Vec<String> = entries
            .iter()
            .filter_map(|entry| entry.platform.as_ref())
            .filter(|has| has.os != "unknown")
            .map(|has| format!("{}/{}", has.os, has.architecture))
            .collect();
        RegistryError::Platform { image: image.to_owned(), wanted: platform.to_string(), has: has.join(", ") }
    })?;
    Ok(format!("sha256:{}", sum(image, &chosen.digest)?))
}

/// Compares a configuration with the platform that was asked for: an image without an index says it nowhere else.
pub(super) fn check_configuration(image: &str, bytes: &[u8], platform: &Platform) -> Result<(), RegistryError> {
    let has: Described = serde_json::from_slice(bytes).map_err(|error| unusable(image, format!("its configuration: {error}")))?;
    if has.os == "linux" && has.architecture == platform.architecture {
        return Ok(());
    }
    Err(RegistryError::Platform { image: image.to_owned(), wanted: platform.to_string(), has: format!("{}/{}", has.os, has.architecture) })
}

fn unusable(image: &str, message: String) -> RegistryError {
    RegistryError::Failed { image: image.to_owned(), registry: None, message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn index(platforms: &[(&str, &str, &str)]) -> Vec<u8> {
        let entry = |(at, (os, architecture, variant)): (usize, &(&str, &str, &str))| {
            let digest = format!("sha256:{at:064}");
            json!({"digest": digest, "size": 1, "platform": {"os": os, "architecture": architecture, "variant": variant}})
        };
        json!({"manifests": platforms.iter().enumerate().map(entry).collect::<Vec<_>>()}).to_string().into_bytes()
    }

    fn linux(architecture: &str) -> Platform {
        Platform { architecture: architecture.to_owned() }
    }

    fn chosen(platforms: &[(&str, &str, &str)], wanted: &str) -> Result<u64, RegistryError> {
        match read("a:1", &index(platforms), &linux(wanted))? {
            Found::Index(digest) => Ok(digest.trim_start_matches("sha256:").parse().unwrap()),
            Found::Manifest(_) => panic!("an index"),
        }
    }

    #[test]
    fn the_platform_is_chosen_and_records_of_builds_are_none() {
        let all = [
            ("linux", "arm", "v7"),
            ("linux", "amd64", "v3"),
            ("linux", "amd64", ""),
            ("linux", "arm64", "v8"),
            ("unknown", "unknown", ""),
        ];
        assert_eq!(chosen(&all, "amd64").unwrap(), 2);
        assert_eq!(chosen(&all, "arm64").unwrap(), 3);
        let error = chosen(&all, "s390x").unwrap_err().to_string();
        assert_eq!(error, "a:1 is not there for linux/s390x; it is for linux/arm, linux/amd64, linux/amd64, linux/arm64");
    }

    /// A digest becomes a file name.
    #[test]
    fn a_digest_that_leaves_the_cache_is_refused() {
        for digest in ["sha256:../../x", "sha512:00", "", "sha256:ABCD"] {
            let manifest = json!({"config": {"digest": digest, "size": 1}, "layers": []}).to_string();
            assert!(read("a:1", manifest.as_bytes(), &linux("amd64")).is_err(), "{digest}");
        }
    }
}
