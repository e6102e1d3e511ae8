//! Batches: the header that anchors what ingest stored.
//!
//! Every process makes batches of what it has taken, and the leader gives their headers their places
//! in the log (decision 0013).

use std::time::Duration;

use schemas::hash::Hash;
use schemas::log::{
    BatchHeader, Entry, REFUSED_MAX, Refused, encode_refused, entry_hash, hash_of_refused,
};
use schemas::merkle;
use schemas::time::Instant;

use super::{Notary, NotaryError};
use crate::store::{Append, MadeBatch, NewBatch, Queued, Whose};

/// Most batches that are made in one go, and that get their places in one append.
const AT_ONCE: u32 = 64;
/// A leader batches what another process has taken and not batched for this long, beside two times
/// the time between batches: that process is gone or cannot go on.
const ORPHANED: Duration = Duration::from_secs(5);

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

/// One line for each statement: in which batch its id, which ingest wrote down, stands.
fn write_way(batch: &MadeBatch) {
    let (shard, seq) = (batch.shard, batch.seq);
    for (position, statement) in batch.statements.iter().enumerate() {
        tracing::debug!(
            target: "tracebond::way",
            %statement,
            shard,
            batch = seq,
            position,
            "statement batched"
        );
    }
}

impl Notary {
    /// Makes batches of what waits, not for ever; true if more waits.
    pub(super) async fn make_batches(&self) -> Result<bool, NotaryError> {
        for _ in 0..AT_ONCE {
            if !self.make_batch().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes one batch of what this process has taken, a leader also of what is left by processes
    /// that are gone; true if more waits. What has come meanwhile has its time: batches are not
    /// made as fast as statements come, or they would be small and never get their places.
    async fn make_batch(&self) -> Result<bool, NotaryError> {
        let whose = self.whose();
        let mut queued = self.store.queued(&whose, self.most).await?;
        let all = queued.len();
        queued.truncate(fitting(&queued));
        let is_full = queued.len() < all || all as u64 == u64::from(self.most);
        let Some(first) = queued.first() else {
            return Ok(false);
        };
        let newest = self.gate.snapshot().head.map_or(0, |head| head.version);
        let more = is_full || first.registry_version < newest;
        let batch = self.batch_of(&queued, first.registry_version).await?;
        let made = self.store.make_batch(&batch).await?;
        if made {
            let events: u64 = queued.iter().map(|statement| statement.accepted).sum();
            metrics::counter!("tracebond_batches_total").increment(1);
            metrics::counter!("tracebond_events_anchored_total").increment(events);
            write_way(&batch);
        } else {
            tracing::debug!(batch.seq, "another process has batched these");
        }
        Ok(more || !made)
    }

    /// The next batch of this shard, over these statements.
    async fn batch_of(
        &self,
        queued: &[Queued],
        registry_version: u64,
    ) -> Result<MadeBatch, NotaryError> {
        let refused = self.refused_events(queued).await?;
        let head = self.store.head_at(registry_version).await?;
        let (seq, prev) = self.previous().await?;
        let ids: Vec<Hash> = queued.iter().map(|statement| statement.id).collect();
        let times = || queued.iter().map(|statement| statement.received);
        let header = BatchHeader {
            log: self.policy.log,
            shard: self.shard,
            seq,
            statements: ids.len() as u64,
            events: queued.iter().map(|statement| statement.accepted).sum(),
            root: merkle::root(&ids).ok_or(NotaryError::Broken("empty batch"))?,
            refused: hash_of_refused(&refused),
            registry: head.ok_or(NotaryError::Broken("a registry head is missing"))?,
            first: times().min().unwrap_or_default(),
            last: times().max().unwrap_or_default(),
            prev,
        };
        Ok(MadeBatch {
            shard: self.shard,
            seq,
            registry_version,
            header: Entry::Header(header).encode(),
            refused: (!refused.is_empty()).then(|| encode_refused(&refused)),
            statements: ids,
        })
    }

    fn whose(&self) -> Whose {
        let orphaned = self.every * 2 + ORPHANED;
        let leads = self.standing.fence().is_some();
        let version = self.gate.snapshot().head.map_or(0, |head| head.version);
        Whose {
            shard: self.shard,
            before: if leads {
                self.clock.now() - orphaned
            } else {
                Instant::default()
            },
            below: if leads { version } else { 0 },
        }
    }

    /// Gives made batches their places in the log; false when none waits.
    pub(super) async fn place_batches(&self) -> Result<bool, NotaryError> {
        let made = self.store.made_batches(AT_ONCE).await?;
        if made.is_empty() {
            return Ok(false);
        }
        let first = self.tree.read(schemas::tlog::LogTree::size);
        let (mut entries, mut batches) = (Vec::new(), Vec::new());
        for (log_index, batch) in (first..).zip(made) {
            entries.push(batch.header);
            batches.push(NewBatch {
                shard: batch.shard,
                seq: batch.seq,
                log_index,
                refused: batch.refused,
            });
        }
        let places: Vec<_> = batches
            .iter()
            .map(|one| (one.shard, one.seq, one.log_index))
            .collect();
        self.append(Append {
            entries,
            batches,
            ..Append::default()
        })
        .await?;
        if tracing::enabled!(target: "tracebond::way", tracing::Level::DEBUG) {
            self.write_places(&places).await?;
        }
        Ok(true)
    }

    /// One line for each statement of batches that have their places in the log now.
    async fn write_places(&self, places: &[(u64, u64, u64)]) -> Result<(), NotaryError> {
        for &(shard, seq, log_index) in places {
            let kept = self.store.batch(shard, seq).await?;
            let statements = kept.into_iter().flat_map(|kept| kept.statements);
            for (position, statement) in statements.enumerate() {
                tracing::debug!(
                    target: "tracebond::way",
                    %statement,
                    shard,
                    batch = seq,
                    position,
                    log_index,
                    "statement anchored"
                );
            }
        }
        Ok(())
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
        Ok(match self.store.last_made(self.shard).await? {
            None => (0, Hash::ZERO),
            Some((seq, header)) => (seq + 1, entry_hash(&header)),
        })
    }
}
