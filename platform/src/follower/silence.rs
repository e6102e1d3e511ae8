//! Devices that have not spoken within their heartbeat.

use std::time::Duration;

use schemas::ids::DeviceAddress;
use schemas::time::Instant;

use super::{Follower, PAGE};
use crate::registry::Snapshot;
use crate::store::StoreError;
use crate::store::chains::{ChainAdvance, ChainHead};

/// Heads looked at in one round, in pages: with fewer devices than this, every one of them.
const PAGES: usize = 5;

impl Follower {
    /// Looks at the devices behind `from` and writes down who is silent; where the next round goes
    /// on. Silence and its end are a row each; one that lasts is not written again.
    pub(super) async fn find_silent(
        &self,
        mut from: Option<DeviceAddress>,
        now: Instant,
    ) -> Result<Option<DeviceAddress>, StoreError> {
        let snapshot = self.gate.snapshot();
        for _ in 0..PAGES {
            let heads = self.store.heads_after(from.as_ref(), PAGE).await?;
            let is_last = heads.len() < PAGE as usize;
            from = heads.last().map(|head| head.device.clone());
            let mut advance = ChainAdvance::default();
            for head in heads {
                if self.is_silent(&snapshot, &head, now).await? {
                    let place = (head.position.epoch, head.position.seq, head.position.seq);
                    let detail = "nothing since this statement";
                    let event = self.event(&head.device, "silent", place, now, detail);
                    advance.events.push(event);
                }
            }
            if !advance.events.is_empty() {
                self.store.advance_chains(&advance).await?;
            }
            if is_last {
                return Ok(None);
            }
        }
        Ok(from)
    }

    /// Whether silence begins to count now.
    async fn is_silent(
        &self,
        snapshot: &Snapshot,
        head: &ChainHead,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let is_late = |heard: Instant, heartbeat| now.since(heard) > Duration::from_secs(heartbeat);
        let Some(signed) = snapshot
            .active_capture(&head.device)
            .filter(|_| !head.silent)
        else {
            return Ok(false);
        };
        let heartbeat = signed.record.heartbeat;
        if heartbeat == 0 || head.heard.is_some_and(|heard| !is_late(heard, heartbeat)) {
            return Ok(false);
        }
        // The head is of what is in the log: what has come and waits for its batch was heard too.
        let heard = self.store.last_heard(&head.device).await?;
        Ok(heard
            .max(head.heard)
            .is_some_and(|heard| is_late(heard, heartbeat)))
    }
}
