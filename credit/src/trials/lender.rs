//! What a decision reads of the trial, and its offer with its room.

use std::sync::Arc;

use schemas::ids::Slug;
use schemas::time::Instant;

use super::Terms;
use crate::law::acceptance::china_day;
use crate::loan::Record;
use crate::money::{Money, MoneyError};
use crate::sandbox::limits::{Exceeded, LimitsVersion, Request};
use crate::sandbox::{Headroom, Limits, Sandbox};
use crate::store::StoreError;
use crate::store::sandbox::{Footing, LendError, Offer, Refused, Trials};

/// Lends within a trial. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lender {
    trials: Trials,
    pub(super) terms: Arc<Terms>,
}

impl Lender {
    /// In the trial that these terms name.
    #[must_use]
    pub const fn new(trials: Trials, terms: Arc<Terms>) -> Self {
        Self { trials, terms }
    }

    /// The trial's name.
    #[must_use]
    pub fn trial(&self) -> &Slug {
        &self.terms.trial
    }

    /// Everything that is done with trials.
    #[must_use]
    pub const fn trials(&self) -> &Trials {
        &self.trials
    }

    /// The trial as it stands.
    ///
    /// # Errors
    /// [`LendError::NoTrial`], [`LendError::Store`].
    pub async fn footing(&self) -> Result<Arc<Footing>, LendError> {
        let footing = self.trials.footing(self.trial()).await?;
        footing.ok_or_else(|| LendError::NoTrial(self.trial().clone()))
    }

    /// Limits and use, without what depends on a borrower. Before the first limits there is room for
    /// nothing.
    ///
    /// # Errors
    /// [`LendError`].
    pub async fn sandbox(&self, clock: Instant) -> Result<Sandbox, LendError> {
        let footing = self.footing().await?;
        let used = self.used("outstanding", String::new()).await?;
        let used = self.money(used)?;
        let (limits, _) = footing.limits_at(footing.now(clock));
        Ok(Sandbox {
            limits: self.limits(limits),
            used,
            room: None,
        })
    }

    /// What is left for a borrower, if the trial lends today at all.
    ///
    /// # Errors
    /// [`LendError::Refused`], which is kept under the request's id, for what stands against every
    /// loan: stop-loss, stage, no limits.
    pub async fn reading(
        &self,
        footing: &Footing,
        request: &Request,
        clock: Instant,
    ) -> Result<Sandbox, LendError> {
        let stands = footing.lends(request.day, clock);
        let (limits, _) = footing.limits_at(footing.now(clock));
        let limits = match (stands, limits) {
            (Err(refused), _) => return self.refuse(request, refused, clock).await,
            (_, None) => return self.refuse(request, Refused::NoLimits, clock).await,
            (Ok(()), Some(limits)) => limits,
        };
        let all = &limits.proposal.limits;
        let used = self.money(self.used("outstanding", String::new()).await?)?;
        let left = async |cap: i64, kind, name: String| {
            let used = self.used(kind, name).await?;
            self.money(cap.saturating_sub(used).max(0))
        };
        let room = Headroom {
            borrower: left(
                all.per_borrower.fen(),
                "borrower",
                request.borrower.to_string(),
            )
            .await?,
            buyer: left(all.per_buyer_fen(), "buyer", request.buyer.to_string()).await?,
            day: left(all.per_day.fen(), "day", request.day.to_string()).await?,
        };
        Ok(Sandbox {
            limits: self.limits(Some(limits)),
            used,
            room: Some(room),
        })
    }

    /// What the application of a supplier asks for, on the day that the trial has.
    ///
    /// # Errors
    /// [`StoreError::Row`] for a decision whose id is no name; none is made.
    pub fn request(
        &self,
        footing: &Footing,
        (decision_id, supplier): (&str, &Slug),
        amount: Money,
        clock: Instant,
    ) -> Result<Request, StoreError> {
        let id = decision_id.parse();
        let id = id.map_err(|_| StoreError::Row { what: "decision" })?;
        let day = china_day(footing.now(clock));
        Ok(self.terms.request(id, supplier, amount, day))
    }

    /// Keeps an offer and takes its room, both or neither.
    ///
    /// # Errors
    /// [`LendError`]; a refusal is kept.
    pub async fn offer(
        &self,
        footing: &Footing,
        request: &Request,
        record: &Record,
        clock: Instant,
    ) -> Result<Offer, LendError> {
        match footing.plan(request, clock) {
            Ok(plan) => self.trials.offer(self.trial(), &plan, record).await,
            Err(refused) => self.refuse(request, refused, clock).await,
        }
    }

    /// Whether money may go out now: the stage and the stop-loss.
    ///
    /// # Errors
    /// [`LendError::Refused`].
    pub async fn draw(&self, clock: Instant) -> Result<(), LendError> {
        let footing = self.footing().await?;
        Ok(footing.lends(china_day(footing.now(clock)), clock)?)
    }

    async fn refuse<T>(
        &self,
        request: &Request,
        refused: Refused,
        clock: Instant,
    ) -> Result<T, LendError> {
        let trial = self.trial();
        self.trials.refuse(trial, request, refused, clock).await
    }

    async fn used(&self, kind: &str, name: String) -> Result<i64, LendError> {
        let store = self.trials.store();
        Ok(store.counter(self.trial(), kind, &name).await?)
    }

    fn money(&self, fen: i64) -> Result<Money, LendError> {
        let wrong = |error: MoneyError| Refused::from(Exceeded::Money(error));
        Ok(Money::from_fen(fen, self.terms.currency).map_err(wrong)?)
    }

    fn limits(&self, version: Option<&LimitsVersion>) -> Limits {
        let nothing = Money::zero(self.terms.currency);
        let all = version.map(|version| &version.proposal);
        Limits {
            id: self.trial().clone(),
            version: all.map_or(0, |all| all.version),
            per_loan: all.map_or(nothing, |all| all.limits.per_loan),
            outstanding: all.map_or(nothing, |all| all.limits.outstanding),
        }
    }
}
