//! Another profile for a cluster that is there: what comes, what goes, and what becomes of the models. Still pure.

use serde::Serialize;
use serde_json::Value;

use super::{DEMO, Names, Plan, host, is_raw, said_host};

/// The component that a serverless model cannot be without.
const KNATIVE: &str = "knative";

/// What a switch does, as `plan` prints it and `up` carries it out.
#[derive(Clone, Debug, Serialize)]
pub struct Switch {
    /// Profile that the cluster has.
    pub from: String,
    /// Profile that it gets.
    pub to: String,
    /// Components that are installed, with their versions.
    pub installed: Vec<String>,
    /// Components that are taken away, with their versions.
    pub removed: Vec<String>,
    /// Objects whose controllers care for the profile. `None`: the cluster did not answer, so nobody knows.
    pub objects: Option<Vec<Switched>>,
}

/// What becomes of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switched {
    /// Kind.
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// False for the demo.
    pub yours: bool,
    /// What becomes of it.
    pub fate: Fate,
    /// The host that it answers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The host that it will answer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_host: Option<String>,
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It stays as it is.
    Stays,
    /// It is deleted and made again in the other mode. KServe fixes the mode of an object when it is made: `status.deploymentMode` wins over
    /// every annotation and its webhook refuses another one (`GetDeploymentMode`, `validateDeploymentMode` in kserve 0.20).
    Recreated,
    /// It goes with the component that it belongs to.
    Lost,
}

impl Switch {
    /// From what the cluster may hold (`former`, the newest last) to `to`.
    pub fn new(former: &[Plan], to: &Plan) -> Self {
        let named = |plan: &Plan, name: &str| plan.component(name).map(|component| format!("{} {}", component.title, component.version));
        let installed = to.components.iter().filter(|component| former.iter().all(|plan| plan.component(&component.name).is_none()));
        let mut removed: Vec<String> = Vec::new();
        for plan in former {
            for component in plan.components.iter().filter(|component| to.component(&component.name).is_none()) {
                removed.extend(named(plan, &component.name).filter(|name| !removed.contains(name)));
            }
        }
        Self {
            from: former.last().map(|plan| plan.profile.clone()).unwrap_or_default(),
            to: to.profile.clone(),
            installed: installed.filter_map(|component| named(to, &component.name)).collect(),
            removed,
            objects: None,
        }
    }

    /// Of these objects, those of the user's that do not stay.
    pub fn affected(&self) -> impl Iterator<Item = &Switched> {
        self.objects.iter().flatten().filter(|object| object.yours && object.fate != Fate::Stays)
    }
}

impl Switched {
    /// An InferenceService or an InferenceGraph.
    pub fn of_kserve(kind: &str, live: &Value, from: &str, to: &Plan) -> Self {
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let demo = to.demo.as_ref().is_some_and(|demo| (demo.namespace.as_str(), demo.name.as_str()) == (namespace, name));
        let yours = !(kind == "InferenceService" && (demo || (namespace, name) == DEMO));
        let fate = match fate(is_raw(Some(live), from), to, yours) {
            Fate::Recreated if !yours && !demo => Fate::Lost,
            fate => fate,
        };
        let (host, new_host) = match (kind, fate) {
            ("InferenceService", Fate::Recreated) => {
                let now = said_host(live)
                    .map_or_else(|| host(Some(live), Names { profile: from, entry: "", ..to.names() }, namespace, name), str::to_owned);
                (Some(now), Some(host(None, to.names(), namespace, name)))
            }
            _ => (None, None),
        };
        Self { kind: kind.to_owned(), name: format!("{namespace}/{name}"), yours, fate, host, new_host }
    }

    /// An object of the user's of a kind that goes.
    pub fn lost(kind: &str, live: &Value) -> Self {
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let name = format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"));
        Self { kind: kind.to_owned(), name, yours: true, fate: Fate::Lost, host: None, new_host: None }
    }

    /// `InferenceService team/mine`.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// Plain Deployments work under both profiles, so the user's stay what they are; the demo always has the profile's own mode.
fn fate(raw: bool, to: &Plan, yours: bool) -> Fate {
    let serverless = to.component(KNATIVE).is_some();
    match (raw, serverless) {
        (false, false) => Fate::Recreated,
        (true, true) if !yours => Fate::Recreated,
        _ => Fate::Stays,
    }
}
