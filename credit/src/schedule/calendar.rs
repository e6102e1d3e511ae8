//! Business days, and where a date goes that is none.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, Weekday};
use schemas::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

use super::ScheduleError;

/// The longest run of days without a business day that a calendar may have; the longest public
/// holiday anywhere is shorter.
pub const CLOSED_MAX_DAYS: usize = 31;

/// Where a due date goes that is no business day (2006 ISDA Definitions, section 4.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShiftRule {
    /// Nowhere.
    #[default]
    None,
    /// To the next business day.
    Following,
    /// To the next business day, but to the one before if that is in another month.
    ModifiedFollowing,
    /// To the business day before.
    Preceding,
}

/// Days on which a bank is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Its name.
    pub id: String,
    weekend: Vec<Weekday>,
    holidays: BTreeSet<NaiveDate>,
    working: BTreeSet<NaiveDate>,
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    weekend: Vec<Weekday>,
    from: NaiveDate,
    until: NaiveDate,
    holidays: Vec<NaiveDate>,
    #[serde(default)]
    working: Vec<NaiveDate>,
}

impl Calendar {
    /// A calendar on which every day is a business day.
    #[must_use]
    pub fn every_day() -> Self {
        Self::default()
    }

    /// A calendar of which no day is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            until: Some(NaiveDate::MIN),
            ..Self::default()
        }
    }

    /// Reads a calendar file: `id`, `weekend` (such as `["Sat", "Sun"]`), `from` and `until`
    /// (between which its holidays are known), `holidays`, and `working`, the days of weekends on
    /// which work is done instead.
    ///
    /// # Errors
    /// [`ConfigError`] with line and field for what cannot be read, a day outside `from` to
    /// `until`, a day that is both, a working day that is on no weekend, and a week of weekend.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = config::parse(file, text)?;
        let at = |field: &str, problem: String| Err(ConfigError::at(file, text, field, problem));
        let outside = |day: &&NaiveDate| !(raw.from..=raw.until).contains(*day);
        if raw.weekend.len() > 6 {
            return at("weekend", "at most six days of a week".to_owned());
        }
        if let Some(day) = raw.holidays.iter().find(outside) {
            return at("holidays", format!("{day} is not between from and until"));
        }
        if let Some(day) = raw.working.iter().find(outside) {
            return at("working", format!("{day} is not between from and until"));
        }
        let weekend = |day: &NaiveDate| raw.weekend.contains(&day.weekday());
        if let Some(day) = raw.working.iter().find(|day| !weekend(day)) {
            return at("working", format!("{day} is on no weekend"));
        }
        let holidays: BTreeSet<_> = raw.holidays.into_iter().collect();
        if let Some(day) = raw.working.iter().find(|day| holidays.contains(day)) {
            return at("working", format!("{day} is a holiday"));
        }
        Ok(Self {
            id: raw.id,
            weekend: raw.weekend,
            holidays,
            working: raw.working.into_iter().collect(),
            from: Some(raw.from),
            until: Some(raw.until),
        })
    }

    /// Whether the bank is open.
    #[must_use]
    pub fn is_business_day(&self, day: NaiveDate) -> bool {
        let weekend = self.weekend.contains(&day.weekday()) && !self.working.contains(&day);
        !weekend && !self.holidays.contains(&day)
    }

    /// Whether the holidays up to this day are known; of later days only weekends are, and a due
    /// date there is provisional.
    #[must_use]
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.until.is_none_or(|until| day <= until)
    }

    /// Whether the holidays around this day are known at all: neither before nor after the years of
    /// the file.
    #[must_use]
    pub fn knows(&self, day: NaiveDate) -> bool {
        self.covers(day) && self.from.is_none_or(|from| from <= day)
    }

    /// Where a date goes.
    ///
    /// # Errors
    /// [`ScheduleError::NoBusinessDay`] if there is none within [`CLOSED_MAX_DAYS`].
    pub fn shift(&self, day: NaiveDate, rule: ShiftRule) -> Result<NaiveDate, ScheduleError> {
        match rule {
            ShiftRule::None => Ok(day),
            ShiftRule::Following => self.next(day),
            ShiftRule::Preceding => self.before(day),
            ShiftRule::ModifiedFollowing => {
                let next = self.next(day)?;
                if (next.year(), next.month()) == (day.year(), day.month()) {
                    Ok(next)
                } else {
                    self.before(day)
                }
            }
        }
    }

    fn next(&self, day: NaiveDate) -> Result<NaiveDate, ScheduleError> {
        self.first_open(day, NaiveDate::succ_opt)
    }

    fn before(&self, day: NaiveDate) -> Result<NaiveDate, ScheduleError> {
        self.first_open(day, NaiveDate::pred_opt)
    }

    fn first_open(
        &self,
        day: NaiveDate,
        step: impl Fn(&NaiveDate) -> Option<NaiveDate>,
    ) -> Result<NaiveDate, ScheduleError> {
        let days = std::iter::successors(Some(day), step);
        let mut near = days.take(CLOSED_MAX_DAYS + 1);
        near.find(|day| self.is_business_day(*day))
            .ok_or(ScheduleError::NoBusinessDay(day))
    }
}
