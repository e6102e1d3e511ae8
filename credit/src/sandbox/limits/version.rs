//! Versions of limits: proposed by one person, approved by another, in force from an instant.

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::{Limits, LimitsError};

/// Why limits are not changed.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The limits contradict themselves.
    #[error("the limits are refused")]
    Limits(#[from] LimitsError),
    /// Who proposes does not approve.
    #[error("the person who proposed the limits does not approve them")]
    SamePerson,
    /// In force before anybody approved.
    #[error(
        "`valid_from` is {valid_from}, approved is {approved_at}: nothing is changed in the past"
    )]
    Past {
        /// As proposed.
        valid_from: Instant,
        /// When it would be approved.
        approved_at: Instant,
    },
    /// Another version came between.
    #[error("`version` is {found}, the next one is {next}")]
    Version {
        /// As proposed.
        found: u32,
        /// As it must be.
        next: u32,
    },
    /// In force before the version that it follows.
    #[error("`valid_from` is before that of the version before, {0}")]
    Order(Instant),
}

/// Limits that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// From 1, one after another.
    pub version: u32,
    /// The limits.
    pub limits: Limits,
    /// From when.
    #[serde(with = "crate::rfc3339")]
    pub valid_from: Instant,
    /// Who wants them.
    pub proposer: Slug,
    /// Why.
    pub reason: String,
}

/// Limits that two people answer for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsVersion {
    /// What was proposed.
    pub proposal: Proposal,
    /// Who approved.
    pub approver: Slug,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub approved_at: Instant,
}

impl Proposal {
    /// A second person approves: the proposal becomes the version after these.
    ///
    /// # Errors
    /// [`VersionError`]; the limits stay as they are.
    pub fn approve(
        self,
        approver: Slug,
        approved_at: Instant,
        before: &[LimitsVersion],
    ) -> Result<LimitsVersion, VersionError> {
        self.limits.check()?;
        if approver == self.proposer {
            return Err(VersionError::SamePerson);
        }
        if self.valid_from < approved_at {
            let valid_from = self.valid_from;
            return Err(VersionError::Past {
                valid_from,
                approved_at,
            });
        }
        let last = before.last().map(|version| &version.proposal);
        let next = last.map_or(1, |last| last.version.saturating_add(1));
        if self.version != next {
            let found = self.version;
            return Err(VersionError::Version { found, next });
        }
        if let Some(last) = last.filter(|last| self.valid_from < last.valid_from) {
            return Err(VersionError::Order(last.valid_from));
        }
        Ok(LimitsVersion {
            proposal: self,
            approver,
            approved_at,
        })
    }
}

impl LimitsVersion {
    /// SHA-256 of the version's JSON, members in the order of the type: its name in the log.
    ///
    /// # Errors
    /// Never in practice: the type has no float.
    pub fn hash(&self) -> Result<Hash, serde_json::Error> {
        Ok(sha256(&serde_json::to_vec(self)?))
    }
}

/// The version that is in force at an instant; of several from the same one, the last.
#[must_use]
pub fn in_force(versions: &[LimitsVersion], at: Instant) -> Option<&LimitsVersion> {
    let began = |version: &&LimitsVersion| version.proposal.valid_from <= at;
    versions.iter().rev().find(began)
}
