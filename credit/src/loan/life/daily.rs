//! The daily run: what a loan does by itself as days pass.
//!
//! [`day`] gives the acts that bring a loan to a business day, those of missed days first. Every act
//! is one step; a run that is stopped after any of them goes on with the next one, and a day that was
//! run gives nothing. Interest is earned each day as the difference of cumulative amounts rounded
//! down, so the days of an instalment sum to its interest.

use chrono::NaiveDate;
use schemas::time::Instant;

use super::act::{Act, Deed, Key};
use super::actor::Actor;
use super::conditions::Conditions;
use super::position::{Position, RunStep};
use super::refused::Refused;
use super::state::Loan;
use crate::law::acceptance::china_day;
use crate::ledger::{Entry, LoanId};

/// What the run did: the loan after it, and each act with what it booked.
pub type Ran = (Loan, Vec<(Act, Vec<Entry>)>);

/// Brings a loan to a business day.
///
/// # Errors
/// [`Refused::Future`] for a day that is not today by the clock, [`Refused::ClockBack`], amounts that
/// do not fit. Nothing was done then.
pub fn day(loan: Loan, until: NaiveDate, booked: Instant) -> Result<Ran, Refused> {
    let mut loan = loan;
    let mut done = Vec::new();
    while let Some(act) = next(&loan, until, booked) {
        let applied = loan.apply(act.clone())?;
        loan = applied.loan;
        done.push((act, applied.entries));
    }
    Ok((loan, done))
}

/// What a loan is to the daily run when its acts are not read: a copy of its position, and what an act
/// of the run is held against.
#[derive(Clone, Debug)]
pub struct Running<'c> {
    /// Its name.
    pub id: LoanId,
    /// Where it stands.
    pub position: Position,
    /// Its conditions.
    pub conditions: &'c Conditions,
    /// When its last act was booked.
    pub last_booked: Instant,
}

/// An act with what it books.
pub type Booked = (Act, Vec<Entry>);

/// Like [`day`], for a loan of which only the position is known: the same acts, the same entries.
///
/// # Errors
/// As [`day`].
pub fn day_of(
    running: Running<'_>,
    until: NaiveDate,
    booked: Instant,
) -> Result<(Position, Vec<Booked>), Refused> {
    let Running {
        id,
        mut position,
        conditions,
        last_booked,
    } = running;
    let mut done = Vec::new();
    while let Some(step) = live(&position).and_then(|live| live.next_step(until)) {
        let act = act(step, position.day(), booked);
        if booked < last_booked {
            let last = last_booked;
            return Err(Refused::ClockBack { booked, last });
        }
        let day = china_day(booked);
        if act.value > day {
            let value = act.value;
            return Err(Refused::Future { value, day });
        }
        let mut bookings = Vec::new();
        position.run(step, conditions, &mut bookings)?;
        let entries: Result<_, _> = bookings.iter().map(|one| one.entry(&id, None)).collect();
        done.push((act, entries?));
    }
    Ok((position, done))
}

/// Whether days still do something to it.
fn live(position: &Position) -> Option<&Position> {
    Some(position).filter(|one| !one.is_written_off() && !one.is_settled())
}

/// The day that a loan was brought to by the run, if days still do something to it: before the
/// business day where instalments of that are pending.
#[must_use]
pub fn run_day(loan: &Loan) -> Option<NaiveDate> {
    let lent = matches!(
        loan,
        Loan::Active(_) | Loan::Delinquent(_) | Loan::Restructured(_)
    );
    loan.position().filter(|_| lent).and_then(run_day_of)
}

/// As [`run_day`], of a position.
#[must_use]
pub fn run_day_of(position: &Position) -> Option<NaiveDate> {
    let day = live(position)?.day();
    match position.next_step(day) {
        Some(_) => day.pred_opt(),
        None => Some(day),
    }
}

/// The next act of the daily run, if there is one up to that day.
#[must_use]
pub fn next(loan: &Loan, until: NaiveDate, booked: Instant) -> Option<Act> {
    let live = matches!(
        loan,
        Loan::Active(_) | Loan::Delinquent(_) | Loan::Restructured(_)
    );
    let position = loan.position().filter(|_| live)?;
    let step = position.next_step(until)?;
    Some(act(step, position.day(), booked))
}

/// The act of a step on a business day.
fn act(step: RunStep, on: NaiveDate, booked: Instant) -> Act {
    let (key, value, deed) = match step {
        RunStep::Day(day) => (Key::day(day), day, Deed::DayOpened),
        RunStep::Due(number) => (Key::due(number), on, Deed::InstalmentDue { number }),
    };
    Act {
        key,
        value,
        booked,
        by: Actor::Machine,
        deed,
    }
}
