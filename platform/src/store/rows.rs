//! What goes into the store and comes out of it.

use schemas::event::{Salt, Source};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::registry::Head;
use schemas::statement::Position;
use schemas::time::Instant;

use super::{StoreError, Stored};

/// A record of the registry as kept.
#[derive(Clone, Debug)]
pub struct KeptRecord {
    /// kid of the recorded key.
    pub kid: Hash,
    /// Version of the record.
    pub version: u64,
    /// Organisation.
    pub organisation: Slug,
    /// Device, empty for other roles.
    pub device: String,
    /// Role number.
    pub role: u64,
    /// COSE bytes.
    pub bytes: Vec<u8>,
    /// Salt of its leaf.
    pub salt: Salt,
    /// SHA-256(salt || COSE).
    pub hash: Hash,
    /// Registry version from which it counts.
    pub head: u64,
}

/// What goes into the log in one transaction: entries, and what they anchor.
#[derive(Debug, Default)]
pub struct Append {
    /// Fence of the lease under which this is written.
    pub fence: u64,
    /// Position of the first entry.
    pub first: u64,
    /// Entries in order.
    pub entries: Vec<Vec<u8>>,
    /// Root of the log after them.
    pub root: Hash,
    /// New registry records and their head, if one of the entries is it.
    pub registry: Option<(Vec<KeptRecord>, Head, Instant)>,
    /// Batches that the entries anchor.
    pub batches: Vec<NewBatch>,
    /// Lists and documents whose hashes are among the entries.
    pub logged: Vec<NewLogged>,
}

/// A list or document whose hash goes into the log.
#[derive(Clone, Copy, Debug)]
pub struct NewLogged {
    /// Its kind.
    pub kind: &'static str,
    /// Its SHA-256.
    pub hash: Hash,
    /// Place of the entry.
    pub log_index: u64,
}

/// A made batch that is being anchored.
#[derive(Debug)]
pub struct NewBatch {
    /// Shard.
    pub shard: u64,
    /// Number in the shard.
    pub seq: u64,
    /// Place of its header in the log.
    pub log_index: u64,
    /// Encoded list of refused events.
    pub refused: Option<Vec<u8>>,
}

/// A batch that waits for its place in the log.
#[derive(Clone, Debug)]
pub struct MadeBatch {
    /// Shard of the process that has made it.
    pub shard: u64,
    /// Number in the shard.
    pub seq: u64,
    /// Registry version of its header.
    pub registry_version: u64,
    /// Log entry of the header.
    pub header: Vec<u8>,
    /// Encoded list of refused events.
    pub refused: Option<Vec<u8>>,
    /// Statement ids in order.
    pub statements: Vec<Hash>,
}

/// Under which conditions statements may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Registry version that they were checked against.
    pub version: u64,
    /// Fence of this process where it leads; a worker stores as long as somebody leads.
    pub fence: Option<u64>,
    /// Now, for the end of the leader's lease.
    pub now: Instant,
    /// Shard of this process, which will batch them.
    pub shard: u64,
}

impl Pass {
    /// Whether it holds where the gate says this version and the lease this fence and end.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] where nobody leads, or another one than this process thinks;
    /// [`StoreError::Stale`] at another version.
    pub fn check(&self, version: u64, fence: u64, until: Instant) -> Stored<()> {
        let led = match self.fence {
            Some(own) => own == fence,
            None => self.now < until,
        };
        match led {
            false => Err(StoreError::Fenced),
            true if version == self.version => Ok(()),
            true => Err(StoreError::Stale),
        }
    }
}

/// Which of the waiting statements a process may batch.
#[derive(Clone, Copy, Debug)]
pub struct Whose {
    /// Those of its own shard,
    pub shard: u64,
    /// those that came before this, whose process seems to be gone,
    pub before: Instant,
    /// and those below this registry version, for which newer ones wait.
    pub below: u64,
}

/// A batch as kept.
#[derive(Clone, Debug)]
pub struct KeptBatch {
    /// Shard.
    pub shard: u64,
    /// Number in the shard.
    pub seq: u64,
    /// Place of its header in the log.
    pub log_index: u64,
    /// Log entry of the header.
    pub header: Vec<u8>,
    /// Encoded list of refused events.
    pub refused: Option<Vec<u8>>,
    /// Statement ids in order.
    pub statements: Vec<Hash>,
}

/// A statement that passed every check of ingest, with its events.
#[derive(Clone, Debug)]
pub struct NewStatement {
    /// Statement id.
    pub id: Hash,
    /// Chain.
    pub device: DeviceAddress,
    /// Place in it.
    pub position: Position,
    /// kid that signed.
    pub kid: Hash,
    /// Id before.
    pub prev: Hash,
    /// COSE bytes.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received: Instant,
    /// Under which instant it is filed with its content ([`filed`](super::filed)).
    pub made: Instant,
    /// Registry version that it was checked against.
    pub registry_version: u64,
    /// Its events in order.
    pub events: Vec<NewEvent>,
}

/// An event on its way into the store.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Identity.
    pub leaf: Hash,
    /// Claimed and allowed source.
    pub source: Source,
    /// Salt, never shown.
    pub salt: Salt,
    /// Bytes as signed.
    pub bytes: Vec<u8>,
    /// Reason code if ingest refused it.
    pub refused: Option<String>,
    /// Derived: event time.
    pub event_time: Option<Instant>,
    /// Derived: business step.
    pub step: Option<String>,
    /// Derived: things it names, canonical, with role.
    pub items: Vec<(String, &'static str)>,
}

/// A message that could not be verified.
#[derive(Clone, Debug)]
pub struct NewQuarantine {
    /// SHA-256 of the whole message.
    pub id: Hash,
    /// When it came.
    pub received: Instant,
    /// Topic or route that it came on.
    pub topic: String,
    /// Reason code of `statement.md` section 5.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The bytes, cut to the limit.
    pub bytes: Vec<u8>,
}

/// A statement as kept.
#[derive(Clone, Debug)]
pub struct KeptStatement {
    /// Statement id.
    pub id: Hash,
    /// Chain.
    pub device: DeviceAddress,
    /// Place in it.
    pub position: Position,
    /// kid that signed.
    pub kid: Hash,
    /// COSE bytes.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received: Instant,
    /// Registry version that it was checked against.
    pub registry_version: u64,
    /// Shard, batch and place, once it is in one (the earliest).
    pub batch: Option<BatchPlace>,
}

/// A statement that waits for its batch.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its id.
    pub id: Hash,
    /// When it came.
    pub received: Instant,
    /// Registry version that it was checked against.
    pub registry_version: u64,
    /// Accepted events.
    pub accepted: u64,
    /// Refused events.
    pub refused: u64,
}

/// Where a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchPlace {
    /// Place of the header in the log.
    pub log_index: u64,
    /// Shard.
    pub shard: u64,
    /// Batch in the shard.
    pub seq: u64,
    /// Place in the batch.
    pub position: u64,
}

/// A leaf of a statement, with its content unless that was erased.
#[derive(Clone, Debug)]
pub struct KeptEvent {
    /// Place in the statement.
    pub position: u64,
    /// Identity.
    pub leaf: Hash,
    /// Source.
    pub source: Source,
    /// Reason code if ingest refused it.
    pub refused: Option<String>,
    /// Bytes and salt.
    pub content: Option<(Vec<u8>, Salt)>,
}

/// An event with all that a journey says of it.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Identity.
    pub leaf: Hash,
    /// Statement id.
    pub statement: Hash,
    /// Place in the statement.
    pub index: u32,
    /// Source.
    pub source: Source,
    /// The EPCIS event as signed.
    pub bytes: Vec<u8>,
    /// Whose.
    pub device: DeviceAddress,
    /// Whose words the platform's own capture device has signed; none for every other device.
    pub captured_for: Option<Slug>,
    /// Which key.
    pub kid: Hash,
    /// Device's clock.
    pub made: Instant,
    /// 0 synced, 1 unsynced, 2 unknown.
    pub clock: u64,
    /// When the platform had it.
    pub received: Instant,
    /// Reason code if ingest refused it; such an event is no part of a journey.
    pub refused: Option<String>,
    /// Where it is anchored.
    pub anchor: Option<Anchor>,
}

impl StoredEvent {
    /// The organisation that answers for what the event says.
    #[must_use]
    pub fn organisation(&self) -> &Slug {
        self.captured_for
            .as_ref()
            .unwrap_or(&self.device.organisation)
    }
}

/// Where and when a statement was anchored.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// Place of the batch header in the log.
    pub log_index: u64,
    /// Shard.
    pub shard: u32,
    /// Batch in the shard.
    pub batch_seq: u64,
    /// Place in the batch.
    pub batch_index: u32,
    /// Anchored time of the earliest witnessed checkpoint that covers it.
    pub anchored: Option<Instant>,
    /// Size of that checkpoint.
    pub checkpoint_size: Option<u64>,
}

/// A witnessed checkpoint as kept.
#[derive(Clone, Debug)]
pub struct KeptCheckpoint {
    /// Size of the log.
    pub size: u64,
    /// The note with its cosignatures.
    pub note: Vec<u8>,
    /// Anchored time.
    pub anchored: Instant,
}

/// A link of a chain, for the follower.
#[derive(Clone, Debug)]
pub struct ChainLink {
    /// Place.
    pub position: Position,
    /// Id.
    pub id: Hash,
    /// Id before.
    pub prev: Hash,
    /// When it came.
    pub received: Instant,
    /// COSE bytes of the statement.
    pub bytes: Vec<u8>,
}

/// Something that happened to a chain.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ChainEvent {
    /// Whose.
    pub device: DeviceAddress,
    /// `gap-opened`, `gap-closed`, `fork`, `silent`, `silence-ended` or `seen-another`.
    pub kind: String,
    /// Epoch.
    pub epoch: u64,
    /// First seq concerned.
    pub from_seq: u64,
    /// Last seq concerned.
    pub to_seq: u64,
    /// When it was noticed.
    pub at: Instant,
    /// For people.
    pub detail: String,
}

/// Scans of a code.
#[derive(Clone, Copy, Debug)]
pub struct ScanCount {
    /// First one.
    pub first: Instant,
    /// How many.
    pub total: u64,
}

/// Totals of everything, for health and the demo's claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Statements and notes.
    pub statements: u64,
    /// Accepted events.
    pub events: u64,
    /// Refused events.
    pub refused: u64,
    /// Accepted events whose statement is in a batch.
    pub anchored: u64,
    /// Messages in quarantine.
    pub quarantined: u64,
    /// Gaps opened.
    pub gaps: u64,
    /// Entries of the log.
    pub log_size: u64,
}

/// What waits for its batch, and which gaps are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Statements without a batch.
    pub statements: u64,
    /// When the oldest of them came.
    pub oldest: Option<Instant>,
    /// Gaps that were opened and not closed.
    pub gaps: u64,
}

/// A message in quarantine, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// SHA-256 of the whole message.
    pub id: Hash,
    /// When it came.
    pub received: Instant,
    /// Topic that it came on.
    pub topic: String,
    /// Reason code.
    pub code: String,
    /// For people.
    pub detail: String,
    /// Bytes that are kept.
    pub size: u64,
}

/// A row of the enrolment relay.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// Claim id in hex.
    pub claim: String,
    /// Request as signed by the device.
    pub request: Vec<u8>,
    /// Draft payload by the organisation.
    pub draft: Option<Vec<u8>>,
    /// HMAC over it.
    pub mac: Option<String>,
    /// The device's consent.
    pub consent: Option<Vec<u8>>,
}
