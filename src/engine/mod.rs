//! Runs a plan: every stage as soon as what it needs is done, side by side, until all are done or one has failed.

mod run;

pub use run::{Runner, run};
