//! Reading the registry from the store: whole at a start, then what has changed.
//!
//! What was read is believed because it leads to the root of the head, which is in the log.

use schemas::registry::Head;

use super::admit::AdmitError;
use super::entry::Entry;
use super::snapshot::Snapshot;
use crate::store::{KeptRecord, RegistryStore};

/// Records read at once: about 5 MB.
const PAGE: u32 = 10_000;

impl Snapshot {
    /// Reads the newest state.
    ///
    /// # Errors
    /// [`AdmitError`] if the store fails, holds what cannot be read, or other records than those
    /// under its newest head.
    pub async fn load(store: &dyn RegistryStore) -> Result<Self, AdmitError> {
        let mut snapshot = Self::default();
        let Some(head) = store.registry_head().await? else {
            return Ok(snapshot);
        };
        let mut after = None;
        loop {
            let page = store
                .records_page(after.as_ref(), head.version, PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.kid);
            snapshot.take(page)?;
        }
        snapshot.reach(head).await
    }

    /// The newest state, from this one and what has changed since: as much work as that was.
    ///
    /// # Errors
    /// As for [`Snapshot::load`].
    pub async fn advanced(&self, store: &dyn RegistryStore) -> Result<Self, AdmitError> {
        let (Some(head), Some(own)) = (store.registry_head().await?, self.head) else {
            return Self::load(store).await;
        };
        let mut next = self.clone();
        if head == own {
            return Ok(next);
        }
        let mut version = own.version;
        while version < head.version {
            // Pages end between versions, so that none is taken in half.
            let page = store.records_since(version, head.version, PAGE).await?;
            version = page.last().map_or(head.version, |last| last.head);
            next.take(page)?;
        }
        next.reach(head).await
    }

    fn take(&mut self, page: Vec<KeptRecord>) -> Result<(), AdmitError> {
        for kept in page {
            self.put(Entry::new(kept.bytes, kept.salt)?)?;
        }
        Ok(())
    }

    /// The tree is made beside the tasks that must not wait: with a new key it is one over all keys.
    async fn reach(self, head: Head) -> Result<Self, AdmitError> {
        let reached = tokio::task::spawn_blocking(move || self.reach_now(head)).await;
        reached.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
    }

    fn reach_now(mut self, head: Head) -> Result<Self, AdmitError> {
        self.settle();
        let tree = self
            .tree
            .as_ref()
            .map(|tree| (tree.count() as u64, tree.root()));
        if tree != Some((head.count, head.root)) {
            return Err(AdmitError::Root(head.version));
        }
        self.head = Some(head);
        Ok(self)
    }
}
