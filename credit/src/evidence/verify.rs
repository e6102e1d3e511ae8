//! A proof bundle to verified evidence: every check of `proof-bundle.md` section 3, under the
//! policy that the bank itself trusts.

use std::collections::BTreeMap;

use schemas::hash::{Hash, sha256};
use schemas::log::{self, EntryError, Policy, PolicyFile};
use schemas::proof::{self, Bundle};
use schemas::registry::State;
use schemas::statement::Note;

use super::verified::{VerifiedEvent, VerifiedEvidence, VerifiedStatement};

/// The policy that the bank trusts, from a file that it was given by hand.
#[derive(Clone, Debug)]
pub struct TrustedPolicy {
    entry: Vec<u8>,
    policy: Policy,
}

impl TrustedPolicy {
    /// Reads a policy file (`log.md` section 4).
    ///
    /// # Errors
    /// [`EntryError`] for anything else.
    pub fn parse(text: &[u8]) -> Result<Self, EntryError> {
        let (entry, policy) = PolicyFile::parse(text)?;
        Ok(Self { entry, policy })
    }

    /// SHA-256 of its entry.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.entry)
    }

    /// What it says.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// Evidence that does not hold: nothing is scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {detail}")]
pub struct Refused {
    /// The class of `proof-bundle.md` section 2, or `stale`.
    pub class: String,
    /// What failed, for people.
    pub detail: String,
}

impl From<proof::Refusal> for Refused {
    fn from(refusal: proof::Refusal) -> Self {
        Self {
            class: refusal.class.to_string(),
            detail: refusal.detail,
        }
    }
}

/// Verifies a bundle and takes over what it proves. A bundle that withholds something is taken:
/// what is withheld counts as a gap.
///
/// # Errors
/// [`Refused`] with the class of the first check that fails.
pub fn verify(bundle: &[u8], trusted: &TrustedPolicy) -> Result<VerifiedEvidence, Refused> {
    let bundle = Bundle::parse(bundle)?;
    let report = proof::verify_bundle(&bundle, Some(&trusted.entry))?;
    let refused = refused_events(&bundle)?;
    let newest = report
        .checkpoints
        .last()
        .ok_or_else(|| broken("there is no checkpoint"))?;
    Ok(VerifiedEvidence {
        origin: report.policy.origin.to_string(),
        policy: report.policy_hash,
        log_size: newest.checkpoint.size,
        root: newest.checkpoint.root,
        anchored: newest.anchored,
        statements: report
            .statements
            .iter()
            .map(|one| statement(one, &refused))
            .collect(),
        events: report.events.into_iter().map(event).collect(),
    })
}

/// How many events ingest refused, by place of the header in the log and of the statement in the
/// batch. The lists were checked with the bundle; here they are only read.
type RefusedEvents = BTreeMap<(u64, u64), u64>;

fn refused_events(bundle: &Bundle) -> Result<RefusedEvents, Refused> {
    let mut refused = RefusedEvents::new();
    for row in &bundle.headers {
        let Some(list) = &row.refused else { continue };
        for one in log::parse_refused(&list.0).map_err(|error| broken(&error.to_string()))? {
            *refused.entry((row.index, one.statement)).or_insert(0) += 1;
        }
    }
    Ok(refused)
}

fn broken(detail: &str) -> Refused {
    Refused {
        class: "header".to_owned(),
        detail: detail.to_owned(),
    }
}

fn statement(one: &proof::VerifiedStatement, refused: &RefusedEvents) -> VerifiedStatement {
    let payload = &one.statement.payload;
    let refused = refused
        .get(&(one.log_index, one.batch_index))
        .copied()
        .unwrap_or(0);
    VerifiedStatement {
        id: one.id,
        device: payload.device.clone(),
        epoch: payload.position.epoch,
        seq: payload.position.seq,
        prev: payload.prev,
        anchored: one.anchored,
        heartbeat_s: one.record.heartbeat,
        retired_at: match &one.record.state {
            State::Retired {
                last: Some((last, _)),
            } => Some((last.epoch, last.seq)),
            _ => None,
        },
        thinned: match &payload.note {
            Some(Note::Thinned { dropped, .. }) => Some(*dropped),
            _ => None,
        },
        accepted: u32::try_from(payload.count.saturating_sub(refused)).unwrap_or(u32::MAX),
    }
}

fn event(one: proof::VerifiedEvent) -> VerifiedEvent {
    let members = one
        .members
        .into_iter()
        .map(|member| (member.name, member.value));
    VerifiedEvent {
        statement: one.statement,
        index: one.index,
        leaf: one.leaf,
        source: one.source,
        compromised: one.marks.contains(&proof::Mark::Compromised),
        members: members.collect(),
    }
}

#[cfg(test)]
mod tests;
