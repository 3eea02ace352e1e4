//! What can be wrong with what was typed or written down.

use std::path::PathBuf;

use crate::error::{Exit, Explain};

/// A value that cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A cluster name that kind, or Kubernetes behind it, would refuse.
    #[error("`{name}` cannot be a cluster name: {reason}")]
    Name {
        /// As given.
        name: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// An environment variable of ours that cannot be read.
    #[error("{variable} is wrong: {reason}")]
    Variable {
        /// `QUICKSTART_…`.
        variable: String,
        /// What is wrong with the value, and what is expected.
        reason: String,
    },
    /// Neither `HOME` nor what could stand in for it.
    #[error("there is no home folder to keep the {what} in")]
    NoHome {
        /// `cache` or `state`.
        what: &'static str,
        /// The variable that would do instead.
        variable: &'static str,
    },
    /// The configuration file cannot be read.
    #[error("cannot read the configuration file")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Names the path.
        #[source]
        source: std::io::Error,
    },
    /// A file of `manifests` cannot be read.
    #[error("`manifests`: {} cannot be read", path.display())]
    Manifest {
        /// As written.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The configuration file says something that cannot be meant.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1, in characters.
        column: u64,
        /// Names the key.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
}

impl Explain for ConfigError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::Manifest { .. } | Self::Invalid { .. } => "CONFIG_INVALID",
            Self::Name { .. } | Self::Variable { .. } | Self::NoHome { .. } => "USAGE",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Name { .. } => Some("take lowercase letters, digits, `-` and `.`, such as `quickstart` or `demo-2`".to_owned()),
            Self::Variable { variable, .. } => Some(format!("correct it or `unset {variable}`")),
            Self::NoHome { variable, .. } => Some(format!("set HOME, or {variable} to a folder of yours")),
            Self::Unreadable { path, .. } => Some(format!("check `--config {}`, or leave it out", path.display())),
            Self::Manifest { .. } => Some("its path starts at the folder of the configuration file".to_owned()),
            Self::Invalid { hint, .. } => hint.clone(),
        }
    }
}
