//! What is remembered of a cluster between two commands: `state.json`, its lock, and how files of ours are written.

mod lock;
pub mod persist;
mod record;
mod switching;

pub use lock::Lock;
pub use record::{Done, Reset, ResetKind, State, StoredImages, VERSION, patches};
pub use switching::{Shape, Switching};

use crate::error::{Exit, Explain};
use crate::rules;

/// The state folder cannot be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Reading or writing failed.
    #[error("cannot use the state folder")]
    Io(#[source] std::io::Error),
    /// Written by a newer program.
    #[error("{path} has version {found}, this program reads up to {known}")]
    Newer {
        /// File.
        path: String,
        /// Its version.
        found: u64,
        /// Ours.
        known: u32,
    },
    /// Not what we write.
    #[error("{path} cannot be read: {message}")]
    Damaged {
        /// File.
        path: String,
        /// What the parser says.
        message: String,
    },
    /// Ctrl-C while another command was at work.
    #[error("interrupted while {holder} was at work on this cluster")]
    Interrupted {
        /// Who.
        holder: String,
    },
    /// Another command is at work.
    #[error("{holder} is at work on this cluster")]
    Held {
        /// Who.
        holder: String,
    },
}

impl Explain for StateError {
    fn id(&self) -> &'static str {
        match self {
            Self::Io(_) => "STATE_IO",
            Self::Newer { .. } => "STATE_NEWER",
            Self::Damaged { .. } => "STATE_DAMAGED",
            Self::Held { .. } => "BUSY",
            Self::Interrupted { .. } => "INTERRUPTED",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Interrupted { .. } => Exit::Interrupted,
            _ => Exit::Prerequisite,
        }
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io(_) => "free some space, or name another folder with QUICKSTART_STATE_DIR".into(),
            Self::Newer { .. } => "use the newer quickstart that made this cluster, or take it away with that one's `down`".into(),
            Self::Damaged { .. } => "`quickstart down` takes the cluster away without this file".into(),
            Self::Interrupted { .. } => "nothing was done; run the same command again".into(),
            Self::Held { .. } => "wait for it to end, or stop it with Ctrl-C there".into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}
