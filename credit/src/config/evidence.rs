//! `[evidence]`: where evidence is asked for.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::evidence::PACK_MAX;

/// How evidence is asked for.
#[derive(Clone, Debug)]
pub struct EvidenceSource {
    /// Base address of the evidence service, if it is asked over HTTP.
    pub base: Option<String>,
    /// File with the bearer token of this bank, if the service wants one.
    pub token_file: Option<PathBuf>,
    /// How long a whole answer may take.
    pub timeout: Duration,
    /// The most bytes of an answer.
    pub max_bytes: usize,
    /// The oldest checkpoint that is taken.
    pub max_age: Duration,
    /// Whether hashes of the trial's documents and of models' cards are handed over for the log.
    pub documents: bool,
}

impl Default for EvidenceSource {
    /// No address, 30 s, [`PACK_MAX`], 24 hours, nothing handed over.
    fn default() -> Self {
        Self {
            base: None,
            token_file: None,
            timeout: Duration::from_secs(30),
            max_bytes: PACK_MAX,
            max_age: Duration::from_secs(24 * 3600),
            documents: false,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvidence {
    base: Option<String>,
    token_file: Option<PathBuf>,
    timeout_s: Option<u32>,
    max_bytes: Option<usize>,
    max_age_h: Option<u32>,
    #[serde(default)]
    documents: bool,
}

impl RawEvidence {
    pub(super) fn read(self) -> EvidenceSource {
        let usual = EvidenceSource::default();
        let seconds = |seconds: u64| Duration::from_secs(seconds);
        EvidenceSource {
            base: self.base,
            token_file: self.token_file,
            documents: self.documents,
            timeout: self.timeout_s.map_or(usual.timeout, |s| seconds(s.into())),
            max_bytes: self.max_bytes.unwrap_or(usual.max_bytes).min(PACK_MAX),
            max_age: self
                .max_age_h
                .map_or(usual.max_age, |h| seconds(u64::from(h) * 3600)),
        }
    }
}
