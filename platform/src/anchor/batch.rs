//! Batches: the header that anchors what ingest stored.

use schemas::hash::Hash;
use schemas::log::{
    BatchHeader, Entry, REFUSED_MAX, Refused, encode_refused, entry_hash, hash_of_refused,
};
use schemas::merkle;

use super::{Notary, NotaryError};
use crate::store::{Append, NewBatch, Queued};

/// Longest row of a list of refused events: head, two indices, the longest code.
const REFUSED_ROW_MAX: u64 = 32;

/// How many of the statements fit one batch, so that its list of refused events stays within the
/// limit of `log.md` section 3. One statement always does.
fn fitting(queued: &[Queued]) -> usize {
    let room = REFUSED_MAX as u64 / REFUSED_ROW_MAX - 1;
    let mut refused = 0;
    let fits = |statement: &&Queued| {
        refused += statement.refused;
        refused <= room
    };
    queued.iter().take_while(fits).count()
}

/// One line for each statement: where its id, which ingest wrote down, stands in the log.
fn write_way(ids: &[Hash], (shard, batch, log_index): (u64, u64, u64)) {
    for (position, statement) in ids.iter().enumerate() {
        tracing::debug!(
            target: "tracebond::way",
            %statement,
            shard,
            batch,
            position,
            log_index,
            "statement anchored"
        );
    }
}

impl Notary {
    /// Anchors one batch; false when nothing waits.
    pub(super) async fn anchor_batch(&self) -> Result<bool, NotaryError> {
        let mut queued = self.store.queued(self.most).await?;
        queued.truncate(fitting(&queued));
        let Some(first) = queued.first() else {
            return Ok(false);
        };
        let refused = self.refused_events(&queued).await?;
        let head = self.store.head_at(first.registry_version).await?;
        let (seq, prev) = self.previous().await?;
        let ids: Vec<Hash> = queued.iter().map(|statement| statement.id).collect();
        let header = BatchHeader {
            log: self.policy.log,
            shard: self.shard,
            seq,
            statements: ids.len() as u64,
            events: queued.iter().map(|statement| statement.accepted).sum(),
            root: merkle::root(&ids).ok_or(NotaryError::Broken("empty batch"))?,
            refused: hash_of_refused(&refused),
            registry: head.ok_or(NotaryError::Broken("a registry head is missing"))?,
            first: queued
                .iter()
                .map(|statement| statement.received)
                .min()
                .unwrap_or_default(),
            last: queued
                .iter()
                .map(|statement| statement.received)
                .max()
                .unwrap_or_default(),
            prev,
        };
        let events = header.events;
        let anchored = ids.clone();
        let log_index = self.tree.read(schemas::tlog::LogTree::size);
        let refused = (!refused.is_empty()).then(|| encode_refused(&refused));
        let batch = NewBatch {
            shard: self.shard,
            seq,
            log_index,
            refused,
            statements: ids,
        };
        let entries = vec![Entry::Header(header).encode()];
        self.append(Append {
            entries,
            batches: vec![batch],
            ..Append::default()
        })
        .await?;
        metrics::counter!("tracebond_batches_total").increment(1);
        write_way(&anchored, (self.shard, seq, log_index));
        metrics::counter!("tracebond_events_anchored_total").increment(events);
        Ok(true)
    }

    async fn refused_events(&self, queued: &[Queued]) -> Result<Vec<Refused>, NotaryError> {
        let mut list = Vec::new();
        for (place, statement) in queued
            .iter()
            .enumerate()
            .filter(|(_, queued)| queued.refused > 0)
        {
            for event in self.store.events_of_statement(&statement.id).await? {
                if let Some(code) = event.refused {
                    list.push(Refused {
                        statement: place as u64,
                        event: event.position,
                        code,
                    });
                }
            }
        }
        Ok(list)
    }

    /// Number of the next batch of this shard and the hash of the header before it.
    async fn previous(&self) -> Result<(u64, Hash), NotaryError> {
        Ok(match self.store.last_batch(self.shard).await? {
            None => (0, Hash::ZERO),
            Some(batch) => (batch.seq + 1, entry_hash(&batch.header)),
        })
    }
}
