//! Statements that come behind the head of their chain: they fill gaps, and are links like others.

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::Position;

use super::walk::Walk;
use super::{Follower, PAGE, Reading};
use crate::store::{ChainLink, StoreError};

impl Follower {
    /// Checks links of a device that its head has passed, in order of their places, and closes the
    /// gaps that they fill.
    pub(super) async fn look_back(
        &self,
        walk: &mut Walk,
        links: &[ChainLink],
        reading: &mut Reading,
    ) -> Result<(), StoreError> {
        let follows = |a: &ChainLink, b: &ChainLink| {
            let (a, b) = (a.position, b.position);
            a.epoch == b.epoch && (a.seq == b.seq || a.seq + 1 == b.seq)
        };
        for run in links.chunk_by(follows) {
            self.check_run(walk, run, reading).await?;
            let (first, last) = (run[0].position, run[run.len() - 1].position);
            let device = walk.device.clone();
            let gaps = self
                .store
                .open_gaps(&device, first.epoch, first.seq, last.seq);
            for gap in gaps.await? {
                self.close(walk, first.epoch, gap).await?;
            }
        }
        Ok(())
    }

    /// Closes a gap if everything in it is there; the row that opened it stays.
    pub(super) async fn close(
        &self,
        walk: &mut Walk,
        epoch: u64,
        (from, to): (u64, u64),
    ) -> Result<bool, StoreError> {
        let present = self.store.present(&walk.device, epoch, from, to).await?;
        let is_filled = present == to - from + 1;
        if is_filled {
            walk.add(self, "gap-closed", (epoch, from, to), "filled");
        }
        Ok(is_filled)
    }

    /// What filled a gap, and the statement behind it, are checked like any other link; for gaps
    /// that were filled while nobody followed.
    pub(super) async fn check_filled(
        &self,
        walk: &mut Walk,
        epoch: u64,
        (from, to): (u64, u64),
        reading: &mut Reading,
    ) -> Result<(), StoreError> {
        let mut after = before(Position { epoch, seq: from });
        loop {
            let mut links = self.store.links_after(&walk.device, after, PAGE).await?;
            let is_last = links.len() < PAGE as usize;
            links.retain(|link| link.position.epoch == epoch && link.position.seq <= to);
            if !links.is_empty() {
                self.check_run(walk, &links, reading).await?;
            }
            let Some(last) = links.last().filter(|_| !is_last) else {
                return Ok(());
            };
            after = Some(last.position);
        }
    }

    /// Links of consecutive places, and what stands behind them.
    async fn check_run(
        &self,
        walk: &mut Walk,
        run: &[ChainLink],
        reading: &mut Reading,
    ) -> Result<(), StoreError> {
        let mut ids: Vec<Hash> = Vec::new();
        let mut place = run[0].position;
        let mut known: Vec<Hash> = self.ids_before(&walk.device, place).await?;
        for link in run {
            if link.position != place {
                place = link.position;
                known = std::mem::take(&mut ids);
            }
            self.check_link(walk, link, &known).await?;
            self.check_seen(walk, link, reading).await?;
            ids.push(link.id);
        }
        let behind = self.store.links_after(&walk.device, Some(place), 4).await?;
        for link in behind {
            let position = link.position;
            if position.epoch == place.epoch && position.seq == place.seq + 1 {
                self.check_link(walk, &link, &ids).await?;
            }
        }
        Ok(())
    }

    /// Ids in the place before this one, if there can be any.
    pub(super) async fn ids_before(
        &self,
        device: &DeviceAddress,
        place: Position,
    ) -> Result<Vec<Hash>, StoreError> {
        let epoch = place.epoch;
        match place.seq.checked_sub(1) {
            Some(seq) => self.store.ids_at(device, Position { epoch, seq }).await,
            None => Ok(Vec::new()),
        }
    }
}

/// What every place from this one on is behind of.
pub(super) const fn before(place: Position) -> Option<Position> {
    match (place.epoch, place.seq) {
        (epoch, seq) if seq > 0 => Some(Position {
            epoch,
            seq: seq - 1,
        }),
        (epoch, _) if epoch > 0 => Some(Position {
            epoch: epoch - 1,
            seq: u64::MAX,
        }),
        _ => None,
    }
}
