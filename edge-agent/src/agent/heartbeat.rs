//! A device that has nothing to say still says that it lives.

use std::sync::Arc;
use std::time::Duration;

use schemas::time::{Clock, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::set_back;
use crate::outbox::Outbox;
use crate::status::Status;

/// An outbox that does not take a heartbeat is tried again, not hammered.
const SPEAK_AGAIN: Duration = Duration::from_millis(500);

/// Speaks when nothing was said for half a heartbeat.
pub(super) struct Heartbeat {
    outbox: Outbox,
    status: watch::Receiver<Status>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    started: Instant,
}

impl Heartbeat {
    /// Counts from now, before its task first runs: moved time must not overtake it.
    pub(super) fn new(outbox: Outbox, clock: Arc<dyn Clock>, interval: Duration) -> Self {
        let (status, started) = (outbox.status(), clock.now());
        Self {
            outbox,
            status,
            clock,
            interval,
            started,
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let half = self.interval / 2;
        // A little after sources that are due at the same instant, so that they speak for it.
        let grace = (half / 8).min(Duration::from_secs(1));
        loop {
            // Of a clock that was set back nothing counts that it had shown.
            self.started = self.started.min(self.clock.now());
            let last = self.last();
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.clock.sleep_until(last + half + grace) => {}
                () = set_back(&*self.clock, last) => {}
            }
            if self.last() == last {
                self.speak(last).await;
            }
            // While the key is being changed nothing is said.
            if self.last() == last {
                tokio::time::sleep(SPEAK_AGAIN).await;
            }
        }
    }

    fn last(&self) -> Instant {
        self.status
            .borrow()
            .last_said
            .unwrap_or(self.started)
            .max(self.started)
    }

    async fn speak(&self, since: Instant) {
        if let Err(error) = self.outbox.heartbeat(since).await {
            tracing::warn!(%error, "no heartbeat");
        }
    }
}
