//! Offers that no loan comes of: declined by their borrower, or untaken while they were valid; and
//! loans whose money nobody drew. The room that each held is given back.

use schemas::ids::Slug;

use super::{Lending, LendingError, Request};
use crate::audit::{self, Action};
use crate::ledger::LoanId;
use crate::loan::Record;
use crate::loan::life::{Actor, Deed, Key, Refused};
use crate::loan::review::Stage;
use crate::loan::taking::{End, How, NotDeclined, Open};
use crate::store::StoreError;
use crate::store::lending::{Head, LOANS_MAX, Which};
use crate::store::takings::UNTAKEN_MAX;

/// Key of the act that closes a loan whose money nobody drew.
const UNDRAWN: &str = "undrawn";

impl Lending {
    /// The borrower declines an offer that the bank has accepted. False if they did before. Nothing of
    /// it can be accepted afterwards, and its room is free again.
    ///
    /// # Errors
    /// [`LendingError::NoOffer`]; [`LendingError::Denied`] and [`LendingError::Refused`], which are kept
    /// under the name that the loan would have.
    pub async fn decline(&self, decision_id: &str, supplier: &Slug) -> Result<bool, LendingError> {
        let no_offer = || LendingError::NoOffer(decision_id.chars().take(64).collect());
        let id: LoanId = decision_id.parse().map_err(|_| no_offer())?;
        let record = self.store.lookup(decision_id).await?.ok_or_else(no_offer)?;
        let declined = self.declined(&id, &record, supplier).await;
        if let Err(error) = &declined {
            let by = Actor::Borrower {
                supplier: supplier.clone(),
            };
            self.keep_refusal(&id, &by, (How::Declined.word(), ""), error)
                .await?;
        }
        declined
    }

    async fn declined(
        &self,
        id: &LoanId,
        record: &Record,
        supplier: &Slug,
    ) -> Result<bool, LendingError> {
        let borrower = &record.decision.application.supplier;
        if borrower != supplier {
            return Err(Refused::Borrower.into());
        }
        match self.store.offer_end(id.as_str()).await? {
            Some(end) if end.how == How::Declined => return Ok(false),
            Some(_) => return Err(lapsed()),
            None => {}
        }
        let stage = self.stage(record).await?;
        let Some(open) = Open::of(&stage, borrower, self.rules.review.offer_valid) else {
            return Err(super::accept::not_accepted(&stage));
        };
        let end = open.decline(supplier, self.clock.now());
        let end = end.map_err(|why| match why {
            NotDeclined::Borrower => Refused::Borrower.into(),
            NotDeclined::Late(_) => lapsed(),
        })?;
        let who = format!("borrower {supplier}");
        if self.end(&end, &who, Action::DeclineOffer).await? {
            return Ok(true);
        }
        // Somebody was quicker: it is a loan, or it ended.
        match self.store.offer_end(id.as_str()).await? {
            Some(end) if end.how == How::Declined => Ok(false),
            Some(_) => Err(lapsed()),
            None => {
                let why = "the offer was accepted: there is a loan";
                Err(LendingError::denied("offer-accepted", why))
            }
        }
    }

    /// Ends every offer whose borrower said nothing while it was valid; how many. What was ended before
    /// is not looked at again, so a run that was stopped goes on with the rest. An offer that cannot be
    /// ended now is logged and tried again with the next run.
    ///
    /// # Errors
    /// [`LendingError::Store`] if offers cannot be found; the next run goes on.
    pub async fn end_untaken(&self) -> Result<u64, LendingError> {
        let now = self.clock.now();
        let valid = i64::try_from(self.rules.review.offer_valid.as_micros()).unwrap_or(i64::MAX);
        let until = now.as_micros().saturating_sub(valid);
        let until = schemas::time::Instant::from_micros(until);
        let mut ended = 0;
        loop {
            let found = self.store.untaken(until, UNTAKEN_MAX).await?;
            let mut new = 0;
            for id in &found {
                match self.run_out(id).await {
                    Ok(ended) => new += u64::from(ended),
                    // One that is broken keeps the room of no other.
                    Err(error) => tracing::error!(offer = %id, %error, "an offer does not end"),
                }
            }
            ended += new;
            // What others end meanwhile is found no more; what cannot end stays for the next run.
            if new == 0 || found.len() < UNTAKEN_MAX as usize {
                return Ok(ended);
            }
        }
    }

    async fn run_out(&self, decision_id: &str) -> Result<bool, LendingError> {
        let record = self.store.lookup(decision_id).await?;
        let record = record.ok_or(StoreError::Row { what: "offer" })?;
        let stage = self.stage(&record).await?;
        let borrower = &record.decision.application.supplier;
        let open = Open::of(&stage, borrower, self.rules.review.offer_valid);
        match open.map(|open| open.run_out(self.clock.now())) {
            Some(Ok(end)) => Ok(self.end(&end, "service", Action::OfferUntaken).await?),
            Some(Err(_)) | None => Ok(false),
        }
    }

    async fn end(&self, end: &End, actor: &str, action: Action) -> Result<bool, StoreError> {
        let note = audit::Entry {
            at: end.at,
            actor: actor.to_owned(),
            action,
            subject: end.decision_id.clone(),
            detail: String::new(),
        };
        self.store.end_offer(end, &note).await
    }

    pub(super) async fn stage(&self, record: &Record) -> Result<Stage, LendingError> {
        let decision = &record.decision;
        let history = self.store.history(&decision.decision_id).await?;
        Ok(Stage::read(decision, history, &self.rules.review)?)
    }

    /// Closes loans whose money nobody drew in time; how many. A loan that cannot be closed now is
    /// logged and tried again with the next run.
    ///
    /// # Errors
    /// [`LendingError::Store`] if loans cannot be found; the next run goes on.
    pub async fn close_undrawn(&self) -> Result<u64, LendingError> {
        let mut closed = 0;
        for state in ["approved", "drawable"] {
            let which = Which::In(state.to_owned());
            let mut after = None::<LoanId>;
            loop {
                let heads = self.store.heads(&which, after.as_ref(), LOANS_MAX).await?;
                for head in &heads {
                    match self.close_if_over(head).await {
                        Ok(new) => closed += u64::from(new),
                        Err(error) => {
                            tracing::error!(loan = %head.loan, %error, "a loan that was not drawn stays open");
                        }
                    }
                }
                let Some(last) = heads.last().filter(|_| heads.len() == LOANS_MAX as usize) else {
                    break;
                };
                after = Some(last.loan.clone());
            }
        }
        Ok(closed)
    }

    async fn close_if_over(&self, head: &Head) -> Result<bool, LendingError> {
        // Its first act says it: only a loan that is over is folded.
        let first = self.store.acts(&head.loan, 0, 1).await?;
        let Some(Deed::Opened(opened)) = first.first().map(|one| &one.act.deed) else {
            return Err(StoreError::Row { what: "loan" }.into());
        };
        if self.clock.now() < opened.valid_until {
            return Ok(false);
        }
        let key: Key = UNDRAWN.parse().map_err(Refused::from)?;
        let request = Request {
            loan: head.loan.clone(),
            key,
            value: None,
            by: Actor::Machine,
            deed: Deed::Closed,
        };
        Ok(self.act(request).await?.is_new)
    }
}

fn lapsed() -> LendingError {
    LendingError::denied("offer-lapsed", "the offer's time was over")
}
