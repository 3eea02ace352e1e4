//! `serve`: a bundle for a whole room over HTTP/1.1 and 2, to whoever has the code.
//!
//! One function answers a request as a value ([`room`]); two transports carry it: large pieces of the bundle go from the page cache into
//! the socket without passing through this program ([`send`]), everything else goes through hyper ([`connection`]).

mod address;
mod answer;
mod board;
mod connection;
mod door;
mod error;
mod fair;
mod listen;
mod page;
mod range;
mod registry;
mod room;
mod saved;
mod send;
mod share;

pub use address::own_addresses;
pub use error::ServeError;
pub use listen::{DEFAULT_PORT, Server};
pub use share::Share;
