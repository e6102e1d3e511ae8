//! Room for loans: taken under everything that stands against it, and given back always.

use chrono::NaiveDate;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::adapter::{Carried, Counted, Offered, Plan, Released, Repayment};
use super::refusal::{Refused, TrialRefusal};
use super::trials::{Footing, TRIES, Trials};
use crate::law::acceptance::china_day;
use crate::loan::Record;
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

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Decision and room are kept.
    New,
    /// The application was decided before; this is that decision.
    Before(Box<Record>),
    /// Others took the room or changed the trial meanwhile: decide again on what is there now.
    Again,
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
            let refused = match footing.plan(request, clock) {
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

    /// Keeps the decision of an offer and takes its room, both or neither, under everything as it
    /// stands when it commits. The plan's request is named as the decision.
    ///
    /// # Errors
    /// [`LendError`]; nothing is kept then but a refusal.
    pub async fn offer(
        &self,
        trial: &Slug,
        plan: &Plan,
        record: &Record,
    ) -> Result<Offer, LendError> {
        let counted = match self.store.keep_offer(trial, plan, record).await? {
            Offered::Decided(before) => return Ok(Offer::Before(before)),
            Offered::Room(counted) => *counted,
        };
        match counted {
            Counted::New(_) => Ok(Offer::New),
            // Its decision and its reservation are one transaction: one is not there without the
            // other, unless somebody reserved under this name by another way.
            Counted::Before(kept) => {
                let other = Exceeded::Id(kept.request.id).into();
                self.refused(trial, &plan.request, other, plan.at).await
            }
            Counted::Full { charge, used } if charge.key == CounterKey::Users => {
                let full = full(&charge, used, plan.request.amount)?.into();
                self.refused(trial, &plan.request, full, plan.at).await
            }
            Counted::Moved | Counted::Full { .. } => Ok(Offer::Again),
        }
    }

    /// Takes room again for a payment that was none, whatever stands against it; `id` names what
    /// was given back before, and the same one again changes nothing.
    ///
    /// # Errors
    /// [`ReturnError`]; nothing is taken then.
    pub async fn take_again(
        &self,
        trial: &Slug,
        retake: &Repayment,
        at: Instant,
    ) -> Result<(), ReturnError> {
        let id = &retake.reservation;
        let kept = self.store.reservation(trial, id).await?;
        let kept = kept.ok_or_else(|| ReleaseError::Unknown(id.clone()))?;
        retake.amount.common(kept.request.amount).map_err(money)?;
        match self.store.take_again(trial, &kept, retake, at).await? {
            Released::Before(before) if before != *retake => Err(ReturnError::Id(before.id)),
            _ => Ok(()),
        }
    }

    /// Counts what was offered under configured limits before the trial was declared, and closes
    /// those; how many offers that were now. The same again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is carried over then.
    pub async fn carry_over(
        &self,
        trial: &Slug,
        request: &(dyn Fn(&Carried) -> Request + Sync),
        at: Instant,
    ) -> Result<u32, StoreError> {
        let carry = |offer: &Carried| carried(request(offer));
        self.store.carry_over(trial, &carry, at).await
    }

    /// Keeps why there is no offer.
    ///
    /// # Errors
    /// [`LendError`] with the refusal, or if it cannot be kept.
    pub async fn refuse<T>(
        &self,
        trial: &Slug,
        request: &Request,
        refused: Refused,
        clock: Instant,
    ) -> Result<T, LendError> {
        self.refused(trial, request, refused, clock).await
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

    async fn refused<T>(
        &self,
        trial: &Slug,
        request: &Request,
        refused: Refused,
        clock: Instant,
    ) -> Result<T, LendError> {
        let refusal = TrialRefusal::new(request, &refused, clock);
        self.store.keep_refusal(trial, &refusal).await?;
        Err(refused.into())
    }
}

const fn money(error: MoneyError) -> ReleaseError {
    ReleaseError::Money(error)
}

impl Footing {
    /// What a request would count.
    ///
    /// # Errors
    /// [`Refused`]: what stands against it that no counter tells.
    pub fn plan(&self, request: &Request, clock: Instant) -> Result<Plan, Refused> {
        let at = self.now(clock);
        self.lends(request.day, clock)?;
        let (limits, until) = self.limits_at(at);
        let limits = limits.ok_or(Refused::NoLimits)?;
        Ok(Plan {
            request: request.clone(),
            charges: charges(&limits.proposal.limits, request)?,
            guard: self.guard,
            until,
            at,
        })
    }

    /// Whether anything is lent on a day: the stop-loss, the stage, a day that is not over.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn lends(&self, day: NaiveDate, clock: Instant) -> Result<(), Refused> {
        let today = china_day(self.now(clock));
        self.stop_loss.allows(Operation::Disburse)?;
        if !self.trial.stage().lends_on(day) {
            let stage = self.trial.stage().word();
            return Err(Refused::Stage { stage, day });
        }
        if day < today {
            return Err(Refused::DayOver { day, today });
        }
        Ok(())
    }
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

/// The reservation of what was offered before there were limits to hold it against: its charges have
/// their own size as cap.
fn carried(request: Request) -> Reservation {
    let fen = request.amount.fen();
    let charge = |key, add| Charge { key, add, cap: add };
    let charges = vec![
        charge(CounterKey::Users, 1),
        charge(CounterKey::Borrower(request.borrower.clone()), fen),
        charge(CounterKey::Buyer(request.buyer.clone()), fen),
        charge(CounterKey::Day(request.day), fen),
        charge(CounterKey::Outstanding, fen),
    ];
    Reservation { request, charges }
}
