//! How good probabilities were, given what became of things: pairs of (probability, outcome).
//!
//! The figures are the usual ones and are compared with scikit-learn's in `tests.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Ends of the bins of a calibration table, exclusive; the last bin ends at 1.
pub const BIN_ENDS: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 1.0];

/// Two-sided 95 % of the standard normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// Steps of Newton's method; it needs about six.
const NEWTON_STEPS: u32 = 50;

/// A prediction and its outcome.
pub type Pair = (f64, bool);

/// Area under the receiver operating characteristic: the share of (late, punctual) pairs in which
/// the late one had the higher probability, ties counting half. `None` without both kinds.
#[must_use]
pub fn auc(pairs: &[Pair]) -> Option<f64> {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut below, mut wins, mut positives) = (0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|one, other| one.0 == other.0) {
        let late = count(tied.iter().filter(|pair| pair.1));
        let punctual = count(tied) - late;
        wins += late * (below + punctual / 2.0);
        below += punctual;
        positives += late;
    }
    (positives > 0.0 && below > 0.0).then(|| wins / (positives * below))
}

/// Mean squared difference between probability and outcome; `None` without pairs.
#[must_use]
pub fn brier(pairs: &[Pair]) -> Option<f64> {
    mean(pairs, |(probability, late)| {
        (probability - outcome(*late)).powi(2)
    })
}

/// Mean negative logarithm of the probability of what happened, in nats; `None` without pairs.
#[must_use]
pub fn log_loss(pairs: &[Pair]) -> Option<f64> {
    mean(pairs, |(probability, late)| match late {
        true => -probability.ln(),
        false => -(1.0 - probability).ln(),
    })
}

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

/// Wilson's 95 % interval of a share.
#[must_use]
pub fn wilson(part: u64, whole: u64) -> (f64, f64) {
    if whole == 0 {
        return (0.0, 1.0);
    }
    let (shown, n) = (share(part, whole), share(whole, 1));
    let centre = shown + Z95 * Z95 / (2.0 * n);
    let reach = Z95 * (shown * (1.0 - shown) / n + Z95 * Z95 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z95 * Z95 / n;
    (
        ((centre - reach) / scale).max(0.0),
        ((centre + reach) / scale).min(1.0),
    )
}

/// Intercept and slope of a logistic regression of the outcome on the log-odds of the probability:
/// 0 and 1 where probabilities are right on average and neither too bold nor too timid. By Newton's
/// method; `None` where there is no single answer.
#[must_use]
pub fn recalibration(pairs: &[Pair]) -> Option<(f64, f64)> {
    auc(pairs)?;
    let (mut intercept, mut slope) = (0.0, 1.0);
    for _ in 0..NEWTON_STEPS {
        let (step, far) = newton(pairs, intercept, slope)?;
        intercept += step.0;
        slope += step.1;
        if far < 1e-12 {
            return (intercept.is_finite() && slope.is_finite()).then_some((intercept, slope));
        }
    }
    None
}

/// One step of Newton's method and how far it goes.
fn newton(pairs: &[Pair], intercept: f64, slope: f64) -> Option<((f64, f64), f64)> {
    let (mut gradient, mut matrix) = ((0.0, 0.0), (0.0, 0.0, 0.0));
    for (probability, late) in pairs {
        let odds = (probability / (1.0 - probability)).ln();
        let fitted = 1.0 / (1.0 + (-(intercept + slope * odds)).exp());
        let (residual, weight) = (outcome(*late) - fitted, fitted * (1.0 - fitted));
        gradient = (gradient.0 + residual, gradient.1 + residual * odds);
        matrix = (
            matrix.0 + weight,
            matrix.1 + weight * odds,
            matrix.2 + weight * odds * odds,
        );
    }
    let determinant = matrix.0 * matrix.2 - matrix.1 * matrix.1;
    if determinant.abs() < 1e-12 {
        return None;
    }
    let step = (
        (matrix.2 * gradient.0 - matrix.1 * gradient.1) / determinant,
        (matrix.0 * gradient.1 - matrix.1 * gradient.0) / determinant,
    );
    Some((step, step.0.abs().max(step.1.abs())))
}

/// A figure with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// 2.5th percentile of the resampled figures.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
    /// Resamples in which the figure could be calculated.
    pub draws: u32,
}

/// How resamples are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How many.
    pub draws: u32,
    /// Where the pseudo-random numbers begin.
    pub seed: u64,
}

/// A figure with its percentile interval, **whole suppliers** being drawn with replacement: the
/// deliveries of one supplier share its history and its habits, so drawing single deliveries would
/// count one habit many times and give an interval that is much too narrow. A resample without both
/// outcomes has no AUC and is left out. `None` where the figure itself cannot be calculated.
pub fn bootstrap(
    pairs: &[(usize, Pair)],
    how: Bootstrap,
    figure: impl Fn(&[Pair]) -> Option<f64>,
) -> Option<Interval> {
    let mut clusters: BTreeMap<usize, Vec<Pair>> = BTreeMap::new();
    for (supplier, pair) in pairs {
        clusters.entry(*supplier).or_default().push(*pair);
    }
    let clusters: Vec<Vec<Pair>> = clusters.into_values().collect();
    let all: Vec<Pair> = pairs.iter().map(|(_, pair)| *pair).collect();
    let value = figure(&all)?;
    let mut random = SplitMix(how.seed);
    let mut figures: Vec<f64> = (0..how.draws)
        .filter_map(|_| {
            let drawn = clusters
                .iter()
                .flat_map(|_| &clusters[random.below(clusters.len())]);
            figure(&drawn.copied().collect::<Vec<_>>())
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    Some(Interval {
        value,
        low: percentile(&figures, 25)?,
        high: percentile(&figures, 975)?,
        draws: u32::try_from(figures.len()).unwrap_or(u32::MAX),
    })
}

/// The figure at a rank in thousandths, by the nearest rank.
fn percentile(sorted: &[f64], thousandths: usize) -> Option<f64> {
    let rank = (sorted.len() * thousandths).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied()
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere and for ever, which a library's
/// generator does not promise. Not for secrets.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, by the high half of a product: the bias is below `end / 2^64`.
    fn below(&mut self, end: usize) -> usize {
        let product = u128::from(self.next()) * end as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }
}

fn outcome(late: bool) -> f64 {
    if late { 1.0 } else { 0.0 }
}

fn count<T>(of: impl IntoIterator<Item = T>) -> f64 {
    of.into_iter().fold(0.0, |sum, _| sum + 1.0)
}

fn mean(pairs: &[Pair], of: impl Fn(&Pair) -> f64) -> Option<f64> {
    let sum: f64 = pairs.iter().map(of).sum();
    (!pairs.is_empty()).then(|| sum / count(pairs))
}

/// A share of counts, which are far below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of deliveries are far below 2^53"
)]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
