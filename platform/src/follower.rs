//! Reads every device's chain behind the write path (`DESIGN.md` section 5): shared subscriptions
//! and catching up reorder, so order is judged here, with patience, and never at the door.
//!
//! A missing statement is a gap after a grace period; it is closed when it is filled. The period
//! begins again with each statement that comes in its place: a device that catches up sends new
//! statements beside its backlog (decision record 0016), and what is on its way is no gap. A link that
//! does not fit is a fork; two ids in one place are written down as one by the store, in the very
//! transaction that takes the second. A device that does not speak within its heartbeat is silent
//! until it does. All are rows that nobody can erase.
//!
//! New statements are found in the batches of the log, in its order: so it is one stream, whichever
//! process stored them, and how far it was read is one number in the database. A round costs what
//! came since the last one, not what there is. Devices of which something is missing are kept in
//! memory until its time is over; a process that begins to lead finds them again.
//!
//! - `judge`: how a link stands to what was read before it
//! - `walk`: one chain, read on from its head
//! - `late`: what comes behind the head, and the closing of gaps
//! - `silence`: who has not spoken

mod judge;
mod late;
mod silence;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::{Clock, Instant};
use tokio_util::sync::CancellationToken;

use crate::ingest::Wake;
use crate::metrics::timed;
use crate::registry::Gate;
use crate::standing::Standing;
use crate::store::chains::{ChainAdvance, ChainHead, LoggedLink};
use crate::store::{ChainEvent, ChainLink, Store, StoreError};
use walk::{Ended, Walk};

/// Links, heads, gaps or devices read at once.
const PAGE: u32 = 1_000;
/// Batches read at once.
const BATCHES: u32 = 8;
/// A device that sends its backlog beside what is new has at most this long for what is between,
/// from the first statement behind it on; each place of it within the grace after the one before.
const CATCH_UP_MAX: Duration = Duration::from_secs(3_600);
/// Longest time between two rounds, so that grace periods end without new statements.
const ROUND: Duration = Duration::from_secs(1);
/// Shortest one: what comes meanwhile is read together.
const PAUSE: Duration = Duration::from_millis(200);
/// Roots of the log that are remembered: devices name the newest ones.
const ROOTS: usize = 1_000;
/// Devices that are waited for, at most. Those beyond are found again when all are looked through.
const WAITING: usize = 100_000;
/// After this all chains are looked through again, should anything have been passed over.
const ALL_AGAIN: Duration = Duration::from_secs(3_600);

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

/// What is remembered between rounds. All of it can be found again.
#[derive(Debug)]
pub struct Reading {
    /// Under which fence it began.
    fence: Option<u64>,
    /// Batches below this place of the log have been read.
    read: u64,
    /// Devices of which something is missing, and until when it may come.
    waiting: BTreeMap<DeviceAddress, Instant>,
    roots: BTreeMap<u64, Option<Hash>>,
    /// Where looking for silent devices goes on.
    watched: Option<DeviceAddress>,
    /// When all chains were looked through.
    all: Instant,
    /// When silent devices were looked for.
    silence: Option<Instant>,
}

impl Reading {
    async fn root_at(&mut self, store: &dyn Store, size: u64) -> Result<Option<Hash>, StoreError> {
        if let Some(root) = self.roots.get(&size) {
            return Ok(*root);
        }
        let root = store.root_at(size).await?;
        if self.roots.len() == ROOTS {
            self.roots.pop_first();
        }
        // A size that is not signed yet may be so later.
        if root.is_some() {
            self.roots.insert(size, root);
        }
        Ok(root)
    }

    fn wait(&mut self, device: &DeviceAddress, until: Option<Instant>) {
        match until {
            Some(until) if self.waiting.len() < WAITING => {
                self.waiting.insert(device.clone(), until);
            }
            _ => {
                self.waiting.remove(device);
            }
        }
    }
}

impl Follower {
    /// Runs until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut reading = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.follower.notified() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
            reading = self.go_on(reading.take()).await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn go_on(&self, reading: Option<Reading>) -> Option<Reading> {
        self.standing.fence()?;
        match timed("follow", self.next(reading)).await {
            Ok(reading) => Some(reading),
            Err(error) => {
                tracing::error!(
                    error = causes(&error),
                    "chains could not be followed; trying again"
                );
                None
            }
        }
    }

    /// One round after another: what has come since the one that left this reading. Without one,
    /// or under another fence than it began under, everything is looked through first.
    ///
    /// # Errors
    /// [`StoreError`]; the next round, with or without a reading, goes on where this one ended.
    pub async fn next(&self, reading: Option<Reading>) -> Result<Reading, StoreError> {
        let fence = self.standing.fence();
        match reading.filter(|reading| reading.fence == fence) {
            Some(mut reading) => self.turn(&mut reading).await.map(|()| reading),
            None => self.begin().await,
        }
    }

    /// Follows every chain as far as it goes now, whether it is in the log or not.
    ///
    /// # Errors
    /// [`StoreError`]; the next round goes on where this one ended.
    pub async fn round(&self) -> Result<(), StoreError> {
        self.begin().await.map(drop)
    }

    async fn begin(&self) -> Result<Reading, StoreError> {
        let now = self.clock.now();
        let read = match self.store.chains_read().await? {
            Some(read) => read,
            None => self.store.log_head().await?.map_or(0, |(size, _)| size),
        };
        let mut reading = Reading {
            fence: self.standing.fence(),
            read,
            waiting: BTreeMap::new(),
            roots: BTreeMap::new(),
            watched: None,
            all: now,
            silence: None,
        };
        metrics::gauge!("tracebond_followed_size").set(read as f64);
        self.look_through(&mut reading, now).await?;
        self.turn(&mut reading).await?;
        Ok(reading)
    }

    /// What has come since the last turn, what had its time since, and who is silent.
    async fn turn(&self, reading: &mut Reading) -> Result<(), StoreError> {
        let now = self.clock.now();
        loop {
            let links = self.store.links_logged(reading.read, BATCHES).await?;
            let Some(last) = links.last() else { break };
            let read = last.log_index + 1;
            self.take(links, read, reading, now).await?;
            reading.read = read;
            metrics::gauge!("tracebond_followed_size").set(read as f64);
        }
        metrics::gauge!("tracebond_devices_waited_for").set(reading.waiting.len() as f64);
        let due = reading.waiting.iter().filter(|(_, until)| **until <= now);
        let due: Vec<DeviceAddress> = due.map(|(device, _)| device.clone()).collect();
        self.follow_stored(&due, reading, now).await?;
        if reading.silence.is_none_or(|last| now.since(last) >= ROUND) {
            reading.watched = self.find_silent(reading.watched.take(), now).await?;
            reading.silence = Some(now);
        }
        if now.since(reading.all) >= ALL_AGAIN {
            self.look_through(reading, now).await?;
            reading.all = now;
        }
        Ok(())
    }

    /// Takes what stands in a few batches of the log.
    async fn take(
        &self,
        logged: Vec<LoggedLink>,
        read: u64,
        reading: &mut Reading,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut chains: BTreeMap<DeviceAddress, Vec<ChainLink>> = BTreeMap::new();
        for one in logged {
            chains.entry(one.device).or_default().push(one.link);
        }
        let devices: Vec<DeviceAddress> = chains.keys().cloned().collect();
        let mut heads = self.heads_of(&devices).await?;
        let mut advance = ChainAdvance::default();
        let mut holes = Vec::new();
        for (device, mut links) in chains {
            links.sort_by_key(|link| (link.position, link.id));
            let kept = heads.remove(&device);
            let mut walk = Walk::from(device, kept.as_ref(), now);
            let passed = links.partition_point(|link| Some(link.position) <= walk.position());
            for link in &links {
                walk.hear(self, link.received);
            }
            self.look_back(&mut walk, &links[..passed], reading).await?;
            let whole = if reading.waiting.contains_key(&walk.device) {
                Ended::Waiting(now)
            } else {
                self.walk(&mut walk, &links[passed..], false, reading)
                    .await?
            };
            match whole {
                Ended::Through => {}
                Ended::Waiting(until)
                    if until > now && !reading.waiting.contains_key(&walk.device) =>
                {
                    reading.wait(&walk.device, Some(until));
                }
                Ended::Waiting(_) => holes.push(walk.device.clone()),
            }
            walk.settle(&mut advance);
        }
        advance.read = Some(read);
        self.store.advance_chains(&advance).await?;
        self.follow_stored(&holes, reading, now).await
    }

    async fn heads_of(
        &self,
        devices: &[DeviceAddress],
    ) -> Result<BTreeMap<DeviceAddress, ChainHead>, StoreError> {
        let heads = self.store.chain_heads(devices).await?;
        let named = heads.into_iter().map(|head| (head.device.clone(), head));
        Ok(named.collect())
    }

    /// Follows chains by all that the store has of them, in the log or not.
    async fn follow_stored(
        &self,
        devices: &[DeviceAddress],
        reading: &mut Reading,
        now: Instant,
    ) -> Result<(), StoreError> {
        for some in devices.chunks(PAGE as usize) {
            let mut heads = self.heads_of(some).await?;
            let mut advance = ChainAdvance::default();
            for device in some {
                let mut walk = Walk::from(device.clone(), heads.remove(device).as_ref(), now);
                let until = self.follow_chain(&mut walk, &mut advance, reading).await?;
                reading.wait(device, until);
            }
            self.store.advance_chains(&advance).await?;
        }
        Ok(())
    }

    /// Follows one chain to its end; until when it waits, if it does.
    async fn follow_chain(
        &self,
        walk: &mut Walk,
        advance: &mut ChainAdvance,
        reading: &mut Reading,
    ) -> Result<Option<Instant>, StoreError> {
        loop {
            let links = self
                .store
                .links_after(&walk.device, walk.position(), PAGE)
                .await?;
            let ended = self.walk(walk, &links, true, reading).await?;
            walk.settle(advance);
            match ended {
                Ended::Waiting(until) => return Ok(Some(until)),
                Ended::Through if links.len() < PAGE as usize => return Ok(None),
                // A long way: what was found so far is written, so that memory stays flat.
                Ended::Through => {
                    self.store.advance_chains(&std::mem::take(advance)).await?;
                }
            }
        }
    }

    /// Looks through all devices of the registry and all open gaps, for what came while nobody
    /// followed.
    async fn look_through(&self, reading: &mut Reading, now: Instant) -> Result<(), StoreError> {
        let snapshot = self.gate.snapshot();
        let mut after = None;
        loop {
            let devices: Vec<DeviceAddress> = snapshot
                .devices_after(after.as_ref())
                .take(PAGE as usize)
                .collect();
            let Some(last) = devices.last() else { break };
            let behind = self.store.behind(&devices).await?;
            self.follow_stored(&behind, reading, now).await?;
            after = Some(last.clone());
        }
        let mut after: Option<ChainEvent> = None;
        loop {
            let gaps = self.store.open_gaps_after(after.as_ref(), PAGE).await?;
            let mut advance = ChainAdvance::default();
            for gap in &gaps {
                let mut walk = Walk::from(gap.device.clone(), None, now);
                let seqs = (gap.from_seq, gap.to_seq);
                if self.close(&mut walk, gap.epoch, seqs).await? {
                    self.check_filled(&mut walk, gap.epoch, seqs, reading)
                        .await?;
                }
                walk.settle(&mut advance);
            }
            self.store.advance_chains(&advance).await?;
            let Some(last) = gaps.into_iter().next_back() else {
                return Ok(());
            };
            after = Some(last);
        }
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
}
