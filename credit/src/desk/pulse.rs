//! What tells an open page that something has happened: a head that changes with every decision,
//! refused read and row of the trail, whichever process wrote it.

use std::sync::Arc;
use std::time::Duration;

use schemas::hash::{Hash, sha256_parts};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::MissedTickBehavior;

use super::{Desk, DeskError};
use crate::store::StoreError;

/// Pages that are kept up to date at once; further ones work without.
pub const WATCHERS_MAX: usize = 64;

/// How often a watcher looks: three small reads by index.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// Longest life of one watch: a session's idle time. Whoever is still there asks again.
const WATCHES_FOR: Duration = Duration::from_secs(30 * 60);

/// One open page that wants to know of changes.
pub struct Watch {
    desk: Arc<Desk>,
    seen: Option<Hash>,
    ticks: tokio::time::Interval,
    ends: tokio::time::Instant,
    _room: OwnedSemaphorePermit,
}

impl Desk {
    /// Names everything that the desk's pages show as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn head(&self) -> Result<Hash, StoreError> {
        let store = self.credit.store();
        let row = store.newest(None, None, 1).await?;
        let decision = store.list(0, 1).await?;
        let refused = store.undecided(1).await?;
        let row = row.first().map_or(Hash::ZERO, crate::audit::Row::hash);
        let decision = decision.first().map_or("", |one| &one.decision_id);
        let refused = refused.first().map_or_else(String::new, |one| {
            format!("{} {}", one.application_id, one.refused_at)
        });
        let parts: [&[u8]; 5] = [
            row.as_bytes(),
            decision.as_bytes(),
            b"\n",
            refused.as_bytes(),
            b"\n",
        ];
        Ok(sha256_parts(&parts))
    }

    /// Watches from a head that a page has shown; none while too many watch.
    #[must_use]
    pub fn watch(self: &Arc<Self>, seen: Option<Hash>) -> Option<Watch> {
        let room = Arc::clone(&self.watchers).try_acquire_owned().ok()?;
        let mut ticks = tokio::time::interval(LOOKS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(Watch {
            desk: Arc::clone(self),
            seen,
            ticks,
            ends: tokio::time::Instant::now() + WATCHES_FOR,
            _room: room,
        })
    }
}

impl Watch {
    /// The next head that is not the one seen last; none once the service stops or the watch has
    /// lived long enough.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn next(&mut self) -> Result<Option<Hash>, DeskError> {
        let desk = Arc::clone(&self.desk);
        loop {
            tokio::select! {
                () = desk.closing.cancelled() => return Ok(None),
                () = tokio::time::sleep_until(self.ends) => return Ok(None),
                _ = self.ticks.tick() => {}
            }
            let head = desk.head().await?;
            if self.seen != Some(head) {
                self.seen = Some(head);
                return Ok(Some(head));
            }
        }
    }
}
