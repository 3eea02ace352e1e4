//! The stages there are. Not a generic graph: a fixed list that people know by name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A stage of `up`; its text form is what events, the journal and `plan` call it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StageId {
    /// Is there a container engine, and is it large enough?
    EngineCheck,
    /// Manifests (and kind, and the node image) are on this machine, verified.
    Fetch,
    /// The kind cluster, or the existing one, answers.
    Cluster,
    /// What is on an existing cluster already, and what may be done there.
    Preflight,
    /// Its nodes are Ready; definitions and objects are sent meanwhile.
    Nodes,
    /// kind has ended, and the user's kubeconfig leads to the cluster; everything else goes on beside it.
    Kubeconfig,
    /// The images of one group are on this machine.
    Pull(String),
    /// The images of one group are in the node.
    Images(String),
    /// Namespaces and CustomResourceDefinitions of every component.
    Crds,
    /// One component of the catalog.
    Component(String),
    /// istio-ingressgateway answers on 127.0.0.1.
    Ingress,
    /// ClusterServingRuntimes.
    Runtimes,
    /// The user's own objects.
    Own,
    /// The demo InferenceService.
    Demo,
    /// A real prediction.
    Predict,
}

impl StageId {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "engine-check" => Self::EngineCheck,
            "fetch" => Self::Fetch,
            "cluster" => Self::Cluster,
            "preflight" => Self::Preflight,
            "nodes" => Self::Nodes,
            "kubeconfig" => Self::Kubeconfig,
            "crds" => Self::Crds,
            "ingress" => Self::Ingress,
            "runtimes" => Self::Runtimes,
            "manifests" => Self::Own,
            "demo" => Self::Demo,
            "predict" => Self::Predict,
            _ => match text.split_once('/') {
                Some(("pull", group)) if !group.is_empty() => Self::Pull(group.to_owned()),
                Some(("images", group)) if !group.is_empty() => Self::Images(group.to_owned()),
                None if !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') => {
                    Self::Component(text.to_owned())
                }
                Some(_) | None => return None,
            },
        })
    }

    /// A component's stage.
    pub fn component(name: &str) -> Self {
        Self::Component(name.to_owned())
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EngineCheck => f.pad("engine-check"),
            Self::Fetch => f.pad("fetch"),
            Self::Cluster => f.pad("cluster"),
            Self::Preflight => f.pad("preflight"),
            Self::Nodes => f.pad("nodes"),
            Self::Kubeconfig => f.pad("kubeconfig"),
            Self::Pull(group) => f.pad(&format!("pull/{group}")),
            Self::Images(group) => f.pad(&format!("images/{group}")),
            Self::Crds => f.pad("crds"),
            Self::Component(name) => f.pad(name),
            Self::Ingress => f.pad("ingress"),
            Self::Runtimes => f.pad("runtimes"),
            Self::Own => f.pad("manifests"),
            Self::Demo => f.pad("demo"),
            Self::Predict => f.pad("predict"),
        }
    }
}

impl Serialize for StageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a stage")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_reads_back_its_own_name() {
        let all = [
            StageId::EngineCheck,
            StageId::Fetch,
            StageId::Cluster,
            StageId::Preflight,
            StageId::Nodes,
            StageId::Kubeconfig,
            StageId::Pull("net-istio".into()),
            StageId::Images("net-istio".into()),
            StageId::Crds,
            StageId::component("cert-manager"),
            StageId::Ingress,
            StageId::Runtimes,
            StageId::Own,
            StageId::Demo,
            StageId::Predict,
        ];
        for id in all {
            assert_eq!(StageId::parse(&id.to_string()), Some(id));
        }
        assert_eq!(StageId::parse("images/"), None);
        assert_eq!(StageId::parse("Istio!"), None);
    }
}
