//! The settings file of a fit: which columns, what the outcome is called, what people state.
//!
//! It is kept beside the scorecard word by word, since the same file and the same rows must give the
//! same scorecard again. Numbers are texts, as in the points table's file.

use std::collections::{BTreeMap, BTreeSet};

use schemas::config::{self, ConfigError};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;

use super::table::TableTerms;
use crate::scorecard::binning::{BinningSettings, Trend};
use crate::scorecard::calibration::Method;
use crate::scorecard::card::{GROUPINGS, Statement};
use crate::scorecard::dataset::{FEATURES_MAX, Special};
use crate::scorecard::settings::SettingsError;
use crate::scorecard::{Feature, Kind, Labels, Number, Outcome, Settings, Value};

/// Longest settings file in bytes.
pub const SHEET_MAX: usize = 64 * 1024;

/// A settings file that nothing can be fitted by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// The file is too long.
    #[error("settings: more than {SHEET_MAX} bytes")]
    TooLong,
    /// It does not have the form of one, or a rule is broken.
    #[error(transparent)]
    Form(#[from] ConfigError),
    /// A setting is out of range.
    #[error("settings: {0}")]
    Settings(#[from] SettingsError),
}

/// The column that says what became of a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeColumn {
    /// Its name.
    pub column: String,
    /// What a good row has there.
    pub good: BTreeSet<String>,
    /// What a bad row has there.
    pub bad: BTreeSet<String>,
    /// What a good row is called.
    pub good_is: String,
    /// What a bad row is called; its probability bears this name.
    pub bad_is: String,
    /// What the labels were made from.
    pub labels: Labels,
    /// True if a simulation made them. It must be said.
    pub simulated: bool,
}

/// A special value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialValue {
    /// As the column writes it.
    pub value: String,
    /// What it means.
    pub label: String,
}

/// A column that is looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureColumn {
    /// Its name, which the feature bears too.
    pub column: String,
    /// Numbers or names.
    pub kind: Kind,
    /// The trend that theory states.
    pub trend: Option<Trend>,
    /// Values with bins of their own.
    #[serde(default)]
    pub special: Vec<SpecialValue>,
    /// What stands for a missing value, beside the empty cell.
    #[serde(default)]
    pub missing: BTreeSet<String>,
}

/// Rows that the fit does not see.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdout {
    /// The column that tells.
    pub column: String,
    /// What stands there in a row that is held out.
    pub values: BTreeSet<String>,
}

/// Columns of groups, by grouping.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// Region of the firm.
    pub region: Option<String>,
    /// Its size.
    pub size: Option<String>,
    /// Its age.
    pub age: Option<String>,
}

impl Groups {
    /// The columns in the order of [`GROUPINGS`].
    #[must_use]
    pub fn columns(&self) -> [Option<&str>; GROUPINGS.len()] {
        [&self.region, &self.size, &self.age].map(Option::as_deref)
    }
}

/// What only people know.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// What it is for, and what not.
    pub purpose: String,
    /// Where the rows came from.
    pub source: String,
    /// How rows were chosen.
    pub sampling: String,
    /// What ends its use, and what then takes its place.
    pub exit: String,
    /// The total from which applicants are approved.
    pub approval_from: i32,
}

/// What differs from [`Settings::usual`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct How {
    prebins_max: Option<u32>,
    bins_max: Option<u32>,
    least_share: Option<Number>,
    least_of_each: Option<Number>,
    rare_share: Option<Number>,
    least_apart: Option<Number>,
    smoothing: Option<Number>,
    trend: Option<Trend>,
    least_iv: Option<Number>,
    ridge: Option<Number>,
    pdo: Option<Number>,
    anchor_points: Option<i32>,
    anchor_odds: Option<Number>,
    calibration: Option<Method>,
}

/// A settings file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The scorecard's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it tells apart.
    pub outcome: OutcomeColumn,
    /// What it may look at.
    pub features: Vec<FeatureColumn>,
    /// The column of weights; without it each row counts once.
    pub weight: Option<String>,
    /// Rows that the fit does not see.
    pub holdout: Option<Holdout>,
    /// What fairness is looked at by.
    #[serde(default)]
    pub groups: Groups,
    /// What people state.
    pub statement: Stated,
    /// How is fitted.
    #[serde(default)]
    pub how: How,
    /// What makes a points table of it that decisions can be made by; absent for a scorecard that
    /// never decides.
    pub table: Option<TableTerms>,
    /// The file's text.
    #[serde(skip)]
    pub text: String,
}

impl Sheet {
    /// Reads and checks a settings file.
    ///
    /// # Errors
    /// [`SheetError`], naming line and field.
    pub fn parse(file: &str, text: &str) -> Result<Self, SheetError> {
        if text.len() > SHEET_MAX {
            return Err(SheetError::TooLong);
        }
        let mut sheet: Self = config::parse(file, text)?;
        text.clone_into(&mut sheet.text);
        let wrong = |(field, problem): (&str, String)| ConfigError::at(file, text, field, problem);
        sheet.check().map_err(wrong)?;
        sheet.settings().check()?;
        Ok(sheet)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let outcome = self.outcome();
        let said = |error: &dyn std::fmt::Display| error.to_string();
        outcome
            .check()
            .map_err(|error| ("outcome.bad_is", said(&error)))?;
        for (field, name) in [("name", &self.name), ("version", &self.version)] {
            let fits = outcome.check_name(name);
            fits.map_err(|error| (field, said(&error)))?;
        }
        let (good, bad) = (&self.outcome.good, &self.outcome.bad);
        let needed = |field, set: &BTreeSet<String>| {
            let problem = || (field, "at least one value is needed".to_owned());
            (!set.is_empty()).then_some(()).ok_or_else(problem)
        };
        needed("outcome.good", good)?;
        needed("outcome.bad", bad)?;
        if let Some(both) = good.intersection(bad).next() {
            return Err(("outcome.bad", format!("`{both}` is good already")));
        }
        self.check_columns()
    }

    /// Each column plays one part: an outcome among the features would tell what it must find.
    fn check_columns(&self) -> Result<(), (&'static str, String)> {
        if self.features.is_empty() || self.features.len() > FEATURES_MAX {
            let problem = format!("1 to {FEATURES_MAX} features are needed");
            return Err(("features", problem));
        }
        let mut seen = BTreeSet::from([self.outcome.column.as_str()]);
        let once = |seen: &mut BTreeSet<_>, field, column| {
            let problem = || (field, format!("`{column}` has another part already"));
            seen.insert(column).then_some(()).ok_or_else(problem)
        };
        if let Some(weight) = &self.weight {
            once(&mut seen, "weight", weight.as_str())?;
        }
        if let Some(holdout) = &self.holdout {
            once(&mut seen, "holdout.column", holdout.column.as_str())?;
        }
        for one in &self.features {
            once(&mut seen, "features.column", one.column.as_str())?;
            for special in &one.special {
                one.read(&special.value).map_err(|problem| {
                    ("features.special", format!("`{}`: {problem}", one.column))
                })?;
            }
            if one.trend.is_some() && one.kind == Kind::Categorical {
                let problem = format!("`{}`: names have no trend", one.column);
                return Err(("features.trend", problem));
            }
        }
        Ok(())
    }

    /// What it tells apart.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome {
            good: self.outcome.good_is.clone(),
            bad: self.outcome.bad_is.clone(),
            labels: self.outcome.labels,
            simulated: self.outcome.simulated,
        }
    }

    /// What it may look at.
    #[must_use]
    pub fn features(&self) -> Vec<Feature> {
        let feature = |one: &FeatureColumn| Feature {
            name: one.column.clone(),
            kind: one.kind,
            special: one.special.iter().filter_map(|s| one.special(s)).collect(),
        };
        self.features.iter().map(feature).collect()
    }

    /// How is fitted: what is usual where nothing else is said.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let (how, usual) = (&self.how, Settings::usual());
        let stated = self.features.iter();
        let stated = stated.filter_map(|one| Some((one.column.clone(), one.trend?)));
        let trends: BTreeMap<String, Trend> = stated.collect();
        let (binning, fit, scale) = (usual.binning, usual.fit, usual.scale);
        Settings {
            binning: BinningSettings {
                prebins_max: how.prebins_max.unwrap_or(binning.prebins_max),
                bins_max: how.bins_max.unwrap_or(binning.bins_max),
                least_share: how.least_share.unwrap_or(binning.least_share),
                least_of_each: how.least_of_each.unwrap_or(binning.least_of_each),
                rare_share: how.rare_share.unwrap_or(binning.rare_share),
                least_apart: how.least_apart.unwrap_or(binning.least_apart),
                smoothing: how.smoothing.unwrap_or(binning.smoothing),
                trend: how.trend.unwrap_or(binning.trend),
                trends: trends.into_iter().collect(),
            },
            fit: crate::scorecard::fit::FitSettings {
                least_iv: how.least_iv.unwrap_or(fit.least_iv),
                ridge: how.ridge.unwrap_or(fit.ridge),
            },
            scale: crate::scorecard::points::Scale {
                pdo: how.pdo.unwrap_or(scale.pdo),
                anchor_points: how.anchor_points.unwrap_or(scale.anchor_points),
                anchor_odds: how.anchor_odds.unwrap_or(scale.anchor_odds),
            },
            calibration: how.calibration.unwrap_or(usual.calibration),
        }
    }

    /// What the card states.
    #[must_use]
    pub fn statement(&self, operator: &Slug, at: Instant) -> Statement {
        let stated = &self.statement;
        Statement {
            purpose: stated.purpose.clone(),
            source: stated.source.clone(),
            sampling: stated.sampling.clone(),
            code_version: format!("credit {}", env!("CARGO_PKG_VERSION")),
            environment: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            operator: operator.clone(),
            developed_at: at,
            exit: stated.exit.clone(),
            approval_from: stated.approval_from,
        }
    }
}

impl FeatureColumn {
    /// The value of a cell.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(&self, cell: &str) -> Result<Value, String> {
        if cell.is_empty() || self.missing.contains(cell) {
            return Ok(Value::Missing);
        }
        match self.kind {
            Kind::Numeric => {
                let number = cell.parse::<Number>();
                number.map(Value::Number).map_err(|error| error.to_string())
            }
            Kind::Categorical => {
                let named = crate::scorecard::outcome::check_length(cell);
                named.map_err(|error| error.to_string())?;
                Ok(Value::Category(cell.to_owned()))
            }
        }
    }

    fn special(&self, special: &SpecialValue) -> Option<Special> {
        Some(Special {
            value: self.read(&special.value).ok()?,
            label: special.label.clone(),
        })
    }
}
