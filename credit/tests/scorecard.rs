//! Scorecards over data that nobody here wrote.

use std::path::PathBuf;

use credit::scorecard::artefact::scored;
use credit::scorecard::deliveries::rows;
use credit::scorecard::metrics::{Bootstrap, Pair, auc, bootstrap, ks};
use credit::scorecard::refit::refit;
use credit::scorecard::{Artefact, Dataset, Settings, develop};
use schemas::time::Instant;

#[path = "scorecard/deliveries.rs"]
mod deliveries;
#[path = "scorecard/german.rs"]
mod german;

/// A fixture, or `None` where it is not here, which is no excuse in CI.
fn fixture(file: &str) -> Option<PathBuf> {
    let folder = std::env::var("TRACEBOND_FIXTURES").unwrap_or("../../shared/fixtures".into());
    let path = PathBuf::from(folder).join(file);
    if path.exists() {
        return Some(path);
    }
    let ci = std::env::var("CI").as_deref() == Ok("true");
    assert!(!ci, "{} is needed in CI", path.display());
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// The lower the total, the more probable is the bad outcome.
fn pairs(made: &Artefact, data: &Dataset) -> Vec<Pair> {
    let rows = scored(&made.table, data).expect("rows of the same features");
    rows.iter().map(|row| (-f64::from(row.0), row.1)).collect()
}

#[test]
fn german_credit_is_told_apart_as_well_as_by_optbinning() {
    let Some(path) = fixture(german::FILE) else {
        return;
    };
    let data = german::read(&path).unwrap();
    let made = develop("german-credit", "1", &data.train, &Settings::usual()).unwrap();
    let pairs = pairs(&made, &data.test);
    assert_eq!(pairs.len(), 300);
    let (auc, ks) = (auc(&pairs).unwrap(), ks(&pairs).unwrap());
    println!("AUC {auc:.4}, KS {ks:.4}");
    assert!(auc >= 0.764, "{auc}");
    assert!(ks >= 0.425, "{ks}");
    let snapshot = data.train.to_bytes().unwrap();
    assert_eq!(refit(&made, &snapshot).unwrap(), made.to_bytes().unwrap());
}

#[test]
fn late_deliveries_are_told_apart_out_of_time() {
    let Some(path) = fixture(deliveries::FILE) else {
        return;
    };
    let all = deliveries::read(&path).unwrap();
    assert_eq!(all.len(), 4_920);
    let split = Instant::parse_rfc3339(deliveries::SPLIT).unwrap();
    let how = deliveries::history();
    let before = rows(&all, &how, |one| one.due < split && one.known <= split).unwrap();
    let after = rows(&all, &how, |one| one.due >= split).unwrap();
    let made = develop(
        "late-delivery-points",
        "1",
        &before.data,
        &Settings::usual(),
    )
    .unwrap();
    assert_eq!(made.figure, "probability of late delivery");
    let tested = pairs(&made, &after.data);
    let clusters: Vec<(usize, Pair)> = after.suppliers.into_iter().zip(tested).collect();
    let draws = Bootstrap {
        draws: 2_000,
        seed: 20_130_701,
    };
    let found = bootstrap(&clusters, draws, auc).unwrap();
    println!(
        "AUC {:.4} ({:.4} to {:.4}) of {} deliveries, fitted on {}",
        found.value,
        found.low,
        found.high,
        clusters.len(),
        before.data.rows().len()
    );
    assert!(found.value >= 0.85, "{found:?}");
    assert!(found.low > 0.5 && found.low <= found.value && found.value <= found.high);
}
