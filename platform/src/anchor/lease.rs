//! The lease on the log: who may write it, and until when (decision 0010).
//!
//! Time decides only who may try. What is written carries the fence of the lease, which the store
//! compares in the same transaction; clocks that differ or processes that were paused can make the
//! log wait, never fork.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemas::causes::causes;
use schemas::time::{Clock, Instant};

use super::NotaryError;
use crate::store::NotaryStore;

/// Name of the lease on the log.
pub const LOG: &str = "log";
/// Longest wait before a renewal that the store did not answer is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The lease as this process has it.
pub struct Lease {
    store: Arc<dyn NotaryStore>,
    clock: Arc<dyn Clock>,
    name: String,
    holder: String,
    time: Duration,
    held: Mutex<Held>,
}

#[derive(Clone, Copy, Default)]
struct Held {
    fence: u64,
    until: Instant,
}

impl Lease {
    /// Not taken yet. `holder` is this process alone, never another one or a later start: two that
    /// hold under one name would have one fence.
    #[must_use]
    pub fn new(
        store: Arc<dyn NotaryStore>,
        clock: Arc<dyn Clock>,
        name: &str,
        holder: String,
        time: Duration,
    ) -> Self {
        let (name, held) = (name.to_owned(), Mutex::default());
        Self {
            store,
            clock,
            name,
            holder,
            time,
            held,
        }
    }

    /// Fence of the lease as last taken; 0 before.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.held().fence
    }

    /// How long it lasts.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// Whether the time for which it was taken is over, as far as is known here.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.held().until <= self.clock.now()
    }

    /// Takes or renews it.
    ///
    /// # Errors
    /// [`NotaryError::Leased`] while another holds it; [`NotaryError::Store`].
    pub async fn take(&self) -> Result<(), NotaryError> {
        let now = self.clock.now();
        let until = now + self.time;
        let taken = self.store.take_lease(&self.name, &self.holder, now, until);
        let fence = taken.await?.ok_or(NotaryError::Leased)?;
        *self.held() = Held { fence, until };
        Ok(())
    }

    /// Renews it once a third of its time is over.
    ///
    /// # Errors
    /// As [`Self::take`]; also [`NotaryError::Leased`] where it was never taken, or given back, or
    /// where the renewal has another fence: then another process has written in between, and what
    /// is known here may be old.
    pub async fn renew(&self) -> Result<(), NotaryError> {
        let Held { fence, until } = *self.held();
        if fence == 0 {
            return Err(NotaryError::Leased);
        }
        if self.clock.now() + self.time * 2 / 3 < until {
            return Ok(());
        }
        self.take().await?;
        if self.fence() != fence {
            return Err(NotaryError::Leased);
        }
        Ok(())
    }

    /// Renews it in time until it is lost, in real time and beside all other work. Returns only
    /// when it is lost.
    pub(super) async fn keep(&self) -> NotaryError {
        let mut wait = self.time / 3;
        loop {
            tokio::time::sleep(wait).await;
            wait = match self.renew().await {
                Ok(()) => self.time / 3,
                Err(NotaryError::Store(error)) => {
                    tracing::warn!(error = causes(&error), "the lease was not renewed yet");
                    AGAIN.min(self.time / 3)
                }
                Err(lost) => return lost,
            };
        }
    }

    /// Gives it back, so that another process need not wait for its end. Says so if that fails:
    /// then it ends by itself.
    pub(crate) async fn release(&self) {
        *self.held() = Held::default();
        if let Err(error) = self.store.release_lease(&self.name, &self.holder).await {
            tracing::warn!(
                error = causes(&error),
                lease = self.name,
                "the lease was not given back"
            );
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the leases of a holder that is known to be gone.
pub(crate) async fn release(store: &dyn NotaryStore, holder: &str) {
    if let Err(error) = store.release_leases(holder).await {
        tracing::warn!(error = causes(&error), "leases were not given back");
    }
}
