//! Files from the network and from archives: verified while they stream, kept by what they are.

mod atomic;
mod cache;
mod client;
mod code;
mod download;
mod error;
mod join;
mod nearby;
mod pulse;
mod retry;

pub use atomic::AtomicFile;
pub use cache::{Cache, Cached};
pub use client::{client, direct_client};
pub use code::{Code, Link, Secret};
pub use download::Download;
pub use error::FetchError;
pub use join::{Invitation, JoinError, Offer, Report, Room, cached};
pub use nearby::{Announced, announce, find};
pub use pulse::{Idle, OnBytes, Pulse, quiet};
pub use retry::{Policy, Trouble};

#[cfg(test)]
mod tests;
