//! A month of China's calendar.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use crate::law::acceptance::china_day;

/// Text that is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a month: a year of four digits and a month, such as 2026-11")]
pub struct MonthError(String);

/// A month, written `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    first: NaiveDate,
}

impl Month {
    /// The month of a day.
    #[must_use]
    pub fn of(day: NaiveDate) -> Self {
        // Every month has a first day.
        let first = day.with_day(1).unwrap_or(day);
        Self { first }
    }

    /// Its first day.
    #[must_use]
    pub const fn first(self) -> NaiveDate {
        self.first
    }

    /// Its last day.
    #[must_use]
    pub fn last(self) -> NaiveDate {
        self.next().first.pred_opt().unwrap_or(self.first)
    }

    /// The month after.
    #[must_use]
    pub fn next(self) -> Self {
        let next = self.first.checked_add_months(chrono::Months::new(1));
        Self {
            first: next.unwrap_or(self.first),
        }
    }

    /// Whether an instant lies in it, by China's clock.
    #[must_use]
    pub fn holds(self, at: Instant) -> bool {
        Self::of(china_day(at)) == self
    }

    /// Whether an instant lies in it or before it.
    #[must_use]
    pub fn knows(self, at: Instant) -> bool {
        Self::of(china_day(at)) <= self
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl FromStr for Month {
    type Err = MonthError;
    fn from_str(text: &str) -> Result<Self, MonthError> {
        let wrong = || MonthError(text.chars().take(32).collect());
        let first: NaiveDate = format!("{text}-01").parse().map_err(|_| wrong())?;
        let month = Self { first };
        // Only what is written as it would be shown, of years that have four digits.
        if month.to_string() == text && (1970..9999).contains(&first.year()) {
            Ok(month)
        } else {
            Err(wrong())
        }
    }
}

impl TryFrom<String> for Month {
    type Error = MonthError;
    fn try_from(text: String) -> Result<Self, MonthError> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}
