//! A clock that runs, from where a test begins, and that the test may move on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use schemas::time::{Clock, Instant, Sleep};

/// Whoever sleeps really waits: nothing that sleeps in a loop makes sessions run out.
pub struct RunningClock {
    start: Instant,
    since: std::time::Instant,
    moved: AtomicI64,
}

impl RunningClock {
    /// Begins at this instant.
    pub fn from(start: Instant) -> Self {
        Self {
            start,
            since: std::time::Instant::now(),
            moved: AtomicI64::new(0),
        }
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.moved.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for RunningClock {
    fn now(&self) -> Instant {
        let ran = i64::try_from(self.since.elapsed().as_micros()).unwrap();
        let moved = self.moved.load(Ordering::SeqCst);
        Instant::from_micros(self.start.as_micros() + ran + moved)
    }

    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(at.since(self.now())))
    }
}
