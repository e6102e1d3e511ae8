//! The steps of the daily run.

use chrono::NaiveDate;

use super::Position;
use crate::ledger::{Class, EntryKind};
use crate::loan::life::books::{Booking, Cause, Draft};
use crate::loan::life::conditions::Conditions;
use crate::loan::life::refused::Refused;
use crate::loan::life::slot::{self, SlotStage};
use crate::money::{Money, MoneyError};
use crate::schedule::{Rate, RoundingMode};

/// What the daily run does next with a loan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::loan::life) enum RunStep {
    /// An instalment falls due on the business day.
    Due(u32),
    /// The next business day begins.
    Day(NaiveDate),
}

impl Position {
    /// What the daily run does next to bring the loan to a day; nothing if it is there.
    pub(in crate::loan::life) fn next_step(&self, until: NaiveDate) -> Option<RunStep> {
        let ahead = self.slots.iter().find(|slot| slot.ahead().is_some());
        match ahead.filter(|slot| slot.due <= self.day) {
            Some(slot) => Some(RunStep::Due(slot.number)),
            None if self.is_dormant() || self.day >= until => None,
            None => self.day.succ_opt().map(RunStep::Day),
        }
    }

    /// Does a step that [`Position::next_step`] gave.
    pub(in crate::loan::life) fn run(
        &mut self,
        step: RunStep,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        match step {
            RunStep::Due(number) => self.fall_due(number, conditions, out),
            RunStep::Day(day) => self.open_day(day, conditions, out),
        }
    }

    /// Brings the loan to a day.
    pub(in crate::loan::life) fn run_until(
        &mut self,
        day: NaiveDate,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        while let Some(step) = self.next_step(day) {
            self.run(step, conditions, out)?;
        }
        self.pass_until(day);
        Ok(())
    }

    /// Lets days pass over a loan to which nothing happens in them.
    pub(in crate::loan::life) fn pass_until(&mut self, day: NaiveDate) {
        if self.is_dormant() {
            self.day = self.day.max(day);
        }
    }

    fn open_day(
        &mut self,
        day: NaiveDate,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        self.day = day;
        self.accrue(out)?;
        self.charge_penalty(conditions, out)?;
        self.regrade(conditions);
        self.suspend_or_resume(Cause::Day(day), out)?;
        self.provide(Cause::Day(day), conditions, out)
    }

    /// Interest up to the morning of the day.
    fn accrue(&mut self, out: &mut Vec<Booking>) -> Result<(), Refused> {
        let (day, income) = (self.day, self.income(Class::InterestIncome));
        let mut draft = Draft::default();
        for slot in &mut self.slots {
            if let SlotStage::Ahead(ahead) = &mut slot.stage {
                if ahead.from >= day || ahead.earned == ahead.interest {
                    continue;
                }
                let earned = ahead.earned_by(&self.terms, slot.due, day);
                let more = earned.minus(ahead.earned)?;
                draft.move_to(Class::InterestReceivable, income, more)?;
                ahead.earned = earned;
            }
        }
        self.book(&draft, Cause::Day(day), EntryKind::InterestAccrual, out)?;
        Ok(())
    }

    fn charge_penalty(
        &mut self,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let (day, income) = (self.day, self.income(Class::PenaltyIncome));
        let penalty = &conditions.product.penalty;
        let mut draft = Draft::default();
        for slot in &mut self.slots {
            let SlotStage::Fallen(fallen) = &mut slot.stage else {
                break;
            };
            let charged = fallen.penalty_by(penalty, &self.terms.rounding, slot.due, day)?;
            let more = charged.minus(fallen.charged)?;
            draft.move_to(Class::PenaltyReceivable, income, more)?;
            fallen.unpaid.penalty = fallen.unpaid.penalty.plus(more)?;
            fallen.charged = charged;
        }
        self.book(&draft, Cause::Day(day), EntryKind::PenaltyCharge, out)?;
        Ok(())
    }

    /// Where income goes: of a non-performing loan it is not counted as earned.
    const fn income(&self, class: Class) -> Class {
        if self.suspended {
            Class::SuspendedInterest
        } else {
            class
        }
    }

    /// An instalment falls due; the borrower's own credit pays it first.
    fn fall_due(
        &mut self,
        number: u32,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let income = self.income(Class::InterestIncome);
        let mut slots = self.slots.iter_mut();
        let slot = slots.find(|slot| slot.number == number);
        let slot = slot.ok_or(Refused::RunOrder)?;
        let left = slot.ahead().ok_or(Refused::RunOrder)?;
        let left = left.interest.minus(left.earned)?;
        let fees = slot.fall()?;
        let is_nothing = slot.is_paid();
        let mut draft = Draft::default();
        draft.move_to(Class::InterestReceivable, income, left)?;
        self.book(&draft, Cause::Due(number), EntryKind::InterestAccrual, out)?;
        let mut draft = Draft::default();
        draft.move_to(Class::FeesReceivable, Class::FeeIncome, fees)?;
        self.book(&draft, Cause::Due(number), EntryKind::FeeCharge, out)?;
        if is_nothing {
            self.slots.retain(|slot| slot.number != number);
        }
        self.use_credit(Cause::Due(number), conditions, out)
    }

    fn use_credit(
        &mut self,
        cause: Cause,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let credit = self.credit()?;
        let mut draft = Draft::default();
        if credit.fen() > 0 {
            self.take(credit, Class::BorrowerCredit, conditions, &mut draft)?;
            self.book(&draft, cause.clone(), EntryKind::CreditUse, out)?;
        }
        self.settle(cause, out)
    }

    /// Takes unpaid interest out of income when the loan becomes non-performing, and back when it
    /// is cured.
    pub(super) fn suspend_or_resume(
        &mut self,
        cause: Cause,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let suspend = self.grading.grade.is_nonperforming();
        if suspend == self.suspended {
            return Ok(());
        }
        self.suspended = suspend;
        let mut draft = Draft::default();
        let unpaid = [
            (Class::InterestIncome, Class::InterestReceivable),
            (Class::PenaltyIncome, Class::PenaltyReceivable),
        ];
        for (income, receivable) in unpaid {
            let amount = self.books.amount(receivable)?;
            if suspend {
                draft.move_to(income, Class::SuspendedInterest, amount)?;
            } else {
                draft.move_to(Class::SuspendedInterest, income, amount)?;
            }
        }
        let kind = if suspend {
            EntryKind::InterestSuspension
        } else {
            EntryKind::InterestResumption
        };
        self.book(&draft, cause, kind, out)?;
        Ok(())
    }

    /// What the bank would lose: everything owed that was counted as earned, and the principal.
    ///
    /// # Errors
    /// [`MoneyError`], never in practice.
    pub fn exposure(&self) -> Result<Money, MoneyError> {
        let owed = [
            Class::InterestReceivable,
            Class::FeesReceivable,
            Class::PenaltyReceivable,
        ];
        let mut sum = self.books.amount(Class::Principal)?;
        for class in owed {
            sum = sum.plus(self.books.amount(class)?)?;
        }
        sum.minus(self.books.amount(Class::SuspendedInterest)?)
    }

    /// Brings what is set aside to the share of its class, **rounded up**.
    fn provide(
        &mut self,
        cause: Cause,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let rates = conditions.rules.provisions.by_class();
        let share = share(self.exposure()?, rates[self.grading.grade as usize])?;
        self.set_aside(share, cause, out)
    }

    pub(super) fn set_aside(
        &mut self,
        amount: Money,
        cause: Cause,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let is = self.books.amount(Class::LossAllowance)?;
        let mut draft = Draft::default();
        let kind = if amount.fen() >= is.fen() {
            let more = amount.minus(is)?;
            draft.move_to(Class::ProvisionExpense, Class::LossAllowance, more)?;
            EntryKind::Provision
        } else {
            let less = is.minus(amount)?;
            draft.move_to(Class::LossAllowance, Class::ProvisionExpense, less)?;
            EntryKind::ProvisionRelease
        };
        self.book(&draft, cause, kind, out)?;
        Ok(())
    }
}

/// A share of an amount, rounded up.
fn share(amount: Money, rate: Rate) -> Result<Money, Refused> {
    slot::share(amount, rate, RoundingMode::Up)
}
