//! `quickstart.yaml`: a few keys, all optional; what is not known is refused with its line and column.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::{ClusterName, ConfigError, Ingress, Network, Profile, Resources, Scheme, Serving, resources, serving};
use crate::cli::{SetVersion, parse_duration};

mod reader;

use reader::Reader;

/// Taken from the current folder where `--config` is not given.
pub const DEFAULT_FILE: &str = "quickstart.yaml";

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// `name`.
    pub name: Option<ClusterName>,
    /// `profile`.
    pub profile: Option<Profile>,
    /// `ingress`.
    pub network: Option<Network>,
    /// `gateway.protocol`.
    pub gateway: Option<Scheme>,
    /// `port`.
    pub port: Option<u16>,
    /// `versions`: component → version without `v`.
    pub versions: BTreeMap<String, String>,
    /// `set`.
    pub set: Option<String>,
    /// `with`: add-ons.
    pub with: Option<Vec<String>>,
    /// `bundle`, as written: it starts at the file's folder.
    pub bundle: Option<PathBuf>,
    /// `mirror`.
    pub mirror: Option<String>,
    /// `prefetch`.
    pub prefetch: Option<bool>,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `node.image`.
    pub node_image: Option<String>,
    /// `demo`.
    pub demo: Option<bool>,
    /// `keepContext`.
    pub keep_context: Option<bool>,
    /// `keepImages`.
    pub keep_images: Option<bool>,
    /// `forward`.
    pub forward: Option<Ingress>,
    /// `domain`, `namespace`, `ingressClass`, `storage`, `kserve`.
    pub serving: Serving,
    /// `resources`.
    pub resources: Vec<Resources>,
    /// `patches`.
    pub patches: Vec<Change>,
    /// `manifests`, as written: they start at the file's folder.
    pub manifests: Vec<PathBuf>,
}

/// A change of one object of a component, as the user wants it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// Component of the catalog.
    pub component: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; absent matches every one.
    #[serde(default)]
    pub namespace: Option<String>,
    /// JSON merge patch (RFC 7386); lists of named objects are merged by name.
    pub patch: serde_json::Value,
}

/// The file's own shape: values that need a second look keep their place.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    name: Option<Spanned<String>>,
    profile: Option<Profile>,
    ingress: Option<Network>,
    gateway: Option<RawGateway>,
    port: Option<Spanned<u16>>,
    versions: Option<BTreeMap<String, Spanned<String>>>,
    set: Option<String>,
    with: Option<Vec<String>>,
    bundle: Option<PathBuf>,
    mirror: Option<String>,
    prefetch: Option<bool>,
    timeout: Option<Spanned<String>>,
    node: Option<RawNode>,
    demo: Option<bool>,
    keep_context: Option<bool>,
    keep_images: Option<bool>,
    forward: Option<Ingress>,
    domain: Option<Spanned<String>>,
    namespace: Option<Spanned<String>>,
    ingress_class: Option<Spanned<String>>,
    storage: Option<serving::WrittenStorage>,
    #[serde(default)]
    kserve: BTreeMap<String, Spanned<serde_json::Map<String, serde_json::Value>>>,
    #[serde(default)]
    resources: resources::All,
    #[serde(default)]
    patches: Vec<Change>,
    #[serde(default)]
    manifests: Vec<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawGateway {
    protocol: Option<Scheme>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawNode {
    image: Option<String>,
}

impl ConfigFile {
    /// Reads a file; `shown` is what messages call it.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], [`ConfigError::Invalid`].
    pub fn read(path: &Path, shown: &Path) -> Result<Self, ConfigError> {
        let text = fs_err::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: shown.to_owned(), source })?;
        Self::parse(&text, shown)
    }

    /// Reads a text; `path` is what messages call it.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let reader = Reader { text, path };
        #[expect(clippy::disallowed_methods, reason = "a user's file, not a manifest: the default budget, and places in the errors")]
        let raw: Option<Raw> = serde_saphyr::from_str(text).map_err(|error| reader.yaml(&error))?;
        let Some(raw) = raw else { return Ok(Self::default()) };
        let name = raw
            .name
            .map(|name| ClusterName::new(&name.value).map_err(|error| reader.at(name.referenced, format!("`name`: {error}"), None)));
        let timeout = raw.timeout.map(|timeout| {
            parse_duration(&timeout.value).map_err(|reason| reader.at(timeout.referenced, format!("`timeout`: {reason}"), None))
        });
        let port = raw.port.map(|port| match port.value {
            0 => Err(reader.at(port.referenced, "`port`: 0 is not a port".to_owned(), Some("write a number from 1 to 65535".to_owned()))),
            port => Ok(port),
        });
        let mut versions = BTreeMap::new();
        for (component, version) in raw.versions.unwrap_or_default() {
            let set = SetVersion::new(&component, &version.value);
            if set.version.is_empty() {
                return Err(reader.at(version.referenced, format!("`versions.{component}` is empty"), None));
            }
            versions.insert(set.component, set.version);
        }
        let serving = serving::Written {
            domain: raw.domain,
            namespace: raw.namespace,
            ingress_class: raw.ingress_class,
            storage: raw.storage,
            kserve: raw.kserve,
        };
        Ok(Self {
            name: name.transpose()?,
            profile: raw.profile,
            network: raw.ingress,
            gateway: raw.gateway.and_then(|gateway| gateway.protocol),
            port: port.transpose()?,
            versions,
            set: raw.set,
            with: raw.with,
            bundle: raw.bundle,
            mirror: raw.mirror,
            prefetch: raw.prefetch,
            timeout: timeout.transpose()?,
            node_image: raw.node.and_then(|node| node.image),
            demo: raw.demo,
            keep_context: raw.keep_context,
            keep_images: raw.keep_images,
            forward: raw.forward,
            serving: serving.read().map_err(|(location, message)| {
                reader.at(location, message, Some("docs/configuration.md has an example of each key".to_owned()))
            })?,
            resources: resources::read(raw.resources, |location| reader.place(location)).map_err(|(location, message)| {
                reader.at(location, message, Some("write cpu as 500m or 2, memory as 256Mi or 1Gi".to_owned()))
            })?,
            patches: raw.patches,
            manifests: raw.manifests,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    fn read(text: &str) -> ConfigFile {
        ConfigFile::parse(text, Path::new("q.yaml")).unwrap()
    }

    fn refused(text: &str) -> Failure {
        let failure = Failure::from(ConfigFile::parse(text, Path::new("q.yaml")).unwrap_err());
        assert_eq!((failure.id.as_str(), failure.exit.code()), ("CONFIG_INVALID", 2));
        failure
    }

    #[test]
    fn reads_every_key() {
        let file = read(
            "name: demo\nprofile: raw\nport: 9090\nversions:\n  kserve: v0.20.0\n  istio: 1.27\nset: kserve-0.20\nwith: [prometheus]\nbundle: w.tar\n\
             mirror: https://m.example/p\nprefetch: no\n\
             timeout: 20m\nnode: {image: \"kindest/node:v1.34.3\"}\ndemo: no\nkeepContext: true\nforward: tunnel\n\
             resources:\n  istio:\n    discovery: {requests: {cpu: 1.50, memory: 1Gi}}\n",
        );
        assert_eq!(file.name.unwrap().as_str(), "demo");
        assert_eq!((file.profile, file.port), (Some(Profile::Raw), Some(9090)));
        assert_eq!(file.timeout, Some(Duration::from_mins(20)));
        assert_eq!((file.mirror.as_deref(), file.prefetch), (Some("https://m.example/p"), Some(false)));
        assert_eq!(file.node_image.as_deref(), Some("kindest/node:v1.34.3"));
        assert_eq!((file.demo, file.keep_context), (Some(false), Some(true)));
        assert_eq!(file.versions["kserve"], "0.20.0");
        assert_eq!(file.forward, Some(Ingress::Tunnel));
        assert_eq!(file.resources[0].to_string(), "discovery requests.cpu=1.50 requests.memory=1Gi");
        assert_eq!(file.with, Some(vec!["prometheus".to_owned()]));
        assert_eq!(file.resources[0].place, "q.yaml:19:16");
    }

    /// `istio: 1.30` without quotes is a number to YAML, and 1.3 is another version.
    #[test]
    fn a_version_without_quotes_keeps_its_digits() {
        assert_eq!(read("versions: {istio: 1.30}").versions["istio"], "1.30");
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "# only a comment\n", "---\n", "{}"] {
            assert_eq!(read(text), ConfigFile::default(), "{text:?}");
        }
    }

    #[test]
    fn an_unknown_key_has_its_place_and_a_guess() {
        let failure = refused("name: a\nprot: 80\n");
        assert_eq!(failure.what, "q.yaml:2:1: unknown key `prot`");
        assert!(failure.hint.unwrap().starts_with("did you mean `port`? known keys: name, profile, ingress, gateway, port"));
        let failure = refused("node:\n  img: a\n");
        assert_eq!(failure.what, "q.yaml:2:3: unknown key `img`");
        assert!(!refused("colour: red").hint.unwrap().contains("did you mean"));
    }

    #[test]
    fn a_wrong_type_has_its_place_and_its_key() {
        for (text, start) in [
            ("name: a\nport: many\n", "q.yaml:2:7: `port`: a number from 1 to 65535 is expected"),
            ("port: 70000", "q.yaml:1:7: `port`: "),
            ("port: 0", "q.yaml:1:7: `port`: 0 is not a port"),
            ("port: [1]", "q.yaml:1:7: `port`: "),
            ("demo: perhaps", "q.yaml:1:7: `demo`: true or false is expected"),
            ("versions: kserve", "q.yaml:1:11: `versions`: "),
            ("node: x", "q.yaml:1:7: `node`: a block of `key: value` lines is expected"),
            ("profile: rwa", "q.yaml:1:10: `profile`: `rwa` is not one of the values"),
            ("name: Demo", "q.yaml:1:7: `name`: "),
            ("timeout: 15", "q.yaml:1:10: `timeout`: `15` has no unit"),
            ("resources: {a: {b: {limits: {memory: 1 GB}}}}", "q.yaml:1:38: `resources.a.b.limits.memory`: `1 GB` is not a quantity"),
            ("resources: {a: {b: {limit: {}}}}", "q.yaml:1:21: unknown key `limit`"),
            ("gateway: {protocol: htps}", "q.yaml:1:21: `gateway`: `htps` is not one of the values"),
            ("gateway:\n  protocol: tls", "q.yaml:2:13: `protocol`: `tls` is not one of the values"),
            ("gateway: https", "q.yaml:1:10: `gateway`: a block of `key: value` lines is expected"),
            ("gateway: {scheme: https}", "q.yaml:1:11: unknown key `scheme`"),
            ("forward: portmap", "q.yaml:1:10: `forward`: `portmap` is not one of the values"),
            ("versions:\n  kserve: \"\"", "q.yaml:2:11: `versions.kserve` is empty"),
        ] {
            let failure = refused(text);
            assert!(failure.what.starts_with(start), "{text:?}: {}", failure.what);
        }
    }

    #[test]
    fn bad_yaml_has_its_place() {
        for text in ["name: a\n  port: 1\n", "name: [", "name: a\nname: b\n", "a: *b", "- 1", "just text", "a: 1\n---\nb: 2\n", "name: \"a"]
        {
            let failure = refused(text);
            let place = failure.what.strip_prefix("q.yaml:").unwrap();
            assert!(place.starts_with(|c: char| c.is_ascii_digit() && c != '0'), "{text:?}: {}", failure.what);
            assert!(!failure.what.contains(" at line "), "{}", failure.what);
        }
    }
}
