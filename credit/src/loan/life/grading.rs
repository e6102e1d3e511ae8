//! How late a loan is, and what that makes of it: buckets, the five classes, cure.
//!
//! Days past due count from the oldest instalment that is not paid in full. The classes are those of
//! the Chinese regulator's measures of 2023; the numbers stand in
//! [`GradingRules`]. A class that the calendar gives is the
//! least: people may see more, and this module never says that a loan is good.

use std::fmt;

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};

use super::conditions::GradingRules;

/// How late.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Not late.
    #[default]
    Current,
    /// 1 to 30 days.
    UpTo30,
    /// 31 to 60 days.
    UpTo60,
    /// 61 to 90 days.
    UpTo90,
    /// 91 to 180 days.
    UpTo180,
    /// 181 to 360 days.
    UpTo360,
    /// More.
    Beyond360,
}

impl Bucket {
    /// The bucket of a number of days past due.
    #[must_use]
    pub const fn of(days: u32) -> Self {
        match days {
            0 => Self::Current,
            1..=30 => Self::UpTo30,
            31..=60 => Self::UpTo60,
            61..=90 => Self::UpTo90,
            91..=180 => Self::UpTo180,
            181..=360 => Self::UpTo360,
            _ => Self::Beyond360,
        }
    }
}

/// Class of a loan, the better one first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Normal (zhengchang).
    #[default]
    Normal,
    /// Special mention (guanzhu).
    SpecialMention,
    /// Substandard (ciji); from here on it is non-performing.
    Substandard,
    /// Doubtful (keyi).
    Doubtful,
    /// Loss (sunshi).
    Loss,
}

impl Grade {
    /// Whether it is one of the three non-performing classes.
    #[must_use]
    pub fn is_nonperforming(self) -> bool {
        self >= Self::Substandard
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl GradingRules {
    /// The least class of days past due.
    #[must_use]
    pub const fn by_days(&self, days: u32) -> Grade {
        if days > self.loss_after_days {
            Grade::Loss
        } else if days > self.doubtful_after_days {
            Grade::Doubtful
        } else if days > self.substandard_after_days {
            Grade::Substandard
        } else if days > 0 {
            Grade::SpecialMention
        } else {
            Grade::Normal
        }
    }
}

/// A time without arrears, and how many instalments were paid in time in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clean {
    /// From.
    pub since: NaiveDate,
    /// Instalments that fell due in it and were paid in full on their day.
    pub paid: u32,
}

impl Clean {
    /// Whether it lasted so long, in months and in instalments, whichever is longer.
    #[must_use]
    pub fn lasted(&self, day: NaiveDate, months: u32, instalments: u32) -> bool {
        let end = self.since.checked_add_months(Months::new(months));
        end.is_some_and(|end| end <= day) && self.paid >= instalments
    }
}

/// The watch over a restructured loan. It counts from the first due date of the new schedule, and
/// anew from a due date that was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The clean time that ends it.
    pub clean: Clean,
    /// Days past due when the loan was restructured: new terms do not make it good.
    pub days_carried: u32,
    /// Whether it was restructured while it was watched.
    pub again: bool,
}

/// The class of a loan and what leads out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grading {
    /// The class of today.
    pub grade: Grade,
    /// Days past due, or those that the watch carries if they are more.
    pub days: u32,
    /// The least that people have said; better than this only they make it.
    pub at_least: Grade,
    /// The watch, if the loan was restructured.
    pub watch: Option<Watch>,
    /// Of a non-performing loan, since when nothing is late.
    pub cure: Option<Clean>,
}

impl Grading {
    /// Grades a loan on a day; `oldest` is the due date of its oldest unpaid instalment.
    pub(super) fn update(
        &mut self,
        rules: &GradingRules,
        day: NaiveDate,
        oldest: Option<NaiveDate>,
    ) {
        let late = oldest.map_or(0, |due| days_between(due, day));
        self.restart(day, oldest.filter(|_| late > 0));
        if self.is_cured(rules, day) {
            self.cure = None;
            self.grade = Grade::SpecialMention;
            if let Some(watch) = &mut self.watch {
                watch.days_carried = 0;
            }
        }
        let carried = self.watch.map_or(0, |watch| watch.days_carried);
        self.days = late.max(carried);
        let stays = if self.grade.is_nonperforming() {
            Grade::Substandard
        } else {
            Grade::Normal
        };
        self.grade = rules.by_days(self.days).max(self.floor()).max(stays);
        if self.grade.is_nonperforming() && late == 0 {
            let clean = Clean {
                since: day,
                paid: 0,
            };
            self.cure.get_or_insert(clean);
        }
    }

    /// Arrears end what was clean, and the watch counts from the date that was missed.
    fn restart(&mut self, day: NaiveDate, missed: Option<NaiveDate>) {
        let Some(missed) = missed.filter(|missed| *missed < day) else {
            return;
        };
        self.cure = None;
        if let Some(watch) = &mut self.watch {
            let since = watch.clean.since.max(missed);
            watch.clean = Clean { since, paid: 0 };
        }
    }

    fn is_cured(&self, rules: &GradingRules, day: NaiveDate) -> bool {
        let lasted = |clean: &Clean| clean.lasted(day, rules.cure_months, rules.cure_instalments);
        self.grade.is_nonperforming()
            && self.floor() < Grade::Substandard
            && self.cure.as_ref().is_some_and(lasted)
    }

    /// What people have said; and a watched loan has special mention at least (article 21); one that was restructured again
    /// while watched is substandard at least (article 23).
    fn floor(&self) -> Grade {
        let watched = match self.watch {
            None => Grade::Normal,
            Some(watch) if watch.again => Grade::Substandard,
            Some(_) => Grade::SpecialMention,
        };
        watched.max(self.at_least)
    }

    /// An instalment was paid in full; `punctual` if on its day.
    pub(super) fn paid(&mut self, due: NaiveDate, punctual: bool) {
        if !punctual {
            return;
        }
        if let Some(cure) = self.cure.as_mut().filter(|cure| cure.since <= due) {
            cure.paid = cure.paid.saturating_add(1);
        }
        let watch = self.watch.as_mut().map(|watch| &mut watch.clean);
        if let Some(clean) = watch.filter(|clean| clean.since <= due) {
            clean.paid = clean.paid.saturating_add(1);
        }
    }

    /// The loan has new terms, the first of them due on a day.
    pub(super) fn restructured(&mut self, first_due: NaiveDate, rules: &GradingRules) {
        let again = self.watch.is_some();
        self.watch = Some(Watch {
            clean: Clean {
                since: first_due,
                paid: 0,
            },
            days_carried: self.days,
            again,
        });
        self.cure = None;
        self.grade = self.grade.max(self.floor()).max(rules.by_days(self.days));
    }

    /// When the watch may end, if nothing is missed until then; the instalments count too.
    #[must_use]
    pub fn watch_until(&self, rules: &GradingRules) -> Option<NaiveDate> {
        let since = self.watch?.clean.since;
        since.checked_add_months(Months::new(rules.watch_months))
    }

    /// Whether the watch has lasted, in months and instalments.
    pub(super) fn watch_is_over(&self, rules: &GradingRules, day: NaiveDate) -> bool {
        let lasted = |watch: Watch| {
            let clean = watch.clean;
            clean.lasted(day, rules.watch_months, rules.watch_instalments)
        };
        self.watch.is_some_and(lasted)
    }
}

/// Whole days from one date to another; none if the other is not after it.
pub(super) fn days_between(from: NaiveDate, to: NaiveDate) -> u32 {
    u32::try_from(to.signed_duration_since(from).num_days()).unwrap_or(0)
}
