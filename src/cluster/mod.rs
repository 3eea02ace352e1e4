//! The Kubernetes side: access, requests, and what their failures mean.

mod connect;
mod error;
mod request;

pub use connect::{Cluster, REQUEST_TIMEOUT};
pub use error::ClusterError;
pub use request::FIELD_MANAGER;
