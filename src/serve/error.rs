//! Why nothing can be served.

use std::net::SocketAddr;

use crate::bundle::BundleError;
use crate::error::{Exit, Explain};
use crate::rules;

/// A room that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else listens there, or the address is not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is no bundle, or a damaged one.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl Explain for ServeError {
    fn id(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "SERVE_PORT",
            Self::Bundle(error) => error.id(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Listen { .. } => Exit::Prerequisite,
            Self::Bundle(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { .. } => Some(rules::rule(self.id())?.hint.into()),
            Self::Bundle(error) => error.hint(),
        }
    }

    fn meaning(&self) -> Option<&'static str> {
        match self {
            Self::Listen { .. } => None,
            Self::Bundle(error) => error.meaning(),
        }
    }
}
