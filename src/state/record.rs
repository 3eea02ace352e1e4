//! `state.json`: what we know of a cluster of ours between two commands, and the journal of its stages.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::{StateError, Switching, persist};
use crate::bundle::Substitute;
use crate::config::{Ingress, Network, Scheme, Serving};
use crate::plan::{Adopted, Names, Plan, StageId, Target};

/// The format this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Everything that we remember of one cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Format version.
    pub version: u32,
    /// Cluster name.
    pub name: String,
    /// The program that wrote it.
    pub created_by: String,
    /// `kind`, or the context of an existing cluster.
    pub target: String,
    /// Profile.
    pub profile: String,
    /// Version set.
    pub set: String,
    /// Component → version.
    pub components: BTreeMap<String, String>,
    /// Port of 127.0.0.1 that leads to the ingress.
    pub port: Option<u16>,
    /// How it does.
    #[serde(default)]
    pub ingress: Ingress,
    /// Node image.
    pub node_image: Option<String>,
    /// The user's current kubectl context before `up` switched it.
    #[serde(default)]
    pub context_before: Option<String>,
    /// Contexts before that one, newest first, where it belongs to another cluster of ours: that one may be gone when this goes. Empty: none.
    #[serde(default)]
    pub contexts_older: Vec<String>,
    /// Kubeconfig that holds the cluster's entries.
    #[serde(default)]
    pub context_file: Option<String>,
    /// Kubeconfig in which the current context was switched: with several files it need not be the same one.
    #[serde(default)]
    pub context_switched_in: Option<String>,
    /// What stands in for what: image reference or manifest → the thing that really is there.
    #[serde(default)]
    pub substitutes: BTreeMap<String, Substitute>,
    /// Changes that only the bundle's stand-ins needed, as sentences.
    #[serde(default)]
    pub patches: Vec<String>,
    /// The demo's host, where there is a demo.
    #[serde(default)]
    pub demo_host: Option<String>,
    /// The domain of its models, where it is not the ordinary one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The namespace of the demo, where it is not the ordinary one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Path of the bundle that the cluster was made from.
    #[serde(default)]
    pub bundle: Option<String>,
    /// Components of somebody else's that are used as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adopted>,
    /// The registry that images were pulled from instead of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// The node was left to pull images itself.
    #[serde(default)]
    pub no_prefetch: bool,
    /// Address of the engine that the node was made on.
    #[serde(default)]
    pub engine: Option<String>,
    /// What the node keeps its images in, where that outlives it.
    #[serde(default)]
    pub images: Option<StoredImages>,
    /// True while the node is being made: what an interrupted run left is ours to take away.
    #[serde(default)]
    pub creating: bool,
    /// True once the node was created for this state.
    #[serde(default)]
    pub created: bool,
    /// `reset` is on its way: what it was told stays valid until `up` or `reset` has ended well.
    #[serde(default)]
    pub resetting: Option<ResetKind>,
    /// The cluster is being turned into what this state says: what was there before may still be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switching: Option<Switching>,
    /// Every `reset`, oldest first.
    #[serde(default)]
    pub resets: Vec<Reset>,
    /// Stage → how it was done.
    #[serde(default)]
    pub stages: BTreeMap<StageId, Done>,
}

/// The images of a node that has them in the engine's volume for kept images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImages {
    /// Names of those that the plan wants.
    pub names: Vec<String>,
    /// Some came that the kept ones lack: they are to be kept when the cluster goes.
    pub new: bool,
}

/// How far back `reset` went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetKind {
    /// A fresh node.
    Cluster,
    /// The same node, its stack installed anew.
    Stack,
}

/// A `reset` that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// RFC 3339.
    pub at: String,
    /// How far back.
    pub kind: ResetKind,
}

/// A stage that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// sha256 of everything that went into it.
    pub digest: String,
    /// RFC 3339.
    pub at: String,
    /// Milliseconds.
    pub took_ms: u64,
}

impl State {
    /// A state for a plan that is about to be carried out for the first time.
    pub fn fresh(plan: &Plan) -> Self {
        let mut state = Self {
            version: VERSION,
            name: plan.cluster.clone(),
            created_by: String::new(),
            target: String::new(),
            profile: String::new(),
            set: String::new(),
            components: BTreeMap::new(),
            port: None,
            ingress: Ingress::default(),
            node_image: None,
            context_before: None,
            contexts_older: Vec::new(),
            context_file: None,
            context_switched_in: None,
            substitutes: BTreeMap::new(),
            patches: Vec::new(),
            demo_host: None,
            domain: None,
            namespace: None,
            bundle: None,
            mirror: None,
            no_prefetch: false,
            adopted: Vec::new(),
            engine: None,
            images: None,
            creating: false,
            created: false,
            resetting: None,
            switching: None,
            resets: Vec::new(),
            stages: BTreeMap::new(),
        };
        state.take(plan);
        state
    }

    /// The context of a cluster that was there before us; `None`: a kind cluster of ours.
    pub fn context(&self) -> Option<&str> {
        (self.target != "kind").then_some(self.target.as_str())
    }

    /// Takes over what a plan says.
    pub fn take(&mut self, plan: &Plan) {
        self.created_by = format!("quickstart {}", env!("CARGO_PKG_VERSION"));
        self.profile.clone_from(&plan.profile);
        self.set.clone_from(&plan.set);
        self.components = plan.components.iter().map(|component| (component.name.clone(), component.version.clone())).collect();
        (self.target, self.node_image) = match &plan.target {
            Target::Kind { node_image, .. } => ("kind".to_owned(), Some(node_image.clone())),
            Target::Existing { context, .. } => (context.clone(), None),
        };
        self.port = plan.port();
        self.ingress = plan.ingress;
        self.adopted = plan.adopted().to_vec();
        self.mirror.clone_from(&plan.mirror);
        self.no_prefetch = !plan.prefetch;
        self.demo_host = plan.demo.as_ref().map(|demo| demo.host.clone());
        self.domain.clone_from(&plan.serving.domain);
        self.namespace.clone_from(&plan.serving.namespace);
        if plan.bundle.is_some() {
            self.substitutes = substitutes(plan);
            self.patches = patches(plan);
        }
    }

    /// How its models are called.
    pub fn names(&self) -> Names<'_> {
        Names {
            profile: &self.profile,
            domain: self.domain.as_deref().unwrap_or(Serving::DOMAIN),
            entry: Names::entry_of(self.network() == Network::Kourier),
        }
    }

    /// What carries requests to Knative's routes.
    pub fn network(&self) -> Network {
        if self.components.contains_key("kourier") { Network::Kourier } else { Network::Istio }
    }

    /// How its gateway is spoken to.
    pub fn scheme(&self) -> Scheme {
        Scheme::of(self.components.keys().map(String::as_str))
    }

    /// Where its demo lives.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(Serving::NAMESPACE)
    }

    /// Reads a state; `None` where there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, StateError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::Io(error)),
        };
        let damaged = |error: serde_json::Error| StateError::Damaged { path: path.display().to_string(), message: error.to_string() };
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
        let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if version > u64::from(VERSION) {
            return Err(StateError::Newer { path: path.display().to_string(), found: version, known: VERSION });
        }
        serde_json::from_value(value).map(Some).map_err(damaged)
    }

    /// Replaces the state on disk.
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| StateError::Damaged { path: path.display().to_string(), message: error.to_string() })?;
        text.push(b'\n');
        persist::write(path, &text, true).map_err(StateError::Io)
    }
}

fn substitutes(plan: &Plan) -> BTreeMap<String, Substitute> {
    let images = plan
        .components
        .iter()
        .flat_map(|component| &component.images)
        .filter_map(|image| Some((image.reference.clone(), image.substitute.clone()?)));
    let files = plan.components.iter().flat_map(|component| {
        component.files.iter().filter_map(|file| Some((format!("{}/{}", component.name, file.name), file.substitute.clone()?)))
    });
    let node = match (&plan.target, plan.bundle.as_ref().and_then(|bundle| bundle.node_substitute.clone())) {
        (Target::Kind { node_image, .. }, Some(substitute)) => Some((node_image.clone(), substitute)),
        _ => None,
    };
    images.chain(files).chain(node).collect()
}

/// The bundle's own changes, as `status` and `plan` list them.
pub fn patches(plan: &Plan) -> Vec<String> {
    let gates = plan.kind_settings.feature_gates.iter().map(|(gate, on)| format!("kind: featureGates.{gate}: {on}"));
    let objects = plan.patches.iter().map(|patch| {
        let name = patch.object.name.as_deref().unwrap_or("*");
        format!("{}: {} {name}: {}", patch.component, patch.object.kind, patch.reason)
    });
    gates.chain(objects).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_state_is_refused_and_a_damaged_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert!(State::read(&path).unwrap().is_none());
        fs::write(&path, "{\"version\": 2}").unwrap();
        assert!(matches!(State::read(&path), Err(StateError::Newer { found: 2, .. })));
        fs::write(&path, "{\"version\": 1").unwrap();
        assert!(matches!(State::read(&path), Err(StateError::Damaged { .. })));
        // A torn write is no trouble with the disk's rights, whose hint it got.
        fs::write(&path, b"{\"version\": 1, \"name\": \"\xff").unwrap();
        assert!(matches!(State::read(&path), Err(StateError::Damaged { .. })));
    }
}
