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
use super::position::RunStep;
use super::refused::Refused;
use super::state::Loan;
use crate::ledger::Entry;

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

/// The next act of the daily run, if there is one up to that day.
#[must_use]
pub fn next(loan: &Loan, until: NaiveDate, booked: Instant) -> Option<Act> {
    let live = matches!(
        loan,
        Loan::Active(_) | Loan::Delinquent(_) | Loan::Restructured(_)
    );
    let position = loan.position().filter(|_| live)?;
    let (key, value, deed) = match position.next_step(until)? {
        RunStep::Day(day) => (Key::day(day), day, Deed::DayOpened),
        RunStep::Due(number) => (
            Key::due(number),
            position.day(),
            Deed::InstalmentDue { number },
        ),
    };
    Some(Act {
        key,
        value,
        booked,
        by: Actor::Machine,
        deed,
    })
}
