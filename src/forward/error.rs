//! Why there is no tunnel.

use crate::cluster::ClusterError;
use crate::error::{Exit, Explain};
use crate::state::StateError;

/// A tunnel that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The API server says no.
    #[error("cannot look up Service {service}")]
    Cluster {
        /// `namespace/name:port`.
        service: String,
        /// Why.
        #[source]
        source: ClusterError,
    },
    /// The Service has no such port.
    #[error("Service {service} has no port {port}: it has {known}")]
    NoPort {
        /// `namespace/name`.
        service: String,
        /// What was asked for.
        port: u16,
        /// What there is.
        known: String,
    },
    /// No pod is Ready.
    #[error("no pod of Service {service} is Ready")]
    NoPod {
        /// `namespace/name`.
        service: String,
    },
    /// A tunnel of this service is there on another port.
    #[error("the tunnel to {service} listens on 127.0.0.1:{port}")]
    Fixed {
        /// `namespace/name:port`.
        service: String,
        /// Where it listens.
        port: u16,
    },
    /// The background process did not get as far as to say why.
    #[error("the tunnel to {service} did not start")]
    NotStarted {
        /// `namespace/name:port`.
        service: String,
        /// The last thing known.
        #[source]
        source: std::io::Error,
    },
    /// The background process does not end.
    #[error("the tunnel to {service} (process {pid}) does not end")]
    NotEnded {
        /// `namespace/name:port`.
        service: String,
        /// Process.
        pid: u32,
    },
    /// Its files.
    #[error(transparent)]
    State(#[from] StateError),
    /// The local port is taken.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// Port.
        port: u16,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl ForwardError {
    /// The message and its causes in one line.
    pub(super) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            line = format!("{line}: {cause}");
            source = cause.source();
        }
        line
    }
}

impl Explain for ForwardError {
    fn id(&self) -> &'static str {
        match self {
            Self::Cluster { source, .. } => source.id(),
            Self::NoPort { .. } => "USAGE",
            Self::NoPod { .. } => "FORWARD_NO_POD",
            Self::Fixed { .. } => "PORT_FIXED",
            Self::NotStarted { .. } => "FORWARD_NOT_STARTED",
            Self::NotEnded { .. } => "FORWARD_NOT_ENDED",
            Self::State(source) => source.id(),
            Self::Listen { .. } => "PORT_BUSY",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Cluster { source, .. } => source.exit(),
            Self::NoPort { .. } => Exit::Usage,
            Self::NoPod { .. } => Exit::Degraded,
            Self::NotStarted { .. } | Self::NotEnded { .. } => Exit::StageFailed,
            Self::State(source) => source.exit(),
            Self::Fixed { .. } | Self::Listen { .. } => Exit::Prerequisite,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster { source, .. } => source.hint(),
            Self::NoPort { .. } => None,
            Self::NoPod { .. } => Some("`quickstart status` says why it is not ready".into()),
            Self::Fixed { .. } => Some("`quickstart forward stop` ends it; then start it on another port".into()),
            Self::NotStarted { .. } => Some("its last words are in forward.log of the cluster's state folder".into()),
            Self::NotEnded { pid, .. } => Some(format!("`kill -9 {pid}` ends it")),
            Self::State(source) => source.hint(),
            Self::Listen { .. } => Some("take another port with --port, or leave it out for a free one".into()),
        }
    }
}
