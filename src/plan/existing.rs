//! A cluster that was there before us: which Kubernetes it may be, what of it is used as it is, and whose mark our objects carry there.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::stage::{Plan, Target};
use super::{Probe, StageId};
use crate::catalog::{Choice, KubernetesRange};

/// The label of everything that we create on a cluster that is not ours, and its value
/// (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "quickstart");

/// A component that somebody else installed and that is used as it is: not installed, not touched, not taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Key in the catalog.
    pub component: String,
    /// As people write it.
    pub title: String,
    /// Its version, where it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who installed it: `Helm release NAME`, `kubectl`, …
    pub by: String,
    /// Where its Deployments live.
    pub namespace: String,
}

impl fmt::Display for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_ref().map(|version| format!("{version}, ")).unwrap_or_default();
        write!(f, "{}: already there ({version}by {}, namespace {}), used as it is", self.title, self.by, self.namespace)
    }
}

/// What all of these components run on.
pub(super) fn range(choices: &[Choice<'_>]) -> KubernetesRange {
    let mut range = KubernetesRange { min: String::new(), max: String::new(), default: None };
    for of in choices.iter().map(|choice| &choice.version.kubernetes) {
        if minor(&of.min) > minor(&range.min) {
            range.min.clone_from(&of.min);
        }
        if range.max.is_empty() || minor(&of.max) < minor(&range.max) {
            range.max.clone_from(&of.max);
        }
    }
    range
}

/// A range as people say it: `1.28 to 1.30`.
pub(super) fn span(min: &str, max: &str) -> String {
    if min == max { min.to_owned() } else { format!("{min} to {max}") }
}

/// Major and minor of a version as people and API servers write it: `1.33`, `v1.33.4-eks-5f8b1c2`.
pub fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().trim_start_matches('v').split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Plan {
    /// What is there already and used as it is.
    pub fn adopted(&self) -> &[Adopted] {
        match &self.target {
            Target::Existing { adopted, .. } => adopted,
            Target::Kind { .. } => &[],
        }
    }

    /// The same plan without components that are there already; that their webhooks answer is looked at before anything is touched.
    #[must_use]
    pub fn using(mut self, wanted: Vec<Adopted>) -> Self {
        let Target::Existing { adopted, .. } = &mut self.target else { return self };
        for one in wanted {
            let id = StageId::component(&one.component);
            let Some(at) = self.stages.iter().position(|stage| stage.id == id) else { continue };
            let gone = self.stages.remove(at);
            for stage in &mut self.stages {
                stage.needs.retain(|need| *need != id);
                if stage.id == StageId::Preflight {
                    stage.checks.extend(gone.checks.iter().filter(|check| matches!(check.probe, Probe::Denied { .. })).cloned());
                }
            }
            self.components.retain(|component| component.name != one.component);
            adopted.push(one);
        }
        self.manifest_bytes = self.components.iter().flat_map(|component| &component.files).map(|file| file.size).sum();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_vendors_are_read() {
        for (text, expected) in [
            ("1.33", Some((1, 33))),
            ("v1.34.3", Some((1, 34))),
            ("v1.31.4-eks-2d5f260", Some((1, 31))),
            ("v1.32.1+k3s1", Some((1, 32))),
            ("unknown", None),
        ] {
            assert_eq!(minor(text), expected, "{text}");
        }
        assert!(minor("1.9") < minor("1.33"), "not as texts");
    }

    #[test]
    fn what_is_used_is_said_in_one_line() {
        let adopted = Adopted {
            component: "cert-manager".into(),
            title: "cert-manager".into(),
            version: Some("1.15.0".into()),
            by: "Helm release cm".into(),
            namespace: "infra".into(),
        };
        assert_eq!(adopted.to_string(), "cert-manager: already there (1.15.0, by Helm release cm, namespace infra), used as it is");
    }
}
