//! The frozen scorecard: one canonical JSON text, and the hash that it is named by.
//!
//! It holds everything that a score needs and everything that is needed to make it again: the data's
//! hash, the settings, the fit, the points, the calibration. It is made once, by [`develop`], and
//! never edited. Members stand in the order of the structs, without blanks; numbers are text
//! ([`super::number`]).

use schemas::hash::{Hash, sha256};
use serde::{Deserialize, Serialize};

use super::binning::{self, Binned, BinningSettings};
use super::calibration::{Calibration, CalibrationError, Scored};
use super::dataset::{Dataset, DatasetError};
use super::fit::{self, Dropped, FitError, Fitted};
use super::number::{NotFinite, Number};
use super::outcome::{NameError, Outcome};
use super::points::{Applicant, PointsTable, Score, ScoreError};
use super::reasons::{self, Reason};
use super::settings::{Settings, SettingsError};
use super::stability::{self, ScoreBand};

/// What the text calls itself.
pub const FORMAT: &str = "tracebond-scorecard/v1";

/// Bands of the total for population stability.
const BANDS: u32 = 10;

/// How the fit went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitRecord {
    /// Log-odds of being good where every WoE is zero.
    pub intercept: Number,
    /// Features left out, in the order in which they went.
    pub dropped: Vec<Dropped>,
    /// Steps of Newton's method of each fit.
    pub iterations: Vec<u32>,
    /// Mean log loss by weight, in nats.
    pub log_loss: Number,
}

/// A frozen scorecard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// [`FORMAT`].
    pub format: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it tells apart.
    pub outcome: Outcome,
    /// What its probability is called.
    pub figure: String,
    /// SHA-256 of the data's canonical text.
    pub data: Hash,
    /// How it was made.
    pub settings: Settings,
    /// How the fit went.
    pub fit: FitRecord,
    /// The points.
    pub table: PointsTable,
    /// Probabilities of the totals.
    pub calibration: Calibration,
    /// Totals of the data, for population stability.
    pub bands: Vec<ScoreBand>,
}

/// A scorecard that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DevelopError {
    /// A setting is out of range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The model's name or version cannot be taken.
    #[error("name: {0}")]
    Name(#[from] NameError),
    /// The rows cannot be written.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The fit failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The calibration failed.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// A row cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A number cannot be kept.
    #[error(transparent)]
    Number(#[from] NotFinite),
}

/// A text that is no frozen scorecard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not canonical {FORMAT}: {0}")]
pub struct ArtefactError(String);

/// An applicant's score with its probability and reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// Hash of the scorecard.
    pub artefact: Hash,
    /// What the probability is called.
    pub figure: String,
    /// Total and points.
    pub score: Score,
    /// Probability of the bad outcome.
    pub probability: Number,
    /// At most [`reasons::REASONS_MAX`].
    pub reasons: Vec<Reason>,
}

/// Makes a scorecard from rows: the same rows and settings give the same bytes.
///
/// # Errors
/// [`DevelopError`], naming what is wrong.
pub fn develop(
    name: &str,
    version: &str,
    data: &Dataset,
    settings: &Settings,
) -> Result<Artefact, DevelopError> {
    settings.check()?;
    data.outcome().check_name(name)?;
    data.outcome().check_name(version)?;
    let binned = bin_all(data, &settings.binning)?;
    let fitted = fit::fit(data, &binned, &settings.fit)?;
    let table = PointsTable::new(&binned, &fitted, &settings.scale)?;
    let rows = scored(&table, data)?;
    let totals: Vec<(i32, f64)> = rows.iter().map(|row| (row.0, row.2)).collect();
    Ok(Artefact {
        format: FORMAT.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        outcome: data.outcome().clone(),
        figure: data.outcome().figure(),
        data: data.hash()?,
        settings: settings.clone(),
        fit: record(&fitted, &rows)?,
        calibration: Calibration::new(settings.calibration, &rows, table.extremes())?,
        bands: stability::bands(&totals, BANDS),
        table,
    })
}

fn bin_all(data: &Dataset, settings: &BinningSettings) -> Result<Vec<Binned>, NotFinite> {
    (0..data.features().len())
        .map(|at| binning::bin(data, at, settings))
        .collect()
}

fn record(fitted: &Fitted, rows: &[Scored]) -> Result<FitRecord, NotFinite> {
    let weight: f64 = rows.iter().map(|row| row.2).sum();
    Ok(FitRecord {
        intercept: Number::rounded(fitted.intercept)?,
        dropped: fitted.dropped.clone(),
        iterations: fitted.iterations.clone(),
        log_loss: Number::rounded(-fitted.log_likelihood / weight)?,
    })
}

/// Every row with its total, outcome and weight.
///
/// # Errors
/// [`ScoreError`] if a row lacks a feature of the table.
pub fn scored(table: &PointsTable, data: &Dataset) -> Result<Vec<Scored>, ScoreError> {
    let scores = stability::scored(table, data)?;
    let with_outcome = scores.into_iter().zip(data.rows());
    Ok(with_outcome
        .map(|((score, weight), row)| (score.total, row.bad, weight))
        .collect())
}

impl Artefact {
    /// Reads the canonical text.
    ///
    /// # Errors
    /// [`ArtefactError`] for any other text, also one that says the same in another way.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArtefactError> {
        let form = |what: String| ArtefactError(what);
        let read: Self = serde_json::from_slice(bytes).map_err(|error| form(error.to_string()))?;
        if read.format != FORMAT {
            return Err(form(format!("format `{}`", read.format)));
        }
        if read.figure != read.outcome.figure() {
            return Err(form("figure: not what the outcome says".to_owned()));
        }
        read.check().map_err(form)?;
        if read.to_bytes()? != bytes {
            return Err(form("another spelling of the same table".to_owned()));
        }
        Ok(read)
    }

    fn check(&self) -> Result<(), String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        self.outcome.check().map_err(|error| said(&error))?;
        let named = self.outcome.check_name(&self.name);
        named.map_err(|error| said(&error))?;
        self.settings.check().map_err(|error| said(&error))?;
        self.table.check().map_err(|error| said(&error))?;
        if self.calibration.holds(self.table.extremes()) {
            Ok(())
        } else {
            Err("calibration: not one probability for each total, never rising".to_owned())
        }
    }

    /// The canonical text.
    ///
    /// # Errors
    /// [`ArtefactError`] if it cannot be written, which no table is known to cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArtefactError> {
        serde_json::to_vec(self).map_err(|error| ArtefactError(error.to_string()))
    }

    /// SHA-256 of the canonical text: what decisions and the log name it by.
    ///
    /// # Errors
    /// As [`Artefact::to_bytes`].
    pub fn hash(&self) -> Result<Hash, ArtefactError> {
        Ok(sha256(&self.to_bytes()?))
    }

    /// Scores an applicant with a probability and reasons. `hash` is that of this scorecard: a
    /// caller takes it once, not for each applicant.
    ///
    /// # Errors
    /// [`ScoreError`], naming the feature.
    pub fn assess(&self, hash: Hash, applicant: &Applicant) -> Result<Assessment, ScoreError> {
        let score = self.table.score(applicant)?;
        Ok(Assessment {
            artefact: hash,
            figure: self.figure.clone(),
            probability: self.calibration.probability(score.total),
            reasons: reasons::reasons(&self.table, &score),
            score,
        })
    }
}
