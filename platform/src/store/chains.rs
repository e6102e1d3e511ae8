//! What the follower of chains reads and writes (`crate::follower`).
//!
//! It finds new statements in the batches of the log, whose order is one for all processes that
//! ingest: which of them stored a statement does not matter, and none is passed over.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::Position;
use schemas::time::Instant;

use super::{ChainEvent, ChainLink, Stored};

/// What a gap says that may be filled; a new epoch is a gap that stays.
pub const MISSING: &str = "statements are missing";

/// Where a chain has been read to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Whose.
    pub device: DeviceAddress,
    /// The last place that was looked at.
    pub position: Position,
    /// A statement in it.
    pub id: Hash,
    /// When the device was last heard; `None` if that was before this was kept.
    pub heard: Option<Instant>,
    /// A `silent` row names this place.
    pub silent: bool,
    /// A `silence-ended` row does.
    pub ended: bool,
}

/// A link that is in a batch of the log.
#[derive(Clone, Debug)]
pub struct LoggedLink {
    /// Place of the batch's header.
    pub log_index: u64,
    /// Whose.
    pub device: DeviceAddress,
    /// The link.
    pub link: ChainLink,
}

/// What the follower has found, to be written in one transaction.
#[derive(Clone, Debug, Default)]
pub struct ChainAdvance {
    /// Rows that nobody can erase; a repetition changes nothing.
    pub events: Vec<ChainEvent>,
    /// Heads, each device once. One that is behind the kept one changes nothing.
    pub heads: Vec<ChainHead>,
    /// Every batch below this place of the log has been looked at.
    pub read: Option<u64>,
}

/// Reading and writing for the follower.
#[async_trait]
pub trait ChainStore: Send + Sync {
    /// The place of the log up to which batches have been looked at; `None` before the first time.
    async fn chains_read(&self) -> Stored<Option<u64>>;
    /// Statements of the first `batches` batches at `from` or behind, in the order of the log.
    async fn links_logged(&self, from: u64, batches: u32) -> Stored<Vec<LoggedLink>>;
    /// Heads of these devices; those that have none are left out.
    async fn chain_heads(&self, devices: &[DeviceAddress]) -> Stored<Vec<ChainHead>>;
    /// Heads of the devices behind this one, by address.
    async fn heads_after(
        &self,
        after: Option<&DeviceAddress>,
        limit: u32,
    ) -> Stored<Vec<ChainHead>>;
    /// Which of these devices have statements behind their heads.
    async fn behind(&self, devices: &[DeviceAddress]) -> Stored<Vec<DeviceAddress>>;
    /// (from, to) of a device's open gaps of missing statements that share a seq with `from..=to`.
    async fn open_gaps(
        &self,
        device: &DeviceAddress,
        epoch: u64,
        from: u64,
        to: u64,
    ) -> Stored<Vec<(u64, u64)>>;
    /// All open gaps of missing statements behind this one, by device, epoch and seq.
    async fn open_gaps_after(
        &self,
        after: Option<&ChainEvent>,
        limit: u32,
    ) -> Stored<Vec<ChainEvent>>;
    /// Writes rows, then heads, then how far was read.
    async fn advance_chains(&self, advance: &ChainAdvance) -> Stored<()>;
}
