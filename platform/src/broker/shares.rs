//! One device's share of the broker: how fast it is read, and how much of the backlog it may fill.
//!
//! A device that sends far above its rate is not refused and loses nothing: its connection is read
//! more slowly, so its own window and then its TCP connection fill, and nobody else notices. Its
//! share outlives its connections, so that coming again buys nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemas::ids::DeviceAddress;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Limits;

/// Shares that are kept before the idle ones are looked for.
const LOOK_AT: usize = 1_024;

/// The shares of all devices that have published lately.
pub(super) struct Shares {
    /// Time in which one more message may come.
    each: Duration,
    /// The length of a full burst.
    burst: Duration,
    room: usize,
    known: Mutex<Known>,
}

struct Known {
    shares: BTreeMap<DeviceAddress, Arc<Share>>,
    /// Look for idle ones when there are so many.
    look_at: usize,
}

/// A device's share.
pub(super) struct Share {
    /// Room of this device in the backlog, in KiB.
    pub(super) room: Arc<Semaphore>,
    /// The instant from which a full burst would be there again.
    full_at: Mutex<Instant>,
}

impl Shares {
    pub(super) fn new(limits: &Limits) -> Self {
        let each = Duration::from_secs(1) / limits.device_messages_per_s.max(1);
        Self {
            each,
            burst: each.saturating_mul(limits.device_burst),
            room: limits.device_backlog_kib.min(limits.backlog_kib) as usize,
            known: Mutex::new(Known {
                shares: BTreeMap::new(),
                look_at: LOOK_AT,
            }),
        }
    }

    /// The share of a device, and how long its next message must wait from `now` on.
    pub(super) fn next(&self, device: &DeviceAddress, now: Instant) -> (Arc<Share>, Duration) {
        let share = self.of(device, now);
        let mut full_at = share.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = (*full_at).max(now) + self.each;
        let wait = (*full_at - now).saturating_sub(self.burst);
        drop(full_at);
        (share, wait)
    }

    fn of(&self, device: &DeviceAddress, now: Instant) -> Arc<Share> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = known.shares.get(device) {
            return Arc::clone(share);
        }
        if known.shares.len() >= known.look_at {
            known
                .shares
                .retain(|_, share| !share.is_idle(self.room, now));
            known.look_at = LOOK_AT.max(known.shares.len() * 2);
        }
        let share = Arc::new(Share {
            room: Arc::new(Semaphore::new(self.room)),
            full_at: Mutex::new(now),
        });
        known.shares.insert(device.clone(), Arc::clone(&share));
        share
    }
}

impl Share {
    /// Nothing is held, and a new one would be the same.
    fn is_idle(&self, room: usize, now: Instant) -> bool {
        let full_at = *self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.room.available_permits() == room && full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(per_s: u32, burst: u32) -> Shares {
        Shares::new(&Limits {
            device_messages_per_s: per_s,
            device_burst: burst,
            ..Limits::default()
        })
    }

    fn device(number: usize) -> DeviceAddress {
        format!("maker/d{number}").parse().unwrap()
    }

    #[test]
    fn a_burst_is_free_and_then_the_rate_counts() {
        let (shares, now) = (shares(10, 5), Instant::now());
        let wait = |at| shares.next(&device(1), at).1;
        assert!((0..5).all(|_| wait(now).is_zero()));
        assert_eq!(wait(now), Duration::from_millis(100));
        assert_eq!(wait(now), Duration::from_millis(200));
        // Somebody else has a share of their own.
        assert!(shares.next(&device(2), now).1.is_zero());
        let later = now + Duration::from_secs(60);
        assert!((0..5).all(|_| wait(later).is_zero()) && !wait(later).is_zero());
    }

    #[test]
    fn a_share_lives_while_it_matters_and_no_longer() {
        let (shares, now) = (shares(10, 5), Instant::now());
        let (busy, _) = shares.next(&device(0), now);
        let _held = Arc::clone(&busy.room).try_acquire_owned().unwrap();
        drop(busy);
        let later = now + Duration::from_secs(60);
        for number in 1..5_000 {
            shares.next(&device(number), now + Duration::from_millis(number as u64));
        }
        shares.next(&device(5_000), later);
        assert!(shares.known.lock().unwrap().shares.len() <= 2 * LOOK_AT);
        let (again, _) = shares.next(&device(0), later);
        assert_eq!(again.room.available_permits(), 8 * 1024 - 1);
    }
}
