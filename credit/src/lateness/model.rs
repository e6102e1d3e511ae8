//! The frozen model: three numbers and the rule in `models/late-delivery-1.toml`.

use rust_decimal::Decimal;
use schemas::config::ConfigError;
use schemas::hash::{Hash, sha256};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::history::rounded;
use crate::loan::decision::ModelUsed;

/// Decimal places of a supplier's figure; half to even beyond.
pub const PLACES: u32 = 4;

/// The model in use. A new one is a new file.
const FILE: (&str, &str) = (
    "credit/models/late-delivery-1.toml",
    include_str!("../../models/late-delivery-1.toml"),
);

/// Longest half life and greatest strength that make sense: a century of days.
const NUMBER_MAX: u32 = 36_525;

/// A model file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtefactError {
    /// The file does not have the form of one.
    #[error(transparent)]
    Form(#[from] ConfigError),
    /// A number is out of its range.
    #[error("the model's {0} is out of range")]
    Number(&'static str),
}

/// A known delivery as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whole days since it was recorded.
    pub age_days: u32,
    /// Whether it came after its promised time.
    pub late: bool,
}

/// What the probability is calculated with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Parameters {
    /// Days after which a delivery weighs half; `None` where all weigh the same.
    pub half_life_days: Option<u32>,
    /// How many deliveries the mean weighs as much as.
    pub strength: u32,
    /// Share of late deliveries of all suppliers, in parts in a million.
    pub mean_ppm: u32,
}

impl Parameters {
    /// Probability of late delivery of a supplier of whom this is known: strictly between 0 and 1
    /// if the mean is.
    pub fn probability(&self, known: impl IntoIterator<Item = Known>) -> f64 {
        let (mut late, mut all) = (0.0, 0.0);
        for one in known {
            let weight = self.weight(one.age_days);
            all += weight;
            if one.late {
                late += weight;
            }
        }
        let strength = f64::from(self.strength);
        (strength * self.mean() + late) / (strength + all)
    }

    /// The mean as a share.
    #[must_use]
    pub fn mean(&self) -> f64 {
        f64::from(self.mean_ppm) / 1e6
    }

    fn weight(&self, age_days: u32) -> f64 {
        match self.half_life_days {
            None => 1.0,
            Some(half_life) => (-f64::from(age_days) / f64::from(half_life)).exp2(),
        }
    }
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    half_life_days: Option<u32>,
    strength: u32,
    mean_ppm: u32,
    /// Deliveries promised for later were not looked at.
    #[serde(with = "crate::rfc3339")]
    pub split: Instant,
    /// A delivery is predicted from what was recorded this long before it was due.
    pub horizon_days: u32,
    /// With fewer known deliveries there is no figure.
    pub minimum_known: u32,
    /// Order values count for a limit if they were confirmed within this time.
    pub value_window_days: u32,
    /// SHA-256 of the file.
    #[serde(skip)]
    pub hash: Hash,
}

impl Artefact {
    /// The model that is built in.
    ///
    /// # Errors
    /// [`ArtefactError`]; a test sees to it that there is none.
    pub fn built_in() -> Result<Self, ArtefactError> {
        Self::parse(FILE.0, FILE.1)
    }

    /// Reads and checks a model file.
    ///
    /// # Errors
    /// [`ArtefactError`], naming what is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, ArtefactError> {
        let mut artefact: Self = schemas::config::parse(file, text)?;
        artefact.hash = sha256(text.as_bytes());
        let within = |number: u32, name| {
            let right = (1..=NUMBER_MAX).contains(&number);
            right.then_some(()).ok_or(ArtefactError::Number(name))
        };
        within(artefact.half_life_days.unwrap_or(1), "half_life_days")?;
        within(artefact.strength, "strength")?;
        within(artefact.horizon_days, "horizon_days")?;
        within(artefact.minimum_known, "minimum_known")?;
        within(artefact.value_window_days, "value_window_days")?;
        if !(1..1_000_000).contains(&artefact.mean_ppm) {
            return Err(ArtefactError::Number("mean_ppm"));
        }
        Ok(artefact)
    }

    /// Its numbers.
    #[must_use]
    pub const fn parameters(&self) -> Parameters {
        Parameters {
            half_life_days: self.half_life_days,
            strength: self.strength,
            mean_ppm: self.mean_ppm,
        }
    }

    /// The probability of late delivery as it is shown, or `None`: insufficient evidence.
    #[must_use]
    pub fn figure(&self, known: &[Known]) -> Option<Decimal> {
        if known.len() < self.minimum_known as usize {
            return None;
        }
        rounded(self.parameters().probability(known.iter().copied()))
    }

    /// As decisions and facts name it.
    #[must_use]
    pub fn used(&self) -> ModelUsed {
        ModelUsed {
            name: self.name.clone(),
            version: self.version.clone(),
            hash: self.hash,
        }
    }
}
