#![doc = include_str!("../README.md")]

pub mod agent;
pub mod clock;
pub mod compose;
pub mod config;
pub mod enrol;
pub mod follow;
mod http;
pub mod identity;
mod inquiry;
pub mod names;
pub mod outbox;
pub mod peers;
pub mod source;
pub mod status;
pub mod tls;
pub mod trust;
pub mod uplink;

pub use agent::{Handle, RunError, run};
pub use clock::SystemClock;
pub use config::Config;
pub use status::{Head, Status};
