//! The life of the bank's scorecards: made from labelled rows, reviewed and promoted by three
//! people, tried beside decisions, taken into use, retired.
//!
//! | module | what |
//! |---|---|
//! | [`sheet`] | the settings file of a fit: columns, outcome, what people state |
//! | [`rows`] | labelled rows from a CSV file |
//! | [`fit`] | a draft with its card from both, and the identical table again |
//! | [`table`] | the points table that a scorecard gives, as [`crate::score::Model`] reads it |
//! | [`life`] | where a model stands, from its steps, through [`crate::scorecard::registry`] |
//! | [`office`] | who may do what; every step is kept with its row in the trail |
//! | [`in_use`] | the points table that the service scores by, registered at the start |
//! | [`shadow`] | scoring beside decisions, and what comes of the comparison |
//!
//! # What must always hold
//! - Nobody makes, reviews and promotes one model twice over: the registry's types say so, and the
//!   database again.
//! - No shadow score is part of a decision: decisions are made again to the byte without them.
//! - A table that says it came from a scorecard scores only if that scorecard was promoted, is not
//!   retired, and gave this very text.
//! - Every table that ever scored is kept with its text.

pub mod fit;
pub mod in_use;
pub mod life;
pub mod office;
pub mod rows;
pub mod shadow;
pub mod sheet;
pub mod table;

#[cfg(test)]
pub(crate) mod tests;
