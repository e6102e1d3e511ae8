//! How often log-in may be tried.
//!
//! Guesses count against the account and against all accounts together. A browser that has been
//! logged in to the account before (it holds a cookie that only this process can have made) counts
//! by itself: so strangers who guess can slow down strangers, never the people who work here.
//! Counts live in this process, by its clock; a service of several processes has as many times the
//! tries.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemas::ids::Slug;
use schemas::time::Instant;

/// Tries are counted over this time.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failed tries for one account from unknown browsers within [`WINDOW`].
pub const TRIES_ACCOUNT: usize = 10;
/// Failed tries of one known browser within [`WINDOW`].
pub const TRIES_BROWSER: usize = 10;
/// Failed tries from unknown browsers for all accounts together within [`WINDOW`].
pub const TRIES_TOTAL: usize = 100;

/// Who tries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// A browser without a known cookie, for this account.
    Stranger(Slug),
    /// A browser that was logged in before, by the number in its cookie.
    Browser([u8; 16]),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    One(Who),
    Total,
}

/// Counts of tries. Owned by [`super::People`]; the lock is never held across an await.
#[derive(Default)]
pub(super) struct Limiter(Mutex<BTreeMap<Key, VecDeque<Instant>>>);

impl Limiter {
    /// Counts a try; false if there were too many, which is not counted again.
    pub(super) fn try_once(&self, who: &Who, now: Instant) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that went back must not lock people out until it has caught up.
        let counts = |at: &Instant| *at <= now && now.since(*at) < WINDOW;
        tries.retain(|_, times| {
            times.retain(counts);
            !times.is_empty()
        });
        let room = |key: &Key| tries.get(key).map_or(0, VecDeque::len) < most(key);
        let keys = keys(who);
        let free = keys.iter().all(room);
        if free {
            for key in keys {
                tries.entry(key).or_default().push_back(now);
            }
        }
        free
    }

    /// Takes back the tries of somebody who turned out to know what the account asks for; `own`
    /// is how many of those against all accounts were theirs.
    pub(super) fn forgive(&self, who: &Who, own: usize) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.remove(&Key::One(who.clone()));
        if let (Who::Stranger(_), Some(total)) = (who, tries.get_mut(&Key::Total)) {
            total.truncate(total.len().saturating_sub(own));
        }
    }
}

fn keys(who: &Who) -> Vec<Key> {
    match who {
        Who::Stranger(_) => vec![Key::One(who.clone()), Key::Total],
        Who::Browser(_) => vec![Key::One(who.clone())],
    }
}

fn most(key: &Key) -> usize {
    match key {
        Key::One(Who::Stranger(_)) => TRIES_ACCOUNT,
        Key::One(Who::Browser(_)) => TRIES_BROWSER,
        Key::Total => TRIES_TOTAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(1_000_000 + seconds)
    }

    fn stranger(name: &str) -> Who {
        Who::Stranger(name.parse().unwrap())
    }

    #[test]
    fn guesses_at_one_account_end_and_begin_again_after_the_window() {
        let limiter = Limiter::default();
        for second in 0..10 {
            assert!(limiter.try_once(&stranger("li"), at(second)));
        }
        assert!(!limiter.try_once(&stranger("li"), at(10)));
        assert!(limiter.try_once(&stranger("wang"), at(10)));
        assert!(limiter.try_once(&stranger("li"), at(900)));
    }

    #[test]
    fn strangers_who_try_every_name_do_not_stop_a_known_browser() {
        let limiter = Limiter::default();
        for number in 0..TRIES_TOTAL {
            assert!(limiter.try_once(&stranger(&format!("n{number}")), at(0)));
        }
        assert!(!limiter.try_once(&stranger("li"), at(1)));
        for second in 0..10 {
            assert!(limiter.try_once(&Who::Browser([7; 16]), at(second)));
        }
        assert!(!limiter.try_once(&Who::Browser([7; 16]), at(11)));
    }

    #[test]
    fn who_knows_the_password_is_not_counted() {
        let limiter = Limiter::default();
        for second in 0..1000 {
            assert!(limiter.try_once(&stranger("li"), at(second % 5)));
            limiter.forgive(&stranger("li"), 1);
        }
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let limiter = Limiter::default();
        for _ in 0..10 {
            assert!(limiter.try_once(&stranger("li"), at(5000)));
        }
        assert!(limiter.try_once(&stranger("li"), at(0)));
    }
}
