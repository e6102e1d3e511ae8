//! Scorecards from labelled rows: monotone bins, weights of evidence, a logistic regression, integer
//! points from a frozen table, and reasons that are true.
//!
//! | module | what |
//! |---|---|
//! | [`dataset`] | rows with values, missing and special ones, outcome, weight, groups; canonical bytes and hash |
//! | [`outcome`] | what the labels were, and what a probability may be called |
//! | [`binning`] | pre-bins, and the best monotone bins by dynamic programming |
//! | [`woe`] | weight of evidence and information value |
//! | [`fit`], [`logistic`] | Newton's method with ridge, signs that must agree with theory |
//! | [`points`] | points to double the odds, the table, the score |
//! | [`reasons`] | at most four, each worth exactly the points that it names |
//! | [`calibration`] | a probability for each total, reliability, Hosmer-Lemeshow |
//! | [`stability`] | population stability index, total and by feature |
//! | [`artefact`], [`settings`] | the frozen scorecard as canonical JSON with its hash |
//! | [`refit`] | the identical bytes from the snapshot |
//! | [`card`] | the model card, as JSON and Markdown; its hash is for the log |
//! | [`registry`] | draft, reviewed, promoted by another person; a challenger that shadows |
//! | [`deliveries`] | rows of promised deliveries, from what was known before each was due |
//! | [`metrics`], [`number`], [`random`] | AUC, KS and intervals; floats that a file can hold; resamples |
//!
//! # What must always hold
//! - The same rows and settings give the same bytes: fixed order of sums, no threads, no hash maps.
//! - No float meets money, and no score is a float: points are whole and add up exactly.
//! - No name speaks of default without default outcomes; simulated labels are marked wherever a
//!   figure stands.
//! - Missing values never give more points than the best value that can be told.
//! - Nobody acts twice on one model on its way to being promoted.

pub mod artefact;
pub mod binning;
pub mod calibration;
pub mod card;
pub mod dataset;
pub mod deliveries;
pub mod fit;
pub mod logistic;
pub mod metrics;
pub mod number;
pub mod outcome;
pub mod points;
pub mod random;
pub mod reasons;
pub mod refit;
pub mod registry;
pub mod settings;
pub mod stability;
pub mod woe;

pub use artefact::{Artefact, Assessment, DevelopError, develop};
pub use dataset::{Dataset, Feature, Kind, Row, Value};
pub use number::Number;
pub use outcome::{Labels, Outcome};
pub use points::Applicant;
pub use settings::Settings;

#[cfg(test)]
mod tests;
