//! How often the writer commits: a commit writes several pages and waits for the disk, whatever it
//! holds.
//!
//! The first commits come at once; who goes on with small ones gets one each 100 ms, in which what
//! has come meanwhile shares it. A commit of 64 events does not wait.

use std::time::Duration;

use tokio::time::Instant;

/// Time of one commit where many follow each other.
pub(super) const WINDOW: Duration = Duration::from_millis(100);
/// Commits that may come at once after a quiet time.
const BURST: u32 = 32;

/// Counts commits: a bucket that holds [`BURST`] and is filled by one each [`WINDOW`].
#[derive(Debug)]
pub(super) struct Pace {
    /// When the bucket will be full, if nothing more is taken.
    full_at: Instant,
}

impl Pace {
    pub fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// How long until there is a commit to be had.
    pub fn wait(&self, now: Instant) -> Duration {
        let behind = self.full_at.saturating_duration_since(now) + WINDOW;
        behind.saturating_sub(WINDOW * BURST)
    }

    pub fn spend(&mut self, now: Instant) {
        // Who commits without waiting borrows one window and no more.
        let most = now + WINDOW * BURST;
        self.full_at = (self.full_at.max(now) + WINDOW).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_at_once_and_then_each_window_has_one() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..BURST {
            assert_eq!(pace.wait(start), Duration::ZERO);
            pace.spend(start);
        }
        assert_eq!(pace.wait(start), WINDOW);
        assert_eq!(pace.wait(start + WINDOW), Duration::ZERO);
        pace.spend(start + WINDOW);
        assert_eq!(pace.wait(start + WINDOW), WINDOW);
        let quiet = start + WINDOW * BURST * 2;
        assert_eq!(pace.wait(quiet), Duration::ZERO);
    }
}
