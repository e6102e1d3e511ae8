//! What a journey reads: stored events, through a port that any store can answer.

use async_trait::async_trait;
pub use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::Instant;

/// Whatever went wrong inside a store.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// One event as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Identity of the event.
    pub leaf: Hash,
    /// Id of the statement that carries it.
    pub statement: Hash,
    /// Its place in that statement.
    pub index: u32,
    /// How it came about.
    pub source: Source,
    /// The EPCIS event as it was signed.
    pub bytes: Vec<u8>,
    /// Who signed.
    pub device: DeviceAddress,
    /// The key that signed.
    pub kid: Hash,
    /// The device's clock when it signed.
    pub made: Instant,
    /// State of that clock: 0 synced, 1 unsynced, 2 unknown.
    pub clock: u64,
    /// When the platform received it.
    pub received: Instant,
    /// Reason code of a refusal; refused events are no part of a journey.
    pub refused: Option<String>,
    /// Where it is in the log; `None` while it waits for its batch.
    pub anchor: Option<Anchor>,
}

/// Where an event is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Index of the batch header's entry.
    pub log_index: u64,
    /// The worker's own series of batches.
    pub shard: u32,
    /// Number of the batch in it.
    pub batch_seq: u64,
    /// Place of the statement in the batch.
    pub batch_index: u32,
    /// Anchored time of the earliest witnessed checkpoint that covers it.
    pub anchored: Option<Instant>,
    /// Size of that checkpoint.
    pub checkpoint_size: Option<u64>,
}

/// Where a journey reads events from.
#[async_trait]
pub trait JourneySource: Send + Sync {
    /// Events that name any of `items` (canonical Digital Link URIs) in any role, ordered by
    /// (event time, leaf), each once, at most `limit`.
    async fn events_of_items(
        &self,
        items: &[String],
        limit: u32,
    ) -> Result<Vec<StoredEvent>, SourceError>;
}
