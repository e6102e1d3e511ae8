//! What is given up, and what comes of it later.

use super::Position;
use crate::ledger::{Class, EntryKind};
use crate::loan::life::books::{Booking, Cause, Draft};
use crate::loan::life::grading::Grade;
use crate::loan::life::refused::Refused;
use crate::money::Money;

impl Position {
    /// Takes a loss that is fully set aside off the books. It stays owed: the claim is kept in mind,
    /// and nothing is earned on it any more.
    pub(super) fn write_off(
        &mut self,
        cause: Cause,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        if self.grading.grade != Grade::Loss {
            return Err(Refused::NoLoss(self.grading.grade));
        }
        let credit = self.credit()?;
        if credit.fen() > 0 {
            return Err(Refused::CreditLeft(credit));
        }
        let exposure = self.exposure()?;
        let provided = self.books.amount(Class::LossAllowance)?;
        if provided.fen() < exposure.fen() {
            return Err(Refused::Unprovided { provided, exposure });
        }
        let of = |class| self.books.amount(class);
        let principal = of(Class::Principal)?;
        let fees = of(Class::FeesReceivable)?;
        let interest = of(Class::InterestReceivable)?;
        let penalty = of(Class::PenaltyReceivable)?;
        let claim = principal.plus(fees)?.plus(interest)?.plus(penalty)?;
        let mut draft = Draft::default();
        draft
            .move_to(Class::LossAllowance, Class::Principal, principal)?
            .move_to(Class::LossAllowance, Class::FeesReceivable, fees)?
            .move_to(
                Class::SuspendedInterest,
                Class::InterestReceivable,
                interest,
            )?
            .move_to(Class::SuspendedInterest, Class::PenaltyReceivable, penalty)?
            .move_to(Class::WrittenOffClaim, Class::WrittenOffContra, claim)?;
        self.book(&draft, cause.clone(), EntryKind::WriteOff, out)?;
        self.slots.clear();
        self.is_written_off = true;
        self.set_aside(Money::zero(claim.currency()), cause, out)
    }

    /// Money for a debt that was written off, on an account of its own; beyond the claim it is the
    /// borrower's.
    pub(super) fn recover(
        &mut self,
        amount: Money,
        cause: Cause,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let claim = self.books.amount(Class::WrittenOffClaim)?;
        let recovered = amount.min(claim)?;
        let mut draft = Draft::default();
        draft
            .move_to(Class::Cash, Class::RecoveryIncome, recovered)?
            .move_to(Class::WrittenOffContra, Class::WrittenOffClaim, recovered)?
            .move_to(Class::Cash, Class::BorrowerCredit, amount.minus(recovered)?)?;
        self.book(&draft, cause, EntryKind::Recovery, out)?;
        Ok(())
    }
}
