//! The temperatures that sensors meet, as pure functions of the time.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::time::Instant;

use super::DAYS;
use super::world::Conduct;

/// On which day (from 0) the reefer of the supplier with the excursion fails.
const REEFER_FAILS: std::ops::Range<u64> = 5..9;

/// On which day (from 0) the cold room of the hiding supplier warms up.
const ROOM_WARMS: std::ops::Range<u64> = 5..9;

/// How long after a failure half of the way to the outside temperature is gone.
const HALF_WARM: f64 = 5_400.0;

/// Degrees by which readings scatter around the true temperature, at most.
const SCATTER: f64 = 0.15;

/// A temperature curve in degrees Celsius.
#[derive(Debug, Clone, PartialEq)]
pub struct Climate {
    /// Middle of the ordinary temperature.
    pub base: f64,
    /// How far it swings over a day.
    pub swing: f64,
    /// Failures of the cooling, in order, not overlapping.
    pub warmings: Vec<Warming>,
    /// Seed of the scatter.
    pub seed: u64,
}

/// A time without cooling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warming {
    /// When the cooling fails.
    pub from: Instant,
    /// When it is repaired; the way back to cold takes as long again as half the warming.
    pub until: Instant,
    /// Temperature outside, which the inside creeps up to.
    pub outside: f64,
}

impl Climate {
    /// The temperature that the sensor shows at `now`, rounded to hundredths.
    pub fn at(&self, now: Instant) -> f64 {
        let ordinary = self.base + self.swing * day_wave(now);
        let extra: f64 = self
            .warmings
            .iter()
            .map(|one| one.extra(now, ordinary))
            .sum();
        ((ordinary + extra + self.scatter(now)) * 100.0).round() / 100.0
    }

    /// Repeatable noise: a hash of the seed and the minute.
    fn scatter(&self, now: Instant) -> f64 {
        let minute = now.as_seconds().div_euclid(60).cast_unsigned();
        let mixed = splitmix(self.seed ^ splitmix(minute));
        let unit = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
        (unit * 2.0 - 1.0) * SCATTER
    }
}

impl Warming {
    /// Degrees above the ordinary temperature at `now`.
    fn extra(&self, now: Instant, ordinary: f64) -> f64 {
        let warm =
            |seconds: f64| (self.outside - ordinary) * (1.0 - 0.5_f64.powf(seconds / HALF_WARM));
        if now < self.from {
            return 0.0;
        }
        if now < self.until {
            return warm(now.since(self.from).as_secs_f64());
        }
        let (lasted, since) = (self.until.since(self.from), now.since(self.until));
        let left = 1.0 - since.as_secs_f64() / (lasted.as_secs_f64() / 2.0);
        warm(lasted.as_secs_f64()) * left.max(0.0)
    }
}

/// A wave with the period of a day, between -1 and 1.
fn day_wave(now: Instant) -> f64 {
    let second = now.as_seconds().rem_euclid(86_400) as f64;
    (second / 86_400.0 * std::f64::consts::TAU).sin()
}

/// The mixing function of SplitMix64: neighbours become strangers.
fn splitmix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A seed of its own for each sensor, so that one sensor more changes no other.
fn sensor_seed(seed: u64, prefix: &str, sensor: u64) -> u64 {
    let prefix = prefix
        .bytes()
        .fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    splitmix(splitmix(seed) ^ splitmix(prefix * 16 + sensor))
}

/// Ordinary temperatures in the middle of the limits.
fn ordinary(seed: u64, limits: (i32, i32)) -> Climate {
    let base = f64::from(limits.0 + limits.1) / 2.0 - 0.2;
    Climate {
        base,
        swing: 0.35,
        warmings: Vec::new(),
        seed,
    }
}

/// The warming of `day`, `hours` after midnight, for `lasting` hours, with up to half an hour of
/// chance.
fn warming(
    seed: u64,
    start: Instant,
    days: std::ops::Range<u64>,
    hours: u64,
    lasting: u64,
    outside: f64,
) -> Warming {
    let mut chance = StdRng::seed_from_u64(seed);
    let day = chance.random_range(days);
    let minutes = (day * 24 + hours) * 60 + chance.random_range(0..30);
    debug_assert!(day < u64::from(DAYS));
    let from = start + Duration::from_secs(minutes * 60);
    Warming {
        from,
        until: from + Duration::from_secs(lasting * 3_600),
        outside,
    }
}

/// No weather at all, where a device shows something else.
pub fn still() -> Climate {
    Climate {
        base: 0.0,
        swing: 0.0,
        warmings: Vec::new(),
        seed: 0,
    }
}

/// What the cold room of a supplier is like.
pub fn cold_room(
    seed: u64,
    start: Instant,
    prefix: &str,
    limits: (i32, i32),
    conduct: Conduct,
) -> Climate {
    let own = sensor_seed(seed, prefix, 1);
    let mut climate = ordinary(own, limits);
    if conduct == Conduct::Hiding {
        climate
            .warmings
            .push(warming(own, start, ROOM_WARMS, 20, 4, 19.0));
    }
    climate
}

/// What the truck of a supplier is like.
pub fn truck(
    seed: u64,
    start: Instant,
    prefix: &str,
    limits: (i32, i32),
    conduct: Conduct,
) -> Climate {
    let own = sensor_seed(seed, prefix, 2);
    let mut climate = ordinary(own, limits);
    if conduct == Conduct::Excursion {
        climate
            .warmings
            .push(warming(own, start, REEFER_FAILS, 5, 5, 21.0));
    }
    climate
}
