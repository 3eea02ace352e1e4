//! What runs, what does not, and why.

mod gather;
mod models;
mod types;

pub use gather::gather;
pub use models::{Model, Models, Share, models};
pub use types::{ComponentStatus, ContainerStatus, DemoStatus, DeploymentStatus, NodeStatus, Report};
