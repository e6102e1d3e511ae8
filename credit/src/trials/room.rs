//! The trial as lending asks it ([`crate::lending::ports::Room`]): the stage and the stop-loss before
//! money goes out, and room that is given back whatever has stopped lending.

use async_trait::async_trait;
use schemas::hash::sha256;
use schemas::ids::Slug;

use super::Lender;
use crate::ledger::LoanId;
use crate::lending::ports::{Change, Draw, Moved, PortError, Room};
use crate::store::StoreError;
use crate::store::sandbox::{LendError, Refused, Repayment, ReturnError};

#[async_trait]
impl Room for Lender {
    async fn draw(&self, draw: &Draw) -> Result<(), PortError> {
        match Self::draw(self, draw.at).await {
            Ok(()) => Ok(()),
            Err(LendError::Refused(refused)) => {
                Err(PortError::refused(rule(&refused), refused.to_string()))
            }
            Err(other) => Err(PortError::unavailable(other)),
        }
    }

    async fn buyer(&self, loan: &LoanId, borrower: &Slug) -> Result<Slug, PortError> {
        let usual = || self.terms.buyer(borrower);
        let Ok(id) = loan.as_str().parse() else {
            return Ok(usual());
        };
        let store = self.trials().store();
        let kept = store.reservation(self.trial(), &id).await;
        let kept = kept.map_err(PortError::unavailable)?;
        Ok(kept.map_or_else(usual, |kept| kept.request.buyer))
    }

    async fn moved(&self, moved: &Moved) -> Result<(), PortError> {
        let movement = Repayment {
            id: name(moved).map_err(PortError::unavailable)?,
            reservation: reservation(moved).map_err(PortError::unavailable)?,
            amount: moved.change.amount(),
        };
        let (trials, trial) = (self.trials(), self.trial());
        let told = match moved.change {
            Change::GivenBack(_) => trials.release(trial, &movement, moved.at).await,
            Change::TakenAgain(_) => trials.take_again(trial, &movement, moved.at).await,
        };
        match told {
            Ok(()) => Ok(()),
            Err(ReturnError::Store(error)) => Err(PortError::unavailable(error)),
            Err(other) => Err(PortError::refused("trial-room", other.to_string())),
        }
    }
}

const fn rule(refused: &Refused) -> &'static str {
    match refused {
        Refused::Stopped(_) => "stop-loss",
        Refused::Stage { .. } => "trial-stage",
        Refused::NoLimits => "no-limits",
        Refused::Limit(_) => "trial-limit",
        Refused::DayOver { .. } => "day-over",
    }
}

/// The loan is named as the decision that reserved its room.
fn reservation(moved: &Moved) -> Result<Slug, StoreError> {
    let name = moved.loan.as_str().parse();
    name.map_err(|_| StoreError::Row { what: "loan" })
}

/// The same act of the same loan has the same name, and no other one.
fn name(moved: &Moved) -> Result<Slug, StoreError> {
    let hash = sha256(format!("{} {}", moved.loan, moved.act).as_bytes()).to_string();
    let name = format!("m-{}", hash.get(..30).unwrap_or_default());
    name.parse().map_err(|_| StoreError::Row { what: "loan" })
}
