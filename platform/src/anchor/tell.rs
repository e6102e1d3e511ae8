//! Telling devices that a witnessed checkpoint covers their statements.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::merkle::Tree;
use schemas::receipt::{IDS_MAX, Included, Inclusion, Reply};

use tokio_util::sync::CancellationToken;

use super::{NotaryError, SharedTree};
use crate::ingest::Wake;
use crate::link::Link;
use crate::standing::Standing;
use crate::store::{KeptBatch, KeptCheckpoint, NotaryStore};

/// How often it looks without being woken: after a broker that was away.
const EVERY: Duration = Duration::from_secs(1);

/// Batches told of at once.
const MOST: u32 = 64;
/// Bytes of paths in one message; a message has at most 256 KiB.
const ROWS_MOST: usize = if IDS_MAX < 256 { IDS_MAX } else { 256 };

/// What one device is told of a batch.
struct Told {
    device: DeviceAddress,
    reply: Vec<u8>,
    statements: Vec<Hash>,
    /// Size of the witnessed checkpoint.
    size: u64,
}

/// The end of each statement's way: a quorum of witnesses covers it, and its device is told.
fn write_way(device: &DeviceAddress, statements: &[Hash], log_index: u64, witnessed_size: u64) {
    for statement in statements {
        tracing::debug!(
            target: "tracebond::way",
            %statement,
            %device,
            log_index,
            witnessed_size,
            "statement witnessed, its device told"
        );
    }
}

/// Tells devices what is witnessed, beside the log: a slow broker does not hold up the next batch.
pub struct Teller {
    /// Store.
    pub store: Arc<dyn NotaryStore>,
    /// The tree.
    pub tree: SharedTree,
    /// To the devices.
    pub link: Link,
    /// Devices are told by the process that leads.
    pub standing: Standing,
    /// Woken by the notary.
    pub wake: Arc<Wake>,
}

impl Teller {
    /// Runs until `shutdown`, and once more then: the notary has ended before.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let ends = tokio::select! {
                () = shutdown.cancelled() => true,
                () = self.wake.teller.notified() => false,
                () = tokio::time::sleep(EVERY) => false,
            };
            // At the end the lease has been given back already; to be told twice harms nobody.
            if (self.standing.fence().is_some() || ends)
                && let Err(error) = self.tell().await
            {
                tracing::error!(error = causes(&error), "devices are not told; trying again");
            }
            if ends {
                return;
            }
        }
    }

    /// Tells of every batch that a witnessed checkpoint covers, as long as there is a broker.
    ///
    /// # Errors
    /// [`NotaryError`] if store or log are broken; the next call goes on where this one ended.
    pub async fn tell(&self) -> Result<(), NotaryError> {
        loop {
            let Some(newest) = self.store.newest_checkpoint().await? else {
                return Ok(());
            };
            let due = self.store.inclusions_due(newest.size, MOST).await?;
            if due.is_empty() || !*self.link.connected().borrow() {
                return Ok(());
            }
            for (shard, seq) in due {
                let batch = self.store.batch(shard, seq).await?;
                let batch = batch.ok_or(NotaryError::Broken("a batch is missing"))?;
                // Behind the database where this process has just begun to lead.
                self.tree.reached(newest.size).await;
                for told in self.inclusions(&batch).await? {
                    let device = &told.device;
                    metrics::counter!("tracebond_inclusions_total").increment(1);
                    let sent = self.link.publish(device.receipt_topic(), told.reply).await;
                    if let Err(error) = sent {
                        tracing::warn!(%device, %error, "an inclusion was not sent; trying later");
                        return Ok(());
                    }
                    write_way(device, &told.statements, batch.log_index, told.size);
                }
                self.store.inclusion_sent(shard, seq).await?;
            }
        }
    }

    /// One or more messages for each device of the batch.
    async fn inclusions(&self, batch: &KeptBatch) -> Result<Vec<Told>, NotaryError> {
        let covering = self.store.checkpoint_covering(batch.log_index).await?;
        let covering = covering.ok_or(NotaryError::Broken("no checkpoint covers a batch"))?;
        let tree = Tree::new(&batch.statements).ok_or(NotaryError::Broken("empty batch"))?;
        let devices = self.store.devices_of(&batch.statements).await?;
        let mut rows: BTreeMap<DeviceAddress, Vec<Included>> = BTreeMap::new();
        for (index, id) in batch.statements.iter().enumerate() {
            let device = devices.get(id).cloned();
            let device = device.ok_or(NotaryError::Broken("a statement is missing"))?;
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
                messages.push(Told {
                    device: device.clone(),
                    reply: Reply::Inclusion(inclusion).encode(),
                    statements: rows.iter().map(|row| row.id).collect(),
                    size: covering.size,
                });
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
