//! What runs, what does not, and why.

mod gather;
mod types;

pub use gather::gather;
pub use types::{ComponentStatus, ContainerStatus, DemoStatus, DeploymentStatus, NodeStatus, Report};
