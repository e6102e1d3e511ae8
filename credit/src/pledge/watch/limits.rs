//! Within what a sensor may read: declared, or fitted on its first days.

use std::time::Duration;

use rust_decimal::Decimal;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::Reading;

/// Limits are fitted on so long a time from the first reading.
pub const FIT_PERIOD: Duration = Duration::from_secs(5 * 24 * 3600);

/// Fewest readings to fit on.
pub const FIT_MIN: usize = 100;

/// Standard deviations of a normal distribution in one median absolute deviation.
const DEVIATIONS: Decimal = Decimal::from_parts(14_826, 0, 0, false, 4);

/// Outside so many of them is an outlier (Iglewicz and Hoaglin 1993; NIST handbook 1.3.5.17).
const OUTLIER: Decimal = Decimal::from_parts(35, 0, 0, false, 1);

/// Readings within this part of the way to the limits are calm.
const CALM_PART: Decimal = Decimal::from_parts(75, 0, 0, false, 2);

/// Silence is so many usual intervals.
const SILENCE_INTERVALS: u32 = 3;

/// Silence is no shorter.
const SILENCE_MIN: Duration = Duration::from_secs(300);

/// Why there are no limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Fewer than [`FIT_MIN`] readings.
    #[error("{0} readings in the first 5 days are too few to fit limits on")]
    TooFew(usize),
    /// All readings are the same, or the lower limit is not below the upper one.
    #[error("there is nothing between the limits")]
    NoSpread,
    /// Beyond what a decimal holds.
    #[error("the readings are too large")]
    Overflow,
}

/// Within what a sensor may read, and how long it may be silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Least allowed.
    pub(super) low: Decimal,
    /// Greatest allowed.
    pub(super) high: Decimal,
    calm_low: Decimal,
    calm_high: Decimal,
    /// Longest allowed silence.
    pub(super) silence: Duration,
}

impl Limits {
    /// Limits that somebody declared, such as 2 to 8 degrees.
    ///
    /// # Errors
    /// [`FitError::NoSpread`], [`FitError::Overflow`].
    pub fn declared(low: Decimal, high: Decimal, silence: Duration) -> Result<Self, FitError> {
        let sum = low.checked_add(high).ok_or(FitError::Overflow)?;
        Self::around(sum / Decimal::TWO, low, high, silence)
    }

    /// Limits fitted on the readings within [`FIT_PERIOD`] of the first; later ones are not looked at.
    /// Readings in any order.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fitted(readings: &[Reading]) -> Result<Self, FitError> {
        let first = readings.iter().map(Reading::at).min();
        let first = first.ok_or(FitError::TooFew(0))?;
        let within = |reading: &&Reading| reading.at < first + FIT_PERIOD;
        let fit: Vec<&Reading> = readings.iter().filter(within).collect();
        if fit.len() < FIT_MIN {
            return Err(FitError::TooFew(fit.len()));
        }
        let mut values: Vec<Decimal> = fit.iter().map(|reading| reading.value).collect();
        values.sort_unstable();
        let centre = median(&values);
        let mut away: Vec<Decimal> = values.iter().map(|value| (value - centre).abs()).collect();
        away.sort_unstable();
        let reach = median(&away)
            .checked_mul(DEVIATIONS * OUTLIER)
            .ok_or(FitError::Overflow)?;
        let (least, greatest) = (values[0], values[values.len() - 1]);
        let (low, high) = (least.min(centre - reach), greatest.max(centre + reach));
        let times = fit.iter().map(|reading| reading.at).collect();
        Self::around(centre, low, high, silence(times))
    }

    fn around(
        centre: Decimal,
        low: Decimal,
        high: Decimal,
        silence: Duration,
    ) -> Result<Self, FitError> {
        if low >= high {
            return Err(FitError::NoSpread);
        }
        let part = |limit: Decimal| {
            let way = limit.checked_sub(centre)?.checked_mul(CALM_PART)?;
            centre.checked_add(way)
        };
        let calm = part(low).zip(part(high)).ok_or(FitError::Overflow)?;
        Ok(Self {
            low,
            high,
            calm_low: calm.0,
            calm_high: calm.1,
            silence,
        })
    }

    /// Least allowed.
    #[must_use]
    pub const fn low(&self) -> Decimal {
        self.low
    }

    /// Greatest allowed.
    #[must_use]
    pub const fn high(&self) -> Decimal {
        self.high
    }

    /// Longest allowed silence.
    #[must_use]
    pub const fn silence(&self) -> Duration {
        self.silence
    }

    pub(super) fn allow(&self, value: Decimal) -> bool {
        (self.low..=self.high).contains(&value)
    }

    pub(super) fn is_calm(&self, value: Decimal) -> bool {
        (self.calm_low..=self.calm_high).contains(&value)
    }
}

/// The middle of sorted values, at least one; the mean of the two in the middle.
fn median(sorted: &[Decimal]) -> Decimal {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / Decimal::TWO
    }
}

/// Three usual intervals: the upper median of those between readings.
fn silence(mut times: Vec<Instant>) -> Duration {
    times.sort_unstable();
    let pairs = times.iter().zip(times.iter().skip(1));
    let mut gaps: Vec<Duration> = pairs.map(|(one, next)| next.since(*one)).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
    usual.saturating_mul(SILENCE_INTERVALS).max(SILENCE_MIN)
}
