//! Weight of evidence and information value.
//!
//! With `g` of all `G` good and `b` of all `B` bad rows in a bin,
//!
//! ```text
//! WoE = ln((g / G + s / N) / (b / B + s / N))        IV of the bin = (g / G - b / B) * WoE
//! ```
//!
//! where `s` is the **smoothing**: as if `s` rows more stood in the bin, in the sample's own
//! proportions of `N = G + B`. So an empty bin has a WoE of exactly zero, a bin without one of both
//! outcomes has a finite one, and no bin's IV is negative. More is better: WoE rises with the odds of
//! being good. Counts are sums of weights; unit weights give whole numbers.

use serde::{Deserialize, Serialize};

/// Weighted rows by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Good ones.
    pub good: f64,
    /// Bad ones.
    pub bad: f64,
}

impl Counts {
    /// Adds a row.
    pub fn add(&mut self, bad: bool, weight: f64) {
        if bad {
            self.bad += weight;
        } else {
            self.good += weight;
        }
    }

    /// Both together.
    #[must_use]
    pub fn all(self) -> f64 {
        self.good + self.bad
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            good: self.good + other.good,
            bad: self.bad + other.bad,
        }
    }

    /// True if the share of bad ones is below that of another, neither being empty. Compared across,
    /// so that whole counts are compared exactly.
    #[must_use]
    pub fn is_better_than(self, other: Self) -> bool {
        self.bad * other.good < other.bad * self.good
    }
}

/// What a bin is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// All rows.
    pub totals: Counts,
    /// Rows added to each bin.
    pub smoothing: f64,
}

impl Reference {
    /// Weight of evidence of a bin.
    #[must_use]
    pub fn woe(&self, bin: Counts) -> f64 {
        let added = self.smoothing / self.totals.all();
        ((bin.good / self.totals.good + added) / (bin.bad / self.totals.bad + added)).ln()
    }

    /// Information value of a bin; that of a feature is the sum over its bins.
    #[must_use]
    pub fn iv(&self, bin: Counts) -> f64 {
        (bin.good / self.totals.good - bin.bad / self.totals.bad) * self.woe(bin)
    }
}
