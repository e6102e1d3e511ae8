//! Schedules against somebody else's, by hand, and by properties.

mod amounts;
mod dates;
mod fineract;
mod payments;
mod properties;

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::money::Currency;

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

pub(super) fn percent(text: &str) -> Rate {
    Rate::from_percent(text).unwrap()
}

pub(super) fn every(every: u32, unit: Unit) -> Frequency {
    Frequency {
        every,
        unit,
        month_end: false,
    }
}

/// A year in months at 12 percent, every month alike, half even, nothing special.
pub(super) fn plain() -> Terms {
    Terms {
        annual_rate: percent("12"),
        interest: InterestMethod::DecliningBalance,
        day_count: DayCount::Thirty360,
        accrual: Accrual::EqualPeriods,
        amortisation: Amortisation::EqualInstalments,
        instalments: 12,
        frequency: every(1, Unit::Months),
        grace: Grace::default(),
        shift: Shift::default(),
        rounding: Rounding {
            mode: RoundingMode::HalfEven,
            ..Rounding::default()
        },
        fees: Vec::new(),
    }
}

/// The example calendar.
pub(crate) fn calendar() -> Calendar {
    let text = include_str!("../../products/calendars/cn.toml");
    Calendar::parse("cn.toml", text).unwrap()
}

/// Any day of a century.
pub(super) fn any_date() -> impl Strategy<Value = NaiveDate> {
    (0u64..36_500).prop_map(|days| date("2000-01-01") + chrono::Days::new(days))
}

/// Principal and interest of each instalment in fen.
pub(super) fn rows(schedule: &Schedule) -> Vec<(i64, i64)> {
    let row = |one: &Instalment| (one.principal.fen(), one.interest.fen());
    schedule.instalments.iter().map(row).collect()
}
