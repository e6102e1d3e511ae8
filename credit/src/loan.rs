//! From an application to an offer or a decline.
//!
//! [`decision::decide`] is pure: the same inputs give the same decision. What is stored, and
//! whether the sandbox still has room, is the business of [`crate::service`] and [`crate::store`].
//! What people make of an offer is [`review`].

pub mod application;
pub mod beside;
pub mod brief;
pub mod decision;
pub mod declared;
pub mod life;
pub mod limit;
pub mod reason;
pub mod review;
pub mod taking;
pub mod warning;

pub use application::{Application, ApplicationError, Product};
pub use beside::Beside;
pub use brief::{Books, Judgement};
pub use decision::{Decision, Inputs, Outcome, Proven, Record, decide};
pub use declared::Declared;
pub use limit::{Bound, Limit};
pub use reason::RefusalReason;
pub use review::{Review, ReviewRules, Stage};
