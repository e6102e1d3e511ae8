#![doc = include_str!("../README.md")]

pub mod evidence;
pub mod facts;
pub mod loan;
pub mod money;
mod rfc3339;
pub mod sandbox;
pub mod score;
pub mod service;
pub mod store;

pub use service::{ApplyError, Credit, Terms};
