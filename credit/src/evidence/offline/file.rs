//! The file that a decision travels in, with everything that it was made from: one JSON object.
//!
//! | member | content |
//! |---|---|
//! | `tracebond` | `score-file/v1`; `score-file/v2` with `papers` |
//! | `decision`, `inputs`, `facts` | as `GET /v1/decisions/{id}` answers them |
//! | `rules` | how facts were read: `late_after_s`, `silence_grace_s`, `work_max` |
//! | `table` | the points table's text; absent for the built-in one |
//! | `evidence` | the bundle's bytes, base64 |
//! | `papers` | consents and attestations beside it, base64; where the inputs name them |
//!
//! The policy is not in it: whoever checks brings the one that they trust.

use std::time::Duration;

use schemas::proof::Bytes;
use serde::{Deserialize, Serialize};

use super::replay::{Again, Unproven, again};
use crate::evidence::PACK_MAX;
use crate::evidence::verify::TrustedPolicy;
use crate::facts::{Facts, Rules};
use crate::loan::{Beside, Decision, Inputs, Record};
use crate::score::Model;
use crate::score::model::ModelError;

/// Value of [`ScoreFile::tracebond`] without papers.
pub const SCORE_FILE: &str = "score-file/v1";
/// Value of [`ScoreFile::tracebond`] with papers.
pub const SCORE_FILE_2: &str = "score-file/v2";
/// Longest file in bytes: a pack and papers in base64, and 8 MiB for facts and the rest.
pub const FILE_MAX: usize = 2 * (PACK_MAX / 3 * 4 + 4) + 8 * 1024 * 1024;

/// A file from which nothing is verified.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Too long.
    #[error("the file is longer than {FILE_MAX} bytes")]
    TooLong,
    /// Not its form.
    #[error("the file is not a {SCORE_FILE}")]
    Form(#[source] serde_json::Error),
    /// Another format.
    #[error("tracebond: `{0}` is not `{SCORE_FILE}`")]
    Format(String),
    /// It holds another decision than was asked for.
    #[error("decision: the file holds `{0}`")]
    Other(String),
    /// Its points table cannot be used.
    #[error("table: it cannot be used")]
    Table(#[from] ModelError),
    /// The decision does not follow from the evidence.
    #[error(transparent)]
    Unproven(#[from] Unproven),
}

/// How facts were read, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRules {
    late_after_s: u64,
    silence_grace_s: u64,
    work_max: u64,
}

const fn format(has_papers: bool) -> &'static str {
    if has_papers { SCORE_FILE_2 } else { SCORE_FILE }
}

/// A decision with everything that it was made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreFile {
    /// [`SCORE_FILE`], or version 2 with papers.
    pub tracebond: String,
    decision: Decision,
    inputs: Inputs,
    facts: Facts,
    rules: FileRules,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    evidence: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    papers: Option<Bytes>,
}

impl ScoreFile {
    /// A file of a kept record, its bundle, its papers where it names any, and the rules and table
    /// that it was made under (`table` is absent for the built-in one).
    ///
    /// # Errors
    /// A record whose bytes cannot be read.
    pub fn new(
        record: &Record,
        (bundle, papers): (Vec<u8>, Option<Vec<u8>>),
        rules: Rules,
        table: Option<String>,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            tracebond: format(papers.is_some()).to_owned(),
            decision: record.decision.clone(),
            inputs: serde_json::from_slice(&record.inputs)?,
            facts: serde_json::from_slice(&record.facts)?,
            rules: FileRules {
                late_after_s: rules.late_after.as_secs(),
                silence_grace_s: rules.silence_grace.as_secs(),
                work_max: rules.work_max,
            },
            table,
            evidence: Bytes(bundle),
            papers: papers.map(Bytes),
        })
    }

    /// Its bytes.
    ///
    /// # Errors
    /// None that is known: every member has a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a file; nothing in it is believed yet.
    ///
    /// # Errors
    /// [`FileError::TooLong`], [`FileError::Form`], [`FileError::Format`].
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.len() > FILE_MAX {
            return Err(FileError::TooLong);
        }
        let file: Self = serde_json::from_slice(bytes).map_err(FileError::Form)?;
        if file.tracebond == format(file.papers.is_some()) {
            Ok(file)
        } else {
            let format = file.tracebond.chars().take(64).collect();
            Err(FileError::Format(format))
        }
    }

    /// Verifies the decision with this id under the policy that the reader trusts: its evidence, its
    /// facts, its score and itself. Gives how many bytes were compared and found equal. No network,
    /// no database, no clock.
    ///
    /// # Errors
    /// [`FileError`], naming the first input that is not proven.
    pub fn verify(&self, id: &str, policy: &TrustedPolicy) -> Result<u64, FileError> {
        if self.decision.decision_id != id {
            return Err(FileError::Other(self.decision.decision_id.clone()));
        }
        let model = match &self.table {
            Some(text) => Model::parse("table", text)?,
            None => Model::built_in()?,
        };
        let under = Again {
            policy,
            rules: self.rules(),
            model: &model,
        };
        let record = self.record().map_err(FileError::Form)?;
        let papers = self.papers.as_ref().map(|papers| papers.0.as_slice());
        Ok(again(&record, &self.evidence.0, papers, &under)?)
    }

    fn rules(&self) -> Rules {
        Rules {
            late_after: Duration::from_secs(self.rules.late_after_s),
            silence_grace: Duration::from_secs(self.rules.silence_grace_s),
            // A stranger's file may not make looking into containers cost more than the bank's own.
            work_max: self.rules.work_max.min(Rules::default().work_max),
        }
    }

    fn record(&self) -> Result<Record, serde_json::Error> {
        Ok(Record {
            decision: self.decision.clone(),
            inputs: serde_json::to_vec(&self.inputs)?,
            facts: self.facts.to_bytes()?,
            beside: Beside::default(),
        })
    }
}
