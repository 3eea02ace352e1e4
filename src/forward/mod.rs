//! A tunnel from 127.0.0.1 to a Service through the API server, for clusters on which kind maps no port.

mod listener;
mod target;

pub use listener::{Counters, Tunnel};
pub use target::{ForwardError, Service, Target, container_port, target_port};
