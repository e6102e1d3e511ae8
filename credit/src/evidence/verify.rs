//! A proof bundle to verified evidence: every check of `proof-bundle.md` section 3, under the
//! policy that the bank itself trusts.

use std::collections::BTreeMap;

use schemas::hash::{Hash, sha256};
use schemas::log::{self, EntryError, Policy, PolicyFile};
use schemas::proof::{self, Bundle, HeaderRow, Report};
use schemas::registry::State;
use schemas::statement::Note;
use schemas::time::Instant;

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
        Self { class: refusal.class.to_string(), detail: refusal.detail }
    }
}

/// Verifies a bundle and takes over what it proves. A bundle that withholds something is taken:
/// what is withheld counts as a gap.
///
/// # Errors
/// [`Refused`] with the class of the first check that fails.
pub fn verify(bundle: &[u8], trusted: &TrustedPolicy) -> Result<VerifiedEvidence, Refused> {
    let report = proof::verify(bundle, Some(&trusted.entry))?;
    let batches = batches(&Bundle::parse(bundle)?, report.witnessed.anchored)?;
    Ok(VerifiedEvidence {
        origin: report.policy.origin.to_string(),
        policy: report.policy_hash,
        log_size: report.witnessed.checkpoint.size,
        root: report.witnessed.checkpoint.root,
        anchored: report.witnessed.anchored,
        statements: statements(&report, &batches)?,
        events: report.events.into_iter().map(event).collect(),
    })
}

/// What credit needs of a batch header, by its place in the log.
struct Batch {
    recorded: Instant,
    /// Refused events by the statement's place in the batch.
    refused: BTreeMap<u64, u64>,
}

type Batches = BTreeMap<u64, Batch>;

/// Headers were checked with the bundle; here they are only read.
fn batches(bundle: &Bundle, anchored: Instant) -> Result<Batches, Refused> {
    bundle.headers.iter().map(|row| Ok((row.index, batch(row, anchored)?))).collect()
}

fn batch(row: &HeaderRow, anchored: Instant) -> Result<Batch, Refused> {
    let broken = |error: EntryError| Refused { class: "header".to_owned(), detail: error.to_string() };
    let log::Entry::Header(header) = log::Entry::parse(&row.entry.0).map_err(broken)? else {
        return Err(broken(EntryError::Rule("the entry is no batch header")));
    };
    let mut refused = BTreeMap::new();
    if let Some(list) = &row.refused {
        for one in log::parse_refused(&list.0).map_err(broken)? {
            *refused.entry(one.statement).or_insert(0) += 1;
        }
    }
    Ok(Batch { recorded: header.last.min(anchored), refused })
}

fn statements(report: &Report, batches: &Batches) -> Result<Vec<VerifiedStatement>, Refused> {
    let found = report.statements.iter().map(|one| {
        let batch = batches.get(&one.log_index)?;
        Some(statement(one, batch))
    });
    let all: Option<Vec<_>> = found.collect();
    all.ok_or_else(|| Refused {
        class: "header".to_owned(),
        detail: "a statement stands in no header of the bundle".to_owned(),
    })
}

fn statement(one: &proof::VerifiedStatement, batch: &Batch) -> VerifiedStatement {
    let payload = &one.statement.payload;
    let refused = batch.refused.get(&one.batch_index).copied().unwrap_or(0);
    VerifiedStatement {
        id: one.id,
        device: payload.device.clone(),
        epoch: payload.position.epoch,
        seq: payload.position.seq,
        prev: payload.prev,
        recorded: batch.recorded,
        heartbeat_s: one.record.heartbeat,
        retired_at: match &one.record.state {
            State::Retired { last: Some((last, _)) } => Some((last.epoch, last.seq)),
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
    let members = one.members.into_iter().map(|member| (member.name, member.value));
    VerifiedEvent {
        statement: one.statement,
        leaf: one.leaf,
        source: one.source,
        members: members.collect(),
    }
}
