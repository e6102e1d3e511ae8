//! What this process is to the log, as the parts that are not the notary see it: whether they may
//! store statements. One process leads, under the fence of its lease; the others take statements and
//! make batches as long as somebody leads (decision 0013).
//!
//! This is only what was last known here. Safety never rests on it: whoever writes hands a [`Pass`]
//! to the store, which compares it with lease and gate in the same transaction.

use std::sync::Arc;

use schemas::time::Instant;
use tokio::sync::watch;

use crate::store::Pass;

/// Standby, leader, or in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stand {
    /// This one has not asked yet, or nobody is known to lead.
    #[default]
    Standby,
    /// Another process leads; this one takes statements and makes batches of them.
    Worker,
    /// Nobody else leads, but too few witnesses have confirmed what the database says of the log.
    Unconfirmed {
        /// How many have.
        confirmed: u64,
        /// How many must.
        needed: u64,
    },
    /// This process writes the log, under this fence.
    Leader {
        /// Fence of its lease.
        fence: u64,
    },
}

impl Stand {
    /// Its word on health pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Worker => "worker",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Leader { .. } => "leader",
        }
    }

    /// The fence to write under.
    #[must_use]
    pub const fn fence(self) -> Option<u64> {
        match self {
            Self::Leader { fence } => Some(fence),
            _ => None,
        }
    }
}

/// The stand, shared; clones are the same.
#[derive(Clone, Debug)]
pub struct Standing(Arc<watch::Sender<Stand>>);

impl Default for Standing {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Stand::default())))
    }
}

impl Standing {
    /// As last known.
    #[must_use]
    pub fn now(&self) -> Stand {
        *self.0.borrow()
    }

    /// The fence to write under, if this process leads.
    #[must_use]
    pub fn fence(&self) -> Option<u64> {
        self.now().fence()
    }

    /// The conditions for storing what was checked against a registry version; `None` while nobody
    /// leads, as far as is known here.
    #[must_use]
    pub fn pass(&self, version: u64, now: Instant, shard: u64) -> Option<Pass> {
        let fence = match self.now() {
            Stand::Leader { fence } => Some(fence),
            Stand::Worker => None,
            Stand::Standby | Stand::Unconfirmed { .. } => return None,
        };
        Some(Pass {
            version,
            fence,
            now,
            shard,
        })
    }

    /// True while somebody leads, as far as is known here.
    #[must_use]
    pub fn is_led(&self) -> bool {
        matches!(self.now(), Stand::Leader { .. } | Stand::Worker)
    }

    /// Waits for a change.
    pub async fn changed(&self, from: Stand) {
        self.until(|stand| stand != from).await;
    }

    /// Says what it is now; whoever waits for a change wakes.
    pub(crate) fn set(&self, stand: Stand) {
        let leads = f64::from(u8::from(stand.fence().is_some()));
        metrics::gauge!("tracebond_log_leader").set(leads);
        let before = self.0.send_replace(stand);
        if before != stand {
            tracing::info!(before = before.word(), now = stand.word(), "the log");
        }
    }

    /// The store has refused this pass: whoever led under its fence leads no more.
    pub(crate) fn refused(&self, pass: &Pass) {
        if pass.fence.is_some() && self.fence() == pass.fence {
            self.set(Stand::Standby);
        }
    }

    /// Waits until this process leads.
    pub async fn leading(&self) {
        self.until(|stand| stand.fence().is_some()).await;
    }

    /// Waits until this process does not lead, or leads under another fence.
    pub async fn lost(&self, fence: u64) {
        self.until(|stand| stand.fence() != Some(fence)).await;
    }

    async fn until(&self, holds: impl Fn(Stand) -> bool) {
        let mut seen = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = seen.wait_for(|stand| holds(*stand)).await;
    }
}
