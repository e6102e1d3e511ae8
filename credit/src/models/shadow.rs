//! Scorecards that are tried beside decisions: what they say is kept beside, never in, the decision.
//!
//! A scorecard shadows from the step that began it to the one that ends it; the one whose table
//! decides is scored too, so that its own drift shows. A scorecard that fails stops nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use schemas::hash::{Hash, sha256};
use schemas::time::Instant;

use super::life::{Act, is_shadowing};
use super::table::word;
use crate::facts::Facts;
use crate::loan::{Decision, Record};
use crate::money::Currency;
use crate::score::measures;
use crate::scorecard::card::ModelCard;
use crate::scorecard::number::figure;
use crate::scorecard::points::Score;
use crate::scorecard::stability::{Shift, shifts_of};
use crate::scorecard::{Applicant, Artefact, Number, Value};
use crate::store::models::{SHADOWS_MAX, ShadowBody, ShadowRow};
use crate::store::{PAGE_MAX, StoreError, Tables};

/// Newest decisions that a start looks at for scores that were not kept.
const CAUGHT_UP_MAX: u32 = 1_000;

/// Fewer decisions than this are few to judge by.
pub const FEW: usize = 100;

/// The scorecards that are tried, read once.
#[derive(Debug, Default)]
pub struct Shadows {
    read: Mutex<BTreeMap<Hash, Arc<Artefact>>>,
}

impl Shadows {
    /// Scores a decision by every scorecard that is tried now, and by the one whose table decides.
    ///
    /// # Errors
    /// [`StoreError`]; the decision stands whatever comes.
    pub async fn keep(
        &self,
        store: &dyn Tables,
        record: &Record,
        in_use: Option<Hash>,
    ) -> Result<(), StoreError> {
        let watched = shadowing(store).await?.into_keys().chain(in_use);
        for hash in watched.collect::<BTreeSet<Hash>>() {
            if let Some(artefact) = self.readable(store, hash).await? {
                store.keep_shadow(&row(&artefact, hash, record)).await?;
            }
        }
        Ok(())
    }

    /// Keeps what an end of the service between a decision and its scores left out, among the newest
    /// decisions since each scorecard began to be tried, or its table to decide.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn catch_up(
        &self,
        store: &dyn Tables,
        in_use: Option<Hash>,
    ) -> Result<(), StoreError> {
        let tried = self.tried(store, in_use).await?;
        let Some(first) = tried.iter().map(|one| one.since).min() else {
            return Ok(());
        };
        for skip in (0..CAUGHT_UP_MAX).step_by(PAGE_MAX as usize) {
            let page = store.list(skip, PAGE_MAX).await?;
            for decision in &page {
                if decision.decided_at < first {
                    return Ok(());
                }
                let lacking: Vec<&Tried> = tried.iter().filter(|one| one.lacks(decision)).collect();
                if lacking.is_empty() {
                    continue;
                }
                let Some(record) = store.lookup(&decision.decision_id).await? else {
                    continue;
                };
                for one in lacking {
                    let row = row(&one.artefact, one.hash, &record);
                    store.keep_shadow(&row).await?;
                }
            }
            if page.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The scorecards that are watched now, each with since when and what it has said.
    async fn tried(
        &self,
        store: &dyn Tables,
        in_use: Option<Hash>,
    ) -> Result<Vec<Tried>, StoreError> {
        let mut begun = shadowing(store).await?;
        let newest = store.table_uses(None).await?.into_iter().next();
        if let Some(taken) = newest
            && let Some(hash) = in_use.filter(|hash| taken.artefact == Some(*hash))
        {
            let since = begun.entry(hash).or_insert(taken.since);
            *since = taken.since.min(*since);
        }
        let mut tried = Vec::new();
        for (hash, since) in begun {
            let Some(artefact) = self.readable(store, hash).await? else {
                continue;
            };
            let said = match store.shadows_of(&hash, SHADOWS_MAX).await {
                Ok(said) => said,
                // What it said may then be said again, which changes nothing.
                Err(error @ StoreError::Row { .. }) => {
                    tracing::error!(artefact = %hash, %error, "a score beside a decision is broken");
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            tried.push(Tried {
                hash,
                artefact,
                since,
                said: said.into_iter().map(|row| row.decision_id).collect(),
            });
        }
        Ok(tried)
    }

    /// A scorecard; one that is broken is told of, and keeps none of the others from scoring.
    async fn readable(
        &self,
        store: &dyn Tables,
        hash: Hash,
    ) -> Result<Option<Arc<Artefact>>, StoreError> {
        match self.artefact(store, hash).await {
            Err(StoreError::Row { .. }) => {
                tracing::error!(%hash, "a kept scorecard is broken: it scores nothing");
                Ok(None)
            }
            other => other,
        }
    }

    async fn artefact(
        &self,
        store: &dyn Tables,
        hash: Hash,
    ) -> Result<Option<Arc<Artefact>>, StoreError> {
        let lock = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&hash).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(kept) = store.model(&hash).await? else {
            return Ok(None);
        };
        let broken = StoreError::Row { what: "scorecard" };
        if sha256(&kept.bytes) != hash {
            return Err(broken);
        }
        let artefact = Arc::new(Artefact::parse(&kept.bytes).map_err(|_| broken)?);
        lock().insert(hash, Arc::clone(&artefact));
        Ok(Some(artefact))
    }
}

/// A scorecard that is watched.
struct Tried {
    hash: Hash,
    artefact: Arc<Artefact>,
    since: Instant,
    /// Ids of decisions that it has said something beside.
    said: BTreeSet<String>,
}

impl Tried {
    fn lacks(&self, decision: &Decision) -> bool {
        decision.decided_at >= self.since && !self.said.contains(&decision.decision_id)
    }
}

/// Scorecards that are tried now, with since when.
async fn shadowing(store: &dyn Tables) -> Result<BTreeMap<Hash, Instant>, StoreError> {
    let steps = store.model_steps(None).await?;
    let by_model = steps.chunk_by(|one, next| one.artefact == next.artefact);
    let tried = by_model.filter(|steps| is_shadowing(steps));
    let begun = tried.filter_map(|steps| steps.iter().rfind(|step| step.act == Act::Shadowing));
    Ok(begun.map(|step| (step.artefact, step.at)).collect())
}

/// What a scorecard says beside a decision.
#[must_use]
pub fn row(artefact: &Artefact, hash: Hash, record: &Record) -> ShadowRow {
    let decision = &record.decision;
    let currency = decision.application.requested.currency();
    let said = match serde_json::from_slice::<Facts>(&record.facts) {
        Ok(facts) => {
            let said = artefact.assess(hash, &applicant(&facts, currency));
            said.map_err(|error| error.to_string())
        }
        Err(_) => Err("the facts cannot be read".to_owned()),
    };
    ShadowRow {
        decision_id: decision.decision_id.clone(),
        artefact: hash,
        decided_at: decision.decided_at,
        body: ShadowBody {
            table: decision.model.hash,
            total: decision.score.total,
            offerable: decision.score.offerable,
            said,
        },
    }
}

/// The facts of a decision as a scorecard reads them: by their names in files.
#[must_use]
pub fn applicant(facts: &Facts, currency: Currency) -> Applicant {
    let measures = measures(facts, currency).into_iter();
    let values = measures.filter_map(|(fact, value)| {
        let number = value.map(|value| value.normalize().to_string().parse::<Number>());
        let value = match number {
            Some(Ok(number)) => Value::Number(number),
            _ => Value::Missing,
        };
        Some((word(&fact)?, value))
    });
    values.collect()
}

/// A scorecard beside the tables that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Decisions that it was scored beside.
    pub decisions: usize,
    /// Of these, those that it could not score.
    pub failed: usize,
    /// Those where both would offer something, or both nothing.
    pub agree: usize,
    /// Rank correlation (Spearman's, ties at their mean rank) of both totals.
    pub correlation: Option<Number>,
    /// Population stability of the total, then of each feature, against the development sample.
    pub shifts: Vec<Shift>,
}

/// Compares.
#[must_use]
pub fn compare(artefact: &Artefact, card: &ModelCard, rows: &[ShadowRow]) -> Comparison {
    let said = rows.iter().filter_map(|row| {
        let assessment = row.body.said.as_ref().ok()?;
        Some((&row.body, &assessment.score))
    });
    let said: Vec<(&ShadowBody, &Score)> = said.collect();
    let line = card.statement.approval_from;
    let agrees = |(body, score): &&(&ShadowBody, &Score)| body.offerable == (score.total >= line);
    let totals = said.iter().map(|(body, score)| (body.total, score.total));
    let totals: Vec<(i32, i32)> = totals.collect();
    let scores: Vec<(Score, f64)> = said
        .iter()
        .map(|(_, score)| ((*score).clone(), 1.0))
        .collect();
    Comparison {
        decisions: rows.len(),
        failed: rows.len() - said.len(),
        agree: said.iter().filter(agrees).count(),
        correlation: figure(spearman(&totals)),
        shifts: if scores.is_empty() {
            Vec::new()
        } else {
            shifts_of(&artefact.table, &artefact.bands, &scores)
        },
    }
}

/// `None` without two different totals on both sides.
fn spearman(pairs: &[(i32, i32)]) -> Option<f64> {
    let one = ranks(pairs.iter().map(|pair| pair.0));
    let other = ranks(pairs.iter().map(|pair| pair.1));
    let count = f64::from(u32::try_from(pairs.len()).ok()?);
    let middle = (count + 1.0) / 2.0;
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(&other) {
        both += (one - middle) * (other - middle);
        first += (one - middle).powi(2);
        second += (other - middle).powi(2);
    }
    (first > 0.0 && second > 0.0).then(|| both / (first * second).sqrt())
}

/// Ranks from 1; tied values have the mean of theirs.
fn ranks(values: impl Iterator<Item = i32>) -> Vec<f64> {
    let values: Vec<i32> = values.collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|place| values[*place]);
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0_u32;
    for tied in order.chunk_by(|one, next| values[*one] == values[*next]) {
        let size = u32::try_from(tied.len()).unwrap_or(u32::MAX);
        let mean = f64::from(before) + f64::from(size + 1) / 2.0;
        for place in tied {
            ranks[*place] = mean;
        }
        before += size;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlation_is_that_of_the_textbook() {
        let rising = [(1, 10), (2, 20), (3, 30)];
        let close = |found: Option<f64>, wanted: f64| (found.unwrap() - wanted).abs() < 1e-12;
        assert!(close(spearman(&rising), 1.0));
        assert!(close(spearman(&[(1, 3), (2, 2), (3, 1)]), -1.0));
        // One tie: ranks 1.5, 1.5, 3 against 1, 2, 3.
        assert!(close(spearman(&[(1, 1), (1, 2), (2, 3)]), 0.75_f64.sqrt()));
        assert_eq!(spearman(&[(1, 1), (1, 2)]), None);
        assert_eq!(spearman(&[]), None);
    }
}
