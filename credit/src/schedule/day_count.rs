//! Day counts: what part of a year lies between two dates, exactly.

use chrono::{Datelike, NaiveDate};
use serde::Deserialize;

/// Days that a year of act/act is made of: in 365ths and 366ths at once.
const ACT_ACT_YEAR: i64 = 365 * 366;

/// How days are counted (2006 ISDA Definitions, section 4.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum DayCount {
    /// Months of 30 days, bond basis, section 4.16(f). A period that begins or ends on the 31st is
    /// the one case in which parts do not add up to the whole.
    #[serde(rename = "30/360")]
    Thirty360,
    /// Months of 30 days, Eurobond basis, section 4.16(g): the 31st is the 30th, always.
    #[serde(rename = "30e/360")]
    ThirtyE360,
    /// Actual days over 360.
    #[serde(rename = "act/360")]
    Act360,
    /// Actual days over 364: a week is a 52nd of a year.
    #[serde(rename = "act/364")]
    Act364,
    /// Actual days over 365, in leap years too.
    #[serde(rename = "act/365")]
    Act365,
    /// Actual days, those in leap years over 366 and the others over 365, section 4.16(b).
    #[serde(rename = "act/act")]
    ActAct,
}

/// A part of a year: `units` of which `per_year` make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearFraction {
    /// Zero or more.
    pub units: i64,
    /// The same for every fraction of one day count.
    pub per_year: i64,
}

impl DayCount {
    /// What lies between two dates, the first one counted and the last one not; nothing if `end` is
    /// not after `start`.
    #[must_use]
    pub fn fraction(self, start: NaiveDate, end: NaiveDate) -> YearFraction {
        let units = if end <= start {
            0
        } else {
            match self {
                Self::Thirty360 => bond_days(start, end),
                Self::ThirtyE360 => thirties(end, end.day()) - thirties(start, start.day()),
                Self::Act360 | Self::Act364 | Self::Act365 => actual_days(start, end),
                Self::ActAct => act_act_units(start, end),
            }
        };
        YearFraction {
            units,
            per_year: self.per_year(),
        }
    }

    /// Units of a year.
    #[must_use]
    pub const fn per_year(self) -> i64 {
        match self {
            Self::Thirty360 | Self::ThirtyE360 | Self::Act360 => 360,
            Self::Act364 => 364,
            Self::Act365 => 365,
            Self::ActAct => ACT_ACT_YEAR,
        }
    }
}

fn actual_days(start: NaiveDate, end: NaiveDate) -> i64 {
    end.signed_duration_since(start).num_days()
}

/// Days since year 0 in months of 30 days, with `day` in place of the date's own.
fn thirties(date: NaiveDate, day: u32) -> i64 {
    i64::from(date.year()) * 360 + i64::from(date.month0()) * 30 + i64::from(day.min(30))
}

/// The end's 31st is a 30th only if the start is one too.
fn bond_days(start: NaiveDate, end: NaiveDate) -> i64 {
    let beyond = end.day() == 31 && start.day() < 30;
    thirties(end, end.day()) - thirties(start, start.day()) + i64::from(beyond)
}

fn act_act_units(start: NaiveDate, end: NaiveDate) -> i64 {
    let mut units = 0;
    let mut from = start;
    while from < end {
        let next_year = NaiveDate::from_ymd_opt(from.year() + 1, 1, 1).unwrap_or(end);
        let until = next_year.min(end);
        let weight = if from.leap_year() { 365 } else { 366 };
        units += actual_days(from, until) * weight;
        from = until;
    }
    units
}
