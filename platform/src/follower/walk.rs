//! One device's chain, read on from its head.

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::{Position, Statement};
use schemas::time::Instant;

use super::judge::{Judged, judge};
use super::late::before;
use super::{CATCH_UP_MAX, Follower, Reading};
use crate::store::chains::{ChainAdvance, ChainHead, MISSING};
use crate::store::{ChainEvent, ChainLink, StoreError};

/// Where a walk along a chain is, and what it has found.
pub(super) struct Walk {
    pub(super) device: DeviceAddress,
    pub(super) now: Instant,
    head: Option<(Position, Hash)>,
    /// Ids that are known in the head's place.
    ids: Vec<Hash>,
    heard: Option<Instant>,
    /// When the head came, if this walk has passed it.
    came: Option<Instant>,
    /// The place of a silence that nothing has ended.
    silent: Option<Position>,
    moved: bool,
    events: Vec<ChainEvent>,
}

impl Walk {
    /// From the kept head on.
    pub(super) fn from(device: DeviceAddress, kept: Option<&ChainHead>, now: Instant) -> Self {
        let open = kept.filter(|head| head.silent && !head.ended);
        Self {
            device,
            now,
            head: kept.map(|head| (head.position, head.id)),
            ids: kept.map(|head| head.id).into_iter().collect(),
            heard: kept.and_then(|head| head.heard),
            came: None,
            silent: open.map(|head| head.position),
            moved: false,
            events: Vec::new(),
        }
    }

    /// The place of the head.
    pub(super) fn position(&self) -> Option<Position> {
        self.head.map(|(at, _)| at)
    }

    /// A row about this chain.
    pub(super) fn add(
        &mut self,
        follower: &Follower,
        kind: &str,
        place: (u64, u64, u64),
        detail: &str,
    ) {
        let event = follower.event(&self.device, kind, place, self.now, detail);
        self.events.push(event);
    }

    /// The device has spoken: that ends its silence.
    pub(super) fn hear(&mut self, follower: &Follower, received: Instant) {
        if self.heard.is_none_or(|heard| heard < received) {
            self.heard = Some(received);
            self.moved = true;
        }
        if let Some(at) = self.silent.take() {
            let place = (at.epoch, at.seq, at.seq);
            self.add(follower, "silence-ended", place, "the device speaks again");
        }
    }

    fn go_to(&mut self, link: &ChainLink) {
        self.head = Some((link.position, link.id));
        self.ids = vec![link.id];
        self.came = Some(link.received);
        self.moved = true;
    }

    /// Puts what was found, and the head if it has moved, to what is to be written.
    pub(super) fn settle(&mut self, advance: &mut ChainAdvance) {
        advance.events.append(&mut self.events);
        let Some((position, id)) = self.head.filter(|_| std::mem::take(&mut self.moved)) else {
            return;
        };
        advance.heads.push(ChainHead {
            device: self.device.clone(),
            position,
            id,
            heard: self.heard,
            silent: false,
            ended: false,
        });
    }
}

/// What ended a walk.
pub(super) enum Ended {
    /// Every link has been passed.
    Through,
    /// Something before the next link is not there.
    Waiting(Instant),
}

impl Follower {
    /// Passes links in order. `is_all` says that they are all there are: only then a hole that had
    /// its time is a gap.
    pub(super) async fn walk(
        &self,
        walk: &mut Walk,
        links: &[ChainLink],
        is_all: bool,
        reading: &mut Reading,
    ) -> Result<Ended, StoreError> {
        for link in links {
            walk.hear(self, link.received);
            match judge(walk.head, link, self.grace, walk.now) {
                Judged::Waits(due) => return Ok(Ended::Waiting(due)),
                Judged::Jumps(_) if !is_all => return Ok(Ended::Waiting(walk.now)),
                Judged::Jumps(holes) => {
                    if let Some(until) = self.catches_up(walk, link).await? {
                        return Ok(Ended::Waiting(until));
                    }
                    for hole in holes {
                        let place = (link.position.epoch, hole.from, hole.to);
                        walk.add(self, "gap-opened", place, hole.detail);
                        if hole.detail == MISSING {
                            metrics::counter!("tracebond_gaps_total").increment(1);
                        }
                    }
                    walk.go_to(link);
                }
                Judged::Follows => {
                    let known = std::mem::take(&mut walk.ids);
                    self.check_link(walk, link, &known).await?;
                    walk.go_to(link);
                }
                Judged::Beside => {
                    walk.ids.push(link.id);
                }
            }
            self.check_seen(walk, link, reading).await?;
        }
        Ok(Ended::Through)
    }

    /// Until when what is missing before `link` may still come, if the place before it was filled
    /// within the grace.
    async fn catches_up(
        &self,
        walk: &mut Walk,
        link: &ChainLink,
    ) -> Result<Option<Instant>, StoreError> {
        let same = |at: &Position| at.epoch == link.position.epoch && at.seq < link.position.seq;
        let Some(at) = walk.position().filter(same) else {
            return Ok(None);
        };
        let came = match walk.came {
            Some(came) => Some(came),
            None => {
                let links = self.store.links_after(&walk.device, before(at), 1).await?;
                let first = links.into_iter().find(|link| link.position == at);
                first.map(|link| link.received)
            }
        };
        let until = came.map(|came| came.plus(self.grace).min(link.received.plus(CATCH_UP_MAX)));
        Ok(until.filter(|until| *until > walk.now))
    }

    /// A statement must name one that stands in the place before it. `known` are ids of that place;
    /// there may be more in the store.
    pub(super) async fn check_link(
        &self,
        walk: &mut Walk,
        link: &ChainLink,
        known: &[Hash],
    ) -> Result<(), StoreError> {
        if link.position.seq == 0 || known.contains(&link.prev) {
            return Ok(());
        }
        let ids = self.ids_before(&walk.device, link.position).await?;
        if !ids.is_empty() && !ids.contains(&link.prev) {
            let Position { epoch, seq } = link.position;
            let detail = "it names another statement before it";
            walk.add(self, "fork", (epoch, seq, seq), detail);
        }
        Ok(())
    }

    /// The checkpoint that a device has verified must be of this log: a device that was shown
    /// another one says so here, in words that nobody can take back.
    pub(super) async fn check_seen(
        &self,
        walk: &mut Walk,
        link: &ChainLink,
        reading: &mut Reading,
    ) -> Result<(), StoreError> {
        let statement = Statement::parse(link.bytes.clone()).ok();
        let Some((size, root)) = statement.and_then(|statement| statement.payload.seen) else {
            return Ok(());
        };
        let detail = match reading.root_at(&*self.store, size).await? {
            Some(ours) if ours == root => return Ok(()),
            Some(_) => "the device has seen another log: another root of this size",
            None => {
                "the device has seen another log: a checkpoint of a size that was never signed here"
            }
        };
        let Position { epoch, seq } = link.position;
        walk.add(self, "seen-another", (epoch, seq, seq), detail);
        Ok(())
    }
}
