//! The regular dates of a loan.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::Deserialize;

use super::day_count::{DayCount, YearFraction};

/// The longest period: 366 of whatever unit.
pub const EVERY_MAX: u32 = 366;

/// What a period is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Days.
    Days,
    /// Weeks of seven days.
    Weeks,
    /// Calendar months.
    Months,
}

/// How often something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// Every so many, 1 to [`EVERY_MAX`].
    pub every: u32,
    /// Of these.
    pub unit: Unit,
    /// Month-end rule: what begins on the last day of a month is due on last days (28 February, 31
    /// March). Without it the day of the month is kept where the month has it (31 January, 28
    /// February, 31 March; but 28 February, 28 March).
    pub month_end: bool,
}

impl Frequency {
    /// The regular date number `number` after `start`, counted from `start` itself so that a short
    /// month moves no later date; `None` beyond what dates can say.
    #[must_use]
    pub fn date(&self, start: NaiveDate, number: u32) -> Option<NaiveDate> {
        let count = self.every.checked_mul(number)?;
        match self.unit {
            Unit::Days => start.checked_add_days(Days::new(count.into())),
            Unit::Weeks => start.checked_add_days(Days::new(u64::from(count) * 7)),
            Unit::Months => {
                let date = start.checked_add_months(Months::new(count))?;
                if self.month_end && last_of_month(start)? == start {
                    last_of_month(date)
                } else {
                    Some(date)
                }
            }
        }
    }

    /// A whole period as a part of a year whatever its dates: months are twelfths; days and weeks
    /// are held against a year of fixed length, and `None` where the day count has none.
    #[must_use]
    pub fn whole_period(&self, day_count: DayCount) -> Option<YearFraction> {
        let days = match self.unit {
            Unit::Months => {
                return Some(YearFraction {
                    units: self.every.into(),
                    per_year: 12,
                });
            }
            Unit::Weeks => 7 * i64::from(self.every),
            Unit::Days => self.every.into(),
        };
        let fixed = day_count != DayCount::ActAct;
        fixed.then_some(YearFraction {
            units: days,
            per_year: day_count.per_year(),
        })
    }

    /// The most days that `count` periods can take.
    #[must_use]
    pub fn days_at_most(&self, count: u32) -> u64 {
        let days = match self.unit {
            Unit::Days => 1,
            Unit::Weeks => 7,
            Unit::Months => 31,
        };
        let most = u64::from(self.every) * u64::from(count) * days;
        match self.unit {
            // Twelve months are a year, a leap year at most.
            Unit::Months => {
                let months = u64::from(self.every) * u64::from(count);
                most.min(months / 12 * 366 + months % 12 * 31)
            }
            _ => most,
        }
    }
}

/// The last day of a date's month.
pub(super) fn last_of_month(date: NaiveDate) -> Option<NaiveDate> {
    date.with_day(1)?
        .checked_add_months(Months::new(1))?
        .pred_opt()
}
