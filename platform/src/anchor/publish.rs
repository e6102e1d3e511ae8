//! From a committed head to a checkpoint that readers see: tiles, cosignatures, database, file, in
//! this order.

use schemas::note::Note;
use schemas::tlog::LogTree;

use super::{Notary, NotaryError, tiles};
use crate::store::KeptCheckpoint;

/// Bundles of entries that are read and written at once.
const BUNDLES: u64 = 16;

impl Notary {
    /// Signs the newest head, writes its tiles, has it cosigned, and publishes it.
    pub(super) async fn publish(&self) -> Result<(), NotaryError> {
        let size = self.tree.read(LogTree::size);
        let newest = self.store.newest_checkpoint().await?;
        if let Some(newest) = newest.filter(|newest| newest.size >= size) {
            return self.publish_note(&newest).await;
        }
        self.write_tiles(size).await?;
        let note = self.cosigner.collect(self.sign()?, &self.tree).await;
        match note.check_served(&self.in_force()) {
            Ok(witnessed) => {
                let anchored = witnessed.anchored;
                let note = note.encode();
                let kept = KeptCheckpoint {
                    size,
                    note,
                    anchored,
                };
                self.store.put_checkpoint(&kept).await?;
                self.publish_note(&kept).await?;
                metrics::gauge!("tracebond_witnessed_size").set(size as f64);
                tracing::debug!(target: "tracebond::way", size, "checkpoint witnessed");
            }
            Err(error) => tracing::warn!(%error, size, "the checkpoint does not count yet"),
        }
        Ok(())
    }

    /// Publishes the newest witnessed checkpoint: the process before may have kept it and ended
    /// before it was in the folder, or another process has, whose folder is another.
    pub(super) async fn publish_kept(&self) -> Result<(), NotaryError> {
        match self.store.newest_checkpoint().await? {
            Some(newest) => self.publish_note(&newest).await,
            None => Ok(()),
        }
    }

    /// Publishes a kept checkpoint behind the tiles that it needs; one that is there is left alone.
    async fn publish_note(&self, kept: &KeptCheckpoint) -> Result<(), NotaryError> {
        if self.tiles.published()? >= kept.size {
            return Ok(());
        }
        let ours = self.tree.read(LogTree::size);
        if ours < kept.size {
            // Committed and witnessed since the tree was read; the next round has it.
            return Ok(());
        }
        let note = Note::parse(&kept.note).map_err(|_| NotaryError::Broken("a kept checkpoint"))?;
        if self.tree.read(|tree| tree.root(kept.size)) != Some(note.checkpoint.root) {
            return Err(NotaryError::Broken("a kept checkpoint is of another log"));
        }
        self.write_tiles(kept.size).await?;
        Ok(self.tiles.publish(&note)?)
    }

    /// Writes what is missing in the folder for a checkpoint of this size.
    async fn write_tiles(&self, size: u64) -> Result<(), NotaryError> {
        let from = self.tiles.published()?;
        let mut first = from / tiles::WIDTH * tiles::WIDTH;
        while first < size {
            let next = size.min(first + BUNDLES * tiles::WIDTH);
            let entries = self.entries(first, next).await?;
            self.tiles.write_entries(first, &entries)?;
            first = next;
        }
        self.tree
            .read(|tree| self.tiles.write_hashes(tree, from, size))?;
        Ok(())
    }

    /// Entries from a position to before another.
    async fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>, NotaryError> {
        let mut entries = Vec::new();
        while from + (entries.len() as u64) < to {
            let first = from + entries.len() as u64;
            let most = u32::try_from(to - first).unwrap_or(super::PAGE);
            let page = self.store.entries(first, most.min(super::PAGE)).await?;
            if page.is_empty() {
                return Err(NotaryError::Broken("entries are missing"));
            }
            entries.extend(page);
        }
        Ok(entries)
    }
}
