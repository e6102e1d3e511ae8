//! How far the limits around an offer are used: borrower, buyer, sandbox.
//!
//! The figures are the store's own counters, the same that refuse a reservation; nothing is added up
//! for the page. What is not counted says so and is not shown as zero.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::loan::Decision;
use crate::money::Money;
use crate::sandbox::limits::{CounterKey, LimitsVersion};
use crate::service::Credit;
use crate::store::StoreError;
use crate::store::sandbox::{TrialStore, Trials, counter_name};

/// Whose limit it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// What the borrower has of the bank.
    Borrower(Slug),
    /// What rests on a buyer.
    Buyer(Slug),
    /// What is out under the sandbox in all.
    Sandbox(Slug),
}

/// How far one limit is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whose.
    pub whose: Whose,
    /// What is used now, this offer's own reservation included while it is open.
    pub used: Money,
    /// How far it may go; none if nothing limits it.
    pub limit: Option<Money>,
}

/// Where readings come from.
#[async_trait]
pub trait Exposure: Send + Sync {
    /// Readings around a decision: borrower first, then buyers, then the sandbox.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn around(&self, decision: &Decision, now: Instant) -> Result<Vec<Reading>, StoreError>;
}

#[async_trait]
impl Exposure for Credit {
    /// By the counters of the sandbox's trial where one was declared; else by the sandbox's own
    /// counter and the borrower's reservations.
    async fn around(&self, decision: &Decision, now: Instant) -> Result<Vec<Reading>, StoreError> {
        let sandbox = self.sandbox().await?;
        let id = sandbox.limits.id.clone();
        if let Some(readings) = of_trial(self, &id, decision, now).await? {
            return Ok(readings);
        }
        let supplier = &decision.application.supplier;
        let offered = self.store().offered_to(supplier).await?;
        let borrower = offered.into_iter().map(|used| Reading {
            whose: Whose::Borrower(supplier.clone()),
            used,
            limit: None,
        });
        let whole = Reading {
            whose: Whose::Sandbox(id),
            used: sandbox.used,
            limit: Some(sandbox.limits.outstanding),
        };
        Ok(borrower.chain([whole]).collect())
    }
}

/// Readings of a declared trial; none if there is no trial or none of its limits is in force.
async fn of_trial(
    credit: &Credit,
    id: &Slug,
    decision: &Decision,
    now: Instant,
) -> Result<Option<Vec<Reading>>, StoreError> {
    let store: Arc<dyn TrialStore> = credit.store().clone();
    let trials = Trials::new(store);
    let Some(footing) = trials.footing(id).await? else {
        return Ok(None);
    };
    let (Some(limits), _) = footing.limits_at(footing.now(now)) else {
        return Ok(None);
    };
    let counters = trials.store().counters(id).await?;
    let used = |key: &CounterKey| {
        let (kind, name) = counter_name(key);
        let counted = counters.get(&(kind.to_owned(), name));
        counted.copied().unwrap_or(0)
    };
    let reading = |whose, key, cap| read(limits, whose, used(&key), cap);
    let supplier = decision.application.supplier.clone();
    let limit = &limits.proposal.limits;
    let borrower = reading(
        Whose::Borrower(supplier.clone()),
        CounterKey::Borrower(supplier),
        limit.per_borrower.fen(),
    )?;
    let whole = reading(
        Whose::Sandbox(id.clone()),
        CounterKey::Outstanding,
        limit.outstanding.fen(),
    )?;
    let mut readings = vec![borrower];
    if let Some(payer) = decision.application.declared.payer().cloned() {
        let key = CounterKey::Buyer(payer.clone());
        readings.push(reading(Whose::Buyer(payer), key, limit.per_buyer_fen())?);
    }
    readings.push(whole);
    Ok(Some(readings))
}

fn read(limits: &LimitsVersion, whose: Whose, used: i64, cap: i64) -> Result<Reading, StoreError> {
    let currency = limits.proposal.limits.outstanding.currency();
    let money = |fen| {
        Money::from_fen(fen, currency).map_err(|_| StoreError::Row {
            what: "counter of the trial",
        })
    };
    Ok(Reading {
        whose,
        used: money(used)?,
        limit: Some(money(cap)?),
    })
}
