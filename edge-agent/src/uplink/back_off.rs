//! Waits between connections: doubling, with jitter, so that a thousand gateways do not come back
//! in the same second.

use std::time::Duration;

/// The next wait.
#[derive(Debug)]
pub(super) struct BackOff {
    min: Duration,
    max: Duration,
    current: Duration,
}

impl BackOff {
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            current: min,
        }
    }

    /// A connection was made.
    pub const fn reset(&mut self) {
        self.current = self.min;
    }

    /// The next wait is the longest one.
    pub const fn lengthen(&mut self) {
        self.current = self.max;
    }

    /// Between half and the whole of the current wait, which then doubles.
    pub fn next(&mut self) -> Duration {
        // Without randomness the longest wait is as good.
        let random = schemas::random::bytes::<2>().map_or(u16::MAX, u16::from_le_bytes);
        let share = 0.5 + f64::from(random) / f64::from(u16::MAX) / 2.0;
        let wait = self.current.mul_f64(share);
        self.current = (self.current * 2).min(self.max);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_again() {
        let (min, max) = (Duration::from_millis(100), Duration::from_millis(300));
        let mut back_off = BackOff::new(min, max);
        for longest in [100, 200, 300, 300] {
            let longest = Duration::from_millis(longest);
            let wait = back_off.next();
            assert!(wait >= longest / 2 && wait <= longest, "{wait:?}");
        }
        back_off.reset();
        assert!(back_off.next() <= min);
        back_off.lengthen();
        assert!(back_off.next() >= max / 2);
    }
}
