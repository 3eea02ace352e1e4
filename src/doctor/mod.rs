//! Can this machine do it, and what is wrong? Facts are looked at in [`look`] and [`trace`]; what they mean is decided by functions of
//! facts alone; [`fix`] does what is safe.

mod certificates;
mod check;
mod clock;
mod cluster;
mod disk;
mod engine;
mod files;
mod fix;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway;
mod holders;
mod leftovers;
mod live;
mod look;
mod machine;
mod network;
mod port;
mod program;
mod registry;
mod route;
mod seen;
mod trace;
mod webhooks;

pub use check::{Category, CheckResult, Diagnosis, Fix, Outcome};
pub use fix::{Fixed, fix};
pub use look::{Place, look, look_again};
pub use route::Route;
pub use trace::trace;
