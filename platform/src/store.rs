//! What the platform keeps: traits by aggregate, one adapter for each engine, and [`open`] for the
//! engine that the configuration names. One contract suite (`tests/contract.rs`) runs on both.
//!
//! Nothing here decides: rules live with their callers, a store answers and makes durable. Every
//! insert that somebody outside can trigger is idempotent by its content's hash. No method updates
//! or deletes an append-only row (see the migration).

pub mod captures;
pub mod chains;
pub mod consents;
pub(crate) mod convert;
pub mod erasure;
mod error;
mod filed;
pub mod handed;
mod open;
pub mod postgres;
mod readers;
mod rows;
mod schema;
pub mod search;
mod shape;
pub mod sqlite;
pub mod tables;

pub use error::{StoreError, Stored};
pub use filed::{AHEAD_MAX, Month, NotAMonth, WAITED_MAX, filed};
pub use open::{FILE, migrate, open};
pub use readers::ReaderStore;
pub use rows::*;
pub use schema::{Schema, schema};

use std::collections::BTreeMap;

use async_trait::async_trait;
use captures::CaptureStore;
use chains::ChainStore;
use consents::ConsentStore;
use erasure::ErasureStore;
use handed::HandedStore;
use kit::people::AccessStore;
use schemas::enrol::Verifier;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::registry::Head;
use schemas::statement::Position;
use schemas::time::Instant;
use search::SearchStore;

/// Most messages that quarantine keeps (each at most 64 KiB); later ones are only counted.
pub const QUARANTINE_ROWS: u64 = 20_000;

/// Keys and their records.
#[async_trait]
pub trait RegistryStore: Send + Sync {
    /// The newest record of every key.
    async fn newest_records(&self) -> Stored<Vec<KeptRecord>>;
    /// The records as they counted at a registry version, of the first `limit` keys behind a kid,
    /// kids increasing.
    async fn records_page(
        &self,
        after: Option<&Hash>,
        version: u64,
        limit: u32,
    ) -> Stored<Vec<KeptRecord>>;
    /// Records that came into the registry behind version `after` and up to `until`, in order of
    /// (registry version, kid, version): at least `limit` where there are so many, and always all of
    /// a registry version.
    async fn records_since(&self, after: u64, until: u64, limit: u32) -> Stored<Vec<KeptRecord>>;
    /// (kid, the hash of its record at `version`) of every key with a record behind it and up to
    /// `until`; no hash for keys that were not there.
    async fn records_before(&self, version: u64, until: u64) -> Stored<Vec<(Hash, Option<Hash>)>>;
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
    /// The same for one of several processes: only while a leader has the lease on the log
    /// ([`StoreError::Fenced`]) and the registry version is the one that the statements were checked
    /// against ([`StoreError::Stale`]), which nobody changes until the commit.
    async fn commit_behind(
        &self,
        pass: &Pass,
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
    /// Ends the lease of a holder; nothing where another holds it.
    async fn release_lease(&self, name: &str, holder: &str) -> Stored<()>;
    /// Ends every lease of a holder that is known to be gone.
    async fn release_leases(&self, holder: &str) -> Stored<()>;
    /// Names and ends of all leases.
    async fn leases(&self) -> Stored<Vec<(String, Instant)>>;
    /// True while a leader that has confirmed its log has the lease at `now`.
    async fn is_led(&self, now: Instant) -> Stored<bool>;
    /// Lets statements in that were checked against this registry version, as the leader with this
    /// fence ([`StoreError::Fenced`]); waits for whoever is committing.
    async fn open_gate(&self, fence: u64, version: u64) -> Stored<()>;
    /// Statements that wait for a batch and are this process's to make, of the oldest registry
    /// version among them, in order of arrival.
    async fn queued(&self, whose: &Whose, limit: u32) -> Stored<Vec<Queued>>;
    /// Keeps a batch whose statements leave the queue; false, and nothing changed, if another process
    /// has batched one of them or has made a batch of this number.
    async fn make_batch(&self, batch: &MadeBatch) -> Stored<bool>;
    /// Number and header of the newest batch that a shard has made.
    async fn last_made(&self, shard: u64) -> Stored<Option<(u64, Vec<u8>)>>;
    /// Batches that wait for their place in the log, without their statements, in the order in which
    /// they may have it: none of a registry version above that of a statement that waits.
    async fn made_batches(&self, limit: u32) -> Stored<Vec<MadeBatch>>;
    /// Appends entries and what they anchor.
    async fn append(&self, append: &Append) -> Stored<()>;
    /// Entries from a position.
    async fn entries(&self, from: u64, limit: u32) -> Stored<Vec<Vec<u8>>>;
    /// (size, root) of the newest head.
    async fn log_head(&self) -> Stored<Option<(u64, Hash)>>;
    /// Root of a committed head.
    async fn root_at(&self, size: u64) -> Stored<Option<Hash>>;
    /// A batch.
    async fn batch(&self, shard: u64, seq: u64) -> Stored<Option<KeptBatch>>;
    /// Keeps a witnessed checkpoint; the first note of a size stays.
    async fn put_checkpoint(&self, checkpoint: &KeptCheckpoint) -> Stored<()>;
    /// The newest witnessed checkpoint.
    async fn newest_checkpoint(&self) -> Stored<Option<KeptCheckpoint>>;
    /// The earliest witnessed checkpoint that covers an entry.
    async fn checkpoint_covering(&self, position: u64) -> Stored<Option<KeptCheckpoint>>;
    /// Keeps the note that handed over to the policy at this position; the first one stays.
    async fn put_handover(&self, position: u64, note: &[u8]) -> Stored<()>;
    /// The note that handed over to the policy at this position.
    async fn handover(&self, position: u64) -> Stored<Option<Vec<u8>>>;
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
    /// Whose statements are; unknown ones are left out.
    async fn devices_of(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, DeviceAddress>>;
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
    /// Links after a position, in order.
    async fn links_after(
        &self,
        device: &DeviceAddress,
        after: Option<Position>,
        limit: u32,
    ) -> Stored<Vec<ChainLink>>;
    /// Id of the statement in the last place of a chain.
    async fn newest_of(&self, device: &DeviceAddress) -> Stored<Option<Hash>>;
    /// Ids of the statements in one place of a chain: more than one is a fork.
    async fn ids_at(&self, device: &DeviceAddress, at: Position) -> Stored<Vec<Hash>>;
    /// How many of the seqs from..=to of an epoch are there.
    async fn present(&self, device: &DeviceAddress, epoch: u64, from: u64, to: u64) -> Stored<u64>;
    /// Records something; a repetition changes nothing.
    async fn add_chain_event(&self, event: &ChainEvent) -> Stored<()>;
    /// What happened to chains, of one device or all.
    async fn chain_events(&self, device: Option<&DeviceAddress>) -> Stored<Vec<ChainEvent>>;
    /// When a device was last heard: the latest of what came of its newest hundred statements.
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

/// What the notary works with.
pub trait NotaryStore: RegistryStore + LogStore + TraceStore + ErasureStore {}

impl<T> NotaryStore for T where T: RegistryStore + LogStore + TraceStore + ErasureStore {}

/// Everything.
pub trait Store:
    NotaryStore
    + IngestStore
    + ChainStore
    + SearchStore
    + CaptureStore
    + ReaderStore
    + AccessStore
    + ConsentStore
    + HandedStore
{
}

impl<T> Store for T where
    T: RegistryStore
        + IngestStore
        + ChainStore
        + LogStore
        + TraceStore
        + SearchStore
        + CaptureStore
        + ReaderStore
        + AccessStore
        + ErasureStore
        + ConsentStore
        + HandedStore
{
}
