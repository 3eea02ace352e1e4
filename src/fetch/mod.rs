//! Files from the network and from archives: verified while they stream, kept by what they are.

mod atomic;
mod cache;
mod client;
mod download;
mod error;
mod pulse;
mod retry;

pub use atomic::AtomicFile;
pub use cache::{Cache, Cached};
pub use client::{client, direct_client};
pub use download::Download;
pub use error::FetchError;
pub use pulse::{Idle, OnBytes, Pulse, quiet};
pub use retry::{Policy, Trouble};

#[cfg(test)]
mod tests;
