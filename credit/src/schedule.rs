//! The schedule of a loan: when how much of it is due.
//!
//! Everything here is pure: no clock, no I/O, no float. Amounts are whole fen; interest is a quotient
//! of whole numbers that is rounded once, and all principal parts sum to the amount disbursed. A
//! calculation that does not fit is an error, never a wrapped number.
//!
//! [`calculate`] makes the periods from the [`Terms`] and a [`Calendar`]; [`calculate_over`] takes
//! periods that somebody else has made, such as those of a rescheduled loan. [`allocation`] says
//! what a payment pays, [`penalty`] what lateness costs.

pub mod allocation;
mod amortisation;
pub mod calendar;
pub mod day_count;
pub mod fees;
pub mod frequency;
pub mod penalty;
pub mod rate;
pub mod rounding;
pub mod terms;

use chrono::NaiveDate;

pub use allocation::{
    Across, Allocation, AllocationOrder, AllocationOrderError, AllocationRule, Component, Due,
    allocate,
};
pub use calendar::{Calendar, ShiftRule};
pub use day_count::{DayCount, YearFraction};
pub use fees::{Fee, FeeBase, FeeTime};
pub use frequency::{Frequency, Unit};
pub use penalty::{Overdue, PenaltyBase, PenaltyTerms};
pub use rate::{Rate, RateError};
pub use rounding::{Rounding, RoundingMode};
pub use terms::{Accrual, Amortisation, Grace, InterestMethod, Shift, Terms, TermsError};

use crate::money::{MAX_AMOUNT_FEN, Money, MoneyError};
use amortisation::{Row, Split};

/// Why there is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The terms contradict themselves.
    #[error("the terms are refused")]
    Terms(#[from] TermsError),
    /// Amounts that cannot be calculated together.
    #[error("the amounts are refused")]
    Money(#[from] MoneyError),
    /// Nothing to be repaid, or more than may be lent at all.
    #[error("{0} is not an amount that a schedule can be made of")]
    Principal(Money),
    /// A number that does not fit.
    #[error("the calculation does not fit into whole fen")]
    Overflow,
    /// A date beyond what dates can say.
    #[error("instalment {0} is due beyond the end of all dates")]
    Date(u32),
    /// A calendar that is closed for too long.
    #[error("the calendar has no business day near {0}")]
    NoBusinessDay(NaiveDate),
    /// Periods that do not follow each other, or of another number than the terms say.
    #[error("period {0} does not follow the one before it, or its dates are not in order")]
    Period(usize),
    /// An overdue span out of order.
    #[error("the overdue span from {0} is not in order")]
    Span(NaiveDate),
}

/// A period that interest is calculated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first day, counted.
    pub start: NaiveDate,
    /// Its end, not counted; the start of the next one.
    pub end: NaiveDate,
    /// When it is paid for: its end, or where holidays or an agreement move that.
    pub due: NaiveDate,
}

/// An instalment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instalment {
    /// From 1.
    pub number: u32,
    /// Its period and due date.
    pub period: Period,
    /// Principal due.
    pub principal: Money,
    /// Interest due.
    pub interest: Money,
    /// Fees due.
    pub fees: Money,
    /// What is owed after it.
    pub balance: Money,
}

impl Instalment {
    /// What is due of it when nothing is late.
    #[must_use]
    pub const fn due(&self) -> Due {
        Due {
            penalty: Money::zero(self.principal.currency()),
            fees: self.fees,
            interest: self.interest,
            principal: self.principal,
        }
    }
}

/// The schedule of a loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What was disbursed, the sum of all principal.
    pub principal: Money,
    /// Fees due when it was.
    pub fees_at_disbursement: Money,
    /// In order of due dates; one at least.
    pub instalments: Vec<Instalment>,
}

impl Schedule {
    /// All interest.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn interest(&self) -> Result<Money, MoneyError> {
        let nothing = Money::zero(self.principal.currency());
        let mut parts = self.instalments.iter().map(|one| one.interest);
        parts.try_fold(nothing, Money::plus)
    }
}

/// The schedule of an amount disbursed on a day.
///
/// # Errors
/// [`ScheduleError`]; the terms, the amount or the calendar must change.
pub fn calculate(
    terms: &Terms,
    principal: Money,
    disbursed: NaiveDate,
    calendar: &Calendar,
) -> Result<Schedule, ScheduleError> {
    calculate_over(terms, principal, &periods(terms, disbursed, calendar)?)
}

/// The periods of a loan disbursed on a day, as many as the terms have instalments.
///
/// # Errors
/// [`ScheduleError::Terms`], [`ScheduleError::Date`], [`ScheduleError::NoBusinessDay`].
pub fn periods(
    terms: &Terms,
    disbursed: NaiveDate,
    calendar: &Calendar,
) -> Result<Vec<Period>, ScheduleError> {
    terms.check()?;
    let mut start = disbursed;
    let mut made = Vec::with_capacity(terms.instalments as usize);
    for number in 1..=terms.instalments {
        let regular = terms.frequency.date(disbursed, number);
        let regular = regular.ok_or(ScheduleError::Date(number))?;
        // No due date goes before the money.
        let due = calendar.shift(regular, terms.shift.rule)?.max(disbursed);
        let end = if terms.shift.interest_follows {
            due
        } else {
            regular
        };
        made.push(Period { start, end, due });
        start = end;
    }
    Ok(made)
}

/// The schedule of an amount over given periods.
///
/// # Errors
/// [`ScheduleError`]; [`ScheduleError::Period`] if the periods are not as many as the terms have
/// instalments, leave a day out, count one twice, or are due in another order.
pub fn calculate_over(
    terms: &Terms,
    principal: Money,
    periods: &[Period],
) -> Result<Schedule, ScheduleError> {
    terms.check()?;
    check_periods(terms, periods)?;
    if principal.fen() == 0 || principal.fen() > MAX_AMOUNT_FEN {
        return Err(ScheduleError::Principal(principal));
    }
    let fractions: Vec<_> = periods.iter().map(|one| fraction(terms, one)).collect();
    let split = Split {
        terms,
        principal: principal.fen(),
        fractions: &fractions,
    };
    let instalments = instalments(terms, principal, periods, &split.rows()?)?;
    let at_disbursement = |when| when == FeeTime::Disbursement;
    let fees = &terms.fees;
    Ok(Schedule {
        principal,
        fees_at_disbursement: fees::due(fees, at_disbursement, principal, 0, &terms.rounding)?,
        instalments,
    })
}

fn instalments(
    terms: &Terms,
    principal: Money,
    periods: &[Period],
    rows: &[Row],
) -> Result<Vec<Instalment>, ScheduleError> {
    let money = |fen| Money::from_fen(fen, principal.currency());
    let mut balance = principal;
    let mut made = Vec::with_capacity(periods.len());
    for ((number, period), row) in (1..).zip(periods).zip(rows) {
        let is_due = |when| match when {
            FeeTime::Disbursement => false,
            FeeTime::EachInstalment => true,
            FeeTime::LastInstalment => number == terms.instalments,
        };
        let owed = balance.fen();
        let fees = fees::due(&terms.fees, is_due, principal, owed, &terms.rounding)?;
        balance = balance.minus(money(row.principal)?)?;
        made.push(Instalment {
            number,
            period: *period,
            principal: money(row.principal)?,
            interest: money(row.interest)?,
            fees,
            balance,
        });
    }
    Ok(made)
}

fn fraction(terms: &Terms, period: &Period) -> YearFraction {
    let by_days = || terms.day_count.fraction(period.start, period.end);
    match terms.accrual {
        Accrual::ByDays => by_days(),
        // Terms without such a fraction were refused.
        Accrual::EqualPeriods => {
            let whole = terms.frequency.whole_period(terms.day_count);
            whole.unwrap_or_else(by_days)
        }
    }
}

/// A moved due date may lie before its own period's end, but never before the money.
fn check_periods(terms: &Terms, periods: &[Period]) -> Result<(), ScheduleError> {
    let mut before: Option<&Period> = None;
    for (number, period) in (1..).zip(periods) {
        let follows = before.is_none_or(|last| last.end == period.start && last.due <= period.due);
        let after_money = periods[0].start <= period.due;
        if !follows || !after_money || period.end < period.start {
            return Err(ScheduleError::Period(number));
        }
        before = Some(period);
    }
    if u32::try_from(periods.len()) == Ok(terms.instalments) {
        Ok(())
    } else {
        Err(ScheduleError::Period(periods.len()))
    }
}

#[cfg(test)]
pub(crate) mod tests;
