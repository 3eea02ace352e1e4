//! `manifests/samples/index.yaml`: which samples there are, what each proves, needs, and whether that was proven.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SampleError;
use crate::catalog::{CatalogError, yaml};
use crate::predict::Protocol;

const INDEX: &str = include_str!("../../manifests/samples/index.yaml");

/// All samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Format.
    pub version: u32,
    /// In the order in which a lesson would take them.
    pub samples: Vec<Sample>,
}

/// Has it been shown?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleState {
    /// On a real cluster built by the lab.
    Lab,
    /// Against a fake API server.
    Wire,
}

impl SampleState {
    /// As people read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Lab => "proven",
            Self::Wire => "wire-tested",
        }
    }
}

/// One sample.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// By which it is called.
    pub name: String,
    /// A few words.
    pub title: String,
    /// What `sample test` shows.
    pub proves: String,
    /// Files; each is applied when all of the one before is ready.
    pub steps: Vec<String>,
    /// The InferenceService or InferenceGraph that is asked.
    pub service: String,
    /// Repositories of the images that its pods need, without tags.
    pub images: Vec<String>,
    /// Only this profile can do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Has it been shown?
    pub state: SampleState,
    /// Why it has not been shown on a real cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
    /// What is shown, one after the other; none: that it gets Ready.
    pub proof: Vec<Proof>,
}

/// One thing to show.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Proof {
    /// A request gives this answer.
    Prediction {
        /// Which protocol's path; none: `path`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protocol: Option<Protocol>,
        /// Another path, such as an InferenceGraph's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Body.
        body: Value,
        /// `predictions`, or the data of the one output.
        expected: Value,
    },
    /// It does not get ready, and the failure has this name.
    Diagnosis {
        /// The rule's ID.
        id: String,
        /// The exit code that `sample apply` ends with.
        exit: u8,
    },
    /// Two revisions share the requests as they were told to.
    Canary(Split),
    /// Pods come with load and go without it.
    Scaling(Scaling),
    /// The model's pod and revision carry what the InferenceService says.
    Pod(PodProof),
}

/// A canary and its measured split.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Body.
    pub body: Value,
    /// The answer of the model before.
    pub before: Value,
    /// The answer of the new one.
    pub after: Value,
    /// Share of the new one, in percent.
    pub percent: u32,
    /// How far the measured share may be away, in percentage points.
    pub tolerance: u32,
    /// How many requests are made.
    pub requests: usize,
}

/// A load and the pods that it brings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Body.
    pub body: Value,
    /// Its answer.
    pub expected: Value,
    /// Requests in flight.
    pub parallel: usize,
    /// As many pods must come, at least.
    pub pods: usize,
}

/// What a pod and its revision must carry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodProof {
    /// Annotations of the revision.
    pub annotations: BTreeMap<String, String>,
    /// `resources` of `kserve-container`.
    pub resources: Value,
}

/// The index.
pub fn index() -> Result<Index, CatalogError> {
    yaml::ours(INDEX, "manifests/samples/index.yaml")
}

/// One sample.
pub fn find(name: &str) -> Result<Sample, crate::error::Failure> {
    let found = index()?.samples.into_iter().find(|sample| sample.name == name);
    Ok(found.ok_or_else(|| SampleError::Unknown(name.to_owned()))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_sample_is_complete_and_says_why_it_was_not_proven() {
        let index = index().unwrap();
        let names: BTreeSet<&str> = index.samples.iter().map(|sample| sample.name.as_str()).collect();
        assert_eq!((index.version, names.len()), (1, index.samples.len()));
        for sample in &index.samples {
            assert_eq!(sample.state == SampleState::Lab, sample.because.is_empty(), "{}", sample.name);
            assert_eq!(sample.state == SampleState::Lab, !sample.proof.is_empty(), "{}", sample.name);
            assert!(!sample.images.is_empty() && !sample.steps.is_empty(), "{}", sample.name);
            for proof in &sample.proof {
                let Proof::Diagnosis { id, exit } = proof else { continue };
                let rule = crate::rules::rule(id).unwrap();
                assert_eq!(rule.exit().code(), *exit);
            }
        }
    }
}
