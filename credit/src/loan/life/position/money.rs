//! Money that comes and goes.

use super::Position;
use crate::ledger::{Class, EntryKind};
use crate::loan::life::books::{Booking, Cause, Draft};
use crate::loan::life::conditions::Conditions;
use crate::loan::life::grading::Grading;
use crate::loan::life::refused::Refused;
use crate::loan::life::slot::{self, Slot, SlotStage};
use crate::money::Money;
use crate::schedule::Due;

impl Position {
    /// A payment: what is due, oldest first and in the product's order; the rest is the borrower's.
    pub(super) fn pay(
        &mut self,
        amount: Money,
        cause: Cause,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let mut draft = Draft::default();
        let rest = self.take(amount, Class::Cash, conditions, &mut draft)?;
        draft.move_to(Class::Cash, Class::BorrowerCredit, rest)?;
        self.book(&draft, cause.clone(), EntryKind::Repayment, out)?;
        self.settle(cause, out)?;
        self.regrade(conditions);
        Ok(())
    }

    /// Takes an amount for what is due, from cash or from the borrower's credit, and gives the rest.
    pub(super) fn take(
        &mut self,
        amount: Money,
        from: Class,
        conditions: &Conditions,
        draft: &mut Draft,
    ) -> Result<Money, Refused> {
        let unpaid: Vec<Due> = self
            .slots
            .iter()
            .filter_map(Slot::unpaid)
            .copied()
            .collect();
        let (paid, rest) = slot::split(conditions.product.allocation, amount, &unpaid)?;
        let day = self.day;
        let fallen = self
            .slots
            .iter_mut()
            .filter_map(|slot| match &mut slot.stage {
                SlotStage::Fallen(fallen) => Some(fallen),
                SlotStage::Ahead(_) => None,
            });
        for (fallen, part) in fallen.zip(&paid) {
            fallen.take(part, &conditions.product.penalty, day)?;
        }
        let paid = slot::sum(amount.currency(), paid.iter())?;
        self.receive(&paid, from, draft)?;
        Ok(rest)
    }

    /// Books what was paid off the receivables; interest that was suspended is earned now.
    pub(super) fn receive(
        &self,
        paid: &Due,
        from: Class,
        draft: &mut Draft,
    ) -> Result<(), Refused> {
        draft
            .move_to(from, Class::PenaltyReceivable, paid.penalty)?
            .move_to(from, Class::FeesReceivable, paid.fees)?
            .move_to(from, Class::InterestReceivable, paid.interest)?
            .move_to(from, Class::Principal, paid.principal)?;
        if self.suspended {
            draft
                .move_to(Class::SuspendedInterest, Class::PenaltyIncome, paid.penalty)?
                .move_to(
                    Class::SuspendedInterest,
                    Class::InterestIncome,
                    paid.interest,
                )?;
        }
        Ok(())
    }

    /// Forgets instalments that are paid; when the last one is, nothing is set aside any more, and
    /// there is no class.
    pub(super) fn settle(&mut self, cause: Cause, out: &mut Vec<Booking>) -> Result<(), Refused> {
        let (day, grading) = (self.day, &mut self.grading);
        self.slots.retain(|slot| {
            let is_paid = slot.is_paid();
            if is_paid {
                grading.paid(slot.due, slot.due == day);
            }
            !is_paid
        });
        if self.slots.is_empty() && !self.is_written_off {
            let nothing = Money::zero(self.books.currency());
            self.set_aside(nothing, cause, out)?;
            self.grading = Grading::default();
            self.suspended = false;
        }
        Ok(())
    }

    /// Gives the borrower's own money back.
    pub(super) fn refund(
        &mut self,
        amount: Money,
        cause: Cause,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let most = self.credit()?;
        amount.common(most)?;
        if amount.fen() > most.fen() {
            return Err(Refused::TooMuch {
                asked: amount,
                most,
            });
        }
        let mut draft = Draft::default();
        draft.move_to(Class::BorrowerCredit, Class::Cash, amount)?;
        self.book(&draft, cause, EntryKind::Refund, out)?;
        Ok(())
    }
}
