//! Under which instant, and so in which month, the content of a statement is filed.
//!
//! Content is kept by months of the device's own clock, so that what belongs together is archived
//! together. A device may claim any time, so its word is taken only within bounds: a statement from
//! outside of them is filed under the time at which it came. Filing decides in which partition a row
//! stands and when it is archived, and nothing else: what the device said stays in its statement.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::Duration;

use schemas::statement::ClockState;
use schemas::time::Instant;

/// How long a statement may have waited at its device: a gateway that was away for a year.
pub const WAITED_MAX: Duration = Duration::from_secs(400 * 24 * 3_600);
/// How far the clock of a device may be ahead.
pub const AHEAD_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The instant under which a statement is filed that a device says it made at `made`, and that came
/// at `received`. Always within [`WAITED_MAX`] before and [`AHEAD_MAX`] after `received`.
///
/// A statement that comes again is not filed again: the first commit that brings it decides, and
/// its row keeps the outcome.
#[must_use]
pub fn filed(made: Instant, clock: ClockState, received: Instant) -> Instant {
    let believed = received.minus(WAITED_MAX)..=received.plus(AHEAD_MAX);
    if clock != ClockState::Unknown && believed.contains(&made) {
        made
    } else {
        received
    }
}

/// A calendar month in UTC, written `2026-11`; ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    /// 1 to 12.
    month: u8,
}

/// Not `YYYY-MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a month is written like 2026-11")]
pub struct NotAMonth;

impl Month {
    /// The month that an instant is in; `None` before the year 1 and after 9999.
    #[must_use]
    pub fn of(at: Instant) -> Option<Self> {
        at.to_rfc3339().get(..7)?.parse().ok()
    }

    /// Its first instant.
    #[must_use]
    pub fn first(self) -> Instant {
        let text = format!("{self}-01T00:00:00Z");
        Instant::parse_rfc3339(&text).unwrap_or(Instant::from_micros(0))
    }

    /// The month behind it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.month {
            12 => Self {
                year: self.year + 1,
                month: 1,
            },
            month => Self {
                year: self.year,
                month: month + 1,
            },
        }
    }

    /// So many months earlier; the year 1 at the earliest.
    #[must_use]
    pub fn earlier(self, months: u32) -> Self {
        let all = u32::from(self.year) * 12 + u32::from(self.month) - 1;
        let all = all.saturating_sub(months).max(12);
        let part = |number: u32| u16::try_from(number).unwrap_or(1);
        Self {
            year: part(all / 12),
            month: u8::try_from(all % 12 + 1).unwrap_or(1),
        }
    }
}

impl Display for Month {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let digits = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(year, 4) || !digits(month, 2) {
            return Err(NotAMonth);
        }
        let (year, month) = (year.parse(), month.parse());
        match (year, month) {
            (Ok(year @ 1..=9998), Ok(month @ 1..=12)) => Ok(Self { year, month }),
            _ => Err(NotAMonth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn device_is_believed_within_bounds_and_no_further() {
        let received = at("2026-11-22T12:00:00Z");
        let cases = [
            ("2026-11-22T11:59:59Z", true),
            ("2026-11-01T00:00:00Z", true),
            ("2025-10-18T12:00:00Z", true),
            ("2025-10-18T11:59:59Z", false),
            ("2026-11-23T12:00:00Z", true),
            ("2026-11-23T12:00:01Z", false),
            ("1970-01-01T00:00:10Z", false),
            ("2262-01-01T00:00:00Z", false),
        ];
        for (made, believed) in cases {
            let made = at(made);
            let expected = if believed { made } else { received };
            for clock in [ClockState::Synced, ClockState::Unsynced] {
                assert_eq!(filed(made, clock, received), expected, "{made:?}");
            }
            assert_eq!(filed(made, ClockState::Unknown, received), received);
        }
        for extreme in [i64::MIN, i64::MAX, 0] {
            let made = Instant::from_micros(extreme);
            assert_eq!(filed(made, ClockState::Synced, received), received);
        }
    }

    #[test]
    fn months_follow_each_other() {
        let month: Month = "2026-11".parse().unwrap();
        assert_eq!(Month::of(at("2026-11-30T23:59:59.999999Z")), Some(month));
        assert_eq!(Month::of(at("2026-12-01T00:00:00Z")), Some(month.next()));
        assert_eq!(month.next().next().to_string(), "2027-01");
        assert_eq!(month.first(), at("2026-11-01T00:00:00Z"));
        assert_eq!(month.earlier(0), month);
        assert_eq!(month.earlier(11).to_string(), "2025-12");
        assert_eq!(month.earlier(u32::MAX).to_string(), "0001-01");
        for wrong in [
            "2026-13", "2026-00", "2026-1", "26-11", "2026", "+026-11", "9999-01",
        ] {
            assert_eq!(wrong.parse::<Month>(), Err(NotAMonth), "{wrong}");
        }
    }
}
