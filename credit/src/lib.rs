#![doc = include_str!("../README.md")]

pub mod accounts;
pub mod audit;
pub mod check;
pub mod config;
pub mod desk;
pub mod evidence;
pub mod facts;
pub mod http;
pub mod lateness;
pub mod law;
pub mod ledger;
pub mod lending;
pub mod loan;
pub mod logged;
pub mod metrics;
pub mod models;
pub mod money;
pub mod pledge;
pub mod product;
mod rfc3339;
mod rounds;
mod run;
pub mod sandbox;
pub mod schedule;
pub mod score;
pub mod scorecard;
pub mod service;
pub mod store;
#[cfg(test)]
mod testing;
pub mod trials;
pub mod watching;
pub mod written;

pub use accounts::Accounts;
pub use config::Config;
pub use desk::Desk;
pub use run::{Handle, StartError, lending, room, run, terms};
pub use service::{ApplyError, Credit, Terms};
