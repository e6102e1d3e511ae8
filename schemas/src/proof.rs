//! The proof bundle and its verdict (`proof-bundle.md`, `proof-bundle-v2.md`): everything that a reader needs to check
//! events without asking anyone. Used by `platform verify`, by credit, by tests; a second
//! implementation in Python was made from the document alone.

mod check;
mod document;
mod form;
mod merge;
mod select;

use std::collections::BTreeSet;
use std::fmt;

pub use check::{verify, verify_bundle};
pub use document::{
    DOCUMENT_PROOF, DOCUMENT_PROOF_MAX, DocumentProof, DocumentReport, is_document_proof,
    verify_document,
};
pub use form::{
    BUNDLE_MAX, Bundle, Bytes, CheckpointRow, Digest, EventRow, Fixed, Fresh, FreshKey, Handover,
    HeaderRow, KeyRow, LATER_MAX, MemberRow, POLICIES_MAX, Path, PolicyRow, ROWS_MAX, Seen,
    StatementRow, Version,
};
pub use merge::{MergeError, merge};
pub use select::{SelectError, select};

use crate::event::{Event, Salt, Source};
use crate::hash::Hash;
use crate::ids::DeviceAddress;
use crate::log::Policy;
use crate::note::Witnessed;
use crate::registry::{Head, Record, State};
use crate::statement::{Position, Statement};
use crate::time::Instant;

/// Which check refused a bundle, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Section 1.
    Format,
    /// The policy entry.
    Policy,
    /// The signed note.
    Checkpoint,
    /// A path to the checkpoint.
    LogPath,
    /// A batch header.
    Header,
    /// A path to a registry root.
    RegistryPath,
    /// A key's record.
    Record,
    /// Who admits and answers for it.
    Organisation,
    /// The statement.
    Statement,
    /// Its path in the batch.
    BatchPath,
    /// An event's path in its statement.
    EventPath,
    /// A member's form.
    Member,
    /// A rule that ingest applies too.
    Rule,
    /// An event that ingest refused.
    RefusedEvent,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "format",
            Self::Policy => "policy",
            Self::Checkpoint => "checkpoint",
            Self::LogPath => "log-path",
            Self::Header => "header",
            Self::RegistryPath => "registry-path",
            Self::Record => "record",
            Self::Organisation => "organisation",
            Self::Statement => "statement",
            Self::BatchPath => "batch-path",
            Self::EventPath => "event-path",
            Self::Member => "member",
            Self::Rule => "rule",
            Self::RefusedEvent => "refused-event",
        })
    }
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("{class}: {detail}")]
pub struct Refusal {
    /// Class of the first failing check.
    pub class: Class,
    /// What failed, for people.
    pub detail: String,
}

impl Refusal {
    /// A refusal of this class.
    #[must_use]
    pub fn new(class: Class, detail: impl Into<String>) -> Self {
        Self {
            class,
            detail: detail.into(),
        }
    }
}

/// A bundle that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every event is shown with its core members.
    Verified,
    /// Something that a reader must see is withheld.
    Incomplete,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::Incomplete => "incomplete",
        })
    }
}

/// What a reader shows beside an event that holds, in the order of `proof-bundle-v2.md` section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It was anchored more than two days after its own time.
    Late,
    /// Its key is said to have been in wrong hands when it was anchored.
    Compromised,
    /// Its key is revoked now.
    Revoked,
    /// Its key is suspended now.
    Suspended,
    /// Its key is retired now.
    Retired,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "late",
            Self::Compromised => "compromised",
            Self::Revoked => "revoked",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        })
    }
}

/// The newest that a bundle knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// State of the newest record.
    pub state: State,
    /// Version of that record.
    pub version: u64,
    /// Newest registry version at which the bundle shows the key.
    pub registry_version: u64,
    /// When that registry was made, if the bundle shows its head.
    pub time: Option<Instant>,
}

/// A statement of a bundle that holds.
#[derive(Clone, Debug)]
pub struct VerifiedStatement {
    /// Its id.
    pub id: Hash,
    /// What it says, with the kid that signed.
    pub statement: Statement,
    /// The device's record at the header's registry.
    pub record: Record,
    /// Version of that registry.
    pub registry_version: u64,
    /// Place of the batch header in the log.
    pub log_index: u64,
    /// Place in the batch.
    pub batch_index: u64,
    /// Anchored time of the checkpoint that its header is shown at: an upper bound.
    pub anchored: Instant,
    /// It was made after this, by the checkpoint that it had seen: a lower bound.
    pub not_before: Option<Instant>,
    /// The newest that the bundle knows of the key that signed it.
    pub key: KeyState,
}

/// A member as the bundle gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedMember {
    /// Its name.
    pub name: String,
    /// Its exact bytes, if shown.
    pub value: Option<Vec<u8>>,
}

/// An event of a bundle that holds.
#[derive(Clone, Debug)]
pub struct VerifiedEvent {
    /// Position in [`Report::statements`].
    pub statement: usize,
    /// Place in the statement.
    pub index: u64,
    /// Its identity.
    pub leaf: Hash,
    /// Source, unless wholly withheld.
    pub source: Option<Source>,
    /// Members in order; none if wholly withheld.
    pub members: Vec<VerifiedMember>,
    /// True if every core member that it has is shown.
    pub complete: bool,
    /// What is to be said beside it, in order.
    pub marks: Vec<Mark>,
}

impl VerifiedEvent {
    /// Parsed value of a shown member.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<serde_json::Value> {
        let member = self.members.iter().find(|member| member.name == name)?;
        serde_json::from_slice(member.value.as_ref()?).ok()
    }

    /// The shown members as one JSON object.
    #[must_use]
    pub fn shown(&self) -> serde_json::Value {
        let parse = |member: &VerifiedMember| {
            let value = serde_json::from_slice(member.value.as_ref()?).ok()?;
            Some((member.name.clone(), value))
        };
        serde_json::Value::Object(self.members.iter().filter_map(parse).collect())
    }
}

/// What a bundle proves.
#[derive(Clone, Debug)]
pub struct Report {
    /// Verified or incomplete.
    pub verdict: Verdict,
    /// Whom it rests on: the last policy of the bundle.
    pub policy: Policy,
    /// SHA-256 of its entry.
    pub policy_hash: Hash,
    /// True if the reader gave a policy that it trusts, and the bundle's chain holds it.
    pub policy_compared: bool,
    /// Checkpoints by size, with their witnesses and anchored times; never empty.
    pub checkpoints: Vec<Witnessed>,
    /// The recent registry head and its time, if the bundle has one.
    pub fresh: Option<(Head, Instant)>,
    /// In the bundle's order.
    pub statements: Vec<VerifiedStatement>,
    /// In the bundle's order.
    pub events: Vec<VerifiedEvent>,
}

impl Report {
    /// The last checkpoint: the size of the log that this report speaks of.
    #[must_use]
    pub fn head(&self) -> Option<&Witnessed> {
        self.checkpoints.last()
    }

    /// Number of events, each counted once however often it stands in the bundle.
    #[must_use]
    pub fn distinct_events(&self) -> usize {
        self.events
            .iter()
            .map(|event| event.leaf)
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// Places of chains for which the bundle holds two statements.
    #[must_use]
    pub fn forks(&self) -> BTreeSet<(DeviceAddress, Position)> {
        let mut seen = BTreeSet::new();
        let place = |verified: &VerifiedStatement| {
            let payload = &verified.statement.payload;
            (payload.device.clone(), payload.position)
        };
        let places = self.statements.iter().map(place);
        places.filter(|place| !seen.insert(place.clone())).collect()
    }
}

/// Rows of a whole event, every member shown but those that `withhold` names.
#[must_use]
pub fn member_rows(event: &Event, salt: &Salt, withhold: impl Fn(&str) -> bool) -> Vec<MemberRow> {
    let row = |(index, (name, value)): (usize, (&str, &[u8]))| {
        let field = salt.field(index);
        let hidden = withhold(name);
        MemberRow {
            name: name.to_owned(),
            salt: (!hidden).then_some(Fixed(field.0)),
            value: (!hidden).then(|| Bytes(value.to_vec())),
            hash: hidden.then(|| crate::event::value_hash(&field, value).into()),
        }
    };
    event.members().enumerate().map(row).collect()
}
