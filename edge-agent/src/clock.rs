//! The operating system's clock behind [`schemas::time::Clock`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemas::time::{Clock, Instant, Sleep};

/// Real time, asleep through tokio.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Longest single sleep, so that a step of the system clock is noticed within it.
const SLEEP_MAX: Duration = Duration::from_secs(30);

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(SLEEP_MAX)).await;
            }
        })
    }
}
