//! What the platform keeps: traits by aggregate, one adapter for each engine, and [`open`] for the
//! engine that the configuration names. One contract suite (`tests/contract.rs`) runs on both.
//!
//! Nothing here decides: rules live with their callers, a store answers and makes durable. Every
//! insert that somebody outside can trigger is idempotent by its content's hash. No method updates
//! or deletes an append-only row (see the migration).

pub mod captures;
mod convert;
mod error;
mod open;
pub mod postgres;
mod readers;
mod schema;
pub mod sqlite;
pub mod tables;

pub use error::{StoreError, Stored};
pub use open::{FILE, migrate, open};
pub use readers::ReaderStore;
pub use schema::{Schema, schema};

use async_trait::async_trait;
use captures::CaptureStore;
use kit::people::PeopleStore;
use schemas::enrol::Verifier;
use schemas::event::{Salt, Source};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::registry::Head;
use schemas::statement::Position;
use schemas::time::Instant;

/// Most messages that quarantine keeps (each at most 64 KiB); later ones are only counted.
pub const QUARANTINE_ROWS: u64 = 20_000;

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
}

/// A batch that is being anchored.
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
    /// Statement ids in order.
    pub statements: Vec<Hash>,
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
}

/// Something that happened to a chain.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ChainEvent {
    /// Whose.
    pub device: DeviceAddress,
    /// `gap-opened`, `gap-closed`, `fork` or `silent`.
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

/// Keys and their records.
#[async_trait]
pub trait RegistryStore: Send + Sync {
    /// The newest record of every key.
    async fn newest_records(&self) -> Stored<Vec<KeptRecord>>;
    /// (kid, record hash) of every key at a registry version, kids increasing.
    async fn registry_list(&self, version: u64) -> Stored<Vec<(Hash, Hash)>>;
    /// The record of a key as it counted at a registry version.
    async fn record_at(&self, kid: &Hash, version: u64) -> Stored<Option<KeptRecord>>;
    /// Newest records of an organisation.
    async fn records_of(&self, organisation: &Slug) -> Stored<Vec<KeptRecord>>;
    /// The head of a registry version.
    async fn head_at(&self, version: u64) -> Stored<Option<Head>>;
    /// The newest head.
    async fn registry_head(&self) -> Stored<Option<Head>>;
    /// Stores a broker credential.
    async fn put_credential(
        &self,
        username: &str,
        password_hash: &Hash,
        verifier: Option<&Verifier>,
    ) -> Stored<()>;
    /// Hash of a broker password.
    async fn credential(&self, username: &str) -> Stored<Option<Hash>>;
    /// User names with what other brokers check their passwords by, by name; those of older agents
    /// have none and are not in it.
    async fn verifiers(&self) -> Stored<Vec<(String, Verifier)>>;
    /// Adds an enrolment request; false if the claim is taken by another one or `limit` wait.
    async fn add_enrolment(&self, enrolment: &Enrolment, at: Instant, limit: u64) -> Stored<bool>;
    /// An enrolment by claim id.
    async fn enrolment(&self, claim: &str) -> Stored<Option<Enrolment>>;
    /// Sets the draft, once; false if there is one.
    async fn set_draft(&self, claim: &str, draft: &[u8], mac: &str) -> Stored<bool>;
    /// Sets the consent, once; false if there is one or no draft.
    async fn set_consent(&self, claim: &str, consent: &[u8]) -> Stored<bool>;
}

/// The write path.
#[async_trait]
pub trait IngestStore: Send + Sync {
    /// Makes statements and quarantined messages durable in one transaction; for each statement
    /// true if it is new, false if it was there. A new one in a taken place leaves a `fork` row.
    async fn commit(
        &self,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>>;
}

/// Batches and the log.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Takes or renews a lease; its fence, or `None` while another holds it.
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Instant,
        until: Instant,
    ) -> Stored<Option<u64>>;
    /// Statements of the oldest registry version that wait for a batch, in order of arrival.
    async fn queued(&self, limit: u32) -> Stored<Vec<Queued>>;
    /// Appends entries and what they anchor.
    async fn append(&self, append: &Append) -> Stored<()>;
    /// Entries from a position.
    async fn entries(&self, from: u64, limit: u32) -> Stored<Vec<Vec<u8>>>;
    /// (size, root) of the newest head.
    async fn log_head(&self) -> Stored<Option<(u64, Hash)>>;
    /// Root of a committed head.
    async fn root_at(&self, size: u64) -> Stored<Option<Hash>>;
    /// The newest batch of a shard.
    async fn last_batch(&self, shard: u64) -> Stored<Option<KeptBatch>>;
    /// A batch.
    async fn batch(&self, shard: u64, seq: u64) -> Stored<Option<KeptBatch>>;
    /// Keeps a witnessed checkpoint; the first note of a size stays.
    async fn put_checkpoint(&self, checkpoint: &KeptCheckpoint) -> Stored<()>;
    /// The newest witnessed checkpoint.
    async fn newest_checkpoint(&self) -> Stored<Option<KeptCheckpoint>>;
    /// The earliest witnessed checkpoint that covers an entry.
    async fn checkpoint_covering(&self, position: u64) -> Stored<Option<KeptCheckpoint>>;
    /// Batches below a size whose devices have not been told.
    async fn inclusions_due(&self, below: u64, limit: u32) -> Stored<Vec<(u64, u64)>>;
    /// They have been told.
    async fn inclusion_sent(&self, shard: u64, seq: u64) -> Stored<()>;
}

/// Reading for pages, bundles, evidence; the follower's chains.
#[async_trait]
pub trait TraceStore: Send + Sync {
    /// Accepted events that name any of the items, by (event time, statement, position).
    async fn events_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<StoredEvent>>;
    /// A statement.
    async fn statement(&self, id: &Hash) -> Stored<Option<KeptStatement>>;
    /// Leaves of a statement in order.
    async fn events_of_statement(&self, id: &Hash) -> Stored<Vec<KeptEvent>>;
    /// Ids of a device's statements by (epoch, seq).
    async fn chain(&self, device: &DeviceAddress) -> Stored<Vec<Hash>>;
    /// Devices that have spoken, of one organisation or of all.
    async fn devices(&self, organisation: Option<&Slug>) -> Stored<Vec<DeviceAddress>>;
    /// Items named by an organisation's devices.
    async fn items_of(&self, organisation: &Slug, limit: u32) -> Stored<Vec<String>>;
    /// Statements of other organisations that name any of the items.
    async fn statements_naming(&self, items: &[String], not_of: &Slug) -> Stored<Vec<Hash>>;
    /// Lots and serials that were commissioned, newest first.
    async fn products(&self, limit: u32) -> Stored<Vec<String>>;
    /// Counts a scan.
    async fn count_scan(&self, item: &str, at: Instant) -> Stored<ScanCount>;
    /// Where the follower stands.
    async fn chain_head(&self, device: &DeviceAddress) -> Stored<Option<(Position, Hash)>>;
    /// Moves it.
    async fn set_chain_head(
        &self,
        device: &DeviceAddress,
        position: Position,
        id: &Hash,
    ) -> Stored<()>;
    /// Links after a position, in order.
    async fn links_after(
        &self,
        device: &DeviceAddress,
        after: Option<Position>,
        limit: u32,
    ) -> Stored<Vec<ChainLink>>;
    /// Ids of the statements in one place of a chain: more than one is a fork.
    async fn ids_at(&self, device: &DeviceAddress, at: Position) -> Stored<Vec<Hash>>;
    /// How many of the seqs from..=to of an epoch are there.
    async fn present(&self, device: &DeviceAddress, epoch: u64, from: u64, to: u64) -> Stored<u64>;
    /// Records something; a repetition changes nothing.
    async fn add_chain_event(&self, event: &ChainEvent) -> Stored<()>;
    /// What happened to chains, of one device or all.
    async fn chain_events(&self, device: Option<&DeviceAddress>) -> Stored<Vec<ChainEvent>>;
    /// When a device was last heard.
    async fn last_heard(&self, device: &DeviceAddress) -> Stored<Option<Instant>>;
    /// What waits; cheap enough for every few seconds.
    async fn waiting(&self) -> Stored<Waiting>;
    /// Totals.
    async fn totals(&self) -> Stored<Totals>;
    /// Messages in quarantine that came on topics of an organisation's devices, newest first.
    async fn quarantine_of(&self, organisation: &Slug, limit: u32) -> Stored<Vec<Quarantined>>;
    /// Kept bytes of such a message.
    async fn quarantined_bytes(&self, organisation: &Slug, id: &Hash) -> Stored<Option<Vec<u8>>>;
    /// (code, number) of quarantined messages.
    async fn quarantine_by_code(&self) -> Stored<Vec<(String, u64)>>;
}

/// Everything.
pub trait Store:
    RegistryStore + IngestStore + LogStore + TraceStore + CaptureStore + ReaderStore + PeopleStore
{
}

impl<T> Store for T where
    T: RegistryStore
        + IngestStore
        + LogStore
        + TraceStore
        + CaptureStore
        + ReaderStore
        + PeopleStore
{
}
