//! The days after `up`: stopping, taking away, going back, and what of the user's is carried over.

mod clear;
mod images;
mod interrupt;
mod inventory;
mod keep;
mod remove;
mod restore;
mod stack;
mod stop;
mod switch;
mod uninstall;

pub use images::keep_images;
pub use interrupt::ask_to_stop;
pub use keep::{KEPT, Kept, gather, models};
pub use remove::{foreign, forget_context, nodes as remove_nodes, purge};
pub use restore::restore;
pub use stack::take_down as remove_stack;
pub use stop::stop;
pub use switch::{keep as keep_for_switch, leave, look, reach};
pub use uninstall::{Site, take_off};
