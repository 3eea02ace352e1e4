//! Can this machine do it, and what is wrong? Facts are looked at in [`look`]; what they mean is decided by functions of facts alone.

mod check;
mod cluster;
mod disk;
mod engine;
mod files;
mod look;
mod machine;
mod port;
mod program;

pub use check::{Category, CheckResult, Diagnosis, Outcome};
pub use look::{Place, look};
