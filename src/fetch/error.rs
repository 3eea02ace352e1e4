//! What can go wrong between a URL and a verified file.

use std::path::PathBuf;

use crate::error::{Exit, Explain};
use crate::rules::{self, Source};

/// A file that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Every source says that there is no such file.
    #[error("{what} is not at {urls}")]
    NotFound {
        /// The file, for people.
        what: String,
        /// Where it was looked for.
        urls: String,
    },
    /// No source gave it, after retries.
    #[error("{what} could not be downloaded: {message}")]
    Failed {
        /// The file, for people.
        what: String,
        /// The last thing seen from each source.
        message: String,
    },
    /// A certificate on the way is not trusted.
    #[error("{what}: the certificate of {url} is not trusted: {message}")]
    Tls {
        /// The file, for people.
        what: String,
        /// Source.
        url: String,
        /// What TLS says.
        message: String,
    },
    /// The content is not what is pinned.
    #[error("{what} has sha256 {found}, pinned is {pinned}; kept aside as {kept}", kept = kept.display())]
    Checksum {
        /// The file, for people.
        what: String,
        /// Expected.
        pinned: String,
        /// Of what arrived.
        found: String,
        /// Where it lies now.
        kept: PathBuf,
        /// It is a web page: a login page of the network, most likely.
        page: bool,
    },
    /// More bytes than the pinned file has.
    #[error("{what} from {url} has more than the pinned {size} bytes")]
    TooLong {
        /// The file, for people.
        what: String,
        /// Source.
        url: String,
        /// Pinned.
        size: u64,
    },
    /// A file of the cache cannot be read or written.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// There is no usable HTTP client.
    #[error("HTTPS cannot be used here: {message}")]
    Client {
        /// Why not.
        message: String,
    },
    /// Ctrl-C.
    #[error("download of {what} interrupted")]
    Cancelled {
        /// The file, for people.
        what: String,
    },
}

impl FetchError {
    /// A call of the file system that failed, with what was being done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    fn no_space(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull)
    }
}

impl Explain for FetchError {
    fn id(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "DOWNLOAD_404",
            Self::Failed { message, .. } => rules::find(Source::Download, "", message).map_or("DOWNLOAD_FAILED", |found| found.rule.id),
            Self::Tls { .. } | Self::Client { .. } => "REGISTRY_TLS",
            Self::Checksum { .. } | Self::TooLong { .. } => "CHECKSUM",
            Self::Io { .. } if self.no_space() => "NO_SPACE",
            Self::Io { .. } => "CACHE_IO",
            Self::Cancelled { .. } => "INTERRUPTED",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NotFound { .. } | Self::Failed { .. } | Self::Tls { .. } | Self::Io { .. } | Self::Client { .. } => Exit::Prerequisite,
            Self::Checksum { .. } | Self::TooLong { .. } => Exit::Verification,
            Self::Cancelled { .. } => Exit::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => "the file was moved: use a newer quickstart, or --bundle FILE".into(),
            Self::Failed { .. } => {
                "offline? use --bundle FILE; behind a proxy set HTTPS_PROXY; `quickstart up` again goes on where it stopped".into()
            }
            Self::Tls { .. } => {
                "a proxy that opens TLS needs its CA in the system's trust store (or SSL_CERT_FILE); a wrong clock looks the same; or use --bundle FILE".into()
            }
            Self::Client { .. } => "install the system's CA certificates (package ca-certificates), or name a file with SSL_CERT_FILE".into(),
            Self::Checksum { page: true, .. } => "it is a web page, not the file: log in to this network first, or use --bundle FILE".into(),
            Self::Checksum { .. } | Self::TooLong { .. } => {
                "do not use it: something on the way changed the file; try another network, or --bundle FILE".into()
            }
            Self::Io { .. } if self.no_space() => "free some disk space and run the same command again".into(),
            Self::Io { .. } => "is the folder there, and may you write to it?".into(),
            Self::Cancelled { .. } => "the same command again goes on where it stopped".into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}
