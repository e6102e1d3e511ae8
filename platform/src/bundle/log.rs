//! What a bundle shows of the log: policies in succession, checkpoints, headers, what statements
//! had seen.

use std::collections::BTreeMap;

use schemas::log::Policy;
use schemas::proof::{Bytes, CheckpointRow, Handover, HeaderRow, Path, PolicyRow, Seen};
use schemas::statement::Statement;

use super::{BundleError, Bundler, Header};
use crate::anchor::SharedTree;
use crate::policies::{Reign, for_bundle, signed_under};
use crate::store::KeptCheckpoint;

/// Kept checkpoints by the log index that they are the first to cover.
pub(super) type Covering = BTreeMap<u64, Option<KeptCheckpoint>>;

/// The log as of one checkpoint: all paths of a bundle lead there.
pub(super) struct View<'a> {
    tree: &'a SharedTree,
    /// Policies that the checkpoint stands under or behind; the last one signed it.
    reigns: Vec<Reign>,
    newest: KeptCheckpoint,
}

impl Bundler {
    /// The newest witnessed checkpoint and the policies that lead to it.
    pub(super) async fn view(&self) -> Result<View<'_>, BundleError> {
        let newest = self.store.newest_checkpoint().await?;
        let newest = newest.ok_or(BundleError::NotWitnessed)?;
        self.tree.reached(newest.size).await;
        let mut reigns = self.policies.in_force();
        reigns.retain(|reign| reign.index < newest.size);
        Ok(View {
            tree: &self.tree,
            reigns,
            newest,
        })
    }
}

impl View<'_> {
    pub(super) const fn size(&self) -> u64 {
        self.newest.size
    }

    /// The policy in force at a log index.
    pub(super) fn policy_at(&self, index: u64) -> Option<&Policy> {
        let reign = self.reigns.get(signed_under(&self.reigns, index))?;
        Some(&reign.policy)
    }

    pub(super) fn inclusion(&self, index: u64, size: u64) -> Result<Path, BundleError> {
        let path = self.tree.read(|tree| tree.inclusion(index, size));
        path.map(Into::into).ok_or(BundleError::Broken("log path"))
    }

    fn consistency(&self, from: u64, to: u64) -> Result<Path, BundleError> {
        let path = self.tree.read(|tree| tree.consistency(from, to));
        path.map(Into::into)
            .ok_or(BundleError::Broken("log prefix"))
    }

    pub(super) fn policies(&self) -> Result<Vec<PolicyRow>, BundleError> {
        let mut rows = Vec::with_capacity(self.reigns.len());
        for (position, reign) in self.reigns.iter().enumerate() {
            let path = self.inclusion(reign.index, self.size())?;
            let mut row = PolicyRow::first(Bytes(reign.entry.clone()), reign.index, path);
            if let Some(before) = position.checked_sub(1) {
                row.prefix = Some(self.consistency(reign.index, self.size())?);
                let note = reign.handover.as_deref();
                let note = note.and_then(|note| for_bundle(note, &self.reigns[before].policy));
                row.handover = Some(Handover {
                    note: Bytes(note.ok_or(BundleError::Broken("hand-over"))?),
                    path: self.inclusion(reign.index, reign.index + 1)?,
                });
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// The covering checkpoint of every header and the newest, by size, and their sizes.
    pub(super) fn checkpoints(
        &self,
        headers: &[Header],
    ) -> Result<(Vec<CheckpointRow>, Vec<u64>), BundleError> {
        let mut notes: BTreeMap<u64, &[u8]> = headers
            .iter()
            .map(|header| (header.covering.size, &header.covering.note[..]))
            .collect();
        notes.insert(self.size(), &self.newest.note);
        let sizes = notes.keys().copied().collect();
        let rows = notes
            .into_iter()
            .map(|(size, note)| self.checkpoint(size, note));
        Ok((rows.collect::<Result<_, _>>()?, sizes))
    }

    fn checkpoint(&self, size: u64, note: &[u8]) -> Result<CheckpointRow, BundleError> {
        let (policy, note) = self.trimmed(size, note)?;
        let prefix = match self.reigns.get(policy + 1) {
            Some(next) => self.consistency(size, next.index)?,
            None => Path::default(),
        };
        Ok(CheckpointRow {
            note,
            policy,
            prefix,
        })
    }

    /// Position of a kept note's policy, and the note with only the lines that a bundle may hold.
    fn trimmed(&self, size: u64, note: &[u8]) -> Result<(usize, Bytes), BundleError> {
        let policy = signed_under(&self.reigns, size);
        let reign = self.reigns.get(policy);
        let note = reign.and_then(|reign| for_bundle(note, &reign.policy));
        let note = note.ok_or(BundleError::Broken("checkpoint"))?;
        Ok((policy, Bytes(note)))
    }

    pub(super) fn header_row(
        &self,
        header: &Header,
        sizes: &[u64],
    ) -> Result<HeaderRow, BundleError> {
        let (index, size) = (header.batch.log_index, header.covering.size);
        let checkpoint = sizes.binary_search(&size);
        Ok(HeaderRow {
            entry: Bytes(header.batch.header.clone()),
            index,
            checkpoint: checkpoint.map_err(|_| BundleError::Broken("size"))?,
            path: self.inclusion(index, size)?,
            refused: header.batch.refused.clone().map(Bytes),
        })
    }

    /// What the statement had seen, if that very checkpoint is kept; `known` are those that other
    /// statements had seen.
    pub(super) async fn seen(
        &self,
        bundler: &Bundler,
        statement: &[u8],
        known: &mut Covering,
    ) -> Result<Option<Seen>, BundleError> {
        let statement = Statement::parse(statement.to_vec());
        let statement = statement.map_err(|_| BundleError::Broken("statement"))?;
        let Some((size, root)) = statement.payload.seen else {
            return Ok(None);
        };
        let kept = match known.get(&(size - 1)) {
            Some(kept) => kept.clone(),
            None => {
                let kept = bundler.store.checkpoint_covering(size - 1).await?;
                known.insert(size - 1, kept.clone());
                kept
            }
        };
        let Some(kept) = kept.filter(|kept| kept.size == size && size < self.size()) else {
            return Ok(None);
        };
        if self.tree.read(|tree| tree.root(size)) != Some(root) {
            return Ok(None);
        }
        let (policy, note) = self.trimmed(size, &kept.note)?;
        Ok(Some(Seen {
            note,
            policy,
            prefix: self.consistency(size, self.size())?,
        }))
    }
}
