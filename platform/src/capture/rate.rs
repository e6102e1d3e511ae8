//! How much a caller may send: a bucket of documents that fills with time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemas::time::Instant;

/// Documents a minute, and at most at once after a rest.
pub const PER_MINUTE: u32 = 600;

/// Time in which one more may be sent.
const EACH: Duration = Duration::from_micros(60_000_000 / PER_MINUTE as u64);

/// A caller's bucket: the instant from which it would be full again.
#[derive(Debug, Default)]
pub(super) struct Bucket(Mutex<Instant>);

impl Bucket {
    /// Takes one if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*full_at).max(now) + EACH;
        let fits = next.since(now) <= EACH * PER_MINUTE;
        if fits {
            *full_at = next;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_then_one_by_one() {
        let bucket = Bucket::default();
        let now = Instant::from_seconds(1_000_000);
        assert!((0..PER_MINUTE).all(|_| bucket.take(now)));
        assert!(!bucket.take(now));
        assert!(bucket.take(now + EACH));
        assert!(!bucket.take(now + EACH));
        assert!(bucket.take(now + Duration::from_secs(120)));
    }
}
