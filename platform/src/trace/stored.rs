//! What a journey reads: stored events, through a port that any store answers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::statement::Position;

use crate::store::{StoreError, StoredEvent, TraceStore};

/// Where a journey reads events from. Every [`TraceStore`] is one.
#[async_trait]
pub trait JourneySource: Send + Sync {
    /// Events that name any of `items` (canonical Digital Link URIs) in any role, by event time,
    /// each once, at most `limit`.
    async fn events_of_items(
        &self,
        items: &[String],
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Places of statements in their devices' chains: the order in which a device spoke. A
    /// statement that is not there is left out.
    async fn positions(&self, statements: &[Hash]) -> Result<BTreeMap<Hash, Position>, StoreError>;
}

#[async_trait]
impl<S: TraceStore + ?Sized> JourneySource for S {
    async fn events_of_items(
        &self,
        items: &[String],
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        TraceStore::events_of_items(self, items, limit).await
    }

    async fn positions(&self, statements: &[Hash]) -> Result<BTreeMap<Hash, Position>, StoreError> {
        let mut positions = BTreeMap::new();
        for id in statements {
            if let Some(statement) = self.statement(id).await? {
                positions.insert(*id, statement.position);
            }
        }
        Ok(positions)
    }
}
