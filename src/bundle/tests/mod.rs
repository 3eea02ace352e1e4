//! What a bundle must stand up to.

mod archives;
mod damage;
mod hostile;
mod round;
mod specs;
mod support;
