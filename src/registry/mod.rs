//! Container registries: images by reference, chosen for a platform, read by digest into the cache of `fetch`.
//!
//! `oci-client` speaks the protocol of manifests, tokens and uploads; blobs go through [`crate::fetch`], which resumes a cut one in a
//! later run too, waits as long as a busy registry asks, and hashes what comes.

mod client;
mod credentials;
mod error;
mod image;
mod memory;
mod place;
mod resolve;
mod upload;

pub use client::Registry;
pub use credentials::Credentials;
pub use error::RegistryError;
pub use image::{Blob, Platform, Resolved};
pub use place::{Mirror, Place};
pub use upload::Section;
