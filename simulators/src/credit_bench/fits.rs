//! Scorecards on data that nobody here wrote, judged on rows that they have not seen.

use std::path::Path;

use anyhow::{Context, Result};
use credit::scorecard::artefact::scored;
use credit::scorecard::deliveries::rows;
use credit::scorecard::metrics::{Bootstrap, Interval, Pair, auc, bootstrap, ks};
use credit::scorecard::{Artefact, Dataset, Settings, develop};
use schemas::time::Instant;

use super::{deliveries, german, milliseconds};

/// How the interval of the deliveries is drawn.
const BOOTSTRAP: Bootstrap = Bootstrap {
    draws: 2_000,
    seed: 20_130_701,
};

/// A fit and its figures.
pub struct Fit {
    /// Seconds that it took.
    pub seconds: f64,
    /// Area under the ROC curve.
    pub auc: f64,
    /// Kolmogorov and Smirnov's distance.
    pub ks: f64,
}

/// The fixed fold of the German credit data.
pub fn german(fixtures: &Path) -> Result<Fit> {
    let data = german::read(&fixtures.join(german::FILE))?;
    let (made, took) =
        milliseconds(|| develop("german-credit", "1", &data.train, &Settings::usual()));
    let tested = pairs(&made?, &data.test)?;
    Ok(Fit {
        seconds: took / 1e3,
        auc: auc(&tested).context("one class only")?,
        ks: ks(&tested).context("one class only")?,
    })
}

/// The deliveries, out of time: AUC with its interval.
pub fn deliveries(fixtures: &Path) -> Result<Interval> {
    let all = deliveries::read(&fixtures.join(deliveries::FILE))?;
    let how = deliveries::history();
    let split = Instant::parse_rfc3339(deliveries::SPLIT).context("the split")?;
    let before = rows(&all, &how, |one| one.due < split && one.known <= split)?;
    let after = rows(&all, &how, |one| one.due >= split)?;
    let made = develop(
        "late-delivery-points",
        "1",
        &before.data,
        &Settings::usual(),
    )?;
    let tested = pairs(&made, &after.data)?;
    let clusters: Vec<(usize, Pair)> = after.suppliers.into_iter().zip(tested).collect();
    bootstrap(&clusters, BOOTSTRAP, auc).context("one class only")
}

/// The lower the total, the more probable is the bad outcome.
fn pairs(made: &Artefact, data: &Dataset) -> Result<Vec<Pair>> {
    let rows = scored(&made.table, data)?;
    Ok(rows.iter().map(|row| (-f64::from(row.0), row.1)).collect())
}
