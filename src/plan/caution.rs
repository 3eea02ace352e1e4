//! What of a plan its user should hear before it is carried out.

use std::fmt;

use serde::Serialize;

use super::existing::{minor, span};
use super::stage::{Plan, Target};
use crate::catalog::{KubernetesRange, Set};

/// A node with a Kubernetes that the version set is not for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Beyond {
    /// The node's version.
    pub kubernetes: String,
    /// Lowest minor version of the set.
    pub min: String,
    /// Highest minor version of the set.
    pub max: String,
}

impl Beyond {
    /// Of a node image that a bundle or a person named; a tag that says no version says nothing.
    pub(super) fn of(target: &Target, set: &Set) -> Option<Self> {
        let kubernetes = target.node_kubernetes()?;
        let node = minor(&kubernetes)?;
        let KubernetesRange { min, max, .. } = &set.kubernetes;
        let outside = minor(min).is_some_and(|min| node < min) || minor(max).is_some_and(|max| node > max);
        outside.then(|| Self { kubernetes, min: min.clone(), max: max.clone() })
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kubernetes, min, max } = self;
        let range = span(min, max);
        write!(f, "the node has Kubernetes {kubernetes}, the version set is for {range}: if something does not start, that may be why")
    }
}

impl Plan {
    /// In sentences.
    pub fn cautions(&self) -> Vec<String> {
        let untested = self.untested.as_ref().map(|tried| format!("version set {} is untested: {tried}", self.set));
        untested.into_iter().chain(self.beyond.as_ref().map(ToString::to_string)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::embedded;

    fn beyond(set: &str, image: &str, kubernetes: Option<&str>) -> Option<String> {
        let catalog = embedded::catalog().unwrap();
        let set = catalog.sets.iter().find(|known| known.name == set).unwrap();
        let target = Target::Kind { node_image: image.into(), kubernetes: kubernetes.map(str::to_owned), port: 8080 };
        Beyond::of(&target, set).map(|beyond| beyond.to_string())
    }

    /// A bundle of set kserve-0.15 with a node of Kubernetes 1.34 was installed without a word.
    #[test]
    fn a_node_outside_the_sets_range_is_said() {
        assert_eq!(beyond("kserve-0.20", "kindest/node:v1.34.3", None), None);
        assert_eq!(beyond("kserve-0.20", "registry:5000/mine", None), None);
        let said = beyond("kserve-0.15", "node:x", Some("1.34.3")).unwrap();
        assert!(said.starts_with("the node has Kubernetes 1.34.3, the version set is for 1.28 to 1.30"), "{said}");
        assert!(beyond("kserve-0.20", "kindest/node:v1.32.1@sha256:00", None).unwrap().contains("1.32.1"));
        assert!(beyond("kserve-0.10", "node:v1.26.0", None).unwrap().contains("is for 1.25:"));
    }
}
