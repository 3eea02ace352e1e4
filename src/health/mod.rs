//! Is it healthy, and if not, why? The same answers serve stages, `status` and `doctor`.

mod explain;
pub mod pods;
mod probe;
mod restarted;
pub mod rollout;
mod wait;

pub use probe::{World, ask, conditions, selector};
pub use wait::{interrupted, until_ready};
