//! Reads every device's chain behind the write path (`DESIGN.md` section 5): shared subscriptions
//! and catching up reorder, so order is judged here, with patience, and never at the door.
//!
//! A missing statement is a gap after a grace period; it is closed when it is filled. A link that
//! does not fit is a fork; two ids in one place are written down as one by the store, in the very
//! transaction that takes the second. All are rows that nobody can erase.

use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::registry::{Role, State};
use schemas::statement::{Position, Statement};
use schemas::time::{Clock, Instant};
use tokio_util::sync::CancellationToken;

use crate::ingest::Wake;
use crate::registry::Gate;
use crate::standing::Standing;
use crate::store::{ChainEvent, ChainLink, Store, StoreError};

/// Links read at once.
const PAGE: u32 = 1_000;
/// Longest time between two rounds, so that grace periods end without new statements.
const ROUND: Duration = Duration::from_secs(1);

/// Follows chains.
pub struct Follower {
    /// Store.
    pub store: Arc<dyn Store>,
    /// Registry, for heartbeats.
    pub gate: Arc<Gate>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Woken by ingest.
    pub wake: Arc<Wake>,
    /// A missing statement is a gap after this.
    pub grace: Duration,
    /// Chains are followed by the process that leads.
    pub standing: Standing,
}

impl Follower {
    /// Runs until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.follower.notified() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
            if self.standing.fence().is_none() {
                continue;
            }
            if let Err(error) = self.round().await {
                tracing::error!(
                    error = causes(&error),
                    "chains could not be followed; trying again"
                );
            }
        }
    }

    /// Follows every chain as far as it goes now.
    ///
    /// # Errors
    /// [`StoreError`]; the next round goes on where this one ended.
    pub async fn round(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for device in self.store.devices(None).await? {
            self.follow(&device, now).await?;
            self.close_gaps(&device, now).await?;
        }
        self.find_silent(now).await
    }

    async fn follow(&self, device: &DeviceAddress, now: Instant) -> Result<(), StoreError> {
        let mut head = self.store.chain_head(device).await?;
        loop {
            let links = self
                .store
                .links_after(device, head.map(|(at, _)| at), PAGE)
                .await?;
            let before = head;
            for link in &links {
                match self.step(device, head, link, now).await? {
                    Some(next) => head = Some(next),
                    None => break,
                }
                self.check_seen(device, link, now).await?;
            }
            if head == before {
                return Ok(());
            }
            if let Some((position, id)) = &head {
                self.store.set_chain_head(device, *position, id).await?;
            }
        }
    }

    /// The head after this link; `None` while a gap before it still has time to be filled.
    async fn step(
        &self,
        device: &DeviceAddress,
        head: Option<(Position, Hash)>,
        link: &ChainLink,
        now: Instant,
    ) -> Result<Option<(Position, Hash)>, StoreError> {
        let next = Some((link.position, link.id));
        let (epoch, seq) = (link.position.epoch, link.position.seq);
        let event = |kind: &str, from, to, detail: &str| {
            self.event(device, kind, (epoch, from, to), now, detail)
        };
        match head {
            // The store has written down that two statements stand in one place.
            Some((at, _)) if at == link.position => {}
            Some((at, _)) if at.epoch == epoch && at.seq + 1 == seq => {
                self.check_link(device, link, now).await?;
            }
            None if seq == 0 && epoch == 0 => {}
            Some((at, _)) if at.epoch < epoch && seq == 0 => {
                let detail = "the device began a new epoch";
                self.store
                    .add_chain_event(&event("gap-opened", 0, 0, detail))
                    .await?;
            }
            before => {
                let from = before
                    .filter(|(at, _)| at.epoch == epoch)
                    .map_or(0, |(at, _)| at.seq + 1);
                if now.since(link.received) < self.grace {
                    return Ok(None);
                }
                let detail = "statements are missing";
                let to = seq.saturating_sub(1);
                self.store
                    .add_chain_event(&event("gap-opened", from, to, detail))
                    .await?;
                metrics::counter!("tracebond_gaps_total").increment(1);
            }
        }
        Ok(next)
    }

    fn event(
        &self,
        device: &DeviceAddress,
        kind: &str,
        (epoch, from_seq, to_seq): (u64, u64, u64),
        at: Instant,
        detail: &str,
    ) -> ChainEvent {
        tracing::warn!(%device, kind, epoch, from_seq, to_seq, detail, "chain");
        let (kind, detail) = (kind.to_owned(), detail.to_owned());
        ChainEvent {
            device: device.clone(),
            kind,
            epoch,
            from_seq,
            to_seq,
            at,
            detail,
        }
    }

    /// A gap that is filled is closed; the row that opened it stays.
    async fn close_gaps(&self, device: &DeviceAddress, now: Instant) -> Result<(), StoreError> {
        let events = self.store.chain_events(Some(device)).await?;
        let key = |event: &ChainEvent| (event.epoch, event.from_seq, event.to_seq);
        let closed: Vec<_> = events
            .iter()
            .filter(|e| e.kind == "gap-closed")
            .map(key)
            .collect();
        for gap in events
            .iter()
            .filter(|e| e.kind == "gap-opened" && !closed.contains(&key(e)))
        {
            let (epoch, from, to) = key(gap);
            if gap.detail != "statements are missing" {
                continue;
            }
            if self.store.present(device, epoch, from, to).await? == to - from + 1 {
                let event = self.event(device, "gap-closed", (epoch, from, to), now, "filled");
                self.store.add_chain_event(&event).await?;
                self.check_filled(device, (epoch, from, to), now).await?;
            }
        }
        Ok(())
    }

    /// A statement must name one that stands in the place before it.
    async fn check_link(
        &self,
        device: &DeviceAddress,
        link: &ChainLink,
        now: Instant,
    ) -> Result<(), StoreError> {
        let (epoch, seq) = (link.position.epoch, link.position.seq);
        let Some(before) = seq.checked_sub(1) else {
            return Ok(());
        };
        let ids = self
            .store
            .ids_at(device, Position { epoch, seq: before })
            .await?;
        if ids.is_empty() || ids.contains(&link.prev) {
            return Ok(());
        }
        let detail = "it names another statement before it";
        let event = self.event(device, "fork", (epoch, seq, seq), now, detail);
        self.store.add_chain_event(&event).await
    }

    /// The checkpoint that a device has verified must be of this log: a device that was shown
    /// another one says so here, in words that nobody can take back.
    async fn check_seen(
        &self,
        device: &DeviceAddress,
        link: &ChainLink,
        now: Instant,
    ) -> Result<(), StoreError> {
        let kept = self.store.statement(&link.id).await?;
        let statement = kept.and_then(|kept| Statement::parse(kept.bytes).ok());
        let Some((size, root)) = statement.and_then(|statement| statement.payload.seen) else {
            return Ok(());
        };
        let detail = match self.store.root_at(size).await? {
            Some(ours) if ours == root => return Ok(()),
            Some(_) => "the device has seen another log: another root of this size",
            None => {
                "the device has seen another log: a checkpoint of a size that was never signed here"
            }
        };
        let (epoch, seq) = (link.position.epoch, link.position.seq);
        let event = self.event(device, "seen-another", (epoch, seq, seq), now, detail);
        self.store.add_chain_event(&event).await
    }

    /// What filled a gap, and the statement behind it, are checked like any other link.
    async fn check_filled(
        &self,
        device: &DeviceAddress,
        (epoch, from, to): (u64, u64, u64),
        now: Instant,
    ) -> Result<(), StoreError> {
        let start = match from.checked_sub(1) {
            Some(seq) => Some(Position { epoch, seq }),
            None => epoch.checked_sub(1).map(|epoch| Position {
                epoch,
                seq: u64::MAX,
            }),
        };
        let mut after = start;
        loop {
            let links = self.store.links_after(device, after, PAGE).await?;
            for link in &links {
                if link.position.epoch != epoch || link.position.seq > to + 1 {
                    return Ok(());
                }
                self.check_link(device, link, now).await?;
                self.check_seen(device, link, now).await?;
            }
            let Some(last) = links.last() else {
                return Ok(());
            };
            after = Some(last.position);
        }
    }

    /// A device that has not spoken within its heartbeat.
    async fn find_silent(&self, now: Instant) -> Result<(), StoreError> {
        let snapshot = self.gate.snapshot();
        for signed in snapshot.records() {
            let record = &signed.record;
            let speaks = record.role == Role::Capture
                && record.state == State::Active
                && record.heartbeat > 0;
            let Some(device) = record.address().filter(|_| speaks) else {
                continue;
            };
            let Some(heard) = self.store.last_heard(&device).await? else {
                continue;
            };
            if now.since(heard) <= Duration::from_secs(record.heartbeat) {
                continue;
            }
            let Some((at, _)) = self.store.chain_head(&device).await? else {
                continue;
            };
            let known = self.store.chain_events(Some(&device)).await?;
            let same =
                |e: &ChainEvent| e.kind == "silent" && e.epoch == at.epoch && e.from_seq == at.seq;
            if !known.iter().any(same) {
                let place = (at.epoch, at.seq, at.seq);
                let event = self.event(
                    &device,
                    "silent",
                    place,
                    now,
                    "nothing since this statement",
                );
                self.store.add_chain_event(&event).await?;
            }
        }
        Ok(())
    }
}
