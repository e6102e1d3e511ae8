//! Room for loans: taken under everything that stands against it, and given back always.

use schemas::ids::Slug;
use schemas::time::Instant;

use super::adapter::{Counted, Plan, Released, Repayment};
use super::refusal::{Refused, TrialRefusal};
use super::trials::{Footing, TRIES, Trials};
use crate::law::acceptance::china_day;
use crate::money::{MAX_AMOUNT_FEN, Money, MoneyError};
use crate::sandbox::limits::{
    Charge, CounterKey, Exceeded, ReleaseError, Request, Reservation, charges,
};
use crate::sandbox::stop_loss::Operation;
use crate::store::StoreError;

/// Why nothing is reserved.
#[derive(Debug, thiserror::Error)]
pub enum LendError {
    /// Something stands against it; kept as a [`TrialRefusal`].
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nothing was declared under this name.
    #[error("there is no trial `{0}`")]
    NoTrial(Slug),
    /// Others changed what stands against it each time that it was decided. Try again.
    #[error("the trial was changed while this was decided")]
    Contended,
    /// The store failed; nothing was reserved, or an answer got lost. The same request again tells.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing is given back.
#[derive(Debug, thiserror::Error)]
pub enum ReturnError {
    /// It does not fit to what is kept.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The id was used for another repayment.
    #[error("`{0}` is the id of another repayment")]
    Id(Slug),
    /// The store failed. The same repayment again tells.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Trials {
    /// Takes room for a loan, under the limits, the stage and the stop-loss as they stand when it
    /// commits. The same request again gives the same reservation, whatever stands against it by
    /// then.
    ///
    /// # Errors
    /// [`LendError`]; nothing is reserved then, and a refusal is kept. Only an amount above
    /// [`MAX_AMOUNT_FEN`] leaves no trace: it could be written down and not read again.
    pub async fn reserve(
        &self,
        trial: &Slug,
        request: &Request,
        clock: Instant,
    ) -> Result<Reservation, LendError> {
        let no_trial = || LendError::NoTrial(trial.clone());
        if request.amount.fen() > MAX_AMOUNT_FEN {
            return Err(Refused::from(Exceeded::Money(MoneyError::Overflow)).into());
        }
        for _ in 0..TRIES {
            let footing = self.footing(trial).await?.ok_or_else(no_trial)?;
            let refused = match plan(&footing, request, clock) {
                Err(refused) => match self.store.reservation(trial, &request.id).await? {
                    Some(kept) => return self.same(trial, kept, request, clock).await,
                    None => refused,
                },
                Ok(plan) => match self.store.take_room(trial, &plan).await? {
                    Counted::New(reservation) => return Ok(reservation),
                    Counted::Before(kept) => return self.same(trial, kept, request, clock).await,
                    Counted::Moved => continue,
                    Counted::Full { charge, used } => full(&charge, used, request.amount)?.into(),
                },
            };
            return self.refused(trial, request, refused, clock).await;
        }
        Err(LendError::Contended)
    }

    /// Gives back what was repaid of a reservation, or all of one that was not used; `id` names the
    /// repayment, and the same one again changes nothing. Goes on whatever has stopped lending.
    ///
    /// # Errors
    /// [`ReturnError`]; nothing is given back then.
    pub async fn release(
        &self,
        trial: &Slug,
        repayment: &Repayment,
        at: Instant,
    ) -> Result<(), ReturnError> {
        let id = &repayment.reservation;
        let kept = self.store.reservation(trial, id).await?;
        let kept = kept.ok_or_else(|| ReleaseError::Unknown(id.clone()))?;
        let asked = repayment.amount;
        asked.common(kept.request.amount).map_err(money)?;
        match self.store.give_back(trial, &kept, repayment, at).await? {
            Released::New => Ok(()),
            Released::Before(before) if before == *repayment => Ok(()),
            Released::Before(before) => Err(ReturnError::Id(before.id)),
            Released::TooMuch(fen) => {
                let left = Money::from_fen(fen, asked.currency()).map_err(money)?;
                let id = id.clone();
                Err(ReleaseError::TooMuch { id, asked, left }.into())
            }
        }
    }

    /// The kept reservation, if it is this request's.
    async fn same(
        &self,
        trial: &Slug,
        kept: Reservation,
        request: &Request,
        clock: Instant,
    ) -> Result<Reservation, LendError> {
        if kept.request == *request {
            return Ok(kept);
        }
        let other = Exceeded::Id(request.id.clone()).into();
        self.refused(trial, request, other, clock).await
    }

    async fn refused(
        &self,
        trial: &Slug,
        request: &Request,
        refused: Refused,
        clock: Instant,
    ) -> Result<Reservation, LendError> {
        let refusal = TrialRefusal::new(request, &refused, clock);
        self.store.keep_refusal(trial, &refusal).await?;
        Err(refused.into())
    }
}

const fn money(error: MoneyError) -> ReleaseError {
    ReleaseError::Money(error)
}

/// What a request would count, or what stands against it that no counter tells.
fn plan(footing: &Footing, request: &Request, clock: Instant) -> Result<Plan, Refused> {
    let at = footing.now(clock);
    footing.stop_loss.allows(Operation::Disburse)?;
    let (day, today) = (request.day, china_day(at));
    if !footing.trial.stage().lends_on(day) {
        let stage = footing.trial.stage().word();
        return Err(Refused::Stage { stage, day });
    }
    if day < today {
        return Err(Refused::DayOver { day, today });
    }
    let (limits, until) = footing.limits_at(at);
    let limits = limits.ok_or(Refused::NoLimits)?;
    Ok(Plan {
        request: request.clone(),
        charges: charges(&limits.proposal.limits, request)?,
        guard: footing.guard,
        until,
        at,
    })
}

/// The limit that a charge goes beyond, as the model says it.
fn full(charge: &Charge, used: i64, asked: Money) -> Result<Exceeded, Refused> {
    let limit = charge.key.limit();
    if charge.key == CounterKey::Users {
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        return Ok(Exceeded::Number {
            limit,
            value: number(charge.cap),
            used: number(used),
            asked: number(charge.add),
        });
    }
    let fen = |fen| Money::from_fen(fen, asked.currency()).map_err(Exceeded::from);
    Ok(Exceeded::Amount {
        limit,
        value: fen(charge.cap)?,
        used: fen(used)?,
        asked,
    })
}
