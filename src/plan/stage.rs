//! A stage of a plan and the plan itself, as values that print as JSON.

use serde::Serialize;
use serde_json::Value;

use super::{Adopted, Beyond, Check, Names, PulledGroup, StageId};
use crate::bundle::{KindSettings, Patch, Substitute};
use crate::catalog::KubernetesRange;
use crate::config::{Change, Ingress, Origin, OwnManifest, Resources, Scheme, Serving};

/// Everything that `up` would do. Made without I/O, clock or cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Format version; 1.
    pub version: u32,
    /// Cluster name.
    pub cluster: String,
    /// `serverless` or `raw`.
    pub profile: String,
    /// Version set.
    pub set: String,
    /// How little the set was tried, where no real cluster has seen it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untested: Option<String>,
    /// The node's Kubernetes, where it is none that the set is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Beyond>,
    /// Where.
    pub target: Target,
    /// What is installed, in catalog order.
    pub components: Vec<PlannedComponent>,
    /// What is done, in an order in which every stage stands behind what it needs.
    pub stages: Vec<Stage>,
    /// Changes that only this bundle's stand-ins need.
    pub patches: Vec<Patch>,
    /// How models are served, where the configuration file says it.
    #[serde(skip_serializing_if = "Serving::is_default")]
    pub serving: Serving,
    /// Resources of the configuration file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resources>,
    /// Changes of the configuration file; the last ones to be applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The user's own objects; they go last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<OwnManifest>,
    /// Additions to kind's configuration that only this bundle's stand-ins need.
    pub kind_settings: KindSettings,
    /// The bundle, where one is used.
    pub bundle: Option<PlannedBundle>,
    /// Registries whose tags Knative does not resolve.
    pub skip_tag_resolution: Vec<String>,
    /// Images are pulled by ourselves, from the first moment on.
    pub prefetch: bool,
    /// The registry that is asked for them instead of their own.
    pub mirror: Option<String>,
    /// Those images, in the order in which stages need them.
    pub pulls: Vec<PulledGroup>,
    /// The demo.
    pub demo: Option<Demo>,
    /// Seconds for the whole run.
    pub timeout: u64,
    /// Bytes of manifests.
    pub manifest_bytes: u64,
    /// How the ingress gets to localhost.
    pub ingress: Ingress,
    /// Where, unless it stays in the cluster.
    pub ingress_port: Option<u16>,
    /// Where each setting came from.
    pub settings: Vec<Origin>,
}

/// Where the plan is carried out.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Target {
    /// A kind cluster of ours.
    Kind {
        /// Node image.
        node_image: String,
        /// Kubernetes version, where it is known.
        kubernetes: Option<String>,
        /// Port of 127.0.0.1 that leads to istio-ingressgateway.
        port: u16,
    },
    /// A cluster that is already there.
    Existing {
        /// kubectl context.
        context: String,
        /// The Kubernetes that all components run on.
        kubernetes: KubernetesRange,
        /// Components that are there already and used as they are.
        adopted: Vec<Adopted>,
    },
}

impl Target {
    /// The Kubernetes of our node: what is known of its image, or what the image's tag says (`kindest/node:v1.34.0`).
    pub fn node_kubernetes(&self) -> Option<String> {
        let Self::Kind { node_image, kubernetes, .. } = self else { return None };
        let tag = || node_image.split('@').next()?.rsplit_once(":v").map(|(_, version)| version.to_owned());
        kubernetes.clone().or_else(tag)
    }
}

/// A component of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedComponent {
    /// Key in the catalog.
    pub name: String,
    /// As people write it.
    pub title: String,
    /// Pinned version.
    pub version: String,
    /// True for an add-on: its objects are ours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub addon: bool,
    /// Components that it waits for within its own stage, where that is not sure to be needless.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// Namespace of its Deployments.
    pub namespace: String,
    /// Its Deployments.
    pub deployments: Vec<String>,
    /// Its manifests.
    pub files: Vec<PlannedFile>,
    /// Its images.
    pub images: Vec<PlannedImage>,
}

impl PlannedComponent {
    /// Is it older than this minor version?
    pub fn is_before(&self, major: u64, minor: u64) -> bool {
        semver::Version::parse(&self.version).is_ok_and(|version| (version.major, version.minor) < (major, minor))
    }
}

/// A manifest of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedFile {
    /// File name.
    pub name: String,
    /// What it must hash to.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Addresses; empty when it comes from the bundle.
    pub urls: Vec<String>,
    /// Path inside the bundle.
    pub bundled: Option<String>,
    /// What it really is.
    pub substitute: Option<Substitute>,
    /// Which documents are wanted.
    #[serde(skip)]
    pub include: crate::catalog::Filter,
    /// Which are not.
    #[serde(skip)]
    pub exclude: crate::catalog::Filter,
}

/// An image of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedImage {
    /// As manifests write it.
    pub reference: String,
    /// The group that carries it.
    pub group: String,
    /// What it really is.
    pub substitute: Option<Substitute>,
}

/// The bundle of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedBundle {
    /// Path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// GOARCH.
    pub architecture: String,
    /// What the node image really is.
    pub node_substitute: Option<Substitute>,
}

/// The demo InferenceService.
#[derive(Clone, Debug, Serialize)]
pub struct Demo {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Host header.
    pub host: String,
    /// True when its model lies in the node.
    pub offline: bool,
    /// What it is asked.
    pub input: Value,
    /// What it must answer.
    pub expected: Value,
}

/// A stage: what it needs and how we know that it is done.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// Which.
    pub id: StageId,
    /// For people.
    pub title: String,
    /// Stages that must be done first.
    pub needs: Vec<StageId>,
    /// All must be green at the end; they also decide whether the stage can be skipped.
    pub checks: Vec<Check>,
    /// Seconds.
    pub timeout: u64,
}

impl Plan {
    /// A stage by its ID.
    pub fn stage(&self, id: &StageId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == *id)
    }

    /// A component by its name.
    pub fn component(&self, name: &str) -> Option<&PlannedComponent> {
        self.components.iter().find(|component| component.name == name)
    }

    /// True for a cluster of ours: local overlays apply.
    pub fn is_local(&self) -> bool {
        matches!(self.target, Target::Kind { .. })
    }

    /// How its models are called.
    pub fn names(&self) -> Names<'_> {
        Names { profile: &self.profile, domain: self.serving.domain(), entry: Names::entry_of(self.component("kourier").is_some()) }
    }

    /// How the gateway is spoken to.
    pub fn scheme(&self) -> Scheme {
        Scheme::of(self.components.iter().map(|component| component.name.as_str()))
    }

    /// The local port of the gateway, where there is one.
    pub fn port(&self) -> Option<u16> {
        self.ingress_port
    }

    /// The same plan with another port, when the wanted one is taken.
    #[must_use]
    pub fn with_port(mut self, new: u16) -> Self {
        if let Target::Kind { port, .. } = &mut self.target {
            *port = new;
        }
        self.ingress_port = self.ingress_port.map(|_| new);
        for check in self.stages.iter_mut().flat_map(|stage| &mut stage.checks) {
            match &mut check.probe {
                super::Probe::GatewayAnswers { port, .. } | super::Probe::Prediction { port, .. } => *port = new,
                _ => {}
            }
        }
        self
    }
}
