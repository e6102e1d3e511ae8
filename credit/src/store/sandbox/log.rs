//! What of a trial goes into the log: hashes, never the documents.

use schemas::hash::Hash;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::record::{Kind, Record};

/// A document hash for the log, entry type 3, as [`crate::sandbox`] names it: of the same shape as
/// that of a model's card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// `sandbox-declaration`, `sandbox-limits`, `sandbox-stop-loss-rule`, `sandbox-report` or
    /// `model-card`.
    pub kind: String,
    /// Hash of the document.
    pub hash: Hash,
    /// When it was made.
    #[serde(with = "crate::rfc3339")]
    pub time: Instant,
}

impl Record {
    /// What the log gets of it; nothing of what is no document.
    #[must_use]
    pub fn log_entry(&self) -> Option<LogEntry> {
        let kind = match self.kind {
            Kind::Declaration => "sandbox-declaration",
            Kind::Limits => "sandbox-limits",
            Kind::Rule => "sandbox-stop-loss-rule",
            Kind::Report => "sandbox-report",
            Kind::Motion | Kind::Step | Kind::Trip | Kind::Lift | Kind::Row => return None,
        };
        Some(LogEntry {
            kind: kind.to_owned(),
            hash: self.hash,
            time: self.made_at,
        })
    }
}
