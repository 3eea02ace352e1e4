//! Why there is no archive.

use std::io;

use crate::error::{Exit, Explain};

/// No archive was written.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// A file of that name is there.
    #[error("{path} is there already")]
    Exists {
        /// The archive's path.
        path: String,
    },
    /// The archive, or what is gathered for it, cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The archive's path.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Explain for LogsError {
    fn id(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "LOGS_EXISTS",
            Self::Write { .. } => "LOGS_WRITE",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } => Exit::Usage,
            Self::Write { .. } => Exit::Prerequisite,
        }
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists { .. } => "name another file with --out, or remove that one".into(),
            Self::Write { .. } => "name a file in a folder of yours that has room: `quickstart logs --out FILE`".into(),
        })
    }
}
