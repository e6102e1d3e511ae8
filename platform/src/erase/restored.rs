//! What a restored backup brings back: the lists that the log names are compared with the database,
//! and content that has a tombstone is removed again.

use std::collections::BTreeSet;

use schemas::hash::Hash;
use schemas::log::Entry;
use schemas::tombstone::list_hash;

use super::{Eraser, ErasureError, NewList, Removed, open};
use crate::anchor::tiles::Tiles;
use crate::config::Config;
use crate::store::{Store, StoreError};

/// Removes again what has tombstones and is there all the same, by the lists in the database.
///
/// # Errors
/// [`ErasureError`].
pub async fn again(eraser: &mut dyn Eraser, store: &dyn Store) -> Result<Removed, ErasureError> {
    let mut removed = Removed::default();
    let logged = store.tombstone_lists().await?.into_iter();
    let logged = logged.map(|list| (list.hash, Some(list.log_index)));
    let waiting = store.unlogged().await?.into_iter();
    let waiting = waiting.map(|document| (document.hash, None));
    for (hash, log_index) in logged.chain(waiting) {
        // Other documents wait for the log, too.
        if let Some(bytes) = store.tombstone_list(&hash).await? {
            let list = NewList::kept(bytes, log_index)?;
            removed.add(eraser.apply(&list, &[]).await?);
        }
    }
    Ok(removed)
}

/// Compares the log's tombstone entries with the database, before anything is served: a list that
/// the database lost is read from the file beside the log, and content that came back is removed.
///
/// # Errors
/// [`ErasureError`]: the platform must not start.
pub async fn settle(config: &Config, store: &dyn Store, tiles: &Tiles) -> Result<(), ErasureError> {
    let lost = lost_lists(store, tiles).await?;
    let returned = store.returned().await?;
    if lost.is_empty() && returned == 0 {
        return Ok(());
    }
    let why = format!(
        "{returned} rows of erased content are back and {} tombstone lists are lost (a restored backup?)",
        lost.len()
    );
    let mut eraser = open(config, &why).await?;
    let mut removed = Removed::default();
    for list in &lost {
        removed.add(eraser.apply(list, &[]).await?);
    }
    removed.add(again(&mut *eraser, store).await?);
    let cleaned = eraser.clean().await?;
    tracing::warn!(
        events = removed.events,
        items = removed.items,
        documents = removed.documents,
        messages = removed.messages,
        lists = lost.len(),
        cleaned,
        "a backup had brought erased content back; it was erased again"
    );
    Ok(())
}

/// Lists that the log names and the database does not have, from their files; of the others the
/// file is written where it is missing.
async fn lost_lists(store: &dyn Store, tiles: &Tiles) -> Result<Vec<NewList>, ErasureError> {
    let known = store.tombstone_lists().await?;
    let known: BTreeSet<Hash> = known.iter().map(|list| list.hash).collect();
    let mut lost = Vec::new();
    for (index, entry) in store.tombstone_entries().await? {
        let Ok(Entry::Tombstones { hash, .. }) = Entry::parse(&entry) else {
            return Err(StoreError::Corrupt("log entry").into());
        };
        let file = tiles.tombstones(&hash)?;
        let file = file.filter(|bytes| list_hash(bytes) == hash);
        let row = store.tombstone_list(&hash).await?;
        let bytes = match (row, file) {
            (Some(bytes), Some(_)) => bytes,
            (Some(bytes), None) => {
                tiles.publish_tombstones(&hash, &bytes)?;
                bytes
            }
            (None, Some(bytes)) => bytes,
            (None, None) => return Err(ErasureError::ListMissing { index, hash }),
        };
        if !known.contains(&hash) {
            lost.push(NewList::kept(bytes, Some(index))?);
        }
    }
    Ok(lost)
}
