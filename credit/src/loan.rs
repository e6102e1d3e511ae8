//! From an application to an offer or a decline.
//!
//! [`decision::decide`] is pure: the same inputs give the same decision. What is stored, and
//! whether the sandbox still has room, is the business of [`crate::service`] and [`crate::store`].

pub mod application;
pub mod decision;
pub mod limit;

pub use application::{Application, ApplicationError, Product};
pub use decision::{Decision, Inputs, Outcome, Record, decide};
pub use limit::{Bound, Limit};
