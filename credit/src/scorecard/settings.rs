//! How a scorecard is made: everything that its bytes depend on beside the rows.

use serde::{Deserialize, Serialize};

use super::binning::{BinningSettings, Trend};
use super::calibration::Method;
use super::fit::FitSettings;
use super::number::Number;
use super::points::Scale;

/// Pre-bins at most: the time of a fit grows with their third power.
pub const PREBINS_MAX: u32 = 200;

/// Bins at most.
pub const BINS_MAX: u32 = 50;

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: must be {range}")]
pub struct SettingsError {
    /// The setting.
    pub field: &'static str,
    /// What it may be.
    pub range: &'static str,
}

/// Every setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How features are cut.
    pub binning: BinningSettings,
    /// How is fitted.
    pub fit: FitSettings,
    /// How log-odds become points.
    pub scale: Scale,
    /// How totals become probabilities.
    pub calibration: Method,
}

impl Settings {
    /// What is usual: at most eight bins of at least three in a hundred rows, drawn to the mean by
    /// five rows, information value from 0.02 on, 20 points double the odds, 600 points at 50 to 1.
    #[must_use]
    pub fn usual() -> Self {
        let hundredths = |whole: u32| Number::from(whole).hundredth();
        Self {
            binning: BinningSettings {
                prebins_max: 30,
                bins_max: 8,
                least_share: hundredths(3),
                least_of_each: Number::ONE,
                rare_share: hundredths(2),
                least_apart: Number::from(20),
                smoothing: Number::from(5),
                trend: Trend::Automatic,
                trends: Vec::new(),
            },
            fit: FitSettings {
                least_iv: hundredths(2),
                ridge: Number::ONE,
            },
            scale: Scale {
                pdo: Number::from(20),
                anchor_points: 600,
                anchor_odds: Number::from(50),
            },
            calibration: Method::Logistic,
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingsError`], naming the first setting that is out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let rule =
            |right: bool, field, range| right.then_some(()).ok_or(SettingsError { field, range });
        let share = |number: Number| (Number::ZERO..Number::ONE).contains(&number);
        let binning = &self.binning;
        let sorted = binning.trends.windows(2).all(|pair| pair[0].0 < pair[1].0);
        rule(
            (1..=PREBINS_MAX).contains(&binning.prebins_max),
            "prebins_max",
            "1 to 200",
        )?;
        rule(
            (1..=BINS_MAX).contains(&binning.bins_max),
            "bins_max",
            "1 to 50",
        )?;
        rule(
            share(binning.least_share),
            "least_share",
            "from 0 to below 1",
        )?;
        rule(share(binning.rare_share), "rare_share", "from 0 to below 1")?;
        rule(
            binning.least_of_each >= Number::ZERO,
            "least_of_each",
            "at least 0",
        )?;
        rule(
            binning.least_apart >= Number::ZERO,
            "least_apart",
            "at least 0",
        )?;
        rule(binning.smoothing > Number::ZERO, "smoothing", "above 0")?;
        rule(sorted, "trends", "in order of name, each feature once")?;
        rule(self.fit.least_iv >= Number::ZERO, "least_iv", "at least 0")?;
        rule(self.fit.ridge >= Number::ZERO, "ridge", "at least 0")?;
        rule(self.scale.pdo > Number::ZERO, "pdo", "above 0")?;
        rule(
            self.scale.anchor_odds > Number::ZERO,
            "anchor_odds",
            "above 0",
        )
    }
}
