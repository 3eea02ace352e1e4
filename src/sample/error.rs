//! What can be wrong with a sample, beyond what its pods say.

use crate::error::{Exit, Explain};
use crate::rules;

/// A sample that cannot be had, or did not do what it promises.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SampleError {
    /// No sample has this name.
    #[error("there is no sample {0}")]
    Unknown(String),
    /// It needs another profile than the cluster has.
    #[error("sample {name} needs profile {needs}, and this cluster has {has}")]
    Profile {
        /// Sample.
        name: String,
        /// What it needs.
        needs: String,
        /// What there is.
        has: String,
    },
    /// The same name is taken by somebody else's object, or by the demo.
    #[error("{object} is there already and is not the sample's: {why}")]
    Taken {
        /// Which.
        object: String,
        /// Whose it is.
        why: String,
    },
    /// It runs, and does not do what it promises.
    #[error("sample {name} did not prove itself: {saw}")]
    Unproven {
        /// Sample.
        name: String,
        /// What was seen instead.
        saw: String,
    },
    /// There is no split to decide about.
    #[error("InferenceService {0} has no canary")]
    NoCanary(String),
}

impl Explain for SampleError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "SAMPLE_UNKNOWN",
            Self::Profile { .. } => "SAMPLE_PROFILE",
            Self::Taken { .. } => "SAMPLE_NAME_TAKEN",
            Self::Unproven { .. } => "SAMPLE_UNPROVEN",
            Self::NoCanary(_) => "CANARY_MISSING",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Unknown(_) => Exit::Usage,
            Self::Profile { .. } | Self::Taken { .. } | Self::NoCanary(_) => Exit::Prerequisite,
            Self::Unproven { .. } => Exit::StageFailed,
        }
    }
    fn hint(&self) -> Option<String> {
        Some(rules::rule(self.id())?.hint.into())
    }
}
