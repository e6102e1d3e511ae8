//! Fits scorecards on data that nobody here wrote and prints, as one line of JSON, how long that took
//! and how good they are on rows that they had not seen. `tests/scorecard.py` runs it beside
//! optbinning.
//!
//! ```sh
//! cargo run --release -p credit --example scorecard -- ../shared/fixtures
//! ```

use std::path::Path;
use std::time::Instant as Stopwatch;

use anyhow::{Context, Result};
use credit::scorecard::artefact::scored;
use credit::scorecard::deliveries::rows;
use credit::scorecard::metrics::{Bootstrap, Pair, auc, bootstrap, ks};
use credit::scorecard::{Artefact, Dataset, Settings, develop};
use schemas::time::Instant;
use serde_json::{Value, json};

#[path = "../tests/scorecard/deliveries.rs"]
mod deliveries;
#[path = "../tests/scorecard/german.rs"]
mod german;

/// How the interval of the deliveries is drawn.
const BOOTSTRAP: Bootstrap = Bootstrap {
    draws: 2_000,
    seed: 20_130_701,
};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1);
    let folder = folder.context("usage: scorecard FIXTURES")?;
    let folder = Path::new(&folder);
    let report = json!({
        "german": german(folder)?,
        "deliveries": late_deliveries(folder)?,
    });
    println!("{report}");
    Ok(())
}

fn german(folder: &Path) -> Result<Value> {
    let data = german::read(&folder.join(german::FILE))?;
    let (made, seconds) = timed("german-credit", &data.train)?;
    let tested = pairs(&made, &data.test)?;
    Ok(json!({
        "fit_seconds": seconds,
        "train_auc": auc(&pairs(&made, &data.train)?),
        "auc": auc(&tested),
        "ks": ks(&tested),
        "features": made.table.characteristics.len(),
        "iterations": made.fit.iterations,
        "data": made.data,
        "artefact": made.hash()?,
        "tested": tested,
    }))
}

fn late_deliveries(folder: &Path) -> Result<Value> {
    let all = deliveries::read(&folder.join(deliveries::FILE))?;
    let how = deliveries::history();
    let split = Instant::parse_rfc3339(deliveries::SPLIT).context("the split")?;
    let before = rows(&all, &how, |one| one.due < split && one.known <= split)?;
    let after = rows(&all, &how, |one| one.due >= split)?;
    let (made, seconds) = timed("late-delivery-points", &before.data)?;
    let tested = pairs(&made, &after.data)?;
    let clusters: Vec<(usize, Pair)> = after.suppliers.into_iter().zip(tested).collect();
    Ok(json!({
        "fit_seconds": seconds,
        "fitted_on": before.data.rows().len(),
        "tested_on": clusters.len(),
        "auc": bootstrap(&clusters, BOOTSTRAP, auc),
        "ks": bootstrap(&clusters, BOOTSTRAP, ks),
        "iterations": made.fit.iterations,
        "artefact": made.hash()?,
    }))
}

fn timed(name: &str, data: &Dataset) -> Result<(Artefact, f64)> {
    let began = Stopwatch::now();
    let made = develop(name, "1", data, &Settings::usual())?;
    Ok((made, began.elapsed().as_secs_f64()))
}

/// The lower the total, the more probable is the bad outcome.
fn pairs(made: &Artefact, data: &Dataset) -> Result<Vec<Pair>> {
    let rows = scored(&made.table, data)?;
    Ok(rows.iter().map(|row| (-f64::from(row.0), row.1)).collect())
}
