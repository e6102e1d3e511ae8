//! Late deliveries: what verified evidence shows of a supplier's promises, and the probability that
//! a delivery comes late.
//!
//! | module | what |
//! |---|---|
//! | [`history`] | promises of orders and their receipts by others, from verified events only |
//! | [`model`] | the frozen model, `models/late-delivery-1.toml`: a share with a memory |
//! | [`fit`] | how its numbers were found, done again in every evaluation |
//! | [`metrics`] | AUC, Brier score, log loss, calibration, bootstrap intervals |
//! | [`evaluation`] | the figures of all suppliers at two dates, and how good they were out of time |
//!
//! The figure is a **probability of late delivery**: late means received after the promised time.
//! It says nothing of default, and no word of this module does.
//!
//! # What is known when
//! A delivery is known from the anchored time of its receipt on: the receiving event of a device of
//! another organisation. Its own time says when it came. A promise counts only if it was in the log
//! before the goods came, and the first promise counts: nobody promises afterwards. What is overdue
//! and has no receipt is counted apart ([`Promises::overdue`]) and is not in the figure, since its
//! lateness was not recorded; so a supplier is not judged by what only seems to be missing.
//!
//! A receipt is anchored when it was recorded, which may be weeks after the delivery. Facts that are
//! read for a scorecard count such a receipt from when it was anchored; here the receiver's own
//! statement of the day counts, because it is a stranger to the supplier and because the difference
//! between the day and its record is what "known" already respects.
//!
//! # Numbers
//! Probabilities are binary floats inside a calculation and are rounded before they are shown or
//! kept: to [`model::PLACES`] decimals as a figure of a supplier, to six in an evaluation. No money
//! is ever a float.

pub mod evaluation;
pub mod fit;
pub mod history;
pub mod metrics;
pub mod model;

pub use evaluation::{Evaluation, Scored, evaluate};
pub use history::{Order, Promises, Receipt, orders, read};
pub use model::{Artefact, ArtefactError, Parameters};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
