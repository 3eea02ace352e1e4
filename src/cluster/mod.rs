//! The Kubernetes side: access, requests, and what their failures mean.

mod connect;
mod error;
mod request;
mod upgrade;

pub use connect::{Cluster, REQUEST_TIMEOUT, merge};
pub use error::ClusterError;
pub use request::{FIELD_MANAGER, is_ours, manager};
pub use upgrade::Raw;
