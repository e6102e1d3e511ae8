//! Everything in one process on embedded parts, on one injected clock.

pub mod bank;
pub mod equipment;
pub mod play;
pub mod post;
pub mod witnesses;
