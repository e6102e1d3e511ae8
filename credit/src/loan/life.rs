//! The life of a loan after its offer: paid out by a token, run every day, repaid, corrected,
//! restructured, given up, closed.
//!
//! A loan is a fold over dated [`Act`]s that are only ever added: [`Loan::open`] takes the first one,
//! [`Loan::apply`] each later one, and gives the ledger entries that it books. Everything is pure: no
//! clock, no I/O, no float. `docs/life.md` says what each state allows and where the rules are from.
//!
//! Absences: no act is changed or taken back; no booking is changed, only reversed; no money goes out
//! but by a token that its borrower could see, limit and revoke; no person is maker and checker of
//! one act; no payment takes more than is due.

pub mod act;
pub mod actor;
mod books;
pub mod conditions;
pub mod daily;
pub mod disbursement;
pub mod file;
pub mod grading;
pub mod position;
mod refold;
pub mod refused;
pub mod slot;
pub mod state;
mod written;

use std::sync::Arc;

pub use act::{Act, Deed, FreezeCause, Key, NewTerms, Opened, Repaid, Span};
pub use actor::{Actor, Person, SamePerson, TwoPeople};
pub use books::Books;
pub use conditions::{Conditions, GradingRules, Provisions, Rules, RulesError};
pub use daily::{Running, day, day_of, run_day, run_day_of};
pub use file::File;
pub use grading::{Bucket, Grade, Grading, Watch};
pub use position::{NotKept, Payoff, Position};
pub use refused::Refused;
pub use state::Loan;

use crate::ledger::{Entry, LoanId};
use file::Known;

/// A loan after an act.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The loan.
    pub loan: Loan,
    /// What the act booked, in this order; nothing if it was known.
    pub entries: Vec<Entry>,
    /// False if the loan had the act already: nothing changed.
    pub is_new: bool,
}

impl Loan {
    /// A loan begins with its opening.
    ///
    /// # Errors
    /// [`Refused`]; there is no loan then.
    pub fn open(id: LoanId, conditions: Arc<Conditions>, act: Act) -> Result<Self, Refused> {
        let file = File::open(id, conditions, act)?;
        Ok(Self::Approved(state::Approved(file)))
    }

    /// Takes an act. The same act again changes nothing.
    ///
    /// # Errors
    /// [`Refused`], naming why; whoever asked still has the acts that the loan was folded from.
    pub fn apply(self, act: Act) -> Result<Applied, Refused> {
        if self.known(&act)? == Known::Already {
            return Ok(Applied {
                loan: self,
                entries: Vec::new(),
                is_new: false,
            });
        }
        self.file().admits(&act)?;
        let (loan, entries) = self.step(act)?;
        Ok(Applied {
            loan,
            entries,
            is_new: true,
        })
    }

    /// A loan from all its acts in the order of booking, and all that they booked.
    ///
    /// # Errors
    /// [`Refused`] of the first act that does not fit.
    pub fn replay(
        id: LoanId,
        conditions: Arc<Conditions>,
        acts: impl IntoIterator<Item = Act>,
    ) -> Result<(Self, Vec<Entry>), Refused> {
        let mut acts = acts.into_iter();
        let first = acts.next().ok_or(Refused::Opening)?;
        let (mut loan, mut entries) = (Self::open(id, conditions, first)?, Vec::new());
        for act in acts {
            let applied = loan.apply(act)?;
            loan = applied.loan;
            entries.extend(applied.entries);
        }
        Ok((loan, entries))
    }

    /// Whether the loan has the act. A day of the run that is over, and an instalment that fell due,
    /// are known by the loan's day.
    fn known(&self, act: &Act) -> Result<Known, Refused> {
        if !act.deed.is_of_the_run() {
            return self.file().known(act);
        }
        let Some(position) = self.position() else {
            return Ok(Known::New);
        };
        let is_over = match act.deed {
            Deed::InstalmentDue { number } => position.has_fallen(number),
            _ => act.value <= position.day(),
        };
        Ok(if is_over { Known::Already } else { Known::New })
    }
}

#[cfg(test)]
mod tests;
