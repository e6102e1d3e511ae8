//! Folding a loan anew from its acts: how a correction finds what should have been booked.
//!
//! Nothing that was booked is changed. A correction folds the acts without it and with it, and books
//! the difference: a reversal of each booking that should not be, and each one that should be under a
//! key of its own, both with the value date that they had. By construction the books are then what
//! they would have been had the act come in time.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::act::{Act, Deed, Key};
use super::books::{Booking, Cause, Correction};
use super::file::File;
use super::position::{Position, RunStep};
use super::refused::Refused;
use super::state::{Lent, Moved};
use crate::ledger::{Entry, EntryKind};

/// Whether an act is this step of the daily run.
pub(super) fn is_step(step: &RunStep, act: &Act) -> bool {
    match (step, &act.deed) {
        (RunStep::Day(day), Deed::DayOpened) => *day == act.value,
        (RunStep::Due(number), Deed::InstalmentDue { number: named }) => number == named,
        _ => false,
    }
}

/// The ledger entries of bookings that are made for the first time.
pub(super) fn entries(file: &File, bookings: &[Booking]) -> Result<Vec<Entry>, Refused> {
    bookings
        .iter()
        .map(|one| one.entry(file.id(), None))
        .collect()
}

/// The position of a loan up to a day (of the disbursement if none is given), and everything booked.
pub(super) fn simulate(
    file: &File,
    until: Option<NaiveDate>,
) -> Result<(Position, Vec<Booking>), Refused> {
    let mut out = Vec::new();
    let mut position = begin(file, &mut out)?;
    let conditions = file.conditions();
    for act in effective(file)? {
        let done = position
            .run_until(act.value, conditions, &mut out)
            .and_then(|()| position.perform(&act, conditions, &mut out));
        done.map_err(|why| later(file, &act, why))?;
    }
    if let Some(until) = until {
        position.run_until(until, conditions, &mut out)?;
    }
    Ok((position, out))
}

/// Corrects a loan by an act of an earlier day, or about an earlier payment.
pub(super) fn correct(lent: Lent, act: Act) -> Result<Moved, Refused> {
    let Lent { file, position } = lent;
    let day = position.day();
    let until = if position.is_dormant() {
        day.max(act.value)
    } else {
        day
    };
    let (_, before) = simulate(&file, Some(day))?;
    let mut file = file.with(act);
    let (position, after) = simulate(&file, Some(until))?;
    let entries = difference(&mut file, before, after)?;
    Ok((Lent { file, position }.classed(), entries))
}

type Named = BTreeMap<(NaiveDate, Cause, EntryKind), Booking>;

fn named(bookings: Vec<Booking>) -> Named {
    let name = |one: &Booking| (one.value, one.cause.clone(), one.kind);
    bookings.into_iter().map(|one| (name(&one), one)).collect()
}

/// Reversals and new entries, in the order of their value dates.
fn difference(
    file: &mut File,
    before: Vec<Booking>,
    after: Vec<Booking>,
) -> Result<Vec<Entry>, Refused> {
    let number = u32::try_from(file.acts().len()).map_err(|_| Refused::Date)?;
    let (mut before, after) = (named(before), named(after));
    // What is taken back is what stood before this correction, also where the payment moves to an
    // earlier day and is booked there first.
    let stood = file.revised().clone();
    let mut entries = Vec::new();
    let loan = file.id().clone();
    let mut names: Vec<_> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    for name in names {
        let (was, is) = (before.remove(&name), after.get(&name));
        if was.as_ref() == is {
            continue;
        }
        let key = (name.1, name.2);
        let last = stood.get(&key).copied().unwrap_or(0);
        if let Some(was) = &was {
            entries.push(was.reversal(&loan, last, number)?);
        }
        if let Some(is) = is {
            let by = Correction {
                number,
                before: last,
                replaces: was.is_some(),
            };
            entries.push(is.entry(&loan, Some(by))?);
            file.revised().insert(key, number);
        }
    }
    Ok(entries)
}

/// A failure of an act that had been possible before the newest one came.
fn later(file: &File, act: &Act, why: Refused) -> Refused {
    let is_newest = file
        .acts()
        .last()
        .is_some_and(|newest| newest.key == act.key);
    if is_newest {
        return why;
    }
    Refused::Later {
        act: act.key.clone(),
        value: act.value,
        why: Box::new(why),
    }
}

fn begin(file: &File, out: &mut Vec<Booking>) -> Result<Position, Refused> {
    let mut acts = file.acts().iter().rev();
    let amount = file.acts().iter().rev().find_map(|act| match act.deed {
        Deed::TokenUsed { amount, .. } => Some(amount),
        _ => None,
    });
    let paid = acts.find_map(|act| match &act.deed {
        Deed::Disbursed { periods, .. } => Some((act, periods)),
        _ => None,
    });
    let (Some(amount), Some((act, periods))) = (amount, paid) else {
        return Err(Refused::Opening);
    };
    let instalments = file.opened().instalments;
    Position::paid_out(file.conditions(), instalments, amount, act, periods, out)
}

/// Acts about money after the disbursement, as they are right by now, in the order of their days.
fn effective(file: &File) -> Result<Vec<Act>, Refused> {
    let mut acts: Vec<Act> = Vec::new();
    for act in file.acts() {
        match &act.deed {
            Deed::PaymentReversed { payment, .. } => {
                let place = place(&acts, payment)?;
                acts.remove(place);
            }
            Deed::PaymentCorrected {
                payment,
                amount,
                on,
                ..
            } => {
                let place = place(&acts, payment)?;
                let right = &mut acts[place];
                right.value = *on;
                set_amount(&mut right.deed, *amount);
            }
            Deed::Paid { .. }
            | Deed::RepaidEarly { .. }
            | Deed::Restructured(_)
            | Deed::Graded { .. }
            | Deed::WatchEnded { .. }
            | Deed::WrittenOff { .. }
            | Deed::Recovered { .. }
            | Deed::Refunded { .. } => acts.push(act.clone()),
            _ => {}
        }
    }
    acts.sort_by_key(|act| act.value);
    Ok(acts)
}

fn place(acts: &[Act], payment: &Key) -> Result<usize, Refused> {
    let is_payment = |act: &Act| {
        act.key == *payment
            && matches!(
                act.deed,
                Deed::Paid { .. } | Deed::RepaidEarly { .. } | Deed::Recovered { .. }
            )
    };
    let place = acts.iter().position(is_payment);
    place.ok_or_else(|| Refused::NoPayment(payment.clone()))
}

fn set_amount(deed: &mut Deed, right: crate::money::Money) {
    if let Deed::Paid { amount } | Deed::RepaidEarly { amount } | Deed::Recovered { amount } = deed
    {
        *amount = right;
    }
}
