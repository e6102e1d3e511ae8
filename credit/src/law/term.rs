//! When a term of payment begins and ends, and to whom a rule applies.

use chrono::{Days, NaiveDate};

use super::acceptance::{Step, shown};
use super::facts::{AgreedTerm, Buyer, Facts, Inspection, Settlement};
use super::finding::{Excluded, FactName, Finding};
use crate::schedule::{Calendar, ShiftRule};

/// Days of an organ or a public institution that agreed on nothing: decree 802 article 9 paragraph 1.
pub const PUBLIC_DEFAULT_DAYS: u32 = 30;
/// Days that an organ or a public institution may agree on at most: the same.
pub const PUBLIC_MAX_DAYS: u32 = 60;
/// Days of a large enterprise: decree 802 article 9 paragraph 2.
pub const LARGE_DAYS: u32 = 60;

/// What made a term begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    /// The goods came (article 9).
    Delivery,
    /// They were accepted (article 10 paragraph 1).
    Acceptance,
    /// The buyer's time to inspect was over (article 10 paragraph 2).
    InspectionOver,
    /// Both sides settled a period (article 9, last paragraph).
    Settlement,
}

/// The day from which a term of payment runs; that day itself is not counted (Civil Code 201).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The day.
    pub on: NaiveDate,
    /// Why this one.
    pub by: StartedBy,
}

/// The start of the term of payment.
///
/// # Errors
/// The fact that is missing; nothing is assumed in its place.
pub fn start(facts: &Facts, calendar: &Calendar) -> Result<Start, FactName> {
    let began = |on, by| Ok(Start { on, by });
    match facts.settlement.ok_or(FactName::Settlement)? {
        Settlement::On(day) => return began(day, StartedBy::Settlement),
        Settlement::Open => return Err(FactName::Settlement),
        Settlement::ByDelivery => {}
    }
    let receipts = facts.receipts.as_deref().ok_or(FactName::Receipts)?;
    let delivered = shown(receipts, Step::Receiving).ok_or(FactName::Receipts)?;
    let accepted = shown(receipts, Step::Accepting);
    match facts.inspection.ok_or(FactName::Inspection)? {
        Inspection::NotAgreed => began(delivered, StartedBy::Delivery),
        Inspection::WithoutPeriod => {
            began(accepted.ok_or(FactName::Acceptance)?, StartedBy::Acceptance)
        }
        Inspection::Days(days) => inspected(facts, calendar, delivered, accepted, days),
    }
}

/// Acceptance, or the end of the time for it if that is earlier.
fn inspected(
    facts: &Facts,
    calendar: &Calendar,
    delivered: NaiveDate,
    accepted: Option<NaiveDate>,
    days: u32,
) -> Result<Start, FactName> {
    let counted = after(delivered, days)?;
    if let Some(on) = accepted.filter(|on| *on <= counted) {
        let by = StartedBy::Acceptance;
        return Ok(Start { on, by });
    }
    let end = last_day(delivered, days, calendar)?;
    let by = StartedBy::InspectionOver;
    match accepted {
        Some(on) if on <= end => Ok(Start {
            on,
            by: StartedBy::Acceptance,
        }),
        Some(_) => Ok(Start { on: end, by }),
        None if facts.as_of.ok_or(FactName::AsOf)? > end => Ok(Start { on: end, by }),
        None => Err(FactName::Acceptance),
    }
}

/// The last day of so many days from a start: the first day is not counted, and a last day of rest
/// moves to the day after the rest (Civil Code 201 and 203).
///
/// # Errors
/// [`FactName::Holidays`] if the calendar does not know the days at the end.
pub fn last_day(start: NaiveDate, days: u32, calendar: &Calendar) -> Result<NaiveDate, FactName> {
    let last = after(start, days)?;
    let shifted = calendar
        .shift(last, ShiftRule::Following)
        .map_err(|_| FactName::Holidays)?;
    if calendar.knows(last) && calendar.knows(shifted) {
        Ok(shifted)
    } else {
        Err(FactName::Holidays)
    }
}

/// So many days later, without a look at holidays.
///
/// # Errors
/// [`FactName::Date`] beyond the end of all dates.
pub fn after(start: NaiveDate, days: u32) -> Result<NaiveDate, FactName> {
    start
        .checked_add_days(Days::new(days.into()))
        .ok_or(FactName::Date)
}

/// The last day on which payment is in time: as agreed, else as decree 802 has it.
///
/// # Errors
/// The fact that is missing.
pub fn due(facts: &Facts, calendar: &Calendar) -> Result<NaiveDate, FactName> {
    let days = match facts.agreed_term.ok_or(FactName::AgreedTerm)? {
        AgreedTerm::Until(day) => return Ok(day),
        AgreedTerm::Days(days) => days,
        AgreedTerm::NotAgreed => match facts.buyer.ok_or(FactName::Buyer)? {
            Buyer::LargeEnterprise => LARGE_DAYS,
            Buyer::PublicBody => PUBLIC_DEFAULT_DAYS,
            Buyer::SmallOrMedium => return Err(FactName::AgreedTerm),
        },
    };
    last_day(start(facts, calendar)?.on, days, calendar)
}

/// One question of whether a rule applies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gate {
    Open,
    Closed(Excluded),
    Missing(FactName),
}

/// The gate of a fact: closed where the fact excludes, missing where there is none.
pub(super) fn known<T: Copy>(
    fact: Option<T>,
    name: FactName,
    excludes: impl FnOnce(T) -> Option<Excluded>,
) -> Gate {
    match fact.map(excludes) {
        None => Gate::Missing(name),
        Some(None) => Gate::Open,
        Some(Some(excluded)) => Gate::Closed(excluded),
    }
}

/// Passes where all gates are open. One that is closed says more than one that is missing.
pub(super) fn gates(gates: &[Gate]) -> Result<(), Finding> {
    let closed = gates.iter().find_map(|gate| match gate {
        Gate::Closed(excluded) => Some(Finding::NotApplicable(*excluded)),
        _ => None,
    });
    let missing = gates.iter().find_map(|gate| match gate {
        Gate::Missing(name) => Some(Finding::Unknown(*name)),
        _ => None,
    });
    closed.or(missing).map_or(Ok(()), Err)
}
