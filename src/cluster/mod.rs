//! The Kubernetes side: access, requests, and what their failures mean.

mod connect;
mod discovery;
mod error;
mod owner;
mod request;
mod review;
mod upgrade;

pub use connect::{Cluster, REQUEST_TIMEOUT, merge};
pub use discovery::Served;
pub use error::ClusterError;
pub use owner::{installer, is_labelled, is_ours, manager, managers, version_of};
pub use request::FIELD_MANAGER;
pub use review::Access;
pub use upgrade::Raw;
