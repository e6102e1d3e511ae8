//! The clocks of a run: one that only the run moves, and those of devices, which may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use schemas::time::{Clock, Instant, Sleep};

/// 2026-07-11T06:00:00+08:00.
const MORNING: i64 = 1_783_720_800_000_000;

/// Stands still until it is moved.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    /// A clock at the beginning of every run.
    #[must_use]
    pub fn morning() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(MORNING)))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or_default();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// How long the run has lasted.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now().since(Instant::from_micros(MORNING))
    }
}

impl Clock for HandClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }

    /// Nobody who is called by the run sleeps on it for its own sake: whoever would is woken at the
    /// next look, when the run has moved on.
    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(async move {
            while self.now() < at {
                tokio::task::yield_now().await;
            }
        })
    }
}

/// A device's clock: the run's, and how wrong it is.
#[derive(Debug)]
pub struct DeviceClock {
    true_time: Arc<HandClock>,
    wrong_by: AtomicI64,
}

impl DeviceClock {
    /// A clock that is right.
    #[must_use]
    pub fn right(true_time: Arc<HandClock>) -> Arc<Self> {
        let wrong_by = AtomicI64::new(0);
        Arc::new(Self {
            true_time,
            wrong_by,
        })
    }

    /// It is wrong by this from now on.
    pub fn jump(&self, seconds: i64) {
        self.wrong_by
            .store(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}

impl Clock for DeviceClock {
    fn now(&self) -> Instant {
        let wrong_by = self.wrong_by.load(Ordering::SeqCst);
        Instant::from_micros(self.true_time.now().as_micros().saturating_add(wrong_by))
    }

    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(async move {
            while self.now() < at {
                tokio::task::yield_now().await;
            }
        })
    }
}
