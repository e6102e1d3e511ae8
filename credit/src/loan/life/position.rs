//! Where a loan that was paid out stands: what is due, what is not, its books and its class.
//!
//! A position moves by the steps of the daily run and by what people and the bank do. It knows
//! no booking instant and no key of an earlier act: the same acts on the same days give the same
//! position and the same bookings, however late they were booked. `refold` rests on that.

mod early;
mod kept;
mod loss;
mod money;
mod run;

use std::sync::Arc;

use chrono::NaiveDate;

use super::act::{Act, Deed, NewTerms, Span};
use super::books::{Booking, Books, Cause, Draft};
use super::conditions::Conditions;
use super::grading::{Bucket, Grading};
use super::refused::Refused;
use super::slot::{self, Slot};
use crate::ledger::{Class, EntryKind};
use crate::money::{Money, MoneyError};
use crate::schedule::{
    Accrual, Amortisation, Due, FeeTime, Grace, InterestMethod, Period, Terms, calculate_over,
};

pub use early::Payoff;
pub use kept::NotKept;
pub(super) use run::RunStep;

/// Where a loan that was paid out stands on its business day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    day: NaiveDate,
    disbursed: NaiveDate,
    terms: Arc<Terms>,
    slots: Vec<Slot>,
    numbered: u32,
    books: Books,
    grading: Grading,
    suspended: bool,
    is_written_off: bool,
}

impl Position {
    /// Its business day: everything up to the morning of it has happened.
    #[must_use]
    pub const fn day(&self) -> NaiveDate {
        self.day
    }

    /// When the money went.
    #[must_use]
    pub const fn disbursed(&self) -> NaiveDate {
        self.disbursed
    }

    /// Instalments that are not paid in full, the oldest first.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Its balances.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// Its class, its days past due and its watch.
    #[must_use]
    pub const fn grading(&self) -> &Grading {
        &self.grading
    }

    /// Its delinquency bucket, with the days that a watch carries.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        Bucket::of(self.grading.days)
    }

    /// Whether its interest is no longer counted as earned.
    #[must_use]
    pub const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Whether it was written off; it is then still owed.
    #[must_use]
    pub const fn is_written_off(&self) -> bool {
        self.is_written_off
    }

    /// Whether nothing is owed by the borrower.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.slots.is_empty() && self.books.fen(Class::WrittenOffClaim) == 0
    }

    /// Whether days pass without a step: nothing falls due and nothing is earned any more.
    #[must_use]
    pub fn is_dormant(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether an instalment of this number fell due or is not needed any more.
    #[must_use]
    pub fn has_fallen(&self, number: u32) -> bool {
        let ahead = self.slots.iter().filter(|slot| slot.ahead().is_some());
        let mut ahead = ahead.map(|slot| slot.number);
        number <= self.numbered && ahead.all(|other| other != number)
    }

    /// What is due and unpaid.
    ///
    /// # Errors
    /// [`Refused::Money`].
    pub fn due(&self) -> Result<Due, Refused> {
        slot::sum(
            self.books.currency(),
            self.slots.iter().filter_map(Slot::unpaid),
        )
    }

    /// The borrower's money that nothing was due for.
    ///
    /// # Errors
    /// [`Refused::Money`].
    pub fn credit(&self) -> Result<Money, Refused> {
        Ok(self.books.amount(Class::BorrowerCredit)?)
    }

    /// The position on the day of the money.
    pub(super) fn paid_out(
        conditions: &Conditions,
        instalments: u32,
        amount: Money,
        act: &Act,
        periods: &[Span],
        out: &mut Vec<Booking>,
    ) -> Result<Self, Refused> {
        begins(periods, act.value)?;
        let terms = conditions.product.terms(instalments)?;
        let schedule = calculate_over(&terms, amount, &of_acts(periods))?;
        let mut slots = Vec::new();
        if schedule.fees_at_disbursement.fen() > 0 {
            slots.push(Slot::at_disbursement(
                act.value,
                schedule.fees_at_disbursement,
            ));
        }
        slots.extend(Slot::of(&schedule, &terms, 0));
        let mut position = Self {
            day: act.value,
            disbursed: act.value,
            numbered: numbered(&slots),
            terms: Arc::new(terms),
            slots,
            books: Books::new(amount.currency()),
            grading: Grading::default(),
            suspended: false,
            is_written_off: false,
        };
        let mut draft = Draft::default();
        draft.move_to(Class::Principal, Class::Cash, amount)?;
        position.book(
            &draft,
            Cause::Act(act.key.clone()),
            EntryKind::Disbursement,
            out,
        )?;
        Ok(position)
    }

    /// Does what an act says, on its business day.
    pub(super) fn perform(
        &mut self,
        act: &Act,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let cause = || Cause::Act(act.key.clone());
        match &act.deed {
            Deed::Paid { amount } if !self.is_written_off => {
                self.pay(*amount, cause(), conditions, out)
            }
            Deed::RepaidEarly { amount } if !self.is_written_off => {
                self.repay_early(*amount, cause(), conditions, out)
            }
            Deed::Restructured(new) if !self.is_dormant() => {
                self.restructure(new, cause(), conditions, out)
            }
            Deed::Graded { at_least, .. } if !self.is_dormant() => {
                self.grading.at_least = *at_least;
                self.regrade(conditions);
                self.suspend_or_resume(cause(), out)
            }
            Deed::WatchEnded { .. } => self.end_watch(conditions),
            Deed::WrittenOff { .. } if !self.is_dormant() => self.write_off(cause(), out),
            Deed::Recovered { amount } if self.is_written_off => {
                self.recover(*amount, cause(), out)
            }
            Deed::Refunded { amount } => self.refund(*amount, cause(), out),
            deed => Err(Refused::State {
                state: self.word(),
                deed: deed.word(),
            }),
        }
    }

    /// Word of its state.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.is_written_off, self.is_settled()) {
            (_, true) => "settled",
            (true, false) => "written_off",
            (false, false) if self.grading.watch.is_some() => "restructured",
            (false, false) if self.grading.days > 0 => "delinquent",
            (false, false) => "active",
        }
    }

    /// New terms from what is owed: principal anew, the rest with the first instalment.
    fn restructure(
        &mut self,
        new: &NewTerms,
        cause: Cause,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        begins(&new.periods, self.day)?;
        let terms = new_terms(&self.terms, new)?;
        let principal = self.books.amount(Class::Principal)?;
        let schedule = calculate_over(&terms, principal, &of_acts(&new.periods))?;
        let currency = principal.currency();
        let carried = Due {
            penalty: self.books.amount(Class::PenaltyReceivable)?,
            fees: self.books.amount(Class::FeesReceivable)?,
            interest: self.books.amount(Class::InterestReceivable)?,
            principal: Money::zero(currency),
        };
        self.slots = Slot::of(&schedule, &terms, self.numbered);
        self.numbered = numbered(&self.slots);
        let first = self.slots.first_mut().ok_or(Refused::Date)?;
        first.carry(carried);
        let first_due = first.due;
        self.terms = Arc::new(terms);
        let rules = &conditions.rules.grading;
        self.grading.restructured(first_due, rules);
        self.suspend_or_resume(cause, out)
    }

    fn end_watch(&mut self, conditions: &Conditions) -> Result<(), Refused> {
        let rules = &conditions.rules.grading;
        if !self.grading.watch_is_over(rules, self.day) {
            return Err(Refused::Watched(self.grading.watch_until(rules)));
        }
        self.grading.watch = None;
        self.regrade(conditions);
        Ok(())
    }

    fn regrade(&mut self, conditions: &Conditions) {
        let unpaid = self.slots.iter().find(|slot| slot.unpaid().is_some());
        let oldest = unpaid.map(|slot| slot.due);
        let rules = &conditions.rules.grading;
        self.grading.update(rules, self.day, oldest);
    }

    fn book(
        &mut self,
        draft: &Draft,
        cause: Cause,
        kind: EntryKind,
        out: &mut Vec<Booking>,
    ) -> Result<(), MoneyError> {
        self.books.book(draft, cause, kind, self.day, out)
    }
}

/// Periods that begin on the day of the act.
fn begins(periods: &[Span], day: NaiveDate) -> Result<(), Refused> {
    let found = periods.first().map(|period| period.start);
    if found == Some(day) {
        Ok(())
    } else {
        Err(Refused::FirstPeriod {
            expected: day,
            found,
        })
    }
}

fn of_acts(periods: &[Span]) -> Vec<Period> {
    periods.iter().copied().map(Period::from).collect()
}

fn numbered(slots: &[Slot]) -> u32 {
    slots.last().map_or(0, |slot| slot.number)
}

/// Terms of what is left of a loan, over periods that need not be alike: counted by days.
fn rest_of(terms: &Terms, instalments: usize) -> Result<Terms, Refused> {
    let instalments = u32::try_from(instalments).map_err(|_| Refused::Date)?;
    let mut fees = terms.fees.clone();
    fees.retain(|fee| fee.when != FeeTime::Disbursement);
    Ok(Terms {
        instalments,
        accrual: Accrual::ByDays,
        grace: Grace::default(),
        fees,
        ..terms.clone()
    })
}

fn new_terms(terms: &Terms, new: &NewTerms) -> Result<Terms, Refused> {
    let mut made = rest_of(terms, new.periods.len())?;
    made.annual_rate = new.annual_rate;
    made.amortisation = new.repaid.into();
    if made.amortisation == Amortisation::Bullet {
        made.interest = InterestMethod::DecliningBalance;
    }
    made.rounding.evened &= made.amortisation == Amortisation::EqualInstalments;
    Ok(made)
}
