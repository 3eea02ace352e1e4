//! `status --web`: what `status` knows, as a page on 127.0.0.1 that follows by itself.
//!
//! It reads and nothing more. There is nothing to log in with, so whoever asks must ask for this machine by name: a page of somebody
//! else's whose name was made to lead here (DNS rebinding) brings its own name as Host and is turned away.

mod answer;
mod page;
mod server;

pub use server::{DEFAULT_PORT, DashboardError, Seen, Server};
