//! Looking for events: by thing, by device, by time. What is found is proven by a bundle.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::Position;
use schemas::time::Instant;

use super::Stored;

/// A span of event times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Not before this.
    pub from: Option<Instant>,
    /// Before this.
    pub until: Option<Instant>,
}

impl Span {
    /// True if every time is in it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// True if the time is in it.
    #[must_use]
    pub fn holds(&self, at: Instant) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// Where an event that names a thing stands; ordered so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPlace {
    /// Event time.
    pub time: Instant,
    /// Statement id.
    pub statement: Hash,
    /// Place in the statement.
    pub place: u64,
}

/// Where a statement stands in its device's chain; ordered so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainPlace {
    /// Epoch and seq.
    pub position: Position,
    /// Statement id.
    pub statement: Hash,
}

/// An accepted event, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundEvent {
    /// Identity.
    pub leaf: Hash,
    /// Statement id.
    pub statement: Hash,
    /// Place in the statement.
    pub place: u64,
    /// Source.
    pub source: Source,
    /// Who signed.
    pub device: DeviceAddress,
    /// Event time; none of an erased or archived event.
    pub time: Option<Instant>,
    /// Business step as signed.
    pub step: Option<String>,
    /// True if its content was erased.
    pub is_erased: bool,
    /// True if its content is in an archive and no more in the database.
    pub is_archived: bool,
}

/// Search.
#[async_trait]
pub trait SearchStore: Send + Sync {
    /// Events that name a thing, in order, after a place.
    async fn places_naming(
        &self,
        item: &str,
        span: &Span,
        after: Option<&NamedPlace>,
        limit: u32,
    ) -> Stored<Vec<NamedPlace>>;
    /// Statements of a device's chain, in order, after a place.
    async fn chain_after(
        &self,
        device: &DeviceAddress,
        after: Option<&ChainPlace>,
        limit: u32,
    ) -> Stored<Vec<ChainPlace>>;
    /// Where statements stand in the log; those that wait for a batch are left out.
    async fn log_indices(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, u64>>;
    /// Accepted events of statements, by statement and place.
    async fn events_in(&self, statements: &[Hash]) -> Stored<Vec<FoundEvent>>;
}
