//! A kept decision made again from its evidence: `credit score verify ID --offline FILE` for whoever
//! holds the file and a policy that they trust, `credit score replay --all --check` for the bank's
//! own store.
//!
//! `credit verify-decision` decides again from kept *facts*. Here the facts are read again too, from
//! the bundle, whose every proof is checked under the reader's policy: bundle, facts, inputs, score,
//! decision, each compared byte by byte. What does not fit is named; nothing is repaired.

mod all;
mod file;
mod replay;

pub use all::{NAMED_MAX, Tally, replay_all};
pub use file::{FILE_MAX, FileError, SCORE_FILE, ScoreFile};
pub use replay::{Again, Unproven, again};

#[cfg(test)]
mod tests;
