//! One archive with all that somebody needs to find out what is wrong, and with no secret in it.
//!
//! Every part is gathered on its own, under its own deadline; what could not be had is named with its reason in `MISSING.txt`.

mod archive;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gather;
mod kubernetes;
mod nodes;
mod redact;
mod staging;

pub use archive::{Out, Packed};
pub use error::LogsError;
pub use gather::{Request, gather};
