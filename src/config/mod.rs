//! What is meant: flags over environment over file over defaults, resolved once into [`Settings`].
//!
//! The only module that reads the process environment and the configuration file.

mod environment;
mod error;
mod file;
mod ingress;
mod name;
mod near;
mod nearby;
mod paths;
mod resources;
mod schema;
mod scheme;
mod serving;
mod settings;

pub use environment::{Environment, Proxies};
pub use error::ConfigError;
pub use file::{Change, ConfigFile, DEFAULT_FILE};
pub use ingress::Ingress;
pub use name::ClusterName;
pub use near::nearest;
pub use nearby::Nearby;
pub use paths::{ClusterPaths, Paths};
pub use resources::Resources;
pub use schema::SCHEMA;
pub use scheme::Scheme;
pub use serving::{Serving, Storage};
pub use settings::{Origin, OwnManifest, Settings, Source};

pub use crate::cli::{Network, Profile};
