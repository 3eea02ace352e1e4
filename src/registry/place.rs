//! Where an image is asked for: its own registry, or a mirror.

use std::net::IpAddr;

use oci_client::Reference;

use super::RegistryError;

/// A repository of a registry and what of it is meant.
#[derive(Clone, Debug)]
pub struct Place {
    /// Plain HTTP: registries on the loopback address alone.
    pub(super) plain: bool,
    pub(super) reference: Reference,
}

/// A registry that is asked instead of all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    plain: bool,
    host: String,
    prefix: String,
}

impl Mirror {
    /// `https://HOST[:PORT][/PREFIX]`; `http` for the loopback address only.
    pub fn parse(url: &str) -> Result<Self, RegistryError> {
        let refuse = |message: &str| RegistryError::Address { address: url.to_owned(), message: message.to_owned() };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse("write https://HOST[:PORT][/PREFIX]"))?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        let is_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if host.is_empty() || !host.chars().all(is_host) || !prefix.chars().all(is_path) {
            return Err(refuse("write https://HOST[:PORT][/PREFIX], without a password and without a query"));
        }
        let plain = match scheme {
            "https" => false,
            "http" if is_loopback(host) => true,
            "http" => return Err(refuse("plain http is for registries on 127.0.0.1 only")),
            _ => return Err(refuse("a mirror is asked by https")),
        };
        Ok(Self { plain, host: host.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }

    /// `HOST/REPOSITORY` below the prefix first, then the repository alone, as a mirror of one registry has it.
    fn places(&self, of: &Reference) -> Vec<Place> {
        let upstream = format!("{}/{}", of.registry().replace(':', "-"), of.repository());
        [upstream.as_str(), of.repository()]
            .map(|path| if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) })
            .map(|repository| Place { plain: self.plain, reference: at(self.host.clone(), repository, of) })
            .to_vec()
    }
}

impl Place {
    /// The places where `image` is looked for, in this order. A digest wins over the tag.
    pub fn of(image: &str, digest: Option<&str>, mirror: Option<&Mirror>) -> Result<Vec<Self>, RegistryError> {
        let refuse = |message: String| RegistryError::Address { address: image.to_owned(), message };
        let mut reference = Reference::try_from(image).map_err(|error| refuse(error.to_string()))?;
        if let Some(digest) = digest.filter(|_| reference.digest().is_none()) {
            reference = Reference::with_digest(reference.registry().to_owned(), reference.repository().to_owned(), digest.to_owned());
        }
        Ok(match mirror {
            Some(mirror) => mirror.places(&reference),
            None => vec![Self { plain: is_loopback(reference.registry()), reference }],
        })
    }

    /// `oci://REGISTRY/NAME:TAG`.
    pub fn of_artifact(url: &str) -> Result<Self, RegistryError> {
        let name = url.strip_prefix("oci://").unwrap_or(url);
        // Nobody means Docker Hub's `library/` with it.
        if !name.split('/').next().is_some_and(|host| host.contains(['.', ':']) || host == "localhost") {
            return Err(RegistryError::Address { address: url.to_owned(), message: "write oci://REGISTRY/NAME:TAG".to_owned() });
        }
        let mut places = Self::of(name, None, None)?;
        Ok(places.remove(0))
    }

    /// The same repository at a digest.
    pub(super) fn with_digest(&self, digest: &str) -> Self {
        let reference =
            Reference::with_digest(self.reference.registry().to_owned(), self.reference.repository().to_owned(), digest.to_owned());
        Self { plain: self.plain, reference }
    }

    /// Registry and repository, for people and as a key.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.host(), self.reference.repository())
    }

    /// As people write it, with tag or digest.
    pub fn whole(&self) -> String {
        self.reference.whole()
    }

    /// Host and port that are asked.
    pub(super) fn host(&self) -> &str {
        self.reference.resolve_registry()
    }

    /// Where a blob is.
    pub(super) fn blob(&self, digest: &str) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/blobs/{digest}", self.host(), self.reference.repository())
    }
}

fn at(registry: String, repository: String, of: &Reference) -> Reference {
    match (of.digest(), of.tag()) {
        (Some(digest), _) => Reference::with_digest(registry, repository, digest.to_owned()),
        (None, tag) => Reference::with_tag(registry, repository, tag.unwrap_or("latest").to_owned()),
    }
}

/// Whether `HOST[:PORT]` is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(image: &str, mirror: Option<&str>) -> Vec<String> {
        let mirror = mirror.map(|url| Mirror::parse(url).unwrap());
        Place::of(image, None, mirror.as_ref()).unwrap().iter().map(|place| place.blob("sha256:00")).collect()
    }

    #[test]
    fn an_image_is_asked_at_its_own_registry_or_at_the_mirror() {
        assert_eq!(urls("kserve/agent:v1", None), ["https://index.docker.io/v2/kserve/agent/blobs/sha256:00"]);
        assert_eq!(urls("localhost:5000/a:1", None), ["http://localhost:5000/v2/a/blobs/sha256:00"]);
        assert_eq!(
            urls("quay.io/a/b:1", Some("http://127.0.0.1:5000/room/")),
            ["http://127.0.0.1:5000/v2/room/quay.io/a/b/blobs/sha256:00", "http://127.0.0.1:5000/v2/room/a/b/blobs/sha256:00"]
        );
        assert_eq!(urls("busybox", Some("https://m.example"))[0], "https://m.example/v2/docker.io/library/busybox/blobs/sha256:00");
    }

    #[test]
    fn a_pinned_digest_wins_over_the_tag() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let place = Place::of("kserve/agent:v1", Some(&digest), None).unwrap().remove(0);
        assert_eq!(place.reference.digest(), Some(digest.as_str()));
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for url in ["http://mirror.example", "http://127.0.0.1.example:5000", "ftp://x", "mirror.example", "https://u:p@x", "https://x?y"] {
            assert!(Mirror::parse(url).is_err(), "{url}");
        }
        for url in ["http://localhost:5000", "http://[::1]:5000", "http://127.0.0.2", "https://localhost:5000"] {
            assert!(Mirror::parse(url).is_ok(), "{url}");
        }
    }
}
