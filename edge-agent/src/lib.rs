#![doc = include_str!("../README.md")]

pub mod agent;
pub mod arguments;
pub mod clock;
pub mod compose;
pub mod config;
pub mod doctor;
pub mod enrol;
pub mod follow;
pub mod head;
mod http;
pub mod identity;
mod inquiry;
pub mod led;
pub mod names;
pub mod outbox;
pub mod page;
pub mod peers;
mod picture;
pub mod preview;
mod serve;
pub mod source;
pub mod state;
pub mod status;
pub mod systemd;
pub mod telemetry;
pub mod tls;
pub mod trust;
pub mod uplink;

pub use agent::{Handle, RunError, run, run_on_device};
pub use clock::SystemClock;
pub use config::Config;
pub use state::State;
pub use status::{Head, Status};
