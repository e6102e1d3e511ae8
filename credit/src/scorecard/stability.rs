//! Population stability: how far applicants of today are from those that a table was made from.
//!
//! ```text
//! PSI = sum over bins of (actual share - expected share) * ln(actual share / expected share)
//! ```
//!
//! Half a row is added to each bin on both sides, so that an empty one has a logarithm. Below 0.1
//! nothing moved, from 0.25 on the table must be looked at again.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::number::{Number, figure};
use super::points::{Characteristic, PointsTable, ScoreError};

/// Rows added to each bin.
const ADDED: f64 = 0.5;

/// From here on something moved.
const MOVED: f64 = 0.1;

/// From here on it moved too far.
const MOVED_FAR: f64 = 0.25;

/// What a PSI means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Below 0.1.
    Stable,
    /// From 0.1 on.
    Watch,
    /// From 0.25 on.
    Shifted,
}

impl Verdict {
    /// Of a PSI.
    #[must_use]
    pub fn of(psi: f64) -> Self {
        if psi < MOVED {
            Self::Stable
        } else if psi < MOVED_FAR {
            Self::Watch
        } else {
            Self::Shifted
        }
    }
}

/// The PSI of one distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// A feature, or `total`.
    pub of: String,
    /// The index.
    pub psi: Number,
    /// What it means.
    pub verdict: Verdict,
}

/// How many rows had totals below an end, and from the end before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreBand {
    /// Where it ends, exclusive; absent for the last.
    pub below: Option<i32>,
    /// Weighted rows.
    pub rows: Number,
}

/// The population stability index of two distributions over the same bins.
///
/// Both are weighted rows by bin; with fewer bins on one side, what is absent counts as empty.
#[must_use]
pub fn psi(expected: &[f64], actual: &[f64]) -> f64 {
    let bins = expected.len().max(actual.len());
    let share = |rows: &[f64], bin: usize| {
        let all: f64 = rows.iter().map(|rows| rows + ADDED).sum::<f64>()
            + f64::from(u32::try_from(bins - rows.len()).unwrap_or(u32::MAX)) * ADDED;
        (rows.get(bin).copied().unwrap_or(0.0) + ADDED) / all
    };
    let part = |bin: usize| {
        let (expected, actual) = (share(expected, bin), share(actual, bin));
        (actual - expected) * (actual / expected).ln()
    };
    (0..bins).map(part).sum()
}

/// Bands of about equal weight over the totals; at most `most`, each ending at a total.
#[must_use]
pub fn bands(totals: &[(i32, f64)], most: u32) -> Vec<ScoreBand> {
    let mut sorted = totals.to_vec();
    sorted.sort_by_key(|one| one.0);
    let all: f64 = sorted.iter().map(|one| one.1).sum();
    let step = all / f64::from(most.max(1));
    let mut ends = Vec::new();
    let (mut reached, mut next) = (0.0, step);
    for tied in sorted.chunk_by(|one, other| one.0 == other.0) {
        if reached >= next {
            ends.push(tied[0].0);
            while reached >= next {
                next += step;
            }
        }
        reached += tied.iter().map(|one| one.1).sum::<f64>();
    }
    let rows = counted(&ends, totals);
    let below = ends.into_iter().map(Some).chain([None]);
    below
        .zip(rows)
        .map(|(below, rows)| ScoreBand {
            below,
            rows: figure(Some(rows)).unwrap_or_default(),
        })
        .collect()
}

/// Weighted rows by band.
fn counted(ends: &[i32], totals: &[(i32, f64)]) -> Vec<f64> {
    let mut rows = vec![0.0; ends.len() + 1];
    for (total, weight) in totals {
        rows[ends.partition_point(|end| end <= total)] += weight;
    }
    rows
}

/// The total's shift first, then that of each feature in the order of the table.
///
/// # Errors
/// [`ScoreError`] if a row cannot be scored.
pub fn shifts(
    table: &PointsTable,
    expected: &[ScoreBand],
    today: &Dataset,
) -> Result<Vec<Shift>, ScoreError> {
    Ok(shifts_of(table, expected, &scored(table, today)?))
}

/// The same of scores that were made before, each with what it counts.
#[must_use]
pub fn shifts_of(
    table: &PointsTable,
    expected: &[ScoreBand],
    scored: &[(super::points::Score, f64)],
) -> Vec<Shift> {
    let totals: Vec<(i32, f64)> = scored
        .iter()
        .map(|(score, row)| (score.total, *row))
        .collect();
    let ends: Vec<i32> = expected.iter().filter_map(|band| band.below).collect();
    let before: Vec<f64> = expected.iter().map(|band| band.rows.get()).collect();
    let mut shifts = vec![shift("total", psi(&before, &counted(&ends, &totals)))];
    for (at, one) in table.characteristics.iter().enumerate() {
        let mut actual = vec![0.0; one.bins.len()];
        for (score, weight) in scored {
            let bin = score.given.get(at).map_or(usize::MAX, |given| given.bin);
            if let Some(rows) = actual.get_mut(bin) {
                *rows += weight;
            }
        }
        shifts.push(shift(&one.feature.name, psi(&rows(one), &actual)));
    }
    shifts
}

fn rows(one: &Characteristic) -> Vec<f64> {
    let rows = one.bins.iter().map(|bin| bin.good.get() + bin.bad.get());
    rows.collect()
}

fn shift(of: &str, psi: f64) -> Shift {
    Shift {
        of: of.to_owned(),
        psi: figure(Some(psi)).unwrap_or_default(),
        verdict: Verdict::of(psi),
    }
}

/// Every row with its score and weight.
pub(super) fn scored(
    table: &PointsTable,
    data: &Dataset,
) -> Result<Vec<(super::points::Score, f64)>, ScoreError> {
    let place = |name: &str| data.features().iter().position(|one| one.name == name);
    let mut scored = Vec::with_capacity(data.rows().len());
    for row in data.rows() {
        let score = table.score_by(|name| place(name).map(|at| &row.values[at]))?;
        scored.push((score, row.weight.get()));
    }
    Ok(scored)
}
