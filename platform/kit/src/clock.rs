//! The one place where domain time meets the wall clock and tokio's timers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemas::time::{Clock, Instant, Sleep};

/// The longest single wait, so that a wall clock that is set back or forward meanwhile is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The system's clock in whole microseconds. Sleeping needs a tokio runtime with timers.
///
/// It follows the wall clock: when an administrator moves that, a sleeper wakes at most a second
/// late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokioClock;

impl Clock for TokioClock {
    /// Now. A clock before 1970 or after the year 292,000 counts as 1970.
    fn now(&self) -> Instant {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or_default())
    }

    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_WAIT)).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_instant_has_come() {
        let clock = TokioClock;
        let at = clock.now() + Duration::from_millis(20);
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
        clock.sleep_until(at).await;
    }

    #[test]
    fn now_is_this_century() {
        assert!(TokioClock.now() > Instant::parse_rfc3339("2026-01-01T00:00:00Z").unwrap());
    }
}
