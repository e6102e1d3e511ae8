//! A clock that only the test moves.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use schemas::time::{Clock, Instant, Sleep};

/// Stands still until it is moved.
pub struct HandClock(AtomicI64);

impl HandClock {
    /// 2026-07-11T06:00:00+08:00.
    pub fn morning() -> Self {
        Self(AtomicI64::new(1_783_720_800_000_000))
    }

    /// Moves it back, as somebody does who wants to be in the past.
    pub fn go_back(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.0.fetch_sub(micros, Ordering::SeqCst);
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }

    /// Whoever sleeps moves it to where they want to wake.
    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(async move {
            self.0.fetch_max(at.as_micros(), Ordering::SeqCst);
        })
    }
}
