//! What can be wrong with a catalog, an overlay or a manifest.

use crate::error::{Exit, Explain};

/// A catalog, overlay or manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not YAML, or not of the expected shape.
    #[error("{place}: {message}")]
    Yaml {
        /// File, document and line.
        place: String,
        /// What the parser says.
        message: String,
    },
    /// Written by a newer program.
    #[error("{place} has version {found}, this program reads up to {known}")]
    Newer {
        /// File.
        place: String,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// No such component.
    #[error("unknown component `{name}`: known are {known}")]
    UnknownComponent {
        /// What was asked for.
        name: String,
        /// The list.
        known: String,
    },
    /// No such version of a component.
    #[error("unknown version `{version}` of {component}: known are {known}")]
    UnknownVersion {
        /// Component.
        component: String,
        /// What was asked for.
        version: String,
        /// The list.
        known: String,
    },
    /// No such add-on.
    #[error("unknown add-on `{name}`{near}: known are {known}")]
    UnknownAddon {
        /// What was asked for.
        name: String,
        /// `, did you mean …?`, or nothing.
        near: String,
        /// The list.
        known: String,
    },
    /// No such set.
    #[error("unknown version set `{name}`: known are {known}")]
    UnknownSet {
        /// What was asked for.
        name: String,
        /// The list.
        known: String,
    },
    /// An object that cannot be sent: no kind, no name, an unknown kind.
    #[error("{place}: {message}")]
    Object {
        /// File and document.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A flag or a manifest of the user's that cannot be used.
    #[error("{place}: {message}")]
    Own {
        /// Flag, or file and document.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A patch of the configuration file that meets nothing.
    #[error("patch of {what} in the configuration file: {message}")]
    Change {
        /// Kind and name.
        what: String,
        /// What is wrong.
        message: String,
    },
    /// Resources in the configuration file for a container that is not there.
    #[error("{place}: resources of {what}: {message}")]
    Resources {
        /// File, line and column.
        place: String,
        /// Component and container.
        what: String,
        /// What is wrong.
        message: String,
    },
    /// An overlay whose object is not in the manifests.
    #[error("overlay `{id}` of {component} matches no object")]
    OverlayUnmatched {
        /// Component.
        component: String,
        /// The overlay's id.
        id: String,
    },
}

impl CatalogError {
    /// The same about a file of the user's.
    #[must_use]
    pub fn of_the_user(self) -> Self {
        match self {
            Self::Yaml { place, message } | Self::Object { place, message } => Self::Own { place, message },
            other => other,
        }
    }
}

impl Explain for CatalogError {
    fn id(&self) -> &'static str {
        match self {
            Self::UnknownComponent { .. } | Self::UnknownVersion { .. } | Self::UnknownAddon { .. } | Self::UnknownSet { .. } => "USAGE",
            Self::Change { .. } | Self::Resources { .. } | Self::Own { .. } => "CONFIG_INVALID",
            Self::Newer { .. } => "STATE_NEWER",
            Self::Yaml { .. } | Self::Object { .. } | Self::OverlayUnmatched { .. } => "MANIFEST_INVALID",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::UnknownComponent { .. }
            | Self::UnknownVersion { .. }
            | Self::UnknownAddon { .. }
            | Self::UnknownSet { .. }
            | Self::Change { .. }
            | Self::Resources { .. }
            | Self::Own { .. } => Exit::Usage,
            Self::Newer { .. } => Exit::Prerequisite,
            Self::Yaml { .. } | Self::Object { .. } | Self::OverlayUnmatched { .. } => Exit::Verification,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Newer { .. } => Some("use a newer quickstart".into()),
            Self::UnknownComponent { .. } | Self::UnknownVersion { .. } | Self::UnknownSet { .. } => {
                Some("`quickstart plan` shows what would be installed; pick one of the list".into())
            }
            Self::UnknownAddon { .. } => Some("pick one of the list; several are written as `--with ONE,OTHER`".into()),
            Self::Own { .. } => Some("`quickstart plan -o manifests` tells without a cluster whether all can be used".into()),
            Self::Resources { .. } => Some("correct the name; models have their own figures, in `spec.predictor.model.resources`".into()),
            Self::Change { .. } => Some("`quickstart plan -o manifests` prints every object with its kind, name and namespace".into()),
            _ => None,
        }
    }
}
