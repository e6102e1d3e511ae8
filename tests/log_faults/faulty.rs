//! A store whose calls fail as planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::store::erasure::{
    ArchivedEvent, ErasedEvent, ErasureStore, KeptDisclosure, LoggedList, Unlogged,
};
use platform::store::{
    Append, ChainEvent, ChainLink, Enrolment, KeptBatch, KeptCheckpoint, KeptEvent, KeptRecord,
    KeptStatement, LogStore, MadeBatch, Quarantined, Queued, RegistryStore, ScanCount, Store,
    StoreError, Stored, StoredEvent, Totals, TraceStore, Waiting, Whose,
};
use schemas::enrol::Verifier;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::registry::Head;
use schemas::statement::Position;
use schemas::time::Instant;

use super::plan::{Calls, Fault, Meets, Plan, broken};
use super::recorder::Seen;

/// In front of a real one.
pub struct Faulty {
    pub store: Arc<dyn Store>,
    pub plan: Arc<Plan>,
    /// Checkpoints that were handed to the database.
    pub seen: Arc<Seen>,
}

impl Faulty {
    async fn call<T>(&self, name: &str, work: impl Future<Output = Stored<T>> + Send) -> Stored<T> {
        let failed = || StoreError::Database(sqlx::Error::Io(broken()));
        match self.plan.meets(Calls::Store, name) {
            Meets::Nothing => work.await,
            Meets::Fault(Fault::Before) => Err(failed()),
            Meets::Fault(Fault::After) => {
                work.await?;
                Err(failed())
            }
            Meets::Fault(Fault::KillAfter) => {
                work.await?;
                std::future::pending().await
            }
            Meets::Fault(Fault::KillBefore) | Meets::Dead => std::future::pending().await,
        }
    }
}

macro_rules! forwarded {
    ($trait:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $out:ty;)* }) => {
        #[async_trait]
        impl $trait for Faulty {
            $(async fn $name(&self, $($argument: $type),*) -> Stored<$out> {
                self.call(stringify!($name), self.store.$name($($argument),*)).await
            })*
        }
    };
}

forwarded! { RegistryStore {
    fn newest_records() -> Vec<KeptRecord>;
    fn records_page(after: Option<&Hash>, version: u64, limit: u32) -> Vec<KeptRecord>;
    fn records_since(after: u64, until: u64, limit: u32) -> Vec<KeptRecord>;
    fn records_before(version: u64, until: u64) -> Vec<(Hash, Option<Hash>)>;
    fn registry_list(version: u64) -> Vec<(Hash, Hash)>;
    fn record_at(kid: &Hash, version: u64) -> Option<KeptRecord>;
    fn records_of(organisation: &Slug) -> Vec<KeptRecord>;
    fn head_at(version: u64) -> Option<Head>;
    fn registry_head() -> Option<Head>;
    fn put_credential(username: &str, hash: &Hash, verifier: Option<&Verifier>) -> ();
    fn credential(username: &str) -> Option<Hash>;
    fn verifiers() -> Vec<(String, Verifier)>;
    fn add_enrolment(enrolment: &Enrolment, at: Instant, limit: u64) -> bool;
    fn enrolment(claim: &str) -> Option<Enrolment>;
    fn set_draft(claim: &str, draft: &[u8], mac: &str) -> bool;
    fn set_consent(claim: &str, consent: &[u8]) -> bool;
} }

forwarded! { ErasureStore {
    fn unlogged() -> Vec<Unlogged>;
    fn tombstone_list(hash: &Hash) -> Option<Vec<u8>>;
    fn tombstone_lists() -> Vec<LoggedList>;
    fn tombstone_entries() -> Vec<(u64, Vec<u8>)>;
    fn returned() -> u64;
    fn erased_of_items(items: &[String], limit: u32) -> Vec<ErasedEvent>;
    fn archived_of_items(items: &[String], limit: u32) -> Vec<ArchivedEvent>;
    fn add_disclosure(document: &KeptDisclosure) -> bool;
    fn disclosure(organisation: &Slug, version: Option<u64>) -> Option<KeptDisclosure>;
    fn newest_disclosures() -> Vec<KeptDisclosure>;
    fn declarers(statements: &[Hash]) -> BTreeMap<Hash, Slug>;
} }

#[async_trait]
impl LogStore for Faulty {
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Instant,
        until: Instant,
    ) -> Stored<Option<u64>> {
        let taken = self.store.take_lease(name, holder, now, until);
        self.call("take_lease", taken).await
    }
    async fn release_lease(&self, name: &str, holder: &str) -> Stored<()> {
        let released = self.store.release_lease(name, holder);
        self.call("release_lease", released).await
    }
    async fn release_leases(&self, holder: &str) -> Stored<()> {
        let released = self.store.release_leases(holder);
        self.call("release_leases", released).await
    }
    async fn leases(&self) -> Stored<Vec<(String, Instant)>> {
        self.call("leases", self.store.leases()).await
    }
    async fn is_led(&self, now: Instant) -> Stored<bool> {
        self.call("is_led", self.store.is_led(now)).await
    }
    async fn open_gate(&self, fence: u64, version: u64) -> Stored<()> {
        let opened = self.store.open_gate(fence, version);
        self.call("open_gate", opened).await
    }
    async fn queued(&self, whose: &Whose, limit: u32) -> Stored<Vec<Queued>> {
        self.call("queued", self.store.queued(whose, limit)).await
    }
    async fn make_batch(&self, batch: &MadeBatch) -> Stored<bool> {
        self.call("make_batch", self.store.make_batch(batch)).await
    }
    async fn last_made(&self, shard: u64) -> Stored<Option<(u64, Vec<u8>)>> {
        self.call("last_made", self.store.last_made(shard)).await
    }
    async fn made_batches(&self, limit: u32) -> Stored<Vec<MadeBatch>> {
        let made = self.store.made_batches(limit);
        self.call("made_batches", made).await
    }
    async fn append(&self, append: &Append) -> Stored<()> {
        self.call("append", self.store.append(append)).await
    }
    async fn entries(&self, from: u64, limit: u32) -> Stored<Vec<Vec<u8>>> {
        self.call("entries", self.store.entries(from, limit)).await
    }
    async fn log_head(&self) -> Stored<Option<(u64, Hash)>> {
        self.call("log_head", self.store.log_head()).await
    }
    async fn root_at(&self, size: u64) -> Stored<Option<Hash>> {
        self.call("root_at", self.store.root_at(size)).await
    }
    async fn batch(&self, shard: u64, seq: u64) -> Stored<Option<KeptBatch>> {
        self.call("batch", self.store.batch(shard, seq)).await
    }
    async fn put_checkpoint(&self, checkpoint: &KeptCheckpoint) -> Stored<()> {
        self.seen.note(&checkpoint.note);
        let put = self.store.put_checkpoint(checkpoint);
        self.call("put_checkpoint", put).await
    }
    async fn put_handover(&self, position: u64, note: &[u8]) -> Stored<()> {
        self.seen.note(note);
        let put = self.store.put_handover(position, note);
        self.call("put_handover", put).await
    }
    async fn handover(&self, position: u64) -> Stored<Option<Vec<u8>>> {
        self.call("handover", self.store.handover(position)).await
    }
    async fn newest_checkpoint(&self) -> Stored<Option<KeptCheckpoint>> {
        let newest = self.store.newest_checkpoint();
        self.call("newest_checkpoint", newest).await
    }
    async fn checkpoint_covering(&self, position: u64) -> Stored<Option<KeptCheckpoint>> {
        let covering = self.store.checkpoint_covering(position);
        self.call("checkpoint_covering", covering).await
    }
    async fn inclusions_due(&self, below: u64, limit: u32) -> Stored<Vec<(u64, u64)>> {
        let due = self.store.inclusions_due(below, limit);
        self.call("inclusions_due", due).await
    }
    async fn inclusion_sent(&self, shard: u64, seq: u64) -> Stored<()> {
        let sent = self.store.inclusion_sent(shard, seq);
        self.call("inclusion_sent", sent).await
    }
}

forwarded! { TraceStore {
    fn events_of_items(items: &[String], limit: u32) -> Vec<StoredEvent>;
    fn statement(id: &Hash) -> Option<KeptStatement>;
    fn devices_of(statements: &[Hash]) -> BTreeMap<Hash, DeviceAddress>;
    fn events_of_statement(id: &Hash) -> Vec<KeptEvent>;
    fn chain(device: &DeviceAddress) -> Vec<Hash>;
    fn newest_of(device: &DeviceAddress) -> Option<Hash>;
    fn devices(organisation: Option<&Slug>) -> Vec<DeviceAddress>;
    fn items_of(organisation: &Slug, limit: u32) -> Vec<String>;
    fn statements_naming(items: &[String], not_of: &Slug) -> Vec<Hash>;
    fn products(limit: u32) -> Vec<String>;
    fn count_scan(item: &str, at: Instant) -> ScanCount;
    fn links_after(device: &DeviceAddress, after: Option<Position>, limit: u32) -> Vec<ChainLink>;
    fn ids_at(device: &DeviceAddress, at: Position) -> Vec<Hash>;
    fn present(device: &DeviceAddress, epoch: u64, from: u64, to: u64) -> u64;
    fn add_chain_event(event: &ChainEvent) -> ();
    fn chain_events(device: Option<&DeviceAddress>) -> Vec<ChainEvent>;
    fn last_heard(device: &DeviceAddress) -> Option<Instant>;
    fn waiting() -> Waiting;
    fn totals() -> Totals;
    fn quarantine_of(organisation: &Slug, limit: u32) -> Vec<Quarantined>;
    fn quarantined_bytes(organisation: &Slug, id: &Hash) -> Option<Vec<u8>>;
    fn quarantine_by_code() -> Vec<(String, u64)>;
} }
