//! The rows that indicators are counted from: what people wrote down about the trial, what the
//! decisions say, what the loans say. Each has an id that stays and an instant that stays, so that
//! the rows of a month that is over are the same on every run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use schemas::ids::Slug;
use schemas::time::Instant;
use tokio::sync::Mutex;

use super::{ActError, Terms};
use crate::law::acceptance::china_day;
use crate::loan::decision::decision_id;
use crate::loan::{Decision, Outcome};
use crate::money::{Currency, Money, MoneyError};
use crate::sandbox::indicators::{Debts, Fact, Row, Rows, Tally, readings};
use crate::sandbox::report::{Problem, ReportError, Treatment};
use crate::sandbox::stop_loss::Readings;
use crate::store::lending::{Place, ROWS_MAX};
use crate::store::sandbox::Trials;
use crate::store::{PAGE_MAX, StoreError, Tables};

/// Where rows of loans come from: paid out, due, repaid, written off.
#[async_trait]
pub trait Loans: Send + Sync {
    /// Every row so far; the same ids with the same contents each time, others only added.
    ///
    /// # Errors
    /// [`StoreError`]; whoever asks lends nothing on what is unknown.
    async fn rows(&self) -> Result<Vec<Row>, StoreError>;

    /// What these rows come to as of a day. Cheap however many there are: asked each minute.
    ///
    /// # Errors
    /// [`ActError`] for rows that do not fit together, or a store that failed.
    async fn debts(&self, day: NaiveDate) -> Result<Debts, ActError>;
}

/// Loans as they have told their rows ([`Told`](crate::store::lending::Told)).
pub struct LentLoans {
    store: Arc<dyn Tables>,
    book: Slug,
    currency: Currency,
    /// How far was read, and what it came to: each look reads what is new behind it.
    read: Mutex<(Place, Tally)>,
}

impl LentLoans {
    /// Of this book, in this currency.
    #[must_use]
    pub fn new(store: Arc<dyn Tables>, book: Slug, currency: Currency) -> Self {
        let read = Mutex::new((Place::default(), Tally::new(currency)));
        Self {
            store,
            book,
            currency,
            read,
        }
    }
}

#[async_trait]
impl Loans for LentLoans {
    async fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let (mut rows, mut after) = (Vec::new(), Place::default());
        loop {
            let page = self.store.told(&self.book, after, ROWS_MAX).await?;
            let Some(last) = page.last() else {
                return Ok(rows);
            };
            after = last.place;
            rows.extend(page.into_iter().map(|one| one.row));
        }
    }

    async fn debts(&self, day: NaiveDate) -> Result<Debts, ActError> {
        let mut read = self.read.lock().await;
        loop {
            let page = self.store.told(&self.book, read.0, ROWS_MAX).await?;
            if page.is_empty() {
                break;
            }
            for one in page {
                read.1.add(&one.row)?;
                read.0 = one.place;
            }
        }
        Ok(read.1.debts(day).map_err(ReportError::from)?)
    }
}

impl fmt::Debug for LentLoans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (book, currency) = (&self.book, self.currency);
        write!(f, "LentLoans({book}, {currency})")
    }
}

/// Rows of a trial. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    trials: Trials,
    store: Arc<dyn Tables>,
    loans: Arc<dyn Loans>,
    terms: Arc<Terms>,
}

impl Source {
    /// Of these tables.
    #[must_use]
    pub fn new(
        trials: Trials,
        store: Arc<dyn Tables>,
        loans: Arc<dyn Loans>,
        terms: Arc<Terms>,
    ) -> Self {
        Self {
            trials,
            store,
            loans,
            terms,
        }
    }

    /// What people wrote down.
    ///
    /// # Errors
    /// [`ActError`] for rows that do not fit together.
    pub async fn written(&self) -> Result<Rows, ActError> {
        let rows = self.trials.rows(&self.terms.trial).await?;
        Ok(Rows::read(self.terms.currency, rows)?)
    }

    /// What the stop-loss reads: debts of loans, and what people wrote down.
    ///
    /// # Errors
    /// [`ActError`] for rows that do not fit together.
    pub async fn readings(&self, now: Instant, compensation: Money) -> Result<Readings, ActError> {
        let written = self.written().await?;
        let debts = self.loans.debts(china_day(now)).await?;
        let read = || {
            let mut read = readings(now, &written, compensation)?;
            read.outstanding = read.outstanding.plus(debts.outstanding)?;
            read.overdue = read.overdue.plus(debts.overdue)?;
            read.loss = read.loss.plus(debts.loss)?;
            Ok::<_, MoneyError>(read)
        };
        Ok(read().map_err(ReportError::from)?)
    }

    /// Every row. Reads every decision.
    ///
    /// # Errors
    /// [`ActError`] for rows that do not fit together.
    pub async fn all(&self) -> Result<Rows, ActError> {
        let mut rows = self.trials.rows(&self.terms.trial).await?;
        rows.extend(self.loans.rows().await?);
        rows.extend(self.of_decisions().await?);
        Ok(Rows::read(self.terms.currency, rows)?)
    }

    /// An application is there from its first refusal or its decision on, whichever was first.
    async fn of_decisions(&self) -> Result<Vec<Row>, StoreError> {
        let mut decisions: BTreeMap<String, Decision> = BTreeMap::new();
        let mut skip = 0;
        loop {
            let page = self.store.list(skip, PAGE_MAX).await?;
            let count = u32::try_from(page.len()).unwrap_or(PAGE_MAX);
            // A decision that comes meanwhile moves the others: what is read twice counts once.
            decisions.extend(page.into_iter().map(|one| (one.decision_id.clone(), one)));
            if count < PAGE_MAX {
                break;
            }
            skip += count;
        }
        let mut rows = Vec::new();
        for decision in decisions.values() {
            let refusals = &decision.application.application_id;
            let refusals = self.store.refusals(refusals).await?;
            let first = refusals.first().map(|refusal| refusal.refused_at);
            let at = first.map_or(decision.decided_at, |at| at.min(decision.decided_at));
            rows.extend([applied(&decision.decision_id, at)?, decided(decision)?]);
        }
        for refusal in self.store.undecided(PAGE_MAX).await? {
            let refusals = self.store.refusals(&refusal.application_id).await?;
            let first = refusals.first().unwrap_or(&refusal).refused_at;
            rows.push(applied(&decision_id(&refusal.application_id), first)?);
        }
        Ok(rows)
    }
}

/// The id of a row about a decision: 32 characters at most, so the decision's own is cut to 96 bits.
fn id(letter: char, decision_id: &str) -> Result<Slug, StoreError> {
    let short = decision_id.get(..24).unwrap_or(decision_id);
    let id = format!("{letter}-{short}").parse();
    id.map_err(|_| StoreError::Row { what: "decision" })
}

fn applied(decision_id: &str, at: Instant) -> Result<Row, StoreError> {
    let application = application(decision_id)?;
    Ok(Row {
        id: id('a', decision_id)?,
        at,
        fact: Fact::Applied { application },
    })
}

fn decided(decision: &Decision) -> Result<Row, StoreError> {
    Ok(Row {
        id: id('d', &decision.decision_id)?,
        at: decision.decided_at,
        fact: Fact::Decided {
            application: application(&decision.decision_id)?,
            offered: matches!(decision.outcome, Outcome::Offer { .. }),
        },
    })
}

/// An application by the name that its decision has, which any client's id has a place in.
fn application(decision_id: &str) -> Result<Slug, StoreError> {
    let name = decision_id.parse();
    name.map_err(|_| StoreError::Row { what: "decision" })
}

/// The problems that rows tell, by their ids.
#[must_use]
pub fn problems(rows: &Rows) -> Vec<Problem> {
    let mut found: BTreeMap<&Slug, Problem> = BTreeMap::new();
    for row in rows.all() {
        if let Fact::Problem { by, figure, words } = &row.fact {
            let problem = Problem {
                id: row.id.clone(),
                found_at: row.at,
                found_by: by.clone(),
                figure: *figure,
                words: words.clone(),
                treatments: Vec::new(),
                closed_at: None,
            };
            found.insert(&row.id, problem);
        }
    }
    for row in rows.all() {
        match &row.fact {
            Fact::Treatment { problem, by, words } => {
                if let Some(problem) = found.get_mut(problem) {
                    problem.treatments.push(Treatment {
                        id: row.id.clone(),
                        at: row.at,
                        by: by.clone(),
                        words: words.clone(),
                    });
                }
            }
            Fact::Closed { problem, .. } => {
                if let Some(problem) = found.get_mut(problem) {
                    problem.closed_at = problem.closed_at.or(Some(row.at));
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}
