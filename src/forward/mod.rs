//! A tunnel from 127.0.0.1 to a Service through the API server, for clusters on which kind maps no port and for other services.
//!
//! `daemon` starts, finds and ends tunnels that run in the background; `listener` is a tunnel; `pool` keeps its connections to the
//! kubelet warm; `session` is one TCP connection through one of them.

mod counters;
mod daemon;
mod error;
mod keeper;
mod listener;
mod peer;
mod pool;
mod record;
mod session;
mod socket;
mod spdy;
mod target;
mod watch;
mod wire;

pub(crate) use daemon::Word;
pub use daemon::{Held, Start, end, end_all, hold, list, resume_all, start, suspend_all};
pub use error::ForwardError;
pub use listener::{Port, Tunnel};
pub use record::{Alive, Record, TunnelStatus};
pub use target::{Service, Target, container_port, target_port};
