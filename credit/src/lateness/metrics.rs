//! How good probabilities of late delivery were: a calibration table over deliveries, beside the
//! figures that the scorecard uses too.
//!
//! The figures are the usual ones and are compared with scikit-learn's in `tests.rs`.

use serde::{Deserialize, Serialize};

use crate::scorecard::logistic::Regression;
use crate::scorecard::metrics::mean;
pub(super) use crate::scorecard::metrics::share;
pub use crate::scorecard::metrics::{
    Bootstrap, Interval, Pair, auc, bootstrap, brier, log_loss, wilson,
};

/// Ends of the bins of a calibration table, exclusive; the last bin ends at 1.
pub const BIN_ENDS: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 1.0];

/// A bin of a calibration table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Where it begins, inclusive.
    pub from: f64,
    /// Where it ends, exclusive; 1 belongs to the last.
    pub below: f64,
    /// Deliveries in it.
    pub deliveries: u64,
    /// Of these, late ones.
    pub late: u64,
    /// Mean of their probabilities.
    pub predicted: f64,
    /// Share of late ones.
    pub observed: f64,
    /// Wilson's 95 % interval of that share.
    pub interval: (f64, f64),
}

/// The calibration table: bins that hold something, in rising order.
#[must_use]
pub fn calibration(pairs: &[Pair]) -> Vec<Bin> {
    let mut bins = Vec::new();
    let mut from = 0.0;
    for below in BIN_ENDS {
        let last = below >= 1.0;
        let inside = |pair: &&Pair| pair.0 >= from && (pair.0 < below || last);
        let inside: Vec<Pair> = pairs.iter().filter(inside).copied().collect();
        if let Some(predicted) = mean(&inside, |pair| pair.0) {
            let late = inside.iter().filter(|pair| pair.1).count() as u64;
            let deliveries = inside.len() as u64;
            bins.push(Bin {
                from,
                below,
                deliveries,
                late,
                predicted,
                observed: share(late, deliveries),
                interval: wilson(late, deliveries),
            });
        }
        from = below;
    }
    bins
}

/// Expected calibration error: the mean distance between predicted and observed over the bins, each
/// weighing by its deliveries; `None` without bins.
#[must_use]
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let all: u64 = bins.iter().map(|bin| bin.deliveries).sum();
    let far = |bin: &Bin| (bin.observed - bin.predicted).abs() * share(bin.deliveries, all);
    (all > 0).then(|| bins.iter().map(far).sum())
}

/// Intercept and slope of a logistic regression of the outcome on the log-odds of the probability:
/// 0 and 1 where probabilities are right on average and neither too bold nor too timid. `None` where
/// there is no single answer.
#[must_use]
pub fn recalibration(pairs: &[Pair]) -> Option<(f64, f64)> {
    auc(pairs)?;
    let odds = |(probability, _): &Pair| (probability / (1.0 - probability)).ln();
    let positive: Vec<bool> = pairs.iter().map(|pair| pair.1).collect();
    let regression = Regression {
        columns: &[pairs.iter().map(odds).collect()],
        positive: &positive,
        weights: &vec![1.0; pairs.len()],
        ridge: 0.0,
    };
    let found = regression.fit_from(vec![0.0, 1.0])?;
    Some((found.intercept, found.slopes[0]))
}
