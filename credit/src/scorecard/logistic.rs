//! Logistic regression by Newton's method (iteratively reweighted least squares), with ridge.
//!
//! The same numbers give the same bits on one machine: sums run in the order of the rows, nothing
//! runs in parallel, no order depends on a hash map.

use super::metrics::outcome;

/// Steps at most; it needs about six where there is a single answer.
const STEPS_MAX: u32 = 50;

/// A step whose every part is smaller is the last.
const STEP_SMALL: f64 = 1e-12;

/// How often a step that overshoots is halved.
const HALVINGS_MAX: u32 = 30;

/// A pivot that is smaller beside the diagonal that it came from means that there is no single answer.
const PIVOT_SMALL: f64 = 1e-12;

/// What is regressed on what.
#[derive(Clone, Copy, Debug)]
pub struct Regression<'a> {
    /// The explaining columns; each as long as `positive`.
    pub columns: &'a [Vec<f64>],
    /// The outcome.
    pub positive: &'a [bool],
    /// What each row counts.
    pub weights: &'a [f64],
    /// Half of this times the squared slopes is added to the loss; the intercept is free.
    pub ridge: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    /// Log-odds where every column is zero.
    pub intercept: f64,
    /// One for each column.
    pub slopes: Vec<f64>,
    /// Steps of Newton's method.
    pub iterations: u32,
    /// Sum of the rows' log likelihoods, without the ridge.
    pub log_likelihood: f64,
}

impl Logistic {
    /// Log-odds of a row.
    #[must_use]
    pub fn log_odds(&self, row: impl IntoIterator<Item = f64>) -> f64 {
        let parts = self.slopes.iter().zip(row);
        self.intercept + parts.map(|(slope, value)| slope * value).sum::<f64>()
    }
}

/// The probability of log-odds.
#[must_use]
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

impl Regression<'_> {
    /// Finds the intercept and slopes, beginning at zero; `None` where there is no single answer.
    #[must_use]
    pub fn fit(&self) -> Option<Logistic> {
        self.fit_from(vec![0.0; self.columns.len() + 1])
    }

    /// Finds them, beginning at a guess: the intercept, then the slopes.
    #[must_use]
    pub fn fit_from(&self, mut at: Vec<f64>) -> Option<Logistic> {
        let mut value = self.objective(&at);
        for iterations in 1..=STEPS_MAX {
            let step = self.step(&at)?;
            let (next, reached) = self.shortened(&at, &step, value);
            let far = at.iter().zip(&next).map(|(from, to)| (to - from).abs());
            let far = far.fold(0.0, f64::max);
            (at, value) = (next, reached);
            if far < STEP_SMALL {
                return self.found(at, iterations);
            }
        }
        None
    }

    fn found(&self, at: Vec<f64>, iterations: u32) -> Option<Logistic> {
        if !at.iter().all(|part| part.is_finite()) {
            return None;
        }
        let log_likelihood = self.objective(&at) + self.penalty(&at);
        Some(Logistic {
            intercept: at[0],
            slopes: at[1..].to_vec(),
            iterations,
            log_likelihood,
        })
    }

    /// Where a step ends that is halved as long as it makes things worse by more than rounding does.
    fn shortened(&self, at: &[f64], step: &[f64], before: f64) -> (Vec<f64>, f64) {
        let allowed = before - 1e-9 * (1.0 + before.abs());
        let mut part = 1.0;
        let mut halvings = 0;
        loop {
            let moved = at.iter().zip(step).map(|(from, step)| from + part * step);
            let next: Vec<f64> = moved.collect();
            let reached = self.objective(&next);
            if reached >= allowed || halvings == HALVINGS_MAX {
                return (next, reached);
            }
            part /= 2.0;
            halvings += 1;
        }
    }

    fn penalty(&self, at: &[f64]) -> f64 {
        let squares: f64 = at[1..].iter().map(|slope| slope * slope).sum();
        self.ridge / 2.0 * squares
    }

    fn log_odds(&self, at: &[f64], row: usize) -> f64 {
        let slopes = at[1..].iter().zip(self.columns);
        at[0]
            + slopes
                .map(|(slope, column)| slope * column[row])
                .sum::<f64>()
    }

    /// Log likelihood less the penalty.
    fn objective(&self, at: &[f64]) -> f64 {
        let of = |row: usize| {
            let odds = self.log_odds(at, row);
            let signed = if self.positive[row] { odds } else { -odds };
            // ln(1 / (1 + e^-x)), without overflow on either side.
            let log = signed.min(0.0) - (-signed.abs()).exp().ln_1p();
            self.weights[row] * log
        };
        (0..self.positive.len()).map(of).sum::<f64>() - self.penalty(at)
    }

    /// The step of Newton's method from here.
    fn step(&self, at: &[f64]) -> Option<Vec<f64>> {
        let size = at.len();
        let mut gradient = vec![0.0; size];
        let mut matrix = vec![vec![0.0; size]; size];
        let mut row_values = vec![1.0; size];
        for row in 0..self.positive.len() {
            for (value, column) in row_values[1..].iter_mut().zip(self.columns) {
                *value = column[row];
            }
            let fitted = probability(self.log_odds(at, row));
            let residual = self.weights[row] * (outcome(self.positive[row]) - fitted);
            let curvature = self.weights[row] * fitted * (1.0 - fitted);
            for (place, value) in row_values.iter().enumerate() {
                gradient[place] += residual * value;
                for (other, beside) in row_values[..=place].iter().enumerate() {
                    matrix[place][other] += curvature * value * beside;
                }
            }
        }
        for place in 1..size {
            gradient[place] -= self.ridge * at[place];
            matrix[place][place] += self.ridge;
        }
        solve(matrix, gradient)
    }
}

/// Solves a symmetric positive definite system, of which the lower half is given, by Cholesky's
/// factors; `None` where it is singular.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for place in 0..size {
        for other in 0..=place {
            let before: f64 = (0..other)
                .map(|inner| matrix[place][inner] * matrix[other][inner])
                .sum();
            let rest = matrix[place][other] - before;
            if other < place {
                matrix[place][other] = rest / matrix[other][other];
            } else if rest.is_nan() || rest <= PIVOT_SMALL * matrix[place][place].max(PIVOT_SMALL) {
                return None;
            } else {
                matrix[place][place] = rest.sqrt();
            }
        }
    }
    for place in 0..size {
        let before: f64 = (0..place)
            .map(|inner| matrix[place][inner] * right[inner])
            .sum();
        right[place] = (right[place] - before) / matrix[place][place];
    }
    for place in (0..size).rev() {
        let after: f64 = (place + 1..size)
            .map(|inner| matrix[inner][place] * right[inner])
            .sum();
        right[place] = (right[place] - after) / matrix[place][place];
    }
    Some(right)
}
