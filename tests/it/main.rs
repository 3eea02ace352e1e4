//! The whole program against fakes at the wire: no engine, no network, no cluster.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod layers;
mod small;
mod support;

mod up;
mod waves;
mod second_up;
mod down;
mod status;
mod predict;
mod plan;
mod forward;
mod errors;
mod cancel;
mod config;
mod help;
mod proxy;
mod bundle;
mod doctor;
