//! How good probabilities were, given what became of things: pairs of (probability, outcome), where
//! the outcome that the probability is of counts as positive.
//!
//! The figures are the usual ones; [`crate::lateness::metrics`] and the scorecard share them. They
//! are compared with scikit-learn's in the tests of both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::random::SplitMix;

/// Two-sided 95 % of the standard normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// A prediction and its outcome.
pub type Pair = (f64, bool);

/// Area under the receiver operating characteristic: the share of (positive, negative) pairs in
/// which the positive one had the higher probability, ties counting half. `None` without both kinds.
#[must_use]
pub fn auc(pairs: &[Pair]) -> Option<f64> {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut below, mut wins, mut positives) = (0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|one, other| one.0 == other.0) {
        let positive = count(tied.iter().filter(|pair| pair.1));
        let negative = count(tied) - positive;
        wins += positive * (below + negative / 2.0);
        below += negative;
        positives += positive;
    }
    (positives > 0.0 && below > 0.0).then(|| wins / (positives * below))
}

/// Kolmogorov-Smirnov statistic: the greatest distance between the two cumulative distributions of
/// probability, of positives and of negatives. `None` without both kinds.
#[must_use]
pub fn ks(pairs: &[Pair]) -> Option<f64> {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let positives = count(pairs.iter().filter(|pair| pair.1));
    let negatives = count(pairs) - positives;
    let (mut positive, mut negative, mut widest) = (0.0, 0.0, 0.0_f64);
    for tied in sorted.chunk_by(|one, other| one.0 == other.0) {
        let here = count(tied.iter().filter(|pair| pair.1));
        positive += here;
        negative += count(tied) - here;
        widest = widest.max((negative / negatives - positive / positives).abs());
    }
    (positives > 0.0 && negatives > 0.0).then_some(widest)
}

/// Mean squared difference between probability and outcome; `None` without pairs.
#[must_use]
pub fn brier(pairs: &[Pair]) -> Option<f64> {
    mean(pairs, |(probability, positive)| {
        (probability - outcome(*positive)).powi(2)
    })
}

/// Mean negative logarithm of the probability of what happened, in nats; `None` without pairs.
#[must_use]
pub fn log_loss(pairs: &[Pair]) -> Option<f64> {
    mean(pairs, |(probability, positive)| match positive {
        true => -probability.ln(),
        false => -(1.0 - probability).ln(),
    })
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

/// A figure with its percentile interval, **whole clusters** being drawn with replacement: the
/// deliveries of one supplier share its history and its habits, so drawing single deliveries would
/// count one habit many times and give an interval that is much too narrow. A resample without both
/// outcomes has no AUC and is left out. `None` where the figure itself cannot be calculated.
pub fn bootstrap(
    pairs: &[(usize, Pair)],
    how: Bootstrap,
    figure: impl Fn(&[Pair]) -> Option<f64>,
) -> Option<Interval> {
    let mut clusters: BTreeMap<usize, Vec<Pair>> = BTreeMap::new();
    for (cluster, pair) in pairs {
        clusters.entry(*cluster).or_default().push(*pair);
    }
    let clusters: Vec<Vec<Pair>> = clusters.into_values().collect();
    let all: Vec<Pair> = pairs.iter().map(|(_, pair)| *pair).collect();
    let value = figure(&all)?;
    let mut random = SplitMix::new(how.seed);
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

/// One for what the probability is of, zero for the other.
#[must_use]
pub fn outcome(positive: bool) -> f64 {
    if positive { 1.0 } else { 0.0 }
}

fn count<T>(of: impl IntoIterator<Item = T>) -> f64 {
    of.into_iter().fold(0.0, |sum, _| sum + 1.0)
}

/// The mean of something over the pairs; `None` without pairs.
pub fn mean(pairs: &[Pair], of: impl Fn(&Pair) -> f64) -> Option<f64> {
    let sum: f64 = pairs.iter().map(of).sum();
    (!pairs.is_empty()).then(|| sum / count(pairs))
}

/// A share of counts, which are far below 2^53.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows are far below 2^53"
)]
pub fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
