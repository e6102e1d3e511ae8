//! The trial as people look at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::time::Instant;

use super::{ActError, Terms};
use crate::law::acceptance::china_day;
use crate::money::Money;
use crate::sandbox::declaration::Declaration;
use crate::sandbox::limits::{LimitName, LimitsVersion};
use crate::sandbox::stop_loss::{StopLoss, Trip};
use crate::store::sandbox::{Footing, Kind, Motion, OfficeError, RuleVersion, Trials};

/// The trial as it stands.
#[derive(Clone, Debug)]
pub struct State {
    /// What decisions stand on.
    pub footing: Arc<Footing>,
    /// Every version of the declaration.
    pub declarations: Vec<Declaration>,
    /// The rule of the stop-loss.
    pub rule: Option<RuleVersion>,
    /// What somebody wants and nobody has agreed to, oldest first.
    pub wanted: Vec<Proposed>,
    /// Use of the limits that count; none before the first limits.
    pub gauges: Vec<Gauge>,
    /// What is owed, in fen.
    pub outstanding_fen: i64,
    /// The instant that it is looked at, by the trial's clock.
    pub now: Instant,
}

/// Something that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Its name: what the second person agrees to.
    pub hash: Hash,
    /// What it is.
    pub motion: Motion,
    /// Since when.
    pub at: Instant,
}

/// A limit and its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// A number of borrowers.
    Number {
        /// Which.
        limit: LimitName,
        /// The limit.
        value: u32,
        /// What is used.
        used: i64,
    },
    /// An amount: the largest use of any borrower, buyer or of today, where there are many.
    Amount {
        /// Which.
        limit: LimitName,
        /// The limit.
        value: Money,
        /// What is used.
        used: Money,
    },
}

impl Gauge {
    /// The limit.
    #[must_use]
    pub const fn limit(&self) -> LimitName {
        match self {
            Self::Number { limit, .. } | Self::Amount { limit, .. } => *limit,
        }
    }

    /// Use and limit as whole numbers: borrowers or fen.
    #[must_use]
    pub fn numbers(&self) -> (i64, i64) {
        match self {
            Self::Number { value, used, .. } => (*used, i64::from(*value)),
            Self::Amount { value, used, .. } => (used.fen(), value.fen()),
        }
    }
}

impl State {
    /// Reads it.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn read(trials: &Trials, terms: &Terms, clock: Instant) -> Result<Self, ActError> {
        let trial = &terms.trial;
        let footing = trials.footing(trial).await?;
        let footing = footing.ok_or_else(|| OfficeError::NoTrial(trial.clone()))?;
        let rule = trials.rule(trial).await?;
        let counters = trials.store().counters(trial).await?;
        let now = footing.now(clock);
        let limits = footing.limits_at(now).0.cloned();
        let gauges = limits.map(|limits| gauges(&limits, &counters, terms, now));
        let outstanding = ("outstanding".to_owned(), String::new());
        Ok(Self {
            declarations: trials.declarations(trial).await?,
            wanted: wanted(trials, terms, &footing, rule.as_ref()).await?,
            rule,
            gauges: gauges.unwrap_or_default(),
            outstanding_fen: counters.get(&outstanding).copied().unwrap_or(0),
            footing,
            now,
        })
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Option<&LimitsVersion> {
        self.footing.limits_at(self.now).0
    }

    /// What tripped the stop-loss, and when; none while it is armed.
    #[must_use]
    pub fn tripped(&self) -> Option<(Instant, &[Trip])> {
        match &self.footing.stop_loss {
            StopLoss::Armed => None,
            StopLoss::Tripped(tripped) => Some((tripped.at, &tripped.trips)),
        }
    }

    /// Whether a loan may be made today.
    #[must_use]
    pub fn lends(&self) -> bool {
        let today = china_day(self.now);
        self.footing.lends(today, self.now).is_ok() && self.limits().is_some()
    }
}

async fn wanted(
    trials: &Trials,
    terms: &Terms,
    footing: &Footing,
    rule: Option<&RuleVersion>,
) -> Result<Vec<Proposed>, ActError> {
    let mut found = Vec::new();
    for record in trials.all(&terms.trial, Kind::Motion).await? {
        let motion: Motion = record.value()?;
        if is_open(&motion, footing, rule) {
            found.push(Proposed {
                hash: record.hash,
                motion,
                at: record.made_at,
            });
        }
    }
    found.sort_by_key(|one| (one.at, one.hash));
    Ok(found)
}

/// Whether an agreement could still make something of it.
fn is_open(motion: &Motion, footing: &Footing, rule: Option<&RuleVersion>) -> bool {
    match motion {
        Motion::Limits(proposal) => {
            let kept = footing.limits.last().map(|last| last.proposal.version);
            proposal.version > kept.unwrap_or(0)
        }
        Motion::Rule(proposal) => {
            let kept = rule.map(|rule| rule.proposal().version);
            proposal.version > kept.unwrap_or(0)
        }
        Motion::Lift(proposal) => {
            footing.guard.is_tripped() && i64::from(proposal.trip) == footing.guard.trips
        }
        Motion::Step(proposal) => {
            let steps = footing.trial.steps();
            let taken = steps.iter().any(|step| {
                step.act == proposal.act && step.by == proposal.proposer && step.second.is_some()
            });
            let ended = matches!(footing.trial.stage().word(), "exited" | "withdrawn");
            !taken && !ended
        }
    }
}

fn gauges(
    version: &LimitsVersion,
    counters: &BTreeMap<(String, String), i64>,
    terms: &Terms,
    now: Instant,
) -> Vec<Gauge> {
    let limits = &version.proposal.limits;
    let currency = terms.currency;
    let largest = |kind: &str| {
        let of_kind = counters.iter().filter(|((one, _), _)| one == kind);
        of_kind.map(|(_, used)| *used).max().unwrap_or(0)
    };
    let one = |kind: &str, name: String| {
        let key = (kind.to_owned(), name);
        counters.get(&key).copied().unwrap_or(0)
    };
    let amount = |limit, fen: i64, used: i64| {
        let money = |fen: i64| Money::from_fen(fen, currency).unwrap_or(Money::zero(currency));
        Gauge::Amount {
            limit,
            value: money(fen),
            used: money(used),
        }
    };
    let today = china_day(now).to_string();
    vec![
        amount(
            LimitName::Outstanding,
            limits.outstanding.fen(),
            one("outstanding", String::new()),
        ),
        amount(LimitName::PerDay, limits.per_day.fen(), one("day", today)),
        amount(
            LimitName::PerBorrower,
            limits.per_borrower.fen(),
            largest("borrower"),
        ),
        amount(
            LimitName::Concentration,
            limits.per_buyer_fen(),
            largest("buyer"),
        ),
        Gauge::Number {
            limit: LimitName::Users,
            value: limits.users,
            used: one("users", String::new()),
        },
    ]
}
