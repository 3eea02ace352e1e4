//! What can be wrong with a bundle, or with what one is to be made of.

use std::io;
use std::path::PathBuf;

use crate::error::{Exit, Explain};
use crate::rules;

/// A bundle that cannot be read, trusted or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such file, or it cannot be opened.
    #[error("bundle {path} cannot be opened", path = path.display())]
    Unreadable {
        /// The bundle.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Something else than a bundle.
    #[error("{path} is not a bundle: {reason}", path = path.display())]
    NotABundle {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// The file ends too early.
    #[error("the bundle is cut off in {at}")]
    Truncated {
        /// Entry in which it ends.
        at: String,
    },
    /// The content of an entry is another one.
    #[error("{path} in the bundle has sha256 {found}, its index says {expected}")]
    Checksum {
        /// Entry.
        path: String,
        /// As the index says.
        expected: String,
        /// As read.
        found: String,
    },
    /// An entry is shorter than the index says.
    #[error("{path} in the bundle has {found} bytes, its index says {expected}")]
    Size {
        /// Entry.
        path: String,
        /// As the index says.
        expected: u64,
        /// As the archive says.
        found: u64,
    },
    /// An entry that the index does not name.
    #[error("the bundle holds {path}, which its index does not name")]
    Unexpected {
        /// Entry.
        path: String,
    },
    /// An entry is there twice.
    #[error("the bundle holds {path} twice")]
    Duplicate {
        /// Entry.
        path: String,
    },
    /// An entry that the index names is not there, or not in its place.
    #[error("the bundle lacks {path}, which its index names")]
    Missing {
        /// Entry.
        path: String,
    },
    /// The structure of the archive or of the index is broken.
    #[error("the bundle is damaged at {at}: {reason}")]
    Damaged {
        /// Where.
        at: String,
        /// What is wrong there.
        reason: String,
    },
    /// The medium gave an error while an entry was read.
    #[error("{at} in the bundle cannot be read")]
    Read {
        /// Entry.
        at: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A path or a kind of entry that could reach beyond the folder it is unpacked to.
    #[error("the bundle has an unsafe entry `{path}`: {reason}", path = path.escape_debug())]
    Unsafe {
        /// Path as it is written.
        path: String,
        /// What makes it unsafe.
        reason: &'static str,
    },
    /// More than a bundle has reason to hold.
    #[error("the bundle is unreasonably large: {reason}")]
    Bomb {
        /// Which limit is broken.
        reason: String,
    },
    /// Written by a newer program.
    #[error("the bundle has version {found}, this program reads up to {known}")]
    Newer {
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// For other processors.
    #[error("the bundle is for {bundle}, the engine's machine is {machine}")]
    Architecture {
        /// GOARCH of the bundle.
        bundle: String,
        /// GOARCH of the machine.
        machine: String,
    },
    /// What takes an entry's bytes failed.
    #[error("{path} from the bundle cannot be written")]
    Sink {
        /// Entry.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A specification that is not JSON of the right shape.
    #[error("{place}: {message}")]
    Spec {
        /// File, line and column.
        place: String,
        /// What is wrong there.
        message: String,
    },
    /// A value of a specification that cannot be used.
    #[error("bundle specification: {field}: {message}")]
    Field {
        /// The JSON field, such as `manifests[2].path`.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// A source that was another one in the second pass.
    #[error("{path} changed while it was put into the bundle", path = path.display())]
    Changed {
        /// The source.
        path: PathBuf,
    },
    /// An archive of images that the engine saved cannot be used.
    #[error("image archive {path}: {reason}", path = path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the new bundle, or one of its sources, failed.
    #[error("{what}")]
    Write {
        /// What was being done.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl BundleError {
    pub(super) fn write(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Write { what, source }
    }

    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field { field: field.into(), message: message.into() }
    }

    pub(super) fn damaged(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged { at: at.into(), reason: reason.into() }
    }

    fn no_space(&self) -> bool {
        matches!(self, Self::Sink { source, .. } | Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

impl Explain for BundleError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "BUNDLE_UNREADABLE",
            Self::NotABundle { .. }
            | Self::Truncated { .. }
            | Self::Checksum { .. }
            | Self::Size { .. }
            | Self::Unexpected { .. }
            | Self::Duplicate { .. }
            | Self::Missing { .. }
            | Self::Damaged { .. }
            | Self::Read { .. } => "BUNDLE_DAMAGED",
            Self::Unsafe { .. } | Self::Bomb { .. } => "BUNDLE_UNSAFE",
            Self::Newer { .. } => "BUNDLE_VERSION",
            Self::Architecture { .. } => "BUNDLE_ARCH",
            Self::Spec { .. } | Self::Field { .. } => "USAGE",
            _ if self.no_space() => "NO_SPACE",
            Self::Sink { .. } | Self::Changed { .. } | Self::Archive { .. } | Self::Write { .. } => "BUNDLE_WRITE",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { .. } | Self::Spec { .. } | Self::Field { .. } => Exit::Usage,
            Self::Sink { .. } | Self::Changed { .. } | Self::Archive { .. } | Self::Write { .. } => Exit::Prerequisite,
            _ => Exit::Verification,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => "check the path of the bundle".into(),
            Self::NotABundle { .. } => "name a file that `quickstart bundle create` wrote".into(),
            Self::Unsafe { .. } | Self::Bomb { .. } => "do not use this file: `quickstart bundle create` writes nothing like it".into(),
            Self::Newer { .. } => "use a newer quickstart".into(),
            Self::Architecture { machine, .. } => {
                format!("get the bundle for {machine}, or point DOCKER_HOST at a machine of the bundle's architecture")
            }
            Self::Spec { .. } | Self::Field { .. } => "correct the specification and run the same command again".into(),
            Self::Changed { .. } => "run the same command again when nothing else writes to that file".into(),
            Self::Archive { .. } => "save the images again: `quickstart bundle create` does it itself".into(),
            _ if self.no_space() => "free some disk space and run the same command again".into(),
            Self::Sink { .. } | Self::Write { .. } => "is the folder there, and may you write to it?".into(),
            _ => "copy or download the bundle again, then run `quickstart bundle verify` on it".into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}
