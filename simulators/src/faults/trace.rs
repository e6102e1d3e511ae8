//! What happened in a run, a line each, and one hash over all of it.
//!
//! Salts come from the operating system, so ids of statements differ between two runs of one seed;
//! a trace names statements by their place (device, epoch, seq) and who signed them, which do not.

use std::fmt::Display;

use schemas::hash::{Hash, sha256};

/// Lines that a failed run shows.
const SHOWN: usize = 60;

/// The lines of a run.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Vec<String>,
}

impl Trace {
    /// Adds a line.
    pub fn note(&mut self, line: impl Display) {
        self.lines.push(line.to_string());
    }

    /// SHA-256 of all lines.
    #[must_use]
    pub fn digest(&self) -> Hash {
        sha256(self.lines.join("\n").as_bytes())
    }

    /// The end of it.
    #[must_use]
    pub fn tail(&self) -> &[String] {
        &self.lines[self.lines.len().saturating_sub(SHOWN)..]
    }

    /// How many lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True before anything has happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
