//! The container engine, through its API: where it listens, what it is, kind's nodes in it, images, commands in containers.

mod about;
mod containerd;
mod containers;
mod copy;
mod endpoint;
mod engine;
mod error;
mod exec;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod images;
mod kept;
mod lean;
mod once;
mod power;
mod reference;
mod saved;
mod volumes;

pub use about::About;
pub use containerd::ContainerStore;
pub use containers::{Node, PortMapping};
pub use copy::ContainerFile;
pub use endpoint::{Endpoint, EngineEnvironment};
pub use engine::{Engine, Facts};
pub use error::DockerError;
pub use exec::ExecOutput;
pub use kept::{ImageStore, KeptImages, VOLUME as IMAGES_VOLUME};
pub use once::Once;
pub use reference::normalize_reference;
