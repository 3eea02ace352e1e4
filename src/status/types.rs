//! `status -o json`, version 1.

use serde::Serialize;
use serde_json::Value;

use crate::bundle::Substitute;
use crate::config::Ingress;
use crate::error::Exit;
use crate::forward::TunnelStatus;
use crate::plan::Adopted;

/// Everything that `status` knows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Format version; 1.
    pub version: u32,
    /// Cluster name.
    pub cluster: String,
    /// The API server answers.
    pub running: bool,
    /// Everything is as it should be.
    pub ready: bool,
    /// The exit code of `status`.
    pub exit: u8,
    /// Version set.
    pub set: String,
    /// Profile.
    pub profile: String,
    /// API server's version.
    pub kubernetes: Option<String>,
    /// Nodes.
    pub nodes: Vec<NodeStatus>,
    /// `http://127.0.0.1:PORT`, where there is a way in.
    pub url: Option<String>,
    /// How that leads to the ingress.
    pub ingress: Ingress,
    /// Does the gateway answer there?
    pub ingress_ready: Option<bool>,
    /// The address that a cloud's load balancer gave the gateway, on a cluster that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<String>,
    /// Components, in catalog order.
    pub components: Vec<ComponentStatus>,
    /// Components of somebody else's that are used as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adopted>,
    /// The demo model.
    pub demo: Option<DemoStatus>,
    /// Changes that only the bundle's stand-ins needed.
    pub patches: Vec<String>,
    /// Tunnels in the background: to the ingress, and to other services.
    pub tunnels: Vec<TunnelStatus>,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
}

impl Report {
    /// The exit code that it means.
    pub fn exit(&self) -> Exit {
        match (self.running, self.ready) {
            (false, _) => Exit::NotRunning,
            (true, false) => Exit::Degraded,
            (true, true) => Exit::Ok,
        }
    }
}

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// Name.
    pub name: String,
    /// Condition Ready.
    pub ready: bool,
    /// Image of its container.
    pub image: Option<String>,
    /// What that image really is.
    pub substitute: Option<Substitute>,
}

/// A component.
#[derive(Clone, Debug, Serialize)]
pub struct ComponentStatus {
    /// Key in the catalog.
    pub name: String,
    /// As people write it.
    pub title: String,
    /// The version that was asked for.
    pub version: String,
    /// True for an add-on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub addon: bool,
    /// All its Deployments are, and what else an add-on consists of.
    pub ready: bool,
    /// What an add-on lacks beside its Deployments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its Deployments.
    pub deployments: Vec<DeploymentStatus>,
    /// Manifests that stand in for the pinned ones.
    pub manifests: Vec<ManifestStatus>,
}

/// A manifest that is not the pinned file.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestStatus {
    /// File name of the catalog.
    pub file: String,
    /// What it really is.
    pub substitute: Substitute,
}

/// A Deployment.
#[derive(Clone, Debug, Serialize)]
pub struct DeploymentStatus {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Replicas wanted.
    pub desired: i64,
    /// Replicas ready.
    pub ready: i64,
    /// Replicas available.
    pub available: i64,
    /// Why not all are.
    pub why: Option<String>,
    /// The failure rule that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_id: Option<String>,
    /// Its containers.
    pub containers: Vec<ContainerStatus>,
}

/// A container of a Deployment.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerStatus {
    /// Name.
    pub name: String,
    /// Image as the Deployment names it.
    pub image: String,
    /// What really runs under that name.
    pub substitute: Option<Substitute>,
}

/// The demo model.
#[derive(Clone, Debug, Serialize)]
pub struct DemoStatus {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Host header.
    pub host: String,
    /// Condition Ready.
    pub ready: bool,
    /// Why not.
    pub why: Option<String>,
    /// The failure rule that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_id: Option<String>,
    /// The answer, with `--probe`.
    pub prediction: Option<Value>,
}
