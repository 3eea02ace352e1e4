//! The kind program: found, run, and understood when it fails; and the user's kubeconfig.

mod cluster;
mod config;
mod entries;
mod error;
mod exec;
mod flow;
pub mod kubeconfig;
mod program;
mod proxy;
mod reason;
mod step;

pub use cluster::{Create, Kind};
pub use config::{Configuration, configuration};
pub use error::KindError;
pub use exec::{Command, CommandError, Finished, OnLine};
pub use program::{Program, Search};
pub use proxy::Proxies;
pub use step::step;

/// Port of the API server within a node.
pub const API_PORT: u16 = 6443;
