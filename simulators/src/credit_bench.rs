//! What lending costs and how good its models are: a score with and without the proofs that it rests
//! on, an application until it is decided, a schedule, the fit of scorecards on data that nobody here
//! wrote.
//!
//! The evidence is that of the story: its suppliers' gateways have made it, and the platform's own
//! bundle is verified. Models are judged on rows that they have not seen; `tests/scorecard.py` runs
//! optbinning beside them.

mod books;
mod days;
mod decisions;
#[path = "../../credit/tests/scorecard/deliveries.rs"]
mod deliveries;
mod fits;
pub mod freeze;
#[path = "../../credit/tests/scorecard/german.rs"]
mod german;
mod ledger;
mod schedules;

use std::fmt;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use books::Books;

use crate::evidence::machine;
use crate::progress::Progress;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Milliseconds from verified facts to points, grade and reasons; 95 of 100 are faster.
    pub score_p95_ms: f64,
    /// Milliseconds to verify a supplier's bundle, read its facts and score them; the median.
    pub score_with_proofs_1000_events_ms: f64,
    /// Events of that bundle: a thousand or more.
    pub score_with_proofs_events: usize,
    /// Milliseconds that the platform takes to make that bundle; the median.
    pub bundle_ms: f64,
    /// Milliseconds from an application to its decision, the bundle made and verified anew; 95 of 100
    /// are faster.
    pub offer_p95_ms: f64,
    /// Seconds to fit a scorecard on the German fold's 700 rows.
    pub fit_s: f64,
    /// Area under the ROC curve on its 300 unseen rows.
    pub german_auc: f64,
    /// Kolmogorov and Smirnov's distance on the same rows.
    pub german_ks: f64,
    /// Area under the ROC curve of deliveries after the split, by a scorecard of those before.
    pub deliveries_auc: f64,
    /// Lower end of its bootstrap interval of 95 % over whole suppliers.
    pub deliveries_auc_low: f64,
    /// Milliseconds for a schedule of 360 equal instalments; the median.
    pub schedule_360_ms: f64,
    /// Postings a second that the ledger takes on PostgreSQL, four writers of a hundred entries a
    /// transaction.
    pub ledger_postings_per_s: f64,
    /// The ledger beside plain inserts of the same rows: the least ratio of all shapes on SQLite and
    /// PostgreSQL.
    pub ledger_ratio_to_raw_inserts: f64,
    /// Milliseconds from a reading out of its limits, by its gateway's clock, until its pledge was
    /// frozen; 95 of 100 are faster. Gateway, platform, witnesses and bank are real.
    pub freeze_p95_ms: f64,
    /// The median of the same.
    pub freeze_p50_ms: f64,
    /// How many breaches.
    pub freeze_breaches: usize,
    /// Each shape on each engine.
    pub ledger: Books,
    /// Seconds of the daily run over [`Measured::daily_run`]'s loans on a SQLite file: 150,000 of them,
    /// unless another number was asked for.
    pub daily_run_150k_s: f64,
    /// That run.
    pub daily_run: days::Measured,
    /// Processor, how many of them, and what else it had to do.
    pub machine: String,
}

/// Measures everything; `fixtures` is where the data of others is.
///
/// # Errors
/// When a part does not start, evidence does not verify, or the fixtures are not there.
pub async fn measure(
    fixtures: &Path,
    loans: u64,
    progress: &mut Progress,
) -> anyhow::Result<Measured> {
    let machine = machine();
    progress.done("fitting scorecards");
    let german = fits::german(fixtures)?;
    let late = fits::deliveries(fixtures)?;
    progress.done("calculating schedules");
    let schedule_360_ms = schedules::of_360_instalments()?;
    progress.done("booking");
    let ledger = books::of_both_engines(progress).await?;
    let daily_run = days(loans, progress).await?;
    let decided = decisions::measure(progress).await?;
    let frozen = freeze::measure(progress).await?;
    Ok(Measured {
        freeze_p95_ms: frozen.p95_ms,
        freeze_p50_ms: frozen.p50_ms,
        freeze_breaches: frozen.breaches,
        score_p95_ms: decided.score_p95_ms,
        score_with_proofs_1000_events_ms: decided.with_proofs_ms,
        score_with_proofs_events: decided.events,
        bundle_ms: decided.bundle_ms,
        offer_p95_ms: decided.offer_p95_ms,
        fit_s: german.seconds,
        german_auc: german.auc,
        german_ks: german.ks,
        deliveries_auc: late.value,
        deliveries_auc_low: late.low,
        schedule_360_ms,
        ledger_postings_per_s: ledger.postings_per_second(),
        ledger_ratio_to_raw_inserts: ledger.least_ratio(),
        ledger,
        daily_run_150k_s: daily_run.seconds,
        daily_run,
        machine,
    })
}

/// Measures the daily run alone.
///
/// # Errors
/// When the store fails, or the books do not hold afterwards.
pub async fn days(loans: u64, progress: &mut Progress) -> anyhow::Result<days::Measured> {
    progress.done("making loans");
    days::measure(loans, progress).await
}

/// Milliseconds that the work takes.
fn milliseconds<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed().as_secs_f64() * 1e3)
}

/// The value that this part of the others does not exceed.
fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let at = (last as f64 * part).ceil() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "score from facts, p95           {:9.3} ms",
            self.score_p95_ms
        )?;
        writeln!(
            f,
            "score with proofs, {:5} events  {:9.1} ms",
            self.score_with_proofs_events, self.score_with_proofs_1000_events_ms
        )?;
        writeln!(
            f,
            "application to decision, p95    {:9.1} ms",
            self.offer_p95_ms
        )?;
        writeln!(
            f,
            "schedule of 360 instalments     {:9.3} ms",
            self.schedule_360_ms
        )?;
        writeln!(
            f,
            "reading to frozen, p95          {:9.0} ms, p50 {:.0} ms, {} breaches",
            self.freeze_p95_ms, self.freeze_p50_ms, self.freeze_breaches
        )?;
        writeln!(f, "ledger on SQLite\n{}", self.ledger.sqlite)?;
        writeln!(f, "ledger on PostgreSQL\n{}", self.ledger.postgresql)?;
        writeln!(f, "{}", self.daily_run)?;
        writeln!(f, "fit of 700 rows                 {:9.3} s", self.fit_s)?;
        writeln!(
            f,
            "German credit, 300 unseen rows   AUC {:.3}, KS {:.3}",
            self.german_auc, self.german_ks
        )?;
        write!(
            f,
            "deliveries out of time           AUC {:.3}, at least {:.3}",
            self.deliveries_auc, self.deliveries_auc_low
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values = || (1..=100).rev().map(f64::from).collect();
        assert!((quantile(values(), 0.95) - 96.0).abs() < f64::EPSILON);
        assert!((quantile(values(), 0.5) - 51.0).abs() < f64::EPSILON);
        assert!((quantile(values(), 1.0) - 100.0).abs() < f64::EPSILON);
        assert!(quantile(Vec::new(), 0.5).is_nan());
    }
}
