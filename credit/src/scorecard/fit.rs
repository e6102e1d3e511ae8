//! Logistic regression on weights of evidence, with a look at the signs.
//!
//! ```text
//! log-odds of being good = intercept + sum of coefficient * WoE of the feature's bin
//! ```
//!
//! WoE rises with the odds of being good, so by theory every coefficient is above zero. A coefficient
//! that is not would take points for what speaks for an applicant: its feature is dropped, the worst
//! one first (the first in the order of features at a tie), and the rest is fitted again.

use serde::{Deserialize, Serialize};

use super::binning::Binned;
use super::dataset::Dataset;
use super::logistic::{Logistic, Regression};
use super::number::{NotFinite, Number};

/// How is fitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitSettings {
    /// Features with a smaller information value are left out.
    pub least_iv: Number,
    /// Half of this times the squared coefficients is added to the loss.
    pub ridge: Number,
}

/// Why a feature is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Its information value is too small.
    LowInformationValue,
    /// Its coefficient had the wrong sign.
    WrongSign,
}

/// A feature that is not in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// Its name.
    pub feature: String,
    /// Why.
    pub reason: DropReason,
    /// The information value, or the coefficient.
    pub figure: Number,
}

/// What was fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Log-odds of being good where every WoE is zero.
    pub intercept: f64,
    /// Position of the feature and its coefficient, in the order of the features.
    pub coefficients: Vec<(usize, f64)>,
    /// Features left out, in the order in which they went.
    pub dropped: Vec<Dropped>,
    /// Steps of Newton's method of each fit; one fit more than features dropped for their sign.
    pub iterations: Vec<u32>,
    /// Sum of the rows' log likelihoods, by weight.
    pub log_likelihood: f64,
}

/// A fit that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// No feature is left.
    #[error("features: none tells good from bad with the sign that theory states")]
    NoFeature,
    /// The regression has no single answer.
    #[error("ridge: without more of it the regression has no single answer")]
    NoAnswer,
    /// A number cannot be kept.
    #[error(transparent)]
    Number(#[from] NotFinite),
}

/// Fits the features that tell enough.
///
/// # Errors
/// [`FitError`]: no feature is left, or no single answer exists.
pub fn fit(data: &Dataset, binned: &[Binned], settings: &FitSettings) -> Result<Fitted, FitError> {
    let mut dropped = Vec::new();
    let mut kept = Vec::new();
    for (at, one) in binned.iter().enumerate() {
        if one.iv > Number::ZERO && one.iv >= settings.least_iv {
            kept.push(at);
        } else {
            dropped.push(Dropped {
                feature: one.feature.name.clone(),
                reason: DropReason::LowInformationValue,
                figure: one.iv,
            });
        }
    }
    let good: Vec<bool> = data.rows().iter().map(|row| !row.bad).collect();
    let weights: Vec<f64> = data.rows().iter().map(|row| row.weight.get()).collect();
    let mut iterations = Vec::new();
    loop {
        if kept.is_empty() {
            return Err(FitError::NoFeature);
        }
        let columns: Vec<Vec<f64>> = kept.iter().map(|at| woe(data, *at, &binned[*at])).collect();
        let regression = Regression {
            columns: &columns,
            positive: &good,
            weights: &weights,
            ridge: settings.ridge.get(),
        };
        let found = regression.fit().ok_or(FitError::NoAnswer)?;
        iterations.push(found.iterations);
        let Some(worst) = wrong_sign(&found) else {
            return Ok(Fitted {
                intercept: found.intercept,
                coefficients: kept.into_iter().zip(found.slopes).collect(),
                dropped,
                iterations,
                log_likelihood: found.log_likelihood,
            });
        };
        dropped.push(Dropped {
            feature: binned[kept.remove(worst)].feature.name.clone(),
            reason: DropReason::WrongSign,
            figure: Number::rounded(found.slopes[worst])?,
        });
    }
}

/// Position of the smallest slope, if it is not above zero.
fn wrong_sign(found: &Logistic) -> Option<usize> {
    let slopes = found.slopes.iter().enumerate();
    let (place, worst) = slopes.min_by(|one, other| one.1.total_cmp(other.1))?;
    // A coefficient that is zero once it is rounded would give no points either.
    (*worst < 1e-6).then_some(place)
}

/// The feature's WoE for each row.
fn woe(data: &Dataset, at: usize, binned: &Binned) -> Vec<f64> {
    let of = |value| {
        let place = binned.place_of(value);
        place.map_or(0.0, |place| binned.bins[place].woe.get())
    };
    data.rows().iter().map(|row| of(&row.values[at])).collect()
}
