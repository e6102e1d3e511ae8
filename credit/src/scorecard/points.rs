//! The frozen table: integer points of each bin, and the score of an applicant.
//!
//! ```text
//! factor = PDO / ln 2          offset = anchor points - factor * ln(anchor odds)
//! base   = round(offset + factor * intercept)
//! points = round(factor * coefficient * WoE)      total = base + points of one bin of each feature
//! ```
//!
//! Odds are good to bad: they double with every PDO points (points to double the odds). A WoE of zero
//! gives no points, so a missing value that tells nothing is neutral. Missing and unseen values never
//! give more than the best value that can be told: nobody gains by withholding.

mod check;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::binning::{Binned, Range, Trend, place};
use super::dataset::{Feature, Value};
use super::fit::Fitted;
use super::number::{NotFinite, Number};
pub use check::TableError;

/// What is told of an applicant, by name of the feature. A feature without a value is
/// [`Value::Missing`]; one that is absent is an error of the caller.
pub type Applicant = BTreeMap<String, Value>;

/// How log-odds become points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Points that double the odds.
    pub pdo: Number,
    /// Points at the anchor odds.
    pub anchor_points: i32,
    /// Good to bad.
    pub anchor_odds: Number,
}

impl Scale {
    /// Points for each unit of log-odds.
    #[must_use]
    pub fn factor(&self) -> f64 {
        self.pdo.get() / std::f64::consts::LN_2
    }

    /// Points at even odds.
    #[must_use]
    pub fn offset(&self) -> f64 {
        f64::from(self.anchor_points) - self.factor() * self.anchor_odds.get().ln()
    }
}

/// A bin with its points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsBin {
    /// What falls into it.
    pub range: Range,
    /// Weighted good rows that the table was made from.
    pub good: Number,
    /// Weighted bad rows.
    pub bad: Number,
    /// Weight of evidence.
    pub woe: Number,
    /// Points.
    pub points: i32,
}

/// A feature with its points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Characteristic {
    /// The feature.
    pub feature: Feature,
    /// Its trend; absent for categories.
    pub trend: Option<Trend>,
    /// Information value.
    pub iv: Number,
    /// Its coefficient in the regression.
    pub coefficient: Number,
    /// As in [`Binned`].
    pub bins: Vec<PointsBin>,
}

impl Characteristic {
    /// Position of the bin of a value; `None` for a value of another kind.
    #[must_use]
    pub fn place_of(&self, value: &Value) -> Option<usize> {
        place(
            self.bins.iter().map(|bin| &bin.range),
            self.feature.kind,
            value,
        )
    }

    /// Position of the bin with the most points among those that can be told; the first at a tie.
    #[must_use]
    pub fn best_place(&self) -> usize {
        let told = self.bins.iter().enumerate();
        let told = told.filter(|(_, bin)| bin.range.is_told());
        told.rev()
            .max_by_key(|(_, bin)| bin.points)
            .map_or(0, |(place, _)| place)
    }

    fn extremes(&self) -> (i32, i32) {
        let points = || self.bins.iter().map(|bin| bin.points);
        (points().min().unwrap_or(0), points().max().unwrap_or(0))
    }
}

/// The points table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsTable {
    /// Points before any characteristic.
    pub base: i32,
    /// What points are given for.
    pub characteristics: Vec<Characteristic>,
}

/// Points of one characteristic for an applicant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The feature.
    pub feature: String,
    /// Position of the applicant's bin.
    pub bin: usize,
    /// Its points.
    pub points: i32,
    /// Position of the best bin.
    pub best_bin: usize,
    /// Points of the best bin; never fewer.
    pub best: i32,
}

/// What the table gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The base and all points, exactly.
    pub total: i32,
    /// In the order of the table.
    pub given: Vec<Given>,
}

/// An applicant that the table cannot score.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// Nothing is said of a feature, not even that it is missing.
    #[error("{0}: absent; a feature without a value is `missing`")]
    Absent(String),
    /// A number where a name is needed, or the other way round.
    #[error("{0}: the value is not of the feature's kind")]
    Kind(String),
}

impl PointsTable {
    /// Makes the table of what was fitted.
    ///
    /// # Errors
    /// [`NotFinite`] if points or coefficients leave the range of numbers.
    pub fn new(binned: &[Binned], fitted: &Fitted, scale: &Scale) -> Result<Self, NotFinite> {
        let of = |(at, coefficient): &(usize, f64)| {
            let coefficient = Number::rounded(*coefficient)?;
            characteristic(&binned[*at], coefficient, scale.factor())
        };
        let intercept = Number::rounded(fitted.intercept)?;
        let characteristics: Result<_, _> = fitted.coefficients.iter().map(of).collect();
        Ok(Self {
            base: whole(scale.offset() + scale.factor() * intercept.get())?,
            characteristics: characteristics?,
        })
    }

    /// Scores an applicant. What is told beyond the table's features is not looked at.
    ///
    /// # Errors
    /// [`ScoreError`], naming the feature.
    pub fn score(&self, applicant: &Applicant) -> Result<Score, ScoreError> {
        self.score_by(|feature| applicant.get(feature))
    }

    /// Scores whoever has these values.
    ///
    /// # Errors
    /// [`ScoreError`], naming the feature.
    pub fn score_by<'a>(
        &self,
        value: impl Fn(&str) -> Option<&'a Value>,
    ) -> Result<Score, ScoreError> {
        let given: Result<Vec<Given>, ScoreError> = self
            .characteristics
            .iter()
            .map(|one| one.given(value(&one.feature.name)))
            .collect();
        let given = given?;
        let total = self.base + given.iter().map(|one| one.points).sum::<i32>();
        Ok(Score { total, given })
    }

    /// The lowest and the highest total that the table can give.
    #[must_use]
    pub fn extremes(&self) -> (i32, i32) {
        let ends = self.characteristics.iter().map(Characteristic::extremes);
        ends.fold((self.base, self.base), |sum, end| {
            (sum.0 + end.0, sum.1 + end.1)
        })
    }
}

impl Characteristic {
    fn given(&self, value: Option<&Value>) -> Result<Given, ScoreError> {
        let named = || self.feature.name.clone();
        let value = value.ok_or_else(|| ScoreError::Absent(named()))?;
        let bin = self
            .place_of(value)
            .ok_or_else(|| ScoreError::Kind(named()))?;
        let best_bin = self.best_place();
        Ok(Given {
            feature: named(),
            bin,
            points: self.bins[bin].points,
            best_bin,
            best: self.bins[best_bin].points,
        })
    }
}

fn characteristic(
    binned: &Binned,
    coefficient: Number,
    factor: f64,
) -> Result<Characteristic, NotFinite> {
    let points = |woe: Number| whole(factor * coefficient.get() * woe.get());
    let told = binned.bins.iter().filter(|bin| bin.range.is_told());
    let told: Result<Vec<i32>, NotFinite> = told.map(|bin| points(bin.woe)).collect();
    let best = told?.into_iter().max().unwrap_or(0);
    let mut bins = Vec::new();
    for bin in &binned.bins {
        let own = points(bin.woe)?;
        bins.push(PointsBin {
            range: bin.range.clone(),
            good: bin.good,
            bad: bin.bad,
            woe: bin.woe,
            points: if bin.range.is_told() {
                own
            } else {
                own.min(best)
            },
        });
    }
    Ok(Characteristic {
        feature: binned.feature.clone(),
        trend: binned.trend,
        iv: binned.iv,
        coefficient,
        bins,
    })
}

/// The nearest whole number of points, half away from zero.
fn whole(points: f64) -> Result<i32, NotFinite> {
    if points.is_finite() && points.abs() <= f64::from(check::POINTS_MAX) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a rounded number within a million fits"
        )]
        Ok(points.round() as i32)
    } else {
        Err(NotFinite(points.to_string()))
    }
}
