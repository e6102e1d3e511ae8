//! Telling devices that a witnessed checkpoint covers their statements.

use std::collections::BTreeMap;

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::merkle::Tree;
use schemas::receipt::{IDS_MAX, Included, Inclusion, Reply};

use super::{Notary, NotaryError, SharedTree};
use crate::store::{KeptBatch, KeptCheckpoint, NotaryStore};

/// Batches told of at once.
const MOST: u32 = 64;
/// Bytes of paths in one message; a message has at most 256 KiB.
const ROWS_MOST: usize = if IDS_MAX < 256 { IDS_MAX } else { 256 };

impl Notary {
    pub(super) async fn tell(&self) -> Result<(), NotaryError> {
        let Some(link) = &self.link else {
            return Ok(());
        };
        loop {
            let Some(newest) = self.store.newest_checkpoint().await? else {
                return Ok(());
            };
            let due = self.store.inclusions_due(newest.size, MOST).await?;
            if due.is_empty() || !*link.connected().borrow() {
                return Ok(());
            }
            for (shard, seq) in due {
                let batch = self.store.batch(shard, seq).await?;
                let batch = batch.ok_or(NotaryError::Broken("a batch is missing"))?;
                for (device, reply) in self.inclusions(&batch).await? {
                    metrics::counter!("tracebond_inclusions_total").increment(1);
                    if let Err(error) = link.publish(device.receipt_topic(), reply).await {
                        tracing::warn!(%device, %error, "an inclusion was not sent; trying later");
                        return Ok(());
                    }
                }
                self.store.inclusion_sent(shard, seq).await?;
            }
        }
    }

    /// One or more messages for each device of the batch.
    async fn inclusions(
        &self,
        batch: &KeptBatch,
    ) -> Result<Vec<(DeviceAddress, Vec<u8>)>, NotaryError> {
        let covering = self.store.checkpoint_covering(batch.log_index).await?;
        let covering = covering.ok_or(NotaryError::Broken("no checkpoint covers a batch"))?;
        let tree = Tree::new(&batch.statements).ok_or(NotaryError::Broken("empty batch"))?;
        let mut rows: BTreeMap<DeviceAddress, Vec<Included>> = BTreeMap::new();
        for (index, id) in batch.statements.iter().enumerate() {
            let statement = self.store.statement(id).await?;
            let device = statement
                .ok_or(NotaryError::Broken("a statement is missing"))?
                .device;
            let path = tree.path(index).unwrap_or_default();
            rows.entry(device).or_default().push(Included {
                id: *id,
                index: index as u64,
                path,
            });
        }
        let mut messages = Vec::new();
        for (device, rows) in rows {
            for rows in rows.chunks(ROWS_MOST) {
                let inclusion = inclusion(&self.tree, batch, &covering, rows)?;
                messages.push((device.clone(), Reply::Inclusion(inclusion).encode()));
            }
        }
        Ok(messages)
    }
}

/// The inclusion of one statement, for a device that has lost the message; `None` while no
/// witnessed checkpoint covers it.
///
/// # Errors
/// [`NotaryError`] if the store fails or is broken.
pub async fn inclusion_of(
    store: &dyn NotaryStore,
    tree: &SharedTree,
    id: &Hash,
) -> Result<Option<Inclusion>, NotaryError> {
    let Some(place) = store
        .statement(id)
        .await?
        .and_then(|statement| statement.batch)
    else {
        return Ok(None);
    };
    let Some(covering) = store.checkpoint_covering(place.log_index).await? else {
        return Ok(None);
    };
    let batch = store.batch(place.shard, place.seq).await?;
    let batch = batch.ok_or(NotaryError::Broken("a batch is missing"))?;
    let paths = Tree::new(&batch.statements).ok_or(NotaryError::Broken("empty batch"))?;
    let index = usize::try_from(place.position).map_err(|_| NotaryError::Broken("place"))?;
    let path = paths.path(index).ok_or(NotaryError::Broken("batch path"))?;
    let rows = [Included {
        id: *id,
        index: place.position,
        path,
    }];
    inclusion(tree, &batch, &covering, &rows).map(Some)
}

fn inclusion(
    tree: &SharedTree,
    batch: &KeptBatch,
    covering: &KeptCheckpoint,
    rows: &[Included],
) -> Result<Inclusion, NotaryError> {
    let path = tree.read(|tree| tree.inclusion(batch.log_index, covering.size));
    Ok(Inclusion {
        header: batch.header.clone(),
        log_index: batch.log_index,
        log_path: path.ok_or(NotaryError::Broken("no path in the log"))?,
        checkpoint: covering.note.clone(),
        statements: rows.to_vec(),
    })
}
