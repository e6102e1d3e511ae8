//! What was erased, and what organisations withhold, as the service sees it: it reads, adds, and
//! never removes. Content is removed by an eraser alone (`crate::erase`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::Stored;

/// Kind of a tombstone list among logged documents; its log entry is of type 4.
pub const TOMBSTONES: &str = "tombstones";

/// A list or document whose hash the log does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlogged {
    /// [`TOMBSTONES`], `disclosure`, `consent`, `archive` or one of [`KINDS`](crate::handed::KINDS).
    pub kind: &'static str,
    /// Its SHA-256.
    pub hash: Hash,
    /// Leaves of a tombstone list; 1 for a document.
    pub count: u64,
}

/// A tombstone list that the log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedList {
    /// SHA-256 of the list.
    pub hash: Hash,
    /// How many leaves it has.
    pub count: u64,
    /// Place of its entry in the log.
    pub log_index: u64,
}

/// An erased event of an item that has other events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedEvent {
    /// Statement that carries it.
    pub statement: Hash,
    /// Place in the statement.
    pub position: u64,
    /// Its leaf: all that is left.
    pub leaf: Hash,
    /// Reason code.
    pub reason: String,
    /// When it was erased.
    pub made: Instant,
}

/// An event whose content is in an archive and no more in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedEvent {
    /// Statement that carries it.
    pub statement: Hash,
    /// Place in the statement.
    pub position: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// Month under which it is filed, `2026-01`.
    pub month: String,
}

/// A disclosure document as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDisclosure {
    /// Whose.
    pub organisation: Slug,
    /// Its version.
    pub version: u64,
    /// SHA-256 of the COSE bytes.
    pub hash: Hash,
    /// The COSE bytes.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received: Instant,
}

/// Tombstones and disclosure documents.
#[async_trait]
pub trait ErasureStore: Send + Sync {
    /// Lists and documents that wait for their log entry, in the order in which they came.
    async fn unlogged(&self) -> Stored<Vec<Unlogged>>;
    /// The bytes of a tombstone list.
    async fn tombstone_list(&self, hash: &Hash) -> Stored<Option<Vec<u8>>>;
    /// Lists that the log has, in its order.
    async fn tombstone_lists(&self) -> Stored<Vec<LoggedList>>;
    /// (place, bytes) of every log entry of type 4, in the order of the log. Reads the whole log.
    async fn tombstone_entries(&self) -> Stored<Vec<(u64, Vec<u8>)>>;
    /// How many rows of content there are of events that have a tombstone: more than none only
    /// where a backup has brought them back.
    async fn returned(&self) -> Stored<u64>;
    /// Erased events of items, by (item, statement, place).
    async fn erased_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<ErasedEvent>>;
    /// Events of items whose content was archived, by (item, statement, place).
    async fn archived_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<ArchivedEvent>>;
    /// Keeps a disclosure document; false if its version is taken.
    async fn add_disclosure(&self, document: &KeptDisclosure) -> Stored<bool>;
    /// A disclosure document of an organisation; the newest one without a version.
    async fn disclosure(
        &self,
        organisation: &Slug,
        version: Option<u64>,
    ) -> Stored<Option<KeptDisclosure>>;
    /// The newest disclosure document of every organisation that has one.
    async fn newest_disclosures(&self) -> Stored<Vec<KeptDisclosure>>;
    /// For whom the platform itself has signed statements, those of the capture interface.
    async fn declarers(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, Slug>>;
}
