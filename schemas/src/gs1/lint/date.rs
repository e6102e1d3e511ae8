//! Dates and times of day in element strings (GS1 General Specifications 7.12).

use super::{Fault, Reading, digit_of};

/// The two-digit year that the century rule is reckoned from. It decides only whether 29 February
/// exists, and between 2000 and 2099 every year that four divides has one, whichever is taken.
const CENTURY_YEARS: usize = 100;

fn pair(value: &str, at: usize) -> Option<usize> {
    value.get(at..at + 2).and_then(digit_of)
}

/// Days of a month; `None` for what is none.
fn days(year: usize, month: usize) -> Option<usize> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if leap => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// `first` is the lowest day: 0 where a whole month may be meant.
fn calendar(year: usize, value: &str, first: usize) -> Reading {
    let (month, day) = pair(value, 0)
        .zip(pair(value, 2))
        .ok_or(Fault("is no date"))?;
    let last = days(year, month).ok_or(Fault("has no such month"))?;
    if (first..=last).contains(&day) {
        Ok(())
    } else {
        Err(Fault("has no such day in that month"))
    }
}

/// The year of two digits, by General Specifications 7.12 within 50 years of now: 2000 to 2099 is
/// near enough, because only leap years matter here.
fn short_year(value: &str) -> Result<usize, Fault> {
    let year = pair(value, 0).filter(|_| value.len() == 6);
    year.map(|year| 20 * CENTURY_YEARS + year)
        .ok_or(Fault("is no date of six digits"))
}

pub(super) fn yymmdd(value: &str) -> Reading {
    calendar(short_year(value)?, &value[2..], 1)
}

pub(super) fn yymmd0(value: &str) -> Reading {
    calendar(short_year(value)?, &value[2..], 0)
}

pub(super) fn yyyymmdd(value: &str) -> Reading {
    let year = pair(value, 0)
        .zip(pair(value, 2))
        .filter(|_| value.len() == 8);
    let (century, year) = year.ok_or(Fault("is no date of eight digits"))?;
    calendar(century * CENTURY_YEARS + year, &value[4..], 1)
}

pub(super) fn hour(value: &str) -> Reading {
    below(value, 24, "has no such hour")
}

pub(super) fn minute(value: &str) -> Reading {
    below(value, 60, "has no such minute")
}

pub(super) fn second(value: &str) -> Reading {
    below(value, 60, "has no such second")
}

pub(super) fn hour_and_minute(value: &str) -> Reading {
    let (hours, minutes) = value
        .split_at_checked(2)
        .ok_or(Fault("is no time of day"))?;
    hour(hours)?;
    minute(minutes)
}

fn below(value: &str, limit: usize, otherwise: &'static str) -> Reading {
    let number = digit_of(value).filter(|_| value.len() == 2);
    match number {
        Some(number) if number < limit => Ok(()),
        _ => Err(Fault(otherwise)),
    }
}
