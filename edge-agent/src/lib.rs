//! The gateway program.

pub mod clock;
pub mod compose;
pub mod config;
pub mod identity;
pub mod names;
pub mod outbox;
pub mod status;
pub mod trust;

pub use clock::SystemClock;
pub use config::Config;
pub use status::{Head, Status};
