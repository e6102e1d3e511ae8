//! The model card: what a model-risk department asks of a scorecard, generated from the scorecard
//! and its rows, not written by hand. As canonical JSON, whose hash is for the log, and as Markdown.
//!
//! What cannot be measured is stated by whoever develops ([`Statement`]): where the rows came from,
//! how they were sampled, what ends the model's use. What can be measured is measured here.

mod fairness;
mod markdown;

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

pub(crate) use fairness::NOT_KNOWN;
pub use fairness::{Fairness, GroupFigures};

use super::artefact::{Artefact, ArtefactError, scored};
use super::calibration::{Fit, Scored};
use super::dataset::{Dataset, DatasetError};
use super::fit::Dropped;
use super::metrics::{self, Bootstrap, Pair};
use super::number::{Number, figure};
use super::outcome::{NameError, WATERMARK, check_length};
use super::points::ScoreError;
use super::stability::{self, Shift};

/// What the JSON calls itself.
pub const FORMAT: &str = "tracebond-model-card/v1";

/// The kind of the log entry of a card's hash (a document hash, entry type 3).
pub const LOG_KIND: &str = "model-card";

/// Groupings that every card needs: fairness by region, size and age of the firm.
pub const GROUPINGS: [&str; 3] = ["region", "size", "age"];

/// Longest stated text, in characters.
pub const TEXT_MAX: usize = 2_000;

/// How intervals are drawn.
pub const BOOTSTRAP: Bootstrap = Bootstrap {
    draws: 500,
    seed: 20_261_122,
};

/// What only people know of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What it is for, and what not.
    pub purpose: String,
    /// Where the rows came from.
    pub source: String,
    /// How rows were chosen.
    pub sampling: String,
    /// Version of the code that fitted: a commit or a release.
    pub code_version: String,
    /// Machine, operating system and compiler.
    pub environment: String,
    /// Who ran it.
    pub operator: Slug,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub developed_at: Instant,
    /// What ends its use, and what then takes its place.
    pub exit: String,
    /// The total from which applicants are approved, for fairness.
    pub approval_from: i32,
}

impl Statement {
    fn check(&self) -> Result<(), CardError> {
        let texts = [
            ("purpose", &self.purpose),
            ("source", &self.source),
            ("sampling", &self.sampling),
            ("code_version", &self.code_version),
            ("environment", &self.environment),
            ("exit", &self.exit),
        ];
        texts
            .into_iter()
            .try_for_each(|(field, text)| check_text(field, text))
    }
}

/// Rows by outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Rows.
    pub rows: u64,
    /// Good ones.
    pub good: u64,
    /// Bad ones.
    pub bad: u64,
    /// Features that were offered to the fit.
    pub features: u64,
}

/// A figure with its 95 % bootstrap interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The figure.
    pub value: Number,
    /// Lower end.
    pub low: Number,
    /// Upper end.
    pub high: Number,
}

/// How good a scorecard is on some rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// SHA-256 of the rows.
    pub data: Hash,
    /// How many.
    pub volume: Volume,
    /// Area under the receiver operating characteristic.
    pub auc: Option<Measured>,
    /// Kolmogorov-Smirnov statistic.
    pub ks: Option<Measured>,
    /// Brier score of the calibrated probabilities.
    pub brier: Option<Number>,
    /// Reliability and Hosmer-Lemeshow.
    pub calibration: Fit,
}

/// The review that a card carries once there was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewNote {
    /// Who reviewed.
    pub person: Slug,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
    /// What was found.
    pub findings: String,
}

/// The model card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// [`FORMAT`].
    pub format: String,
    /// [`WATERMARK`] if a simulation made the labels.
    pub watermark: Option<String>,
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What its probability is called.
    pub figure: String,
    /// SHA-256 of the scorecard.
    pub artefact: Hash,
    /// SHA-256 of the rows that it was made from.
    pub data: Hash,
    /// SHA-256 of the points table that it gives for deciding; absent where it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Hash>,
    /// What people state.
    pub statement: Statement,
    /// Steps of Newton's method of each fit.
    pub iterations: Vec<u32>,
    /// Features that were left out, and why.
    pub dropped: Vec<Dropped>,
    /// Features in the table with their information value.
    pub features: Vec<(String, Number)>,
    /// On the rows that it was made from.
    pub development: Performance,
    /// On rows that it had not seen; absent if there were none.
    pub holdout: Option<Performance>,
    /// How far the unseen rows are from the others.
    pub stability: Vec<Shift>,
    /// By region, size and age of the firm, on unseen rows if there are any.
    pub fairness: Vec<Fairness>,
    /// What a second person found; absent before.
    pub review: Option<ReviewNote>,
}

/// A card that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// A stated text is empty or too long.
    #[error("{0}: must have 1 to 2000 characters")]
    Text(&'static str),
    /// The rows are not those of the scorecard.
    #[error("data: the rows are not those that the scorecard was made from")]
    OtherData,
    /// A grouping that fairness needs is missing.
    #[error("groupings: `{0}` is missing")]
    Grouping(&'static str),
    /// A row cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Rows cannot be written.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The scorecard cannot be written.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The card cannot be written.
    #[error("the card cannot be written: {0}")]
    Form(String),
    /// A group's name cannot be shown.
    #[error("groups: {0}")]
    Name(#[from] NameError),
}

impl ModelCard {
    /// Makes the card of a scorecard from the rows that it was made from and, if there are any, rows
    /// that it had not seen.
    ///
    /// # Errors
    /// [`CardError`], naming what is missing.
    pub fn new(
        artefact: &Artefact,
        statement: Statement,
        development: &Dataset,
        holdout: Option<&Dataset>,
    ) -> Result<Self, CardError> {
        statement.check()?;
        if development.hash()? != artefact.data {
            return Err(CardError::OtherData);
        }
        let judged = holdout.unwrap_or(development);
        let stability = stability::shifts(&artefact.table, &artefact.bands, judged)?;
        let outcome = &artefact.outcome;
        let features = artefact.table.characteristics.iter();
        Ok(Self {
            format: FORMAT.to_owned(),
            watermark: outcome.simulated.then(|| WATERMARK.to_owned()),
            name: artefact.name.clone(),
            version: artefact.version.clone(),
            figure: artefact.figure.clone(),
            artefact: artefact.hash()?,
            data: artefact.data,
            table: None,
            iterations: artefact.fit.iterations.clone(),
            dropped: artefact.fit.dropped.clone(),
            features: features
                .map(|one| (one.feature.name.clone(), one.iv))
                .collect(),
            development: performance(artefact, development, true)?,
            holdout: holdout
                .map(|rows| performance(artefact, rows, false))
                .transpose()?,
            stability: holdout.map_or_else(Vec::new, |_| stability),
            fairness: fairness::measure(artefact, judged, statement.approval_from)?,
            statement,
            review: None,
        })
    }

    /// The canonical JSON.
    ///
    /// # Errors
    /// [`CardError::Form`], which no card is known to cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CardError> {
        serde_json::to_vec(self).map_err(|error| CardError::Form(error.to_string()))
    }

    /// Reads the canonical JSON.
    ///
    /// # Errors
    /// [`CardError::Form`] for any other text.
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        let form = |what: String| CardError::Form(what);
        let card: Self = serde_json::from_slice(bytes).map_err(|error| form(error.to_string()))?;
        if card.format != FORMAT || card.to_bytes()? != bytes {
            return Err(form(format!("not canonical {FORMAT}")));
        }
        Ok(card)
    }

    /// SHA-256 of the canonical JSON: what the log entry of kind [`LOG_KIND`] holds.
    ///
    /// # Errors
    /// As [`ModelCard::to_bytes`].
    pub fn hash(&self) -> Result<Hash, CardError> {
        Ok(sha256(&self.to_bytes()?))
    }

    /// The card for people, with the hash of its JSON.
    ///
    /// # Errors
    /// As [`ModelCard::to_bytes`].
    pub fn to_markdown(&self) -> Result<String, CardError> {
        Ok(markdown::write(self, self.hash()?))
    }
}

fn performance(
    artefact: &Artefact,
    data: &Dataset,
    fitted_on: bool,
) -> Result<Performance, CardError> {
    let rows = scored(&artefact.table, data)?;
    let pairs = pairs(artefact, &rows);
    Ok(Performance {
        data: data.hash()?,
        volume: volume(data),
        auc: measured(&pairs, metrics::auc),
        ks: measured(&pairs, metrics::ks),
        brier: figure(metrics::brier(&pairs)),
        calibration: artefact.calibration.fit(&rows, fitted_on),
    })
}

/// Calibrated probability and outcome; where isotonic calibration ties totals, AUC counts the tie.
fn pairs(artefact: &Artefact, rows: &[Scored]) -> Vec<Pair> {
    let of = |row: &Scored| (artefact.calibration.probability(row.0).get(), row.1);
    rows.iter().map(of).collect()
}

fn measured(pairs: &[Pair], of: impl Fn(&[Pair]) -> Option<f64>) -> Option<Measured> {
    let each: Vec<(usize, Pair)> = pairs.iter().copied().enumerate().collect();
    let found = metrics::bootstrap(&each, BOOTSTRAP, of)?;
    Some(Measured {
        value: figure(Some(found.value))?,
        low: figure(Some(found.low))?,
        high: figure(Some(found.high))?,
    })
}

fn volume(data: &Dataset) -> Volume {
    let (rows, bad) = (data.rows().len() as u64, data.bads() as u64);
    Volume {
        rows,
        good: rows - bad,
        bad,
        features: data.features().len() as u64,
    }
}

/// Checks a text that a person wrote.
pub(crate) fn check_text(field: &'static str, text: &str) -> Result<(), CardError> {
    if text.trim().is_empty() {
        return Err(CardError::Text(field));
    }
    check_remark(field, text)
}

/// The same for one that may be empty.
pub(crate) fn check_remark(field: &'static str, text: &str) -> Result<(), CardError> {
    if text.chars().count() > TEXT_MAX {
        Err(CardError::Text(field))
    } else {
        Ok(())
    }
}

/// Checks a group's name.
fn check_group(name: &str) -> Result<(), CardError> {
    Ok(check_length(name)?)
}
