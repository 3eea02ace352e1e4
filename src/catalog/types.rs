//! The shape of `manifests/catalog.yaml`: component → version → files and images, and the sets that were tried together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole catalog. Unknown keys are refused, so that a typing error is not a silently missing pin.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// Format version; 1.
    pub version: u32,
    /// Version sets that were tried together.
    pub sets: Vec<Set>,
    /// Pins of kind itself and of its node images.
    pub kind: KindPins,
    /// Models of the samples, for bundles.
    #[serde(default)]
    pub models: Vec<Model>,
    /// Everything that can be installed.
    pub components: Vec<Component>,
}

/// Versions that were tried together, under a name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Such as `kserve-0.20`.
    pub name: String,
    /// Taken when nothing else is asked for.
    #[serde(default)]
    pub default: bool,
    /// Where and how it was tried.
    #[serde(default)]
    pub tried: String,
    /// No real cluster has seen it: `plan` and `up` say so.
    #[serde(default)]
    pub untested: bool,
    /// Profiles that it can do; empty: all.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// The Kubernetes versions it works on.
    pub kubernetes: KubernetesRange,
    /// Component → version.
    pub components: BTreeMap<String, String>,
}

/// Kubernetes versions, both ends included.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesRange {
    /// Oldest minor version, `1.33`.
    pub min: String,
    /// Newest minor version that was tried.
    pub max: String,
    /// The version a cluster of ours gets.
    #[serde(default)]
    pub default: Option<String>,
}

/// kind: which versions, their binaries and node images.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KindPins {
    /// Oldest version whose node images and configuration we know.
    pub minimum: String,
    /// The version that is downloaded where none is installed.
    pub default: String,
    /// Known versions.
    pub versions: Vec<KindVersion>,
}

/// One version of kind.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KindVersion {
    /// Without a leading `v`.
    pub version: String,
    /// Its programs, one a platform.
    #[serde(default)]
    pub binaries: Vec<Binary>,
    /// The node images of this release.
    #[serde(default)]
    pub nodes: Vec<Node>,
}

/// An executable that can be downloaded.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// `linux-amd64`, `darwin-arm64`, …
    pub platform: String,
    /// Canonical address.
    pub url: String,
    /// `None` is refused unless `--accept-unpinned` is given.
    pub sha256: Option<String>,
    /// Why the sum is not known.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A sample's model as a file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The sample's name.
    pub name: String,
    /// File name; servers choose their reader by its ending.
    pub file: String,
    /// Addresses, the canonical one first.
    pub urls: Vec<String>,
    /// `None` is refused unless `--accept-unpinned` is given: such files hold code.
    pub sha256: Option<String>,
    /// Why the sum is not known.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A node image of a kind release.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Kubernetes version without `v`.
    pub kubernetes: String,
    /// Reference with digest.
    pub image: String,
}

/// Something that can be installed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Key, such as `net-istio`.
    pub name: String,
    /// As people write it.
    pub title: String,
    /// Where its Deployments live.
    pub namespace: String,
    /// Installed only where `--with` names it; its objects are ours (`manifests/addons/`).
    #[serde(default)]
    pub addon: bool,
    /// Components that must be ready before this one.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Components that guard or issue something of it, and go on beside it all the same: on a cluster that is new, what they guard is there
    /// before their webhooks are; on any other one it waits until they answer.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Profiles it belongs to.
    pub profiles: Vec<String>,
    /// It is there for one way to Knative's routes only: `istio`, `kourier`.
    #[serde(default)]
    pub network: Option<String>,
    /// Known versions.
    pub versions: Vec<ComponentVersion>,
}

/// One version of a component.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentVersion {
    /// Without a leading `v`.
    pub version: String,
    /// Kubernetes versions it works on.
    pub kubernetes: KubernetesRange,
    /// Upstream manifests.
    pub files: Vec<File>,
    /// Images that its selected objects name, and those that only its configuration names.
    #[serde(default)]
    pub images: Vec<Image>,
}

/// An upstream manifest: where it is and what it must hash to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// File name within the component.
    pub name: String,
    /// Addresses, the canonical one first; all must carry the same bytes.
    pub urls: Vec<String>,
    /// sha256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// How the sum is known: H hashed, R rebuilt, H+R both.
    pub evidence: String,
    /// Which documents are wanted.
    #[serde(default)]
    pub include: Filter,
    /// Which documents are left out.
    #[serde(default)]
    pub exclude: Filter,
}

/// Selects documents of a manifest.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Kinds; empty means "no condition".
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Parts of `metadata.name`; empty means "no condition".
    #[serde(default)]
    pub names: Vec<String>,
}

/// An image and where it is used.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Exactly as the manifests write it.
    pub reference: String,
    /// `sha256:…`, or `None` with a reason.
    pub digest: Option<String>,
    /// Why the digest is not known.
    #[serde(default)]
    pub reason: Option<String>,
    /// GOARCH names.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// The group in which a bundle carries it: a component's name, `demo` or `runtimes`.
    pub group: String,
    /// `Deployment/NAME`, or what else names it.
    #[serde(default)]
    pub used_by: String,
}
