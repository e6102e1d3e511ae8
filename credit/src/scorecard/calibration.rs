//! From a score to the probability of the bad outcome: one number for each total that the table can
//! give, and how well those numbers fit.
//!
//! The table never rises with the score. It comes of a logistic regression of the outcome on the
//! total, or of isotonic regression by pooling adjacent violators, where a total between two seen
//! ones has the probability of the lower one.

use serde::{Deserialize, Serialize};

use super::logistic::{Regression, probability};
use super::metrics::{outcome, wilson};
use super::number::{NotFinite, Number, figure};

/// Groups of the Hosmer-Lemeshow test and bins of the reliability table.
pub const GROUPS: u32 = 10;

/// Totals that a table lists at most.
pub const TOTALS_MAX: i32 = 20_000;

/// How the probabilities are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Log-odds are a straight line of the total.
    Logistic,
    /// Any shape that never rises.
    Isotonic,
}

/// A scored row: total, whether it was bad, weight.
pub type Scored = (i32, bool, f64);

/// The probability of each total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// How it was found.
    pub method: Method,
    /// The total that the first probability is of; each further one is of one point more.
    pub lowest: i32,
    /// Probabilities of the bad outcome; never rising.
    pub probabilities: Vec<Number>,
}

/// A calibration that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    /// The outcome has no single regression on the total, or it rises with it.
    #[error("calibration: the outcome does not get better with the total")]
    NoAnswer,
    /// The table would be too long.
    #[error("calibration: more than 20000 totals; the scale has too many points")]
    TooLong,
    /// A number cannot be kept.
    #[error(transparent)]
    Number(#[from] NotFinite),
}

impl Calibration {
    /// Finds the probabilities of all totals from the lowest to the highest possible one.
    ///
    /// # Errors
    /// [`CalibrationError`].
    pub fn new(
        method: Method,
        rows: &[Scored],
        (lowest, highest): (i32, i32),
    ) -> Result<Self, CalibrationError> {
        if highest.saturating_sub(lowest) >= TOTALS_MAX {
            return Err(CalibrationError::TooLong);
        }
        let totals: Vec<i32> = (lowest..=highest).collect();
        let found = match method {
            Method::Logistic => logistic(rows, &totals)?,
            Method::Isotonic => isotonic(rows, &totals),
        };
        let probabilities: Result<_, _> = found.into_iter().map(Number::rounded).collect();
        Ok(Self {
            method,
            lowest,
            probabilities: probabilities?,
        })
    }

    /// True if there is a probability from 0 to 1 for each possible total, and none rises.
    #[must_use]
    pub fn holds(&self, (lowest, highest): (i32, i32)) -> bool {
        let length = i64::from(highest) - i64::from(lowest) + 1;
        let unit = |one: &Number| (Number::ZERO..=Number::ONE).contains(one);
        self.lowest == lowest
            && i64::try_from(self.probabilities.len()) == Ok(length)
            && self.probabilities.iter().all(unit)
            && self.probabilities.is_sorted_by(|one, next| one >= next)
    }

    /// The probability of a total; beyond the table's ends that of the end.
    #[must_use]
    pub fn probability(&self, total: i32) -> Number {
        let place = usize::try_from(total.saturating_sub(self.lowest)).unwrap_or(0);
        let last = self.probabilities.len().saturating_sub(1);
        let found = self.probabilities.get(place.min(last));
        found.copied().unwrap_or_default()
    }
}

fn logistic(rows: &[Scored], totals: &[i32]) -> Result<Vec<f64>, CalibrationError> {
    // Centred and scaled, so that Newton's method is well conditioned.
    let middle = f64::from(totals[0]) / 2.0 + f64::from(totals[totals.len() - 1]) / 2.0;
    let scaled = |total: i32| (f64::from(total) - middle) / 100.0;
    let bad: Vec<bool> = rows.iter().map(|row| row.1).collect();
    let weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
    let regression = Regression {
        columns: &[rows.iter().map(|row| scaled(row.0)).collect()],
        positive: &bad,
        weights: &weights,
        ridge: 0.0,
    };
    let found = regression.fit().ok_or(CalibrationError::NoAnswer)?;
    if found.slopes[0] >= 0.0 {
        return Err(CalibrationError::NoAnswer);
    }
    let of = |total: &i32| probability(found.log_odds([scaled(*total)]));
    Ok(totals.iter().map(of).collect())
}

/// Totals that share a probability.
struct Pool {
    from: i32,
    bad: f64,
    rows: f64,
}

fn isotonic(rows: &[Scored], totals: &[i32]) -> Vec<f64> {
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| row.0);
    let mut pools: Vec<Pool> = Vec::new();
    for tied in sorted.chunk_by(|one, other| one.0 == other.0) {
        let mut pool = Pool {
            from: tied[0].0,
            bad: tied.iter().map(|row| row.2 * outcome(row.1)).sum(),
            rows: tied.iter().map(|row| row.2).sum(),
        };
        while let Some(before) =
            pools.pop_if(|before| before.bad * pool.rows <= pool.bad * before.rows)
        {
            pool = Pool {
                from: before.from,
                bad: before.bad + pool.bad,
                rows: before.rows + pool.rows,
            };
        }
        pools.push(pool);
    }
    let of = |total: &i32| {
        let after = pools.partition_point(|pool| pool.from <= *total);
        let pool = &pools[after.saturating_sub(1)];
        pool.bad / pool.rows
    };
    totals.iter().map(of).collect()
}

/// A bin of the reliability table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Lowest total in it.
    pub from: i32,
    /// Highest total in it.
    pub to: i32,
    /// Rows, unweighted.
    pub rows: u64,
    /// Bad ones.
    pub bad: u64,
    /// Mean probability.
    pub predicted: Number,
    /// Share of bad ones.
    pub observed: Number,
    /// Wilson's 95 % interval of that share.
    pub interval: (Number, Number),
}

/// How well probabilities fit what became of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Groups of about equal size in rising order of the total.
    pub bins: Vec<Reliability>,
    /// Mean distance of predicted and observed over the bins, by rows.
    pub calibration_error: Option<Number>,
    /// Hosmer and Lemeshow's statistic over the bins.
    pub hosmer_lemeshow: Option<Number>,
    /// Its degrees of freedom: bins less two on the rows that were fitted on, else all bins.
    pub degrees_of_freedom: u32,
    /// The probability of so great a statistic were the probabilities right.
    pub p_value: Option<Number>,
}

impl Calibration {
    /// Compares with what became of rows; `fitted_on` if the table was made from these.
    #[must_use]
    pub fn fit(&self, rows: &[Scored], fitted_on: bool) -> Fit {
        let bins = self.reliability(rows);
        let all: u64 = bins.iter().map(|bin| bin.rows).sum();
        let weigh = |bin: &Reliability| super::metrics::share(bin.rows, all);
        let far = bins
            .iter()
            .map(|bin| weigh(bin) * (bin.predicted.get() - bin.observed.get()).abs())
            .sum();
        let statistic = bins.iter().map(deviation).sum::<f64>();
        let groups = u32::try_from(bins.len()).unwrap_or(u32::MAX);
        let degrees_of_freedom = groups.saturating_sub(if fitted_on { 2 } else { 0 });
        let enough = degrees_of_freedom > 0;
        Fit {
            calibration_error: figure((all > 0).then_some(far)),
            hosmer_lemeshow: figure(enough.then_some(statistic)),
            degrees_of_freedom,
            p_value: figure(enough.then(|| chi_square_above(statistic, degrees_of_freedom))),
            bins,
        }
    }

    fn reliability(&self, rows: &[Scored]) -> Vec<Reliability> {
        let mut sorted: Vec<(i32, bool)> = rows.iter().map(|row| (row.0, row.1)).collect();
        sorted.sort_unstable();
        let size = sorted.len().div_ceil(GROUPS as usize).max(1);
        let mut bins = Vec::new();
        let mut rest = &sorted[..];
        while !rest.is_empty() {
            let last = rest[size.min(rest.len()) - 1].0;
            let end = rest.partition_point(|row| row.0 <= last);
            let (group, after) = rest.split_at(end);
            bins.push(self.bin(group));
            rest = after;
        }
        bins
    }

    fn bin(&self, group: &[(i32, bool)]) -> Reliability {
        let rows = group.len() as u64;
        let bad = group.iter().filter(|row| row.1).count() as u64;
        let sum: f64 = group.iter().map(|row| self.probability(row.0).get()).sum();
        let (low, high) = wilson(bad, rows);
        let six = |value| figure(Some(value)).unwrap_or_default();
        Reliability {
            from: group[0].0,
            to: group[group.len() - 1].0,
            rows,
            bad,
            predicted: six(sum * super::metrics::share(1, rows)),
            observed: six(super::metrics::share(bad, rows)),
            interval: (six(low), six(high)),
        }
    }
}

/// The part of a bin in the statistic: `(observed - expected)^2 / (n p (1 - p))`.
fn deviation(bin: &Reliability) -> f64 {
    let rows = super::metrics::share(bin.rows, 1);
    let expected = bin.predicted.get();
    let spread = (rows * expected * (1.0 - expected)).max(f64::EPSILON);
    let apart = rows * (bin.observed.get() - expected);
    apart * apart / spread
}

/// The probability that a chi-square variable is above a value, for whole degrees of freedom: by the
/// recurrence `Q(a + 1, x) = Q(a, x) + x^a e^-x / gamma(a + 1)` from `Q(1, x)` or `Q(1/2, x)`.
#[must_use]
pub fn chi_square_above(value: f64, degrees: u32) -> f64 {
    let x = value.max(0.0) / 2.0;
    let odd = degrees % 2 == 1;
    let (mut a, mut above) = if odd {
        (0.5, complementary_error(x.sqrt()))
    } else {
        (1.0, (-x).exp())
    };
    // x^a e^-x / gamma(a + 1)
    let mut term = if odd {
        2.0 * (x / std::f64::consts::PI).sqrt() * (-x).exp()
    } else {
        x * (-x).exp()
    };
    while a + 0.25 < f64::from(degrees) / 2.0 {
        above += term;
        a += 1.0;
        term *= x / a;
    }
    above.clamp(0.0, 1.0)
}

/// The complementary error function for numbers from zero on: a series below 3, else a continued
/// fraction; right to twelve places.
fn complementary_error(x: f64) -> f64 {
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 3.0 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > 1e-17 * sum {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        1.0 - 2.0 * scale * sum
    } else {
        let fraction = (1..60)
            .rev()
            .fold(x, |below, n| x + f64::from(n) / 2.0 / below);
        scale / fraction
    }
}
